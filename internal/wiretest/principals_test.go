package wiretest

import (
	"net/http"

	"portico"
	"portico/internal/auth"
	"portico/internal/store"
)

// people makes a credential for every principal of the matrix.
func (m *matrix) people() {
	t, acme := m.T, m.Acme
	bearer := func(name, token string) { m.credentials[name] = "Bearer " + token }
	m.credentials["none"] = ""
	m.credentials["malformed"] = "Token " + m.Admin.Token
	bearer("forged", "e30.e30.c2ln")
	bearer("owner-access", m.SignIn(m.Owner.Email).Access)
	bearer("owner-token", m.Owner.Token)
	bearer("admin-access", m.SignIn(m.Admin.Email).Access)
	bearer("admin-token", m.Admin.Token)
	bearer("member-access", m.SignIn(m.Member.Email).Access)
	bearer("member-token", m.Member.Token)
	bearer("suspended-access", m.SignIn(m.Admin.Email).Access)
	bearer("suspended-token", m.Admin.Token)
	for name, scopes := range map[string][]portico.Scope{
		"all-scopes-token":    portico.Scopes(),
		"reader-token":        {portico.ScopePortalRead, portico.ScopePortalUserRead},
		"inviter-token":       {portico.ScopePortalUserWrite},
		"portal-reader-token": {portico.ScopePortalRead},
		"portal-writer-token": {portico.ScopePortalWrite},
		"user-reader-token":   {portico.ScopePortalUserRead},
		"database-token":      {portico.ScopePortalDatabase},
		"no-scope-token":      {},
	} {
		words := []string{}
		for _, s := range scopes {
			words = append(words, string(s))
		}
		bearer(name, m.Token(acme.ID, m.Admin.Email, words...))
	}
	m.sandboxPeople(bearer)
	m.formerPeople(bearer)

	guest := m.Person("guest@other.example.com", m.Other, portico.Member)
	portal := m.places["t1"].id
	m.Invite(m.Admin.Token, portal, guest.Email)
	session := m.Switch(m.SignIn(guest.Email).Access, portal)
	bearer("guest-switched", session.Access)
	bearer("guest-access", m.SignIn(guest.Email).Access) // to the organization last used: the portal
	bearer("guest-token", m.pat(session.Access))
	var pages store.Session
	err := m.Node.Store.Update(t.Context(), func(tx *store.Tx) (err error) {
		pages, err = m.Node.Auth.NewSession(tx, guest.ID, portal, auth.PortalAudience(portal))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	issued, err := m.Node.Auth.Issue(pages)
	if err != nil {
		t.Fatal(err)
	}
	bearer("wrong-audience", issued.AccessToken)
}

func (m *matrix) sandboxPeople(bearer func(name, token string)) {
	bearer("sandbox-access", m.SignIn(m.SandboxAdmin.Email).Access)
	bearer("sandbox-token", m.SandboxAdmin.Token)
	session := m.Switch(m.SignIn(m.Insider.Email).Access, m.Sandbox.ID)
	bearer("switched-to-sandbox", session.Access)
	bearer("sandbox-token-of-admin", m.pat(session.Access))
	bearer("switched-access", m.Switch(session.Access, m.Acme.ID).Access)
}

// formerPeople are those whose credential or role was taken a moment ago.
func (m *matrix) formerPeople(bearer func(name, token string)) {
	t := m.T
	demoted := m.Person("demoted@acme.example.com", m.Acme, portico.Admin)
	bearer("demoted-access", m.SignIn(demoted.Email).Access)
	bearer("demoted-token", demoted.Token)
	if err := m.Node.Control.SetRole(t.Context(), m.Acme.ID, demoted.Email, portico.Member); err != nil {
		t.Fatal(err)
	}
	ended := m.SignIn(m.Admin.Email)
	if a := m.Do("POST", "/v1/auth/logout", ended.Access, nil); a.Status != http.StatusNoContent {
		t.Fatalf("logout: %d %s", a.Status, a.Body)
	}
	bearer("revoked-access", ended.Access)
	made := m.Do("POST", "/v1/auth/pats", m.SignIn(m.Admin.Email).Access, `{"name":"revoked"}`)
	var token struct{ ID, Token string }
	made.JSON(t, &token)
	if a := m.Do("DELETE", "/v1/auth/pats/"+token.ID, m.SignIn(m.Admin.Email).Access, nil); a.Status != http.StatusOK {
		t.Fatalf("revoke: %d %s", a.Status, a.Body)
	}
	bearer("revoked-token", token.Token)
}

// pat makes an unrestricted personal access token over HTTP.
func (m *matrix) pat(access string) string {
	m.T.Helper()
	a := m.Do("POST", "/v1/auth/pats", access, `{"name":"test"}`)
	var made struct{ Token string }
	a.JSON(m.T, &made)
	if a.Status != http.StatusOK || made.Token == "" {
		m.T.Fatalf("token: %d %s", a.Status, a.Body)
	}
	return made.Token
}
