package auth

import (
	"reflect"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
)

func TestHeaders(t *testing.T) { //nolint:tparallel // the cases are counted on one registry
	t.Parallel()
	w := newWorld(t)
	a, o := w.administrator()
	_, tokens := w.session(a, o, AccessTokenAudience)
	good := tokens.AccessToken
	for _, tt := range []struct{ name, header, text string }{
		{"none", "", notAuthenticated},
		{"another scheme", "Basic Zm9v", notAuthenticated},
		{"the bare token", good, notAuthenticated},
		{"a scheme that begins alike", "Bearers " + good, notAuthenticated},
		{"a space in front", " Bearer " + good, notAuthenticated},
		{"the scheme alone", "Bearer", notValidated},
		{"the scheme and a space", "Bearer ", notValidated},
		{"nonsense", "Bearer nonsense", notValidated},
		{"a truncated token", "Bearer " + good[:len(good)-1], notValidated},
		{"two tokens", "Bearer " + good + " " + good, notValidated},
		{"a refresh token", "Bearer " + tokens.RefreshToken, notValidated},
		{"a malformed personal token", "Bearer " + string(PersonalToken) + "x", notValidated},
		{"good", "Bearer " + good, ""},
		{"lower case", "bearer " + good, ""},
		{"upper case", "BEARER " + good, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := w.Authenticate(t.Context(), tt.header, "192.0.2.1")
			if tt.text != "" {
				want(t, err, portico.KindUnauthorized, tt.text)
				if !reflect.DeepEqual(p, portico.Principal{}) {
					t.Errorf("a principal came with the error: %+v", p)
				}
				return
			}
			if err != nil || p.AccountID != a.ID || p.OrganizationID != o.ID || p.Role != portico.Owner || p.Kind != portico.Production {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
}

// TestRegistryDecides changes the registry after the credentials were made:
// the next request sees it.
func TestRegistryDecides(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		change         func(tx *store.Tx, a portico.Account, o portico.Organization, s store.Session, pat store.Token) error
		wait           time.Duration
		session, token func(portico.Principal) bool // nil: refused
	}{
		{name: "nothing",
			session: func(p portico.Principal) bool { return p.Role == portico.Owner && !p.Suspended },
			token:   func(p portico.Principal) bool { return p.Role == portico.Owner && !p.Suspended }},
		{name: "demoted",
			change: func(tx *store.Tx, a portico.Account, o portico.Organization, _ store.Session, _ store.Token) error {
				_, err := tx.SetRole(o.ID, a.ID, portico.Member, "")
				return err
			},
			session: func(p portico.Principal) bool { return p.Role == portico.Member },
			token:   func(p portico.Principal) bool { return p.Role == portico.Member }},
		{name: "suspended",
			change: func(tx *store.Tx, _ portico.Account, o portico.Organization, _ store.Session, _ store.Token) error {
				_, err := tx.SetOrganizationSuspended(o.ID, true)
				return err
			},
			session: func(p portico.Principal) bool { return p.Suspended },
			token:   func(p portico.Principal) bool { return p.Suspended }},
		{name: "removed",
			change: func(tx *store.Tx, a portico.Account, o portico.Organization, _ store.Session, _ store.Token) error {
				_, err := tx.DeleteMembership(o.ID, a.ID)
				return err
			}},
		{name: "signed out",
			change: func(tx *store.Tx, _ portico.Account, _ portico.Organization, s store.Session, _ store.Token) error {
				_, err := tx.DeleteSession(s.ID)
				return err
			},
			token: func(p portico.Principal) bool { return p.Role == portico.Owner }},
		{name: "password changed elsewhere",
			change: func(tx *store.Tx, a portico.Account, _ portico.Organization, _ store.Session, _ store.Token) error {
				return ChangePassword(tx, a.ID, "another", "")
			},
			token: func(p portico.Principal) bool { return p.Role == portico.Owner }},
		{name: "password changed in this session",
			change: func(tx *store.Tx, a portico.Account, _ portico.Organization, s store.Session, _ store.Token) error {
				return ChangePassword(tx, a.ID, "another", s.ID)
			},
			session: func(p portico.Principal) bool { return p.Role == portico.Owner },
			token:   func(p portico.Principal) bool { return p.Role == portico.Owner }},
		{name: "token revoked",
			change: func(tx *store.Tx, a portico.Account, o portico.Organization, _ store.Session, pat store.Token) error {
				_, err := tx.DeleteToken(pat.ID, a.ID, o.ID)
				return err
			},
			session: func(p portico.Principal) bool { return p.Role == portico.Owner }},
		{name: "access token ran out", wait: AccessTokenLife,
			token: func(p portico.Principal) bool { return p.Role == portico.Owner }},
		{name: "personal token ran out", wait: 10 * time.Minute,
			session: func(p portico.Principal) bool { return p.Role == portico.Owner }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, o := w.administrator()
			s, tokens := w.session(a, o, AccessTokenAudience)
			secret, row := w.token(a, o, func(row *store.Token) {
				if tt.wait == 10*time.Minute {
					end := w.clock.Now().Add(tt.wait)
					row.ExpiresAt = &end
				}
			})
			if tt.change != nil {
				w.update(func(tx *store.Tx) error { return tt.change(tx, a, o, s, row) })
			}
			w.pass(tt.wait)
			for _, c := range []struct {
				credential string
				good       func(portico.Principal) bool
			}{{tokens.AccessToken, tt.session}, {secret, tt.token}} {
				p, err := w.principal(c.credential)
				if c.good == nil {
					want(t, err, portico.KindUnauthorized, notValidated)
				} else if err != nil || !c.good(p) {
					t.Errorf("got %+v, %v", p, err)
				}
			}
		})
	}
}

func TestSessionRunsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, o := w.administrator()
	s, _ := w.session(a, o, AccessTokenAudience)
	w.pass(SessionLife)
	tokens, err := w.Issue(s) // made before, by a node whose clock is behind
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.principal(tokens.AccessToken)
	want(t, err, portico.KindUnauthorized, notValidated)
	_, _, err = w.refresh(t.Context(), tokens.RefreshToken)
	want(t, err, portico.KindUnauthorized, notValidated)
}

