package lifecycle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"portico"
	"portico/internal/failpoint"
	"portico/internal/jobs"
	"portico/internal/store"
	"portico/internal/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is one registry on a real engine, in a bubble: its time is the
// bubble's, which passes only while everybody waits.
type world struct {
	*testing.T
	dir    string
	engine *listing
	store  *store.Store
	points *failpoint.Set
	org    portico.Organization
}

// node is one process that works on the portals of a world.
type node struct {
	*Lifecycle
	points *failpoint.Set
	jobs   *jobs.Runner
	log    *lines
}

// in runs a test in a bubble.
func in(t *testing.T, test func(*world)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, dir: dir, points: failpoint.New()}
		engine, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir, Exclusive: true, Now: time.Now, Failpoints: w.points})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.no(engine.Close()) })
		w.engine = &listing{Engine: engine, ids: portico.NewIDSource(time.Now)}
		w.store, err = store.New(w.engine, time.Now, w.engine.ids)
		w.no(err)
		w.update(func(tx *store.Tx) error {
			w.org = portico.Organization{
				ID: tx.NewID(portico.PrefixOrganization), Kind: portico.Production, Name: "Acme", CreatedAt: tx.Now,
			}
			return tx.InsertOrganization(w.org)
		})
		test(w)
	})
}

// listing is the engine with a listing that breaks off, and a registry that is
// away, when they are told to.
type listing struct {
	store.Engine
	ids    *portico.IDSource
	broken error
	away   atomic.Bool
}

func (l *listing) Registry() store.Database { return registry{l.Engine.Registry(), l} }

type registry struct {
	store.Database
	engine *listing
}

func (r registry) Look(ctx context.Context, fn func(store.SQL) error) error {
	if r.engine.away.Load() {
		return store.Unavailable(errors.New("the registry is away"))
	}
	return r.Database.Look(ctx, fn)
}

func (r registry) Update(ctx context.Context, fn func(store.SQL) error) error {
	if r.engine.away.Load() {
		return store.Unavailable(errors.New("the registry is away"))
	}
	return r.Database.Update(ctx, fn)
}

func (l *listing) List(ctx context.Context, cluster string, fn func(store.Found) error) error {
	return errors.Join(l.Engine.List(ctx, cluster, fn), l.broken)
}

// lines collects what is logged, a record a line.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// count returns how many records hold the text.
func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// node starts a process; sole says that it is the only one.
func (w *world) node(sole bool) *node {
	n := &node{points: failpoint.New(), log: new(lines)}
	log := slog.New(slog.NewTextHandler(n.log, nil))
	n.jobs = jobs.New(jobs.Config{Store: w.store, Log: log, SoleProcess: sole})
	n.Lifecycle = New(Config{Store: w.store, Jobs: n.jobs, Log: log, Failpoints: n.points, SoleProcess: sole})
	w.Cleanup(n.Stop)
	return n
}

func (w *world) no(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) update(fn func(*store.Tx) error) {
	w.Helper()
	w.no(w.store.Update(w.Context(), fn))
}

// intent writes the row of a new portal under a lease, as a request does.
func (w *world) intent() store.PortalRow {
	w.Helper()
	var row store.PortalRow
	w.update(func(tx *store.Tx) error {
		id := tx.NewID(portico.PrefixPortal)
		row = store.PortalRow{
			Portal: portico.Portal{
				ID: id, OrganizationID: w.org.ID, Name: "P", APIName: "p-" + id[len(id)-20:], State: portico.PortalCreating, Generation: 1,
				CreatedAt: tx.Now, CreatedBy: "user_a", ModifiedAt: tx.Now, ModifiedBy: "user_a",
			},
			LeaseUntil: tx.Now.Add(LeaseLife), Fence: 1, RequestID: "req_1",
		}
		if err := tx.InsertPortal(row); err != nil {
			return err
		}
		return tx.PutAnswer(store.Answer{OrganizationID: w.org.ID, AccountID: "user_a", Key: id, PortalID: id})
	})
	return row
}

// portal makes a portal.
func (w *world) portal(n *node) store.PortalRow {
	w.Helper()
	row := w.intent()
	row, err := n.Settle(w.Context(), row.ID, row.Fence)
	w.no(err)
	return row
}

// bury writes what ends a portal, as a request does, and returns the fence.
func (w *world) bury(row store.PortalRow) (fence int64) {
	w.Helper()
	w.update(func(tx *store.Tx) (err error) {
		if row, err = tx.BeginDelete(row.ID, "user_a", "req_2", LeaseLife); err != nil {
			return err
		}
		fence = row.Fence
		return tx.InsertTombstone(store.Tombstone{
			DatabaseName: database(row), PortalID: row.ID, OrganizationID: row.OrganizationID, Cluster: row.Cluster, Reason: store.TombstoneDeleted, ActorID: "user_a",
		})
	})
	return fence
}

