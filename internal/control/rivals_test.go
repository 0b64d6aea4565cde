package control_test

import (
	"context"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"

	"portico"
	"portico/internal/auth"
	"portico/internal/control"
	"portico/internal/jobs"
	"portico/internal/keyring"
	"portico/internal/lifecycle"
	"portico/internal/store"
	"portico/internal/store/sqlite"
)

// rivals is a registry at which somebody else is quicker, as on an engine that
// runs updates side by side: the first statement of a kind is refused, and what
// the other did is committed before the transaction is tried again.
type rivals struct {
	store.Engine
	registry *rivalRegistry
}

func (r rivals) Registry() store.Database { return r.registry }

type rivalRegistry struct {
	store.Database
	at      string // the beginning of the statement that is refused; empty: none
	refusal error  // nil: it finds no row
	moves   []func()
}

// Update implements store.Database.
func (r *rivalRegistry) Update(ctx context.Context, fn func(store.SQL) error) error {
	if len(r.moves) == 0 {
		return r.Database.Update(ctx, fn)
	}
	refused := false
	err := r.Database.Update(ctx, func(q store.SQL) error {
		refused = false
		return fn(rivalSQL{q, r, &refused})
	})
	if refused {
		move := r.moves[0]
		moves := r.moves[1:]
		r.moves = nil // the rival has none
		move()
		r.moves = moves
	}
	return err
}

type rivalSQL struct {
	store.SQL
	registry *rivalRegistry
	refused  *bool
}

// Exec implements store.SQL.
func (s rivalSQL) Exec(query string, args ...any) (int64, error) {
	if strings.HasPrefix(query, s.registry.at) {
		*s.refused = true
		return 0, s.registry.refusal
	}
	return s.SQL.Exec(query, args...)
}

// office is the operations of one administrator, with a rival.
type office struct {
	*testing.T
	*control.Control
	store    *store.Store
	registry *rivalRegistry
	by       portico.Principal
}

func newOffice(t *testing.T) *office {
	t.Helper()
	w := newIdentity(t)
	engine, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir(), Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	o := &office{T: t, registry: &rivalRegistry{Database: engine.Registry()}}
	ids := portico.NewIDSource(w.now)
	if o.store, err = store.New(rivals{engine, o.registry}, w.now, ids); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	ring, _ := keyring.Generate()
	a := auth.New(auth.Config{
		Store: o.store, Ring: ring, IDs: ids, Log: log,
		Hasher: auth.NewHasher(auth.HasherConfig{Cost: auth.Cost{Time: 1, MemoryKiB: 64, Threads: 1}}),
	})
	runner := jobs.New(jobs.Config{Store: o.store, Log: log, SoleProcess: true})
	l := lifecycle.New(lifecycle.Config{Store: o.store, Jobs: runner, Log: log, SoleProcess: true})
	t.Cleanup(func() {
		l.Stop()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	o.Control = control.New(control.Config{
		Store: o.store, Auth: a, Lifecycle: l, Jobs: runner, Log: log, Ring: ring,
		PublicURL: &url.URL{Scheme: "https", Host: "portico.example.com"}, PortalDomain: "portals.example.com",
	})
	acme, err := o.CreateOrganization(t.Context(), control.OrganizationCreate{Name: "Acme", Kind: portico.Production})
	o.no(err)
	admin := o.account(acme.ID, "admin@example.com")
	o.by = portico.Principal{AccountID: admin, OrganizationID: acme.ID, Kind: portico.Production, Role: portico.Admin, RequestID: "req_1"}
	return o
}

func (o *office) no(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

func (o *office) account(organizationID, email string) string {
	o.Helper()
	made, err := o.CreateAccount(o.Context(), control.AccountCreate{
		Email: email, Password: goodPassword, OrganizationID: organizationID, Role: portico.Admin,
	})
	o.no(err)
	return made.Account.ID
}

// rival makes the next statement with this beginning lose against a move.
func (o *office) rival(at string, refusal error, moves ...func()) {
	o.registry.at, o.registry.refusal, o.registry.moves = at, refusal, moves
}

func (o *office) create(once control.Once, name string) (portico.Portal, error) {
	return o.CreatePortal(o.Context(), o.by, once, portico.PortalCreate{Name: name})
}

func (o *office) portal(name string) portico.Portal {
	o.Helper()
	p, err := o.create(control.Once{}, name)
	o.no(err)
	return p
}

func (o *office) invite(portalID string, emails ...string) []portico.InviteResult {
	o.Helper()
	in := portico.Invite{}
	for _, email := range emails {
		in.Recipients = append(in.Recipients, portico.Recipient{Email: email})
	}
	results, err := o.InviteGuests(o.Context(), o.by, control.Once{}, portalID, in)
	o.no(err)
	return results
}

func TestRivalTakesTheLabel(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var theirs portico.Portal
	o.rival("INSERT INTO api_names", store.ErrUnique, func() { theirs = o.portal("Same") })
	ours := o.portal("Same")
	if theirs.APIName != "same" || !strings.HasPrefix(ours.APIName, "same-") {
		t.Errorf("the labels are %q and %q", theirs.APIName, ours.APIName)
	}
	rows, err := o.Portals(t.Context(), o.by, store.Page{Limit: 10})
	if err != nil || len(rows) != 2 {
		t.Errorf("%d portals, %v", len(rows), err)
	}
}

// TestRivalInvites: another invites the same address at the same time, to this
// portal or another one.
func TestRivalInvites(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		at, email string
		elsewhere bool
		want      portico.Verdict
	}{
		"a new address, here":      {"INSERT INTO accounts", "new@example.com", false, portico.VerdictAlreadyInvited},
		"a new address, elsewhere": {"INSERT INTO accounts", "new@example.com", true, portico.VerdictInvited},
		"a proven account, here":   {"INSERT INTO memberships", "known@example.com", false, portico.VerdictAlreadyMember},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.account(o.by.OrganizationID, "known@example.com")
			here, there := o.portal("Here"), o.portal("There")
			if !tt.elsewhere {
				there = here
			}
			var theirs []portico.InviteResult
			o.rival(tt.at, store.ErrUnique, func() { theirs = o.invite(there.ID, tt.email) })
			ours := o.invite(here.ID, tt.email, "another@example.com")
			if ours[0].Verdict != tt.want || ours[0].UserID != theirs[0].UserID || ours[1].Verdict != portico.VerdictInvited {
				t.Errorf("theirs %+v, ours %+v", theirs, ours)
			}
		})
	}
}

