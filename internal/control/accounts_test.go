package control_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"portico"
	"portico/internal/auth"
	"portico/internal/control"
	"portico/internal/store"
)

func TestCreateAccount(t *testing.T) { //nolint:tparallel // the cases share one registry, looked at after them
	t.Parallel()
	w := newIdentity(t)
	o, other := w.organization("Acme"), w.organization("Other")
	in := control.AccountCreate{Email: " Ada@Example.com ", Name: "Ada", Password: goodPassword, OrganizationID: o.ID, Role: portico.Owner}
	first, err := w.CreateAccount(t.Context(), in)
	if err != nil || !first.New || !first.PasswordSet || !first.Account.Proven || first.Account.Email != "Ada@example.com" {
		t.Fatalf("got %+v, %v", first, err)
	}
	_, err = w.CreateAccount(t.Context(), in)
	wantKind(t, err, portico.KindConflict)

	in.Email, in.OrganizationID, in.Password = "ada@EXAMPLE.com", other.ID, "another password altogether"
	linked, err := w.CreateAccount(t.Context(), in)
	if err != nil || linked.New || linked.PasswordSet || linked.Account.ID != first.Account.ID {
		t.Fatalf("got %+v, %v", linked, err)
	}
	w.signIn("ada@example.com") // with the password that it had

	for _, tt := range []struct {
		name   string
		change func(*control.AccountCreate)
		kind   portico.Kind
	}{
		{"no address", func(in *control.AccountCreate) { in.Email = "ada" }, portico.KindInvalid},
		{"no password", func(in *control.AccountCreate) { in.Password = "" }, portico.KindInvalid},
		{"a short password", func(in *control.AccountCreate) { in.Password = "short" }, portico.KindInvalid},
		{"the address as password", func(in *control.AccountCreate) { in.Password = in.Email }, portico.KindInvalid},
		{"no role", func(in *control.AccountCreate) { in.Role = "" }, portico.KindInvalid},
		{"a guest", func(in *control.AccountCreate) { in.Role = portico.Guest }, portico.KindInvalid},
		{"no organization", func(in *control.AccountCreate) { in.OrganizationID = "org_x" }, portico.KindNotFound},
		{"a portal", func(in *control.AccountCreate) { in.OrganizationID = w.portal(o).ID }, portico.KindNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := control.AccountCreate{Email: "bob.the.builder@example.com", Password: goodPassword, OrganizationID: o.ID, Role: portico.Member}
			tt.change(&in)
			_, err := w.CreateAccount(t.Context(), in)
			wantKind(t, err, tt.kind)
			err = w.store.View(t.Context(), func(tx *store.Tx) error {
				_, err := tx.AccountByKey("bob.the.builder@example.com")
				return err
			})
			wantKind(t, err, portico.KindNotFound)
		})
	}
	w.events(o, portico.ActionOrganizationCreated, portico.ActionAccountCreated, portico.ActionSignedIn)
}

// TestCreateAccountOfStub is A39, A42 and A43 for an operator's proof.
func TestCreateAccountOfStub(t *testing.T) {
	t.Parallel()
	w := newIdentity(t)
	o := w.organization("Acme")
	var planted store.Session
	var stub portico.Account
	w.update(func(tx *store.Tx) (err error) {
		stub = portico.Account{ID: tx.NewID(portico.PrefixAccount), Email: "eve@example.com", EmailKey: "eve@example.com", CreatedAt: tx.Now}
		if err := tx.InsertAccount(stub); err != nil {
			return err
		}
		if err := tx.SetPassword(stub.ID, "planted"); err != nil {
			return err
		}
		planted, err = w.auth.NewSession(tx, stub.ID, o.ID, auth.AccessTokenAudience)
		return err
	})
	created, err := w.CreateAccount(t.Context(), control.AccountCreate{
		Email: "eve@example.com", Name: "Eve", Password: goodPassword, OrganizationID: o.ID, Role: portico.Member,
	})
	if err != nil || created.New || !created.PasswordSet || created.Account.ID != stub.ID || created.Account.Name != "Eve" {
		t.Fatalf("got %+v, %v", created, err)
	}
	tokens, err := w.auth.Issue(planted)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.auth.Authenticate(t.Context(), "Bearer "+tokens.AccessToken, "192.0.2.1")
	wantKind(t, err, portico.KindUnauthorized)
	w.signIn("eve@example.com")
}

