package control_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/control"
)

func TestCreateToken(t *testing.T) { //nolint:tparallel // the cases share one registry, looked at after them
	t.Parallel()
	w := newIdentity(t)
	o := w.organization("Acme")
	w.member(o, "ada@example.com", portico.Owner)
	_, p := w.signIn("ada@example.com")
	days := func(n int) *int { return &n }
	for _, tt := range []struct {
		name  string
		in    control.TokenCreate
		field string // empty: it is made
	}{
		{"plain", control.TokenCreate{Name: "ci"}, ""},
		{"of the longest name", control.TokenCreate{Name: strings.Repeat("ö", 80)}, ""},
		{"for a day", control.TokenCreate{Name: "ci", ExpiresInDays: days(1)}, ""},
		{"for ten years", control.TokenCreate{Name: "ci", ExpiresInDays: days(3650)}, ""},
		{"all scopes named", control.TokenCreate{Name: "ci", Scopes: []string{"portal:read", "portal:write", "portal_user:read", "portal_user:write", "portal:database"}}, ""},
		{"a scope twice", control.TokenCreate{Name: "ci", Scopes: []string{"portal:read", "portal:read"}}, ""},
		{"no scope at all", control.TokenCreate{Name: "ci", Scopes: []string{}}, ""},
		{"no name", control.TokenCreate{}, "name"},
		{"a blank name", control.TokenCreate{Name: " \t"}, "name"},
		{"a long name", control.TokenCreate{Name: strings.Repeat("ö", 81)}, "name"},
		{"a name of two lines", control.TokenCreate{Name: "a\nb"}, "name"},
		{"for no day", control.TokenCreate{Name: "ci", ExpiresInDays: days(0)}, "expires_in_days"},
		{"for less", control.TokenCreate{Name: "ci", ExpiresInDays: days(-1)}, "expires_in_days"},
		{"for longer", control.TokenCreate{Name: "ci", ExpiresInDays: days(3651)}, "expires_in_days"},
		{"an unknown scope", control.TokenCreate{Name: "ci", Scopes: []string{"portal:read", "portal:*"}}, "scopes"},
		{"an empty scope", control.TokenCreate{Name: "ci", Scopes: []string{""}}, "scopes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token, err := w.CreateToken(t.Context(), p, tt.in)
			if tt.field != "" {
				wantField(t, err, tt.field)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			q := w.principal(token.Secret)
			if q.TokenID != token.ID || q.OrganizationID != o.ID || q.AccountID != p.AccountID {
				t.Errorf("it stands for %+v", q)
			}
			for _, s := range portico.Scopes() {
				if granted := tt.in.Scopes == nil || slices.Contains(tt.in.Scopes, string(s)); q.Has(s) != granted {
					t.Errorf("scope %s: %v", s, q.Has(s))
				}
			}
			if n := tt.in.ExpiresInDays; (n == nil) != (token.ExpiresAt == nil) || n != nil && !token.ExpiresAt.Equal(token.CreatedAt.AddDate(0, 0, *n)) {
				t.Errorf("ends at %v", token.ExpiresAt)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := newIdentity(t)
	o, other := w.organization("Acme"), w.organization("Other")
	w.member(o, "ada@example.com", portico.Owner)
	w.member(o, "bob@example.com", portico.Admin)
	w.member(other, "ada@example.com", portico.Admin)
	_, ada := w.signIn("ada@example.com")
	_, bob := w.signIn("bob@example.com")
	elsewhereTokens, err := w.Switch(t.Context(), ada, other.ID)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := w.principal(elsewhereTokens.AccessToken)
	days := 1
	made, err := w.CreateToken(t.Context(), ada, control.TokenCreate{Name: "ci", ExpiresInDays: &days})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []portico.Principal{bob, elsewhere} {
		if tokens, err := w.ListTokens(t.Context(), p); err != nil || len(tokens) != 0 {
			t.Errorf("%s in %s sees %v, %v", p.AccountID, p.OrganizationID, tokens, err)
		}
		wantKind(t, w.RevokeToken(t.Context(), p, made.ID), portico.KindNotFound)
	}
	w.pass(time.Second)
	holder := w.principal(made.Secret)
	tokens, err := w.ListTokens(t.Context(), ada)
	if err != nil || len(tokens) != 1 || tokens[0].ID != made.ID || tokens[0].Secret != "" || tokens[0].LastUsedAt == nil {
		t.Errorf("listed %+v, %v", tokens, err)
	}

	_, err = w.ListTokens(t.Context(), holder)
	wantKind(t, err, portico.KindForbidden)
	_, err = w.CreateToken(t.Context(), holder, control.TokenCreate{Name: "more"})
	wantKind(t, err, portico.KindForbidden)
	wantKind(t, w.RevokeToken(t.Context(), holder, made.ID), portico.KindForbidden)
	_, err = w.Switch(t.Context(), holder, other.ID)
	wantKind(t, err, portico.KindForbidden)
	wantKind(t, w.Logout(t.Context(), holder), portico.KindForbidden)

	for _, id := range []string{"", "pat_x", made.ID + "\x00", "\xff"} {
		wantKind(t, w.RevokeToken(t.Context(), ada, id), portico.KindNotFound)
	}
	if err := w.RevokeToken(t.Context(), ada, made.ID); err != nil {
		t.Fatal(err)
	}
	wantKind(t, w.RevokeToken(t.Context(), ada, made.ID), portico.KindNotFound)
	_, err = w.auth.Authenticate(t.Context(), "Bearer "+made.Secret, "192.0.2.1")
	wantKind(t, err, portico.KindUnauthorized)

	events := w.events(o, portico.ActionOrganizationCreated, portico.ActionAccountCreated, portico.ActionAccountCreated,
		portico.ActionSignedIn, portico.ActionSignedIn, portico.ActionTokenCreated, portico.ActionTokenRevoked)
	for _, e := range events[5:] {
		if e.ActorID != ada.AccountID || e.SubjectID != made.ID || e.RequestID != "req_2" {
			t.Errorf("recorded %+v", e)
		}
	}
}

func TestCreateTokenFor(t *testing.T) {
	t.Parallel()
	w := newIdentity(t)
	o, other := w.organization("Acme"), w.organization("Other")
	a := w.member(o, "ada@example.com", portico.Owner)
	token, err := w.CreateTokenFor(t.Context(), o.ID, "ada@example.com", control.TokenCreate{Name: "ci", Scopes: []string{"portal:read"}})
	if err != nil {
		t.Fatal(err)
	}
	if p := w.principal(token.Secret); p.AccountID != a.ID || p.Role != portico.Owner || p.Has(portico.ScopePortalWrite) {
		t.Errorf("it stands for %+v", p)
	}
	for _, tt := range []struct {
		organization, email string
		kind                portico.Kind
	}{
		{other.ID, "ada@example.com", portico.KindNotFound},
		{o.ID, "bob@example.com", portico.KindNotFound},
		{"org_x", "ada@example.com", portico.KindNotFound},
		{o.ID, "nobody", portico.KindInvalid},
	} {
		_, err := w.CreateTokenFor(t.Context(), tt.organization, tt.email, control.TokenCreate{Name: "ci"})
		wantKind(t, err, tt.kind)
	}
	events := w.events(o, portico.ActionOrganizationCreated, portico.ActionAccountCreated, portico.ActionTokenCreated)
	if e := events[2]; e.ActorID != portico.OperatorActor || e.SubjectID != token.ID {
		t.Errorf("recorded %+v", e)
	}
}

// TestRemovedMemberMakesNoToken: a caller whose membership ended after the
// credential was read gets nothing.
func TestRemovedMemberMakesNoToken(t *testing.T) {
	t.Parallel()
	w := newIdentity(t)
	o := w.organization("Acme")
	w.member(o, "boss@example.com", portico.Owner)
	w.member(o, "ada@example.com", portico.Admin)
	_, p := w.signIn("ada@example.com")
	if err := w.RemoveMember(t.Context(), o.ID, "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	_, err := w.CreateToken(t.Context(), p, control.TokenCreate{Name: "late"})
	wantKind(t, err, portico.KindForbidden)
}
