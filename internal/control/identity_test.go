package control_test

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"portico"
	"portico/internal/auth"
	"portico/internal/control"
	"portico/internal/keyring"
	"portico/internal/store"
	"portico/internal/store/sqlite"
)

const goodPassword = "seven grey herons over Ostrava"

var home = control.Origin{Remote: "192.0.2.1", RequestID: "req_1"}

// identity is the operations on accounts over a registry in a temporary folder.
type identity struct {
	*testing.T
	*control.Control
	auth  *auth.Auth
	store *store.Store

	mu sync.Mutex
	at time.Time
}

func newIdentity(t *testing.T) *identity {
	t.Helper()
	w := &identity{T: t, at: time.Date(2026, 6, 29, 14, 41, 35, 355000000, time.UTC)}
	ids := portico.NewIDSource(w.now)
	engine, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir(), Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	if w.store, err = store.New(engine, w.now, ids); err != nil {
		t.Fatal(err)
	}
	ring, _ := keyring.Generate()
	log := slog.New(slog.DiscardHandler)
	w.auth = auth.New(auth.Config{
		Store: w.store, Ring: ring, IDs: ids, Log: log,
		Hasher: auth.NewHasher(auth.HasherConfig{Cost: auth.Cost{Time: 1, MemoryKiB: 64, Threads: 1}}),
	})
	w.Control = control.New(control.Config{Store: w.store, Auth: w.auth, Log: log, Ring: ring})
	return w
}

func (w *identity) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *identity) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

func (w *identity) organization(name string) portico.Organization {
	w.Helper()
	o, err := w.CreateOrganization(w.Context(), control.OrganizationCreate{Name: name, Kind: portico.Production})
	if err != nil {
		w.Fatal(err)
	}
	return o
}

// member returns the account of an address, made a member with goodPassword.
func (w *identity) member(o portico.Organization, email string, role portico.Role) portico.Account {
	w.Helper()
	created, err := w.CreateAccount(w.Context(), control.AccountCreate{
		Email: email, Name: "Ada", Password: goodPassword, OrganizationID: o.ID, Role: role,
	})
	if err != nil {
		w.Fatal(err)
	}
	return created.Account
}

// portal writes a portal's organization alone: identity needs no more of it.
func (w *identity) portal(parent portico.Organization) portico.Organization {
	w.Helper()
	var o portico.Organization
	w.update(func(tx *store.Tx) error {
		o = portico.Organization{
			ID: tx.NewID(portico.PrefixPortal), Kind: portico.PortalKind, ParentID: parent.ID, Name: "Portal", CreatedAt: tx.Now,
		}
		return tx.InsertOrganization(o)
	})
	return o
}

func (w *identity) update(fn func(*store.Tx) error) {
	w.Helper()
	if err := w.store.Update(w.Context(), fn); err != nil {
		w.Fatal(err)
	}
}

func (w *identity) signIn(email string) (auth.Tokens, portico.Principal) {
	w.Helper()
	tokens, err := w.SignIn(w.Context(), email, goodPassword, home)
	if err != nil {
		w.Fatal(err)
	}
	return tokens, w.principal(tokens.AccessToken)
}

func (w *identity) principal(credential string) portico.Principal {
	w.Helper()
	p, err := w.auth.Authenticate(w.Context(), "Bearer "+credential, "192.0.2.1")
	if err != nil {
		w.Fatal(err)
	}
	p.RequestID = "req_2"
	return p
}

// events returns an organization's audit records, and fails unless their
// actions are these.
func (w *identity) events(o portico.Organization, actions ...portico.Action) []portico.Event {
	w.Helper()
	var all []portico.Event
	err := w.store.View(w.Context(), func(tx *store.Tx) (err error) {
		all, err = tx.Events(o.ID, "", 1000)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	got := make([]portico.Action, len(all))
	for i, e := range all {
		got[i] = e.Action
	}
	if len(got) != len(actions) {
		w.Fatalf("recorded %v, want %v", got, actions)
	}
	for i := range got {
		if got[i] != actions[i] {
			w.Fatalf("recorded %v, want %v", got, actions)
		}
	}
	return all
}

func wantKind(t *testing.T, err error, kind portico.Kind) {
	t.Helper()
	if err == nil || portico.KindOf(err) != kind {
		t.Errorf("got %v, want kind %v", err, kind)
	}
}

func wantField(t *testing.T, err error, field string) {
	t.Helper()
	e, ok := err.(*portico.Error) //nolint:errorlint // the operations return it bare, and fronts rely on the field
	if !ok || e.Kind != portico.KindInvalid || e.Field != field {
		t.Errorf("got %v, want one on field %q", err, field)
	}
}
