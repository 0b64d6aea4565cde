package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"portico/internal/node"
)

// signedIn opens the console as somebody.
func signedIn(t *testing.T, tab *Tab, who node.DemoAccount) *Tab {
	t.Helper()
	tab.Open("/sign-in")
	tab.Fill("#email", who.Email)
	tab.Fill("#password", who.Password)
	tab.Click("form.card button.primary")
	tab.Wait("details.account")
	return tab
}

// consoleLooks are the pages of the console that show something without being
// asked first, by the name of their pictures.
func consoleLooks(d *Demo) [][2]string {
	portal := "/portals/" + d.Portals[0].ID
	return [][2]string{
		{"console-portals", "/portals"},
		{"console-portals-none", "/portals?q=nothing+like+it"},
		{"console-portal-new", "/portals/new?name=Caf%C3%A9%20Partners"},
		{"console-guests", portal + "/guests"},
		{"console-guests-expired", portal + "/guests?status=expired"},
		{"console-activity", portal + "/activity"},
		{"console-api", portal + "/api"},
		{"console-settings", portal + "/settings"},
		{"console-invite", portal + "/invite"},
		{"console-tokens", "/tokens"},
		{"console-members", "/members"},
		{"console-audit", "/audit"},
		{"console-audit-none", "/audit?actor=nobody"},
		{"console-organizations", "/organizations"},
		{"console-problem", "/portals/port_nope/guests"},
	}
}

// TestConsolePages looks at every page of the console in both colour schemes
// and at both widths.
func TestConsolePages(t *testing.T) {
	t.Parallel()
	for _, view := range []View{Wide, Wide.InDark(), Narrow, Narrow.InDark()} {
		t.Run(view.String(), func(t *testing.T) {
			t.Parallel()
			tab := shared.tab(t, view)
			tab.Open("/sign-in")
			tab.Look("console-sign-in")
			signedIn(t, tab, shared.admin())
			for _, look := range consoleLooks(shared.demo) {
				tab.Open(look[1])
				tab.Look(look[0])
			}
		})
	}
}

// pasted is a list as somebody would paste it: good rows, an address that is
// mistyped, one that stands twice, one that is none.
const pasted = "Email;First name;Last name\nnora@guests.example.com;Nora;Quist\npaul@guests.example,com;Paul;Ruiz\nnora@guests.example.com;;\nnobody;;\n"

// TestConsoleInvite goes from nothing to invited guests.
func TestConsoleInvite(t *testing.T) {
	t.Parallel()
	for _, view := range []View{Wide, Narrow.WithoutScript()} {
		t.Run(view.String(), func(t *testing.T) {
			t.Parallel()
			tab := signedIn(t, shared.tab(t, view), shared.admin())
			look := tab.Look
			if view.NoScript {
				look = tab.Picture
			}
			tab.Open("/portals/new")
			tab.Fill("#name", "Invited in "+view.String())
			if !view.NoScript {
				tab.WaitText("#preview", "invited-in-1280")
			}
			tab.Click("form.card button.primary")
			tab.Wait("ol.stages")
			for view.NoScript && !tab.Has(".actions a[href$='/invite']") { // who has no scripts looks again
				tab.Open(tab.URL())
			}
			tab.Wait(".actions a[href$='/invite']")
			if text := tab.Text("ol.stages"); !strings.Contains(text, "Database made") || !strings.Contains(text, " ms") {
				t.Errorf("how it was made: %s", text)
			}
			look("console-creation")
			tab.Click(".actions a[href$='/guests']")
			tab.Wait(".empty")
			look("console-guests-none")
			tab.Click(".empty .button.primary")
			tab.Wait("#list")
			tab.Paste("#list", pasted)
			tab.Click("form.card button.primary")
			tab.Wait("ul.sums")
			if text := tab.Text("main"); !strings.Contains(text, "Invite 1 of 4?") || !strings.Contains(text, "paul@guests.example.com") {
				t.Errorf("the preview: %s", text)
			}
			look("console-preview")
			tab.Click("form.notice button")
			tab.do("wait until nothing is suggested", chromedp.WaitNotPresent("form.notice", chromedp.ByQuery))
			tab.Wait("ul.sums")
			tab.Click("form.card button.primary")
			tab.Wait("progress, a[download]")
			for view.NoScript && !tab.Has("a[download]") { // who has no scripts looks again
				tab.Open(tab.URL())
			}
			tab.Wait("a[download]")
			look("console-result")
			tab.Click("form.actions a:not([download])")
			tab.Wait("#list table")
			if text := tab.Text("#list"); !strings.Contains(text, "Nora Quist") || !strings.Contains(text, "paul@guests.example.com") {
				t.Errorf("the guests: %s", text)
			}
		})
	}
}

// Paste puts text into a field at once, as from the clipboard.
func (tab *Tab) Paste(selector, text string) {
	tab.t.Helper()
	tab.do("paste into "+selector, chromedp.SetValue(selector, text, chromedp.ByQuery))
}