// guest makes an account a guest of a portal in the registry alone.
func (w *world) guest(row store.PortalRow, email string) (accountID string) {
	w.Helper()
	w.update(func(tx *store.Tx) error {
		accountID = tx.NewID(portico.PrefixAccount)
		err := tx.InsertAccount(portico.Account{ID: accountID, Email: email, EmailKey: email, CreatedAt: tx.Now})
		if err != nil {
			return err
		}
		return tx.SaveInvitations([]portico.Invitation{{
			ID: tx.NewID(portico.PrefixInvitation), PortalID: row.ID, AccountID: accountID, Role: portico.Guest, State: portico.InvitationPending,
			Generation: 1, ExpiresAt: tx.Now.Add(time.Hour), CreatedAt: tx.Now, ModifiedAt: tx.Now,
		}})
	})
	return accountID
}

// identity returns that of another generation of a portal's database.
func (w *world) identity(row store.PortalRow, generation int) store.Identity {
	row.Generation = generation
	return w.store.Identity(row)
}

func database(row store.PortalRow) string { return portico.DatabaseName(row.ID, row.Generation) }

// row returns a portal's row now; its state is empty when there is none.
func (w *world) row(id string) (row store.PortalRow) {
	w.Helper()
	err := w.store.View(w.Context(), func(tx *store.Tx) (err error) {
		row, err = tx.PortalByID(id)
		return err
	})
	if portico.KindOf(err) != portico.KindNotFound {
		w.no(err)
	}
	return row
}

// state fails the test unless the portal is in a state; empty: gone.
func (w *world) state(id string, want portico.PortalState) {
	w.Helper()
	if got := w.row(id).State; got != want {
		w.Fatalf("the portal is %q, want %q", got, want)
	}
}

// tombstone returns a tombstone, and whether there is one.
func (w *world) tombstone(name string) (t store.Tombstone, ok bool) {
	w.Helper()
	err := w.store.View(w.Context(), func(tx *store.Tx) (err error) {
		t, err = tx.Tombstone(name)
		return err
	})
	if portico.KindOf(err) == portico.KindNotFound {
		return t, false
	}
	w.no(err)
	return t, true
}

// recorded returns the actions of the audit records about a portal.
func (w *world) recorded(id string) (actions []portico.Action) {
	w.Helper()
	w.no(w.store.View(w.Context(), func(tx *store.Tx) error {
		events, err := tx.Events(w.org.ID, "", 1000)
		actions = nil
		for _, e := range events {
			if e.PortalID == id {
				actions = append(actions, e.Action)
			}
		}
		return err
	}))
	return actions
}

// files returns the names of the database files of a portal.
func (w *world) files(id string) (names []string) {
	w.Helper()
	err := filepath.WalkDir(filepath.Join(w.dir, "portals"), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // no portal was ever made, or the folder just went
		}
		if err == nil && strings.Contains(d.Name(), id[len(portico.PrefixPortal):]) && strings.HasSuffix(path, ".db") {
			names = append(names, strings.TrimSuffix(d.Name(), ".db"))
		}
		return err
	})
	w.no(err)
	return names
}

// path returns where a database's file is.
func (w *world) path(name string) string {
	raw := strings.TrimPrefix(name, "p_")[:26]
	return filepath.Join(w.dir, "portals", raw[24:], raw, name+".db")
}

// users returns how many users a portal's own database holds.
func (w *world) users(row store.PortalRow) int {
	w.Helper()
	h, err := w.engine.Open(w.Context(), w.store.Identity(row))
	w.no(err)
	defer h.Release()
	users, err := store.Users(w.Context(), h, store.UserFilter{Page: store.Page{Limit: 100}})
	w.no(err)
	return len(users)
}

// copy backs a portal's database up and returns the path of the copy.
func (w *world) copy(row store.PortalRow) string {
	w.Helper()
	path := filepath.Join(w.TempDir(), "copy.db")
	w.no(w.engine.Backup(w.Context(), w.store.Identity(row).Place(), path))
	return path
}

// lose removes the folder of a portal's database and returns what puts the
// database back.
func (w *world) lose(row store.PortalRow) (back func()) {
	w.Helper()
	copied, err := os.ReadFile(w.copy(row))
	w.no(err)
	path := w.path(database(row))
	w.no(os.RemoveAll(filepath.Dir(path)))
	_ = os.Remove(filepath.Dir(filepath.Dir(path))) // unless another portal is there
	return func() {
		w.no(os.RemoveAll(filepath.Dir(path)))
		w.no(os.MkdirAll(filepath.Dir(path), 0o700))
		w.no(os.WriteFile(path, copied, 0o600))
	}
}

// answer returns the stored answer of the request that made a portal.
func (w *world) answer(id string) (a store.Answer, ok bool) {
	w.Helper()
	w.no(w.store.View(w.Context(), func(tx *store.Tx) (err error) {
		a, ok, err = tx.Answer(w.org.ID, "user_a", id)
		return err
	}))
	return a, ok
}

// pass lets time go by.
func pass(d time.Duration) { <-time.After(d) }

// failFirst makes the first hits of a point fail.
func failFirst(points *failpoint.Set, name string, hits int) {
	points.On(name, func(_ context.Context, p failpoint.Point) error {
		if p.Hits <= hits {
			return &failpoint.Error{Point: p.Name, Hit: p.Hits}
		}
		return nil
	})
}

func wantKind(t *testing.T, err error, kind portico.Kind) {
	t.Helper()
	if err == nil || portico.KindOf(err) != kind {
		t.Errorf("got %v, want an error of kind %v", err, kind)
	}
}

func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}