// TestParentSuspension is A24 for what belongs to a suspended organization.
func TestParentSuspension(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, o := w.administrator()
	for _, kind := range []portico.OrganizationKind{portico.Sandbox, portico.PortalKind} {
		child := w.organization(kind, o.ID)
		w.join(a, child, portico.Guest)
		_, tokens := w.session(a, child, AccessTokenAudience)
		for _, suspended := range []bool{false, true} {
			w.update(func(tx *store.Tx) error {
				_, err := tx.SetOrganizationSuspended(o.ID, suspended)
				return err
			})
			p, err := w.principal(tokens.AccessToken)
			if err != nil || p.Suspended != suspended || p.Kind != kind || p.Role != portico.Guest {
				t.Errorf("parent suspended %v: got %+v, %v", suspended, p, err)
			}
		}
	}
}

// TestAudience: a guest's session of a portal's pages is nothing here.
func TestAudience(t *testing.T) {
	t.Parallel()
	t.Run("A25 a guest's session at the API", guestSession)
}

func guestSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, o := w.administrator()
	portal := w.organization(portico.PortalKind, o.ID)
	w.join(a, portal, portico.Guest)
	_, tokens := w.session(a, portal, PortalAudience(portal.ID))
	w.update(func(tx *store.Tx) error {
		now, err := tx.Account(a.ID)
		if now.LastOrganizationID != "" {
			t.Errorf("a visit to a portal's pages made %s the organization last used", now.LastOrganizationID)
		}
		return err
	})
	_, err := w.principal(tokens.AccessToken)
	want(t, err, portico.KindUnauthorized, notValidated)
	_, ended, err := w.refresh(t.Context(), tokens.RefreshToken)
	want(t, err, portico.KindUnauthorized, notValidated)
	if ended {
		t.Error("the guest's session was ended by another audience's endpoint")
	}
}

// TestBorrowedSession gives a session's id to a token for somebody else.
func TestBorrowedSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, o := w.administrator()
	s, _ := w.session(a, o, AccessTokenAudience)
	for _, forged := range []store.Session{
		{ID: s.ID, AccountID: "user_0", OrganizationID: s.OrganizationID},
		{ID: s.ID, AccountID: s.AccountID, OrganizationID: "org_0"},
		{ID: "sess_0", AccountID: s.AccountID, OrganizationID: s.OrganizationID},
	} {
		tokens, err := w.Issue(forged)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.principal(tokens.AccessToken)
		want(t, err, portico.KindUnauthorized, notValidated)
	}
}

