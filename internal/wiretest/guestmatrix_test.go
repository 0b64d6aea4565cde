package wiretest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"portico/internal/store"
)

// TestGuestMatrix checks every cell of the authorization matrix's rows of the
// gateway, and that no route is without one.
func TestGuestMatrix(t *testing.T) {
	t.Parallel()
	w := Start(t)
	portal, elsewhere := w.Portal("Cell"), w.Portal("Other cell")
	enter := func(portal, email string) *Browser {
		w.Invite(w.Admin.Token, portal, email)
		b := w.Browser()
		b.Submit(b.Submit(b.Get(w.Mail(email, store.TemplateInvited).Link), "accept"), "set-password", "password", Password)
		return b
	}
	n := 0
	guest := func() *Browser {
		n++
		return enter(portal, "cell"+strings.Repeat("x", n)+"@example.com")
	}
	kept, other := guest(), enter(elsewhere, "other-cell@example.com")
	session := func(b *Browser, at string) string { return b.Cookies(at)["portico_session"] }
	at, signIn := w.PortalURL(portal), w.Node.Control.SignInURL()
	rows := map[string]bool{}
	for _, row := range GuestRows() {
		base := at
		if row.SignIn {
			base = signIn
		}
		rows[base+row.Method+row.Path] = true
		who := kept
		if row.Method == http.MethodPost && row.Path[:2] != "/i" {
			who = guest() // its session is used up
		}
		strange := w.Browser()
		strange.SetCookie(base, "portico_session", session(other, w.PortalURL(elsewhere)))
		address := base + strings.NewReplacer("{$}", "", "{token}", "unknown", "{challenge}", "unknown", "{portal}", portal).Replace(row.Path)
		for name, cell := range map[string]struct {
			b    *Browser
			want int
		}{"nobody": {w.Browser(), row.None}, "a guest": {who, row.Guest}, "another's guest": {strange, row.Other}} {
			if got := cell.b.once(row.Method, address, ""); got.Status != cell.want {
				t.Errorf("%s: %s %s: %d %s, want %d", name, row.Method, row.Path, got.Status, got.Text(), cell.want)
			}
		}
		if got := w.Browser().once(row.Method, address, w.Admin.Token); got.Status != row.None {
			t.Errorf("an administrator's token: %s %s: %d, want %d", row.Method, row.Path, got.Status, row.None)
		}
		if !row.SignIn {
			if got := w.Browser().once(row.Method, strings.Replace(address, "://cell", "://nobody", 1), ""); got.Status != http.StatusNotFound {
				t.Errorf("nobody's host: %s %s: %d", row.Method, row.Path, got.Status)
			}
		}
	}
	for _, route := range w.Node.GuestRoutes() {
		base := at
		if route.SignIn {
			base = signIn
		}
		if !rows[base+route.Method+route.Path] {
			t.Errorf("%s %s has no row in the authorization matrix", route.Method, route.Path)
		}
	}
}

// once sends a request and follows nothing.
func (b *Browser) once(method, address, token string) Page {
	b.T.Helper()
	r := b.request(method, address, nil)
	if method == http.MethodPost {
		r = b.request(method, address, strings.NewReader(url.Values{}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return b.send(r)
}
