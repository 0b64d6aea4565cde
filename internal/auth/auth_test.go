package auth

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"portico"
	"portico/internal/keyring"
	"portico/internal/store"
	"portico/internal/store/sqlite"
	"portico/internal/store/storetest"
)

// world is an Auth over a registry in a temporary folder.
type world struct {
	*testing.T
	*Auth
	clock *clock
	ids   *portico.IDSource
	ring  *keyring.Ring
	store *store.Store

	hasher     *Hasher
	statements *storetest.Counter
}

const goodPassword = "seven grey herons over Ostrava"

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, clock: &clock{now: time.Date(2026, 6, 29, 14, 41, 35, 355000000, time.UTC)}}
	w.ids = portico.NewIDSource(w.clock.Now)
	engine, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir(), Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	w.statements = new(storetest.Counter)
	if w.store, err = store.New(w.statements.Watch(engine), w.clock.Now, w.ids); err != nil {
		t.Fatal(err)
	}
	w.ring, _ = keyring.Generate()
	w.hasher = NewHasher(HasherConfig{Cost: cheap()})
	w.Auth = w.auth()
	return w
}

// auth returns another Auth over the same registry, as a restart would.
func (w *world) auth() *Auth {
	return New(Config{Store: w.store, Ring: w.ring, IDs: w.ids, Log: slog.New(slog.DiscardHandler), Hasher: w.hasher})
}

func (w *world) pass(d time.Duration) { w.clock.Set(w.clock.Now().Add(d)) }

func (w *world) update(fn func(*store.Tx) error) {
	w.Helper()
	if err := w.store.Update(w.Context(), fn); err != nil {
		w.Fatal(err)
	}
}

func (w *world) organization(kind portico.OrganizationKind, parent string) portico.Organization {
	w.Helper()
	prefix := portico.PrefixOrganization
	if kind == portico.PortalKind {
		prefix = portico.PrefixPortal
	}
	var o portico.Organization
	w.update(func(tx *store.Tx) error {
		o = portico.Organization{ID: tx.NewID(prefix), Kind: kind, ParentID: parent, Name: string(kind), CreatedAt: tx.Now}
		return tx.InsertOrganization(o)
	})
	return o
}

// account returns a new account with goodPassword.
func (w *world) account(email string) portico.Account {
	w.Helper()
	hash, err := w.HashPassword(w.Context(), goodPassword, PasswordOwner{Email: email})
	if err != nil {
		w.Fatal(err)
	}
	var a portico.Account
	w.update(func(tx *store.Tx) error {
		a = portico.Account{ID: tx.NewID(portico.PrefixAccount), Email: email, EmailKey: email, Proven: true, CreatedAt: tx.Now}
		if err := tx.InsertAccount(a); err != nil {
			return err
		}
		return tx.SetPassword(a.ID, hash)
	})
	return a
}

func (w *world) join(a portico.Account, o portico.Organization, role portico.Role) {
	w.Helper()
	w.update(func(tx *store.Tx) error {
		return tx.InsertMembership(portico.Membership{
			OrganizationID: o.ID, AccountID: a.ID, Role: role, CreatedAt: tx.Now, ModifiedAt: tx.Now,
		})
	})
}

// session returns a new session and its tokens.
func (w *world) session(a portico.Account, o portico.Organization, audience string) (store.Session, Tokens) {
	w.Helper()
	var s store.Session
	w.update(func(tx *store.Tx) (err error) {
		s, err = w.NewSession(tx, a.ID, o.ID, audience)
		return err
	})
	tokens, err := w.Issue(s)
	if err != nil {
		w.Fatal(err)
	}
	return s, tokens
}

// token returns a new personal access token and its row.
func (w *world) token(a portico.Account, o portico.Organization, change func(*store.Token)) (string, store.Token) {
	w.Helper()
	secret, hash := PersonalToken.New()
	var row store.Token
	w.update(func(tx *store.Tx) error {
		row = store.Token{
			ID: tx.NewID(portico.PrefixToken), AccountID: a.ID, OrganizationID: o.ID,
			Name: "test", Hash: hash, CreatedAt: tx.Now,
		}
		if change != nil {
			change(&row)
		}
		return tx.InsertToken(row)
	})
	return secret, row
}

// administrator returns an owner of a new production organization.
func (w *world) administrator() (portico.Account, portico.Organization) {
	w.Helper()
	o := w.organization(portico.Production, "")
	a := w.account("ada@example.com")
	w.join(a, o, portico.Owner)
	return a, o
}

// principal returns who a credential stands for.
func (w *world) principal(credential string) (portico.Principal, error) {
	return w.Authenticate(w.Context(), "Bearer "+credential, "192.0.2.1")
}

// refresh rotates a session as control does.
func (w *world) refresh(ctx context.Context, token string) (tokens Tokens, ended bool, err error) {
	r, err := w.ReadRefresh(token)
	if err != nil {
		return Tokens{}, false, err
	}
	var s store.Session
	err = w.store.Update(ctx, func(tx *store.Tx) (err error) {
		s, ended, err = w.Rotate(tx, r, AccessTokenAudience)
		return err
	})
	if err != nil || ended {
		return Tokens{}, ended, err
	}
	tokens, err = w.Issue(s)
	return tokens, false, err
}

// want fails the test unless err has this kind and text.
func want(t *testing.T, err error, kind portico.Kind, text string) {
	t.Helper()
	if err == nil || portico.KindOf(err) != kind || portico.MessageOf(err) != text {
		t.Errorf("got %v (%v), want %v %q", err, portico.KindOf(err), kind, text)
	}
}

const (
	notAuthenticated = "Not authenticated"
	notValidated     = "Could not validate credentials"
	wrongPassword    = "Incorrect username or password"
)