// TestStub is A42: what was planted for an unproven account opens nothing.
func TestStub(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, o := w.administrator()
	var stub portico.Account
	w.update(func(tx *store.Tx) error {
		stub = portico.Account{ID: tx.NewID(portico.PrefixAccount), Email: "eve@example.com", EmailKey: "eve@example.com", CreatedAt: tx.Now}
		return tx.InsertAccount(stub)
	})
	w.join(stub, o, portico.Owner)
	_, tokens := w.session(stub, o, AccessTokenAudience)
	secret, _ := w.token(stub, o, nil)
	refused := func() {
		t.Helper()
		for _, credential := range []string{tokens.AccessToken, secret} {
			_, err := w.principal(credential)
			want(t, err, portico.KindUnauthorized, notValidated)
		}
		_, _, err := w.refresh(t.Context(), tokens.RefreshToken)
		want(t, err, portico.KindUnauthorized, notValidated)
	}
	refused()
	w.update(func(tx *store.Tx) error {
		fresh, err := Prove(tx, stub.ID, "hash")
		if !fresh {
			t.Error("the stub was proven before")
		}
		return err
	})
	refused() // its owner's proof does not bring them to life
	w.update(func(tx *store.Tx) error {
		fresh, err := Prove(tx, stub.ID, "other")
		if fresh {
			t.Error("proven twice")
		}
		_, hash, _ := tx.PasswordByAccount(stub.ID)
		if hash != "hash" {
			t.Errorf("a second proof changed the password to %q", hash)
		}
		return err
	})
}

func TestFailuresOfAnAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, o := w.administrator()
	_, tokens := w.session(a, o, AccessTokenAudience)
	for range FailureRate().Events {
		_, err := w.Authenticate(t.Context(), "Bearer nonsense", "192.0.2.1")
		want(t, err, portico.KindUnauthorized, notValidated)
		_, err = w.Authenticate(t.Context(), "", "192.0.2.1") // guesses at nothing
		want(t, err, portico.KindUnauthorized, notAuthenticated)
	}
	_, err := w.Authenticate(t.Context(), "Bearer nonsense", "192.0.2.1")
	want(t, err, portico.KindRateLimited, "Too many failed attempts. Try again later.")
	if portico.RetryAfterOf(err) <= 0 {
		t.Error("it does not say when to try again")
	}
	if _, err := w.principal(tokens.AccessToken); err != nil {
		t.Errorf("a good credential was limited: %v", err)
	}
	_, err = w.Authenticate(t.Context(), "Bearer nonsense", "192.0.2.2")
	want(t, err, portico.KindUnauthorized, notValidated)
	w.pass(time.Minute)
	_, err = w.Authenticate(t.Context(), "Bearer nonsense", "192.0.2.1")
	want(t, err, portico.KindUnauthorized, notValidated)
}

// TestOneStatement: what every request pays for knowing its caller.
func TestOneStatement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, o := w.administrator()
	_, tokens := w.session(a, o, AccessTokenAudience)
	secret, _ := w.token(a, o, nil)
	unknown, _ := PersonalToken.New()
	for _, tt := range []struct {
		name, credential string
		statements       int64
	}{
		{"an access token", tokens.AccessToken, 1},
		{"a personal token", secret, 1},
		{"a personal token that nobody has", unknown, 1},
		{"nonsense", "nonsense", 0},
		{"a malformed personal token", string(PersonalToken) + "x", 0},
	} {
		before := w.statements.Count()
		_, _ = w.principal(tt.credential)
		if n := w.statements.Count() - before; n != tt.statements {
			t.Errorf("%s: %d statements, want %d", tt.name, n, tt.statements)
		}
	}
}

func TestLastUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, o := w.administrator()
	secret, row := w.token(a, o, func(row *store.Token) { row.Scopes = []portico.Scope{portico.ScopePortalRead} })
	stored := func() *time.Time {
		t.Helper()
		var all []store.Token
		w.update(func(tx *store.Tx) (err error) {
			all, err = tx.Tokens(a.ID, o.ID)
			return err
		})
		return all[0].LastUsedAt
	}
	use := func() {
		t.Helper()
		p, err := w.principal(secret)
		if err != nil || p.TokenID != row.ID || !p.Has(portico.ScopePortalRead) || p.Has(portico.ScopePortalWrite) {
			t.Fatalf("got %+v, %v", p, err)
		}
	}
	first := w.clock.Now().Truncate(time.Microsecond)
	use()
	if stored() != nil {
		t.Error("the request wrote its own use")
	}
	if at := w.LastUsed(row); at == nil || !at.Equal(first) {
		t.Errorf("last used %v, want %v", at, first)
	}
	if err := w.FlushUsage(t.Context()); err != nil {
		t.Fatal(err)
	}
	if at := stored(); at == nil || !at.Equal(first) {
		t.Errorf("stored %v, want %v", at, first)
	}
	w.pass(59 * time.Second)
	use()
	if len(w.used.pending) != 0 {
		t.Error("a use within the minute waits to be written")
	}
	w.pass(time.Second)
	use()
	w.Start()
	if err := w.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if at := stored(); at == nil || !at.Equal(first.Add(time.Minute)) {
		t.Errorf("stored %v after a minute", at)
	}
}
