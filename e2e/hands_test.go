package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"portico"
	"portico/internal/node"
	"portico/internal/wiretest"
)

// hands are how somebody uses a page: with the keyboard alone, or with a mouse
// in a browser that runs no scripts.
type hands struct {
	*Tab

	keys bool
}

// press uses a link, a button or a summary.
func (h hands) press(selector string) {
	h.t.Helper()
	if !h.keys {
		h.Click(selector)
		return
	}
	h.Wait(selector)
	h.TabTo(selector)
	h.Press(kb.Enter)
}

// write fills a field, in place of what it holds.
func (h hands) write(selector, text string) {
	h.t.Helper()
	if !h.keys {
		h.Fill(selector, text)
		return
	}
	h.Wait(selector)
	h.TabTo(selector)
	h.Press(text)
}

// pick chooses an option that begins with a letter of its own.
func (h hands) pick(selector, option string) {
	h.t.Helper()
	if !h.keys {
		h.Choose(selector, option)
		return
	}
	h.TabTo(selector)
	h.Press(option[:1])
}

// until waits for what the selector names; who has no scripts looks again.
func (h hands) until(selector string) {
	h.t.Helper()
	h.Wait("main h1")
	for !h.keys && !h.Has(selector) {
		h.Open(h.URL())
	}
	h.Wait(selector)
}

// TestConsoleByHand sets an installation up, and does everything that the
// console can: with the keyboard alone, and without scripts.
func TestConsoleByHand(t *testing.T) {
	t.Parallel()
	for name, view := range map[string]View{"keyboard": Wide, "noscript": Narrow.WithoutScript()} {
		t.Run(name, func(t *testing.T) {
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
			h := hands{shared.tabAt(t, n.URL(), view), !view.NoScript}
			h.setUp(n)
			h.create("By hand")
			organization := h.guests()
			w := &wiretest.World{T: t, Node: n}
			w.Person("grace@example.com", portico.Organization{ID: organization}, portico.Member)
			h.people()
			h.tokens()
			h.rename("By hand", "Renamed by hand")
			h.records()
			h.deletes("Renamed by hand")
		})
	}
}

const handPassword = "seven unlikely herons on parade"

// setUp makes the first administrator by the link, signs out, and signs in.
func (h hands) setUp(n *node.Node) {
	h.t.Helper()
	link, err := n.Control.NewSetupLink(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	h.Open(strings.TrimPrefix(link, n.URL()))
	h.write("#organization", "Acme")
	h.write("#email", "ada@example.com")
	h.write("#password", handPassword)
	h.press("form.card button.primary")
	h.WaitText("main", "The installation is yours")
	h.press("details.account summary")
	h.press(".menu button")
	h.WaitText("main", "You are signed out")
	h.write("#email", "ada@example.com")
	h.write("#password", handPassword)
	h.press("form.card button.primary")
	h.WaitText("main", "No portals yet")
}

// create goes from the empty list to a portal.
func (h hands) create(name string) {
	h.t.Helper()
	h.press(".empty .button.primary")
	h.write("#name", name)
	h.press("form.card button.primary")
	h.WaitAddress("/portals/port_")
	h.until(".actions a[href$='/invite']")
}

// guests invites three by pasting, sends one invitation again, revokes it, and
// removes a guest. It returns the id of the organization.
func (h hands) guests() (organization string) {
	h.t.Helper()
	h.press(".actions a[href$='/invite']")
	h.write("#list", "ada@guests.example.com, bob@guests.example.com, cy@guests.example.com")
	h.press("form.card button.primary")
	h.WaitText("main h1", "Invite 3 of 3?")
	h.press("form.card button.primary")
	h.Wait("#import .head .chip") // it was sent
	h.until("a[download]")
	if text := h.Text("ul.sums"); !strings.Contains(text, "Invited") || !strings.Contains(text, "3") {
		h.t.Errorf("the result: %s", text)
	}
	h.press("form.actions a[href$='/guests']")
	h.press("button[aria-label$='of ada@guests.example.com']")
	h.WaitText("main", "The invitation is sent again.")
	h.press("summary[aria-label='Remove ada@guests.example.com']")
	h.press("button[aria-label='Revoke the invitation of ada@guests.example.com']")
	h.WaitText("main", "The invitation is revoked.")
	h.press("summary[aria-label='Remove bob@guests.example.com']")
	h.press("button[aria-label='Remove bob@guests.example.com for good']")
	h.WaitText("main", "The guest is removed.")
	h.press(".tabs a[href$='/api']")
	h.WaitText("main", "Organization id")
	return regexp.MustCompile(`org_[0-9a-v]{26}`).FindString(h.Text("dl.facts"))
}

// people invites a member, and changes and removes another.
func (h hands) people() {
	h.t.Helper()
	h.press("nav[aria-label=Main] a[href='/members']")
	h.write("#email", "cole@example.com")
	h.pick("#role", "member")
	h.press("form.card button.primary")
	h.WaitText("#members", "cole@example.com")
	h.pick("select[aria-label='Role of grace@example.com']", "admin")
	h.press("button[aria-label='Change the role of grace@example.com']")
	h.WaitText("main", "The role is changed.")
	h.press("summary[aria-label='Remove grace@example.com']")
	h.press("details.act[open] form[action$='/remove'] button")
	h.WaitText("main", "The member is removed.")
}

// tokens makes a token and revokes it.
func (h hands) tokens() {
	h.t.Helper()
	h.press("nav[aria-label=Main] a[href='/tokens']")
	h.write("#name", "by hand")
	h.press("form.card button.primary")
	h.WaitText("main", "Copy the token by hand now")
	h.press("button[aria-label='Revoke by hand']")
	h.WaitText("main", "The token is revoked.")
}

// rename changes a portal's name in its settings.
func (h hands) rename(from, to string) {
	h.t.Helper()
	h.press("nav[aria-label=Main] a[href='/portals']")
	h.WaitText("main", from)
	h.press("tbody a[href^='/portals/']")
	h.press(".tabs a[href$='/settings']")
	h.write("#name", to)
	h.press("form[action$='/settings'] button.primary")
	h.WaitText("main", "Saved.")
	h.WaitText("main h1", to)
}

// records filters the audit log.
func (h hands) records() {
	h.t.Helper()
	h.press("nav[aria-label=Main] a[href='/audit']")
	h.write("#actor", "ada@example.com")
	h.press("form.inline button")
	h.WaitAddress("actor=ada")
	h.WaitText("main tbody", "portal.updated")
}

// deletes deletes the portal, which takes its name.
func (h hands) deletes(name string) {
	h.t.Helper()
	h.press("nav[aria-label=Main] a[href='/portals']")
	h.WaitText("main", name)
	h.press("tbody a[href^='/portals/']")
	h.press(".tabs a[href$='/settings']")
	if !h.keys { // with scripts the button is of no use until the name stands there
		h.write("#confirm", "something else")
		h.Press(kb.Enter)
		h.WaitText("main", "nothing was deleted")
	}
	h.write("#confirm", name)
	h.press("form[action$='/delete'] button")
	h.WaitText("main", "The portal is deleted.")
}
