package faults

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico"
	"portico/internal/store"
	"portico/internal/store/sqlite"
)

// registrySQL changes the registry behind the service's back.
func registrySQL(t testing.TB, dir string, statements ...string) {
	t.Helper()
	engine, err := sqlite.Open(context.Background(), sqlite.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	err = engine.Registry().Update(context.Background(), execute(statements))
	if err != nil {
		t.Fatal(err)
	}
}

// portalSQL changes a portal's database behind the service's back.
func portalSQL(t testing.TB, dir, portalID string, statements ...string) {
	t.Helper()
	ctx := context.Background()
	engine, err := sqlite.Open(ctx, sqlite.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	var epoch [][]string
	err = engine.Registry().View(ctx, func(q store.SQL) (err error) {
		epoch, err = table(q, `SELECT value FROM meta WHERE name = 'epoch'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	handle, err := engine.Open(ctx, store.Identity{PortalID: portalID, Generation: 1, Epoch: epoch[0][0]})
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Release()
	if err := handle.Update(ctx, execute(statements)); err != nil {
		t.Fatal(err)
	}
}

func execute(statements []string) func(store.SQL) error {
	return func(q store.SQL) error {
		for _, s := range statements {
			if _, err := q.Exec(s); err != nil {
				return err
			}
		}
		return nil
	}
}

// file returns the path of a portal's database.
func (w *world) file(p *portal) string {
	raw := strings.TrimPrefix(p.id, portico.PrefixPortal)
	return filepath.Join(w.dir, "portals", raw[len(raw)-2:], raw, portico.DatabaseName(p.id, 1)+".db")
}

// TestOracle plants each kind of violation and sees it reported: an oracle that
// cannot fail shows nothing.
func TestOracle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := start(t, w.config())
	p, doomed := w.portal(s, 3), w.portal(s, 1)
	w.must(s, w.remove(doomed))
	w.holds(s)
	a, err := s.send("GET", "/v1/portal", w.Token, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.stop()
	sql := func(statements ...string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) { registrySQL(t, w.dir, statements...) }
	}
	inPortal := func(statements ...string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) { portalSQL(t, w.dir, p.id, statements...) }
	}
	write := func(rel string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			path := filepath.Join(w.dir, rel)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	name := portico.DatabaseName(p.id, 1)
	for _, tt := range []struct {
		plant string
		do    func(*testing.T, *world)
		says  string
	}{
		{"nothing", func(*testing.T, *world) {}, ""},
		{"stray file", write("portals/zz/x"), "stray below portals"},
		{"stray beside", func(t *testing.T, w *world) { write(strings.TrimPrefix(w.file(p), w.dir)+".new-1")(t, w) }, "stray below portals"},
		{"left-over WAL", write("portals/00/" + strings.Repeat("0", 26) + "/p_" + strings.Repeat("0", 26) + "_g1.db-wal"), "stray below portals"},
		{"empty folder", func(t *testing.T, w *world) { _ = os.Mkdir(filepath.Join(w.dir, "portals", "zz"), 0o700) }, "stray below portals"},
		{"stranger in the data folder", write("dump.db"), "stray in the data folder"},
		{"missing database", func(t *testing.T, w *world) { _ = os.Remove(w.file(p)) }, "missing below portals"},
		{"unfinished row", sql(`UPDATE portals SET state = 'creating'`), "is creating"},
		{"row without organization", sql(`DELETE FROM organizations WHERE kind = 'portal'`), "portal without an organization"},
		{"organization without row", sql(`DELETE FROM portals`), "organization of a portal"},
		{"portal gone without tombstone", sql(`DELETE FROM portals`, `DELETE FROM organizations WHERE kind = 'portal'`), "label without a portal"},
		{"tombstone forgotten", sql(`DELETE FROM tombstones`), "label without a portal"},
		{"open tombstone", sql(`UPDATE tombstones SET gone_at = NULL`), "still open"},
		{"tombstone of a living portal", sql(`INSERT INTO tombstones (database_name, portal_id, organization_id, reason, actor_id, created_at, gone_at, evidence) VALUES ('` + name + `', '` + p.id + `', '', 'deleted', 'user_x', 0, 1, '')`), "portal that has a tombstone"},
		{"tombstone of nobody", sql(`UPDATE tombstones SET actor_id = 'system'`), "without the one who asked"},
		{"missing audit record of creation", sql(`DELETE FROM events WHERE action = 'portal.created'`), "audit record of its creation"},
		{"missing audit record of an invitation", sql(`DELETE FROM events WHERE action = 'guest.invited'`), "guest without an audit record"},
		{"missing audit record of a deletion", sql(`DELETE FROM events WHERE action = 'portal.deleted'`), "exactly one record of creation and deletion"},
		{"second audit record", sql(`INSERT INTO events SELECT id || 'x', at, organization_id, portal_id, actor_id, action, subject_id, request_id, detail FROM events WHERE action = 'guest.invited' LIMIT 1`), "do not add up"},
		{"pending job", sql(`INSERT INTO jobs VALUES ('job_x', 'project', '', '{}', 0, 0, 0, 0, '', 0)`), "job that waits"},
		{"answer in flight", sql(`UPDATE idempotency SET snapshot = NULL`), "answer in flight"},
		{"orphan mail", sql(`UPDATE outbox SET generation = 7`), "mail without its invitation"},
		{"missing mail", sql(`DELETE FROM outbox`), "without exactly one mail"},
		{"second mail", sql(`INSERT INTO outbox (id, template, organization_id, portal_id, account_id, invitation_id, generation, inviter_id, held_by, state, attempts, run_at, created_at)
			SELECT id || 'x', template || 'x', organization_id, portal_id, account_id, invitation_id, generation, inviter_id, held_by, state, attempts, run_at, created_at FROM outbox LIMIT 1`), "without exactly one mail"},
		{"duplicate portal", sql(`INSERT INTO organizations SELECT 'port_x', kind, parent_id, name, 0, 0 FROM organizations WHERE kind = 'portal'`), "two portals by one name"},
		{"lost guest", sql(`DELETE FROM invitations`, `DELETE FROM outbox`), "do not add up"},
		{"forgotten stub", sql(`INSERT INTO accounts VALUES ('user_x', 'x@x', 'x@x', '', 0, 0, '')`), "account that nothing holds"},
		{"membership in nothing", sql(`INSERT INTO memberships VALUES ('port_x', 'user_x', 'guest', '', '', 0, '', 0, '')`), "membership in nothing"},
		{"domain verified twice", sql(`DROP INDEX portals_verified_domain`, `UPDATE portals SET domain_verified_at = 1`, `INSERT INTO portals
			(id, api_name, description, custom_domain, domain_status, domain_verified_at, state, generation, attempts, last_error, lease_until, fence, request_id, search, created_by, modified_at, modified_by)
			SELECT 'port_x', 'x', description, custom_domain, domain_status, 1, state, 1, 0, '', 0, 0, '', '', '', 0, '' FROM portals`), "two portals have verified"},
		{"projection behind", inPortal(`DELETE FROM users`), "other guests"},
		{"projection with a stranger", inPortal(`UPDATE users SET email = 'x@x'`), "other guests"},
		{"membership document lost", inPortal(`DELETE FROM memberships`), "user without a membership document"},
		{"setting left", inPortal(`INSERT INTO settings VALUES ('user_x', 'a', 'b')`), "setting without a user"},
		{"damaged database", func(t *testing.T, w *world) { scribble(t, w.file(p), 8192, 4096) }, "database of"},
	} {
		t.Run(tt.plant, func(t *testing.T) {
			t.Parallel()
			copied := &world{t: t, dir: filepath.Join(t.TempDir(), "data"), people: w.people}
			if err := copyTree(w.dir, copied.dir); err != nil {
				t.Fatal(err)
			}
			tt.do(t, copied)
			wrong := strings.Join((&oracle{dir: copied.dir}).look(), "\n")
			if (tt.says == "") != (wrong == "") || !strings.Contains(wrong, tt.says) {
				t.Errorf("the oracle says %q, want %q", wrong, tt.says)
			}
		})
	}
	if len(a.Body) < 10 {
		t.Errorf("list: %s", a.Body)
	}
}

// scribble writes nonsense over a part of a file.
func scribble(t testing.TB, path string, at int64, size int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(strings.Repeat("nonsense", size/8)), at); err != nil {
		t.Fatal(err)
	}
}

// TestLedger shows that the comparison of promises with answers can fail: an
// acknowledged guest, portal or deletion that is not there is reported.
func TestLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := start(t, w.config())
	p := w.portal(s, 1)
	w.holds(s)
	expect := func(text string) {
		t.Helper()
		if wrong := strings.Join(w.violations(s), "\n"); !strings.Contains(wrong, text) {
			t.Errorf("reported %q, want %q", wrong, text)
		}
	}
	p.guests["nobody@people.example.com"] = "user_x"
	expect("users of " + p.id)
	delete(p.guests, "nobody@people.example.com")
	p.updated++
	expect("audit records portal.updated")
	p.updated--
	w.portals = append(w.portals, &portal{id: "port_" + strings.Repeat("0", 26), guests: map[string]string{}})
	expect("is not listed")
	w.portals = w.portals[:1]
	p.gone = true
	expect("was deleted and is listed")
	p.gone = false
	w.portals = nil
	expect("nobody was told of it")
}
