package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"portico"
	"portico/internal/wiretest"
)

// TestConsoleByKeyboard signs in, creates a portal, invites a guest, removes
// them, and deletes the portal, with the keyboard alone.
func TestConsoleByKeyboard(t *testing.T) {
	t.Parallel()
	tab := shared.tab(t, Wide)
	tab.Open("/sign-in")
	tab.TabTo("#email")
	tab.Press(shared.admin().Email, kb.Tab, shared.admin().Password, kb.Enter)
	tab.Wait("details.account")
	tab.TabTo("a[href='/portals/new']")
	tab.Press(kb.Enter)
	tab.Wait("#name")
	tab.TabTo("#name")
	tab.Press("By keyboard", kb.Enter)
	tab.Wait(".actions a[href$='/invite']")
	tab.TabTo(".actions a[href$='/invite']")
	tab.Press(kb.Enter)
	tab.Wait("#list")
	tab.TabTo("#list")
	tab.Press("Ada <ada@keyboard.example.com>")
	tab.TabTo("form.card button.primary")
	tab.Press(kb.Enter)
	tab.Wait("ul.sums")
	tab.TabTo("form.card button.primary")
	tab.Press(kb.Enter)
	tab.Wait("a[download]")
	tab.TabTo("form.actions a:not([download])")
	tab.Press(kb.Enter)
	tab.Wait("#list table")
	tab.TabTo("details.act summary")
	tab.Press(kb.Enter)
	tab.Wait("form[action$='/remove'] button")
	tab.Look("console-guests-remove")
	tab.TabTo("form[action$='/remove'] button")
	tab.Press(kb.Enter)
	tab.Wait(".notice.good")
	tab.TabTo(".tabs a[href$='/settings']")
	tab.Press(kb.Enter)
	tab.Wait("#confirm")
	if tab.Has("button.danger:not([disabled])") {
		t.Error("the portal can be deleted without its name")
	}
	tab.TabTo("#confirm")
	tab.Press("By keyboard")
	tab.TabTo("button.danger")
	tab.Press(kb.Enter)
	tab.WaitText("main", "The portal is deleted.")
	tab.TabTo("details.account summary")
	tab.Press(kb.Enter)
	tab.TabTo(".menu button")
	tab.Press(kb.Enter)
	tab.Wait("#password")
}

// TestConsoleTokens makes a token, which is shown once, and revokes it.
func TestConsoleTokens(t *testing.T) {
	t.Parallel()
	tab := signedIn(t, shared.tab(t, Narrow), shared.demo.Account(portico.Member, portico.Production))
	tab.Open("/tokens")
	tab.Fill("#name", "from the browser")
	tab.Click("input[value='portal:read']")
	tab.Click("form.card button.primary")
	tab.Wait("section.card pre")
	if token := tab.Text("section.card pre"); !strings.HasPrefix(token, "portico_pat_") {
		t.Errorf("the token: %s", token)
	}
	tab.Look("console-token-made")
	tab.Open("/tokens")
	tab.Click("button[aria-label='Revoke from the browser']")
	tab.Wait(".notice.good")
	if tab.Has("button[aria-label='Revoke from the browser']") {
		t.Error("the token is there still")
	}
	tab.Open("/portals")
	tab.WaitText("main", "You cannot do this here")
	tab.Look("console-forbidden")
}

// TestConsoleSwitch goes to another organization and finds nothing of the
// first there.
func TestConsoleSwitch(t *testing.T) {
	t.Parallel()
	d := startDemo(t, wiretest.Log())
	admin := d.Admin()
	var sandbox string
	for _, a := range d.Accounts {
		if a.OrganizationKind == portico.Sandbox {
			sandbox = a.OrganizationID
		}
	}
	w := &wiretest.World{T: t, Node: d.Node}
	w.Person(admin.Email, portico.Organization{ID: sandbox}, portico.Admin)
	tab := signedIn(t, shared.tabAt(t, d.URL, Wide), admin)
	tab.Click("details.account summary")
	tab.Click(".menu a[href='/organizations']")
	tab.Wait("form[action='/organizations'] button")
	tab.Click("form[action='/organizations'] button")
	tab.WaitText("main", "You cannot do this here")
	tab.Open("/members")
	tab.WaitText("#main", "admin.sandbox@")
}

// TestConsoleSetUp makes the first administrator of an empty installation.
func TestConsoleSetUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	n, err := wiretest.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	link, err := n.Control.NewSetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, view := range []View{Narrow, Narrow.InDark(), Wide, Wide.InDark()} {
		tab := shared.tabAt(t, n.URL(), view)
		tab.Open(strings.TrimPrefix(link, n.URL()))
		tab.Look("console-setup")
	}
	tab := shared.tabAt(t, n.URL(), Wide)
	tab.Open(strings.TrimPrefix(link, n.URL()))
	tab.Fill("#organization", "Acme")
	tab.Fill("#name", "Ada Lovelace")
	tab.Fill("#email", "ada@example.com")
	tab.Fill("#password", "seven unlikely herons on parade")
	tab.Click("form.card button.primary")
	tab.WaitText("main", "The installation is yours")
	tab.Look("console-portals-first")
	tab.Open(strings.TrimPrefix(link, n.URL()))
	tab.WaitText("main", "This link cannot be used")
	tab.Look("console-setup-used")
}