func TestSetRole(t *testing.T) {
	t.Parallel()
	w := newIdentity(t)
	o := w.organization("Acme")
	w.member(o, "ada@example.com", portico.Owner)
	w.member(o, "bob@example.com", portico.Member)
	for i, tt := range []struct {
		email string
		role  portico.Role // empty: remove
		kind  portico.Kind // internal: it works
	}{
		{"ada@example.com", portico.Member, portico.KindConflict},
		{"ada@example.com", "", portico.KindConflict},
		{"ada@example.com", portico.Admin, portico.KindInternal},
		{"ada@example.com", portico.Member, portico.KindConflict},
		{"bob@example.com", portico.Admin, portico.KindInternal},
		{"ada@example.com", portico.Member, portico.KindInternal},
		{"bob@example.com", portico.Member, portico.KindConflict},
		{"ADA@example.com", "", portico.KindInternal},
		{"ada@example.com", "", portico.KindNotFound},
		{"ada@example.com", portico.Owner, portico.KindNotFound},
		{"cy@example.com", portico.Owner, portico.KindNotFound},
		{"nobody", portico.Owner, portico.KindInvalid},
		{"bob@example.com", portico.Guest, portico.KindInvalid},
	} {
		err := w.changeRole(o, tt.email, tt.role)
		if tt.kind == portico.KindInternal && err != nil {
			t.Errorf("case %d: %v", i, err)
		} else if tt.kind != portico.KindInternal {
			wantKind(t, err, tt.kind)
		}
	}
	w.events(o, portico.ActionOrganizationCreated, portico.ActionAccountCreated, portico.ActionAccountCreated,
		portico.ActionRoleChanged, portico.ActionRoleChanged, portico.ActionRoleChanged, portico.ActionMemberRemoved)
}

func (w *identity) changeRole(o portico.Organization, email string, role portico.Role) error {
	if role == "" {
		return w.RemoveMember(w.Context(), o.ID, email)
	}
	return w.SetRole(w.Context(), o.ID, email, role)
}

// TestLastAdministrator is A28: all administrators go at once, and one stays.
func TestLastAdministrator(t *testing.T) {
	t.Parallel()
	w := newIdentity(t)
	o := w.organization("Acme")
	emails := []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"}
	for _, email := range emails {
		w.member(o, email, portico.Admin)
	}
	var refused atomic.Int64
	var all sync.WaitGroup
	for i, email := range emails {
		all.Go(func() {
			role := portico.Member
			if i%2 == 0 {
				role = ""
			}
			switch err := w.changeRole(o, email, role); {
			case portico.KindOf(err) == portico.KindConflict:
				refused.Add(1)
			case err != nil:
				t.Error(err)
			}
		})
	}
	all.Wait()
	var left int
	w.update(func(tx *store.Tx) (err error) {
		left, err = tx.CountAdministrators(o.ID, "")
		return err
	})
	if left != 1 || refused.Load() != 1 {
		t.Errorf("%d administrators left, %d refused", left, refused.Load())
	}
}

// TestDemotedAtOnce is A24: old credentials of a demoted or removed
// administrator are refused at the next request.
func TestDemotedAtOnce(t *testing.T) {
	t.Parallel()
	for _, role := range []portico.Role{portico.Member, ""} {
		w := newIdentity(t)
		o := w.organization("Acme")
		w.member(o, "boss@example.com", portico.Owner)
		w.member(o, "ada@example.com", portico.Admin)
		tokens, p := w.signIn("ada@example.com")
		pat, err := w.CreateToken(t.Context(), p, control.TokenCreate{Name: "ci"})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.changeRole(o, "ada@example.com", role); err != nil {
			t.Fatal(err)
		}
		for _, credential := range []string{tokens.AccessToken, pat.Secret} {
			if role != "" {
				wantKind(t, w.principal(credential).MayAdministerPortals(portico.ScopePortalRead), portico.KindForbidden)
				continue
			}
			_, err := w.auth.Authenticate(t.Context(), "Bearer "+credential, "192.0.2.1")
			wantKind(t, err, portico.KindUnauthorized)
		}
	}
}