// TestRivalChanges: of two changes of one portal at once neither undoes what
// the other did.
func TestRivalChanges(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	p := o.portal("Before")
	change := func(in portico.PortalUpdate) portico.Portal {
		got, err := o.UpdatePortal(t.Context(), o.by, control.Once{}, p.ID, in)
		o.no(err)
		return got
	}
	name, description, domain := "After", "theirs", "shop.example.com"
	o.rival("UPDATE portals SET description", nil, func() {
		change(portico.PortalUpdate{
			Description:  portico.Change{Set: true, Value: &description},
			CustomDomain: portico.Change{Set: true, Value: &domain},
		})
	})
	got := change(portico.PortalUpdate{Name: &name})
	if got.Name != name || got.Description == nil || *got.Description != description || got.CustomDomain == nil || *got.CustomDomain != domain {
		t.Errorf("got %+v", got)
	}
}

func TestRivalMakesTheAccount(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	other, err := o.CreateOrganization(t.Context(), control.OrganizationCreate{Name: "Other", Kind: portico.Production})
	o.no(err)
	var theirs string
	o.rival("INSERT INTO accounts", store.ErrUnique, func() { theirs = o.account(other.ID, "both@example.com") })
	if ours := o.account(o.by.OrganizationID, "both@example.com"); ours != theirs {
		t.Errorf("two accounts for one address: %s, %s", ours, theirs)
	}
	in := control.AccountCreate{Email: "one@example.com", Password: goodPassword, OrganizationID: other.ID, Role: portico.Member}
	o.rival("INSERT INTO accounts", store.ErrUnique, func() { o.account(other.ID, in.Email) })
	_, err = o.CreateAccount(t.Context(), in)
	wantKind(t, err, portico.KindConflict)
}

// TestRivalHasTheKey: two writes with one key at once are one write. The second
// is told that the first is in flight, or gets its answer.
func TestRivalHasTheKey(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	once := control.Once{Key: "k", Fingerprint: "f"}
	o.rival("INSERT INTO idempotency", nil, func() {
		_, err := o.create(once, "Once")
		o.no(err)
	})
	_, err := o.create(once, "Once")
	wantKind(t, err, portico.KindConflict)
	again, err := o.create(once, "Once")
	o.no(err)
	rows, err := o.Portals(t.Context(), o.by, store.Page{Limit: 10})
	if err != nil || len(rows) != 1 || rows[0].ID != again.ID {
		t.Errorf("%d portals, %v", len(rows), err)
	}
}

// TestRivalsWithoutEnd: who is never first is asked to come again.
func TestRivalsWithoutEnd(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	tries := 0
	count := func() { tries++ }
	o.rival("INSERT INTO api_names", store.ErrUnique, slices.Repeat([]func(){count}, 10)...)
	_, err := o.create(control.Once{}, "Never")
	wantKind(t, err, portico.KindUnavailable)
	if portico.RetryAfterOf(err) == 0 || tries != 3 {
		t.Errorf("after %d tries: %v", tries, err)
	}
}

// TestRemovedAfterLeaving: a guest who left by themselves is none any more, and
// a removal that nobody was told of is not mistaken for that.
func TestRemovedAfterLeaving(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	p := o.portal("Left")
	guest := o.account(o.by.OrganizationID, "guest@example.com")
	o.invite(p.ID, "guest@example.com")
	visit := portico.Visit{Portal: p, Account: portico.Account{ID: guest}}
	o.no(o.LeavePortal(t.Context(), visit, home))
	wantKind(t, o.RemoveGuest(t.Context(), o.by, control.Once{}, p.ID, guest), portico.KindNotFound)
	o.invite(p.ID, "guest@example.com")
	o.no(o.RemoveGuest(t.Context(), o.by, control.Once{}, p.ID, guest))
	wantKind(t, o.RemoveGuest(t.Context(), o.by, control.Once{}, p.ID, guest), portico.KindNotFound)
}
