package e2e

import (
	"regexp"
	"strings"
	"testing"

	"portico/internal/node"
	"portico/internal/wiretest"
)

// TestMember follows a colleague who has no account by clicking: invited in the
// console, by the link of a mail that a mail server took, to the console.
func TestMember(t *testing.T) {
	t.Parallel()
	for _, view := range []View{Wide, Wide.InDark(), Narrow, Narrow.InDark(), Narrow.WithoutScript()} {
		t.Run(view.String(), func(t *testing.T) {
			t.Parallel()
			w := wiretest.Start(t)
			email := "colleague." + view.String() + "@example.com"
			owner := signedIn(t, shared.tabAt(t, w.URL, view), node.DemoAccount{Email: w.Owner.Email, Password: wiretest.Password})
			guest := shared.tabAt(t, w.URL, view)
			guest.Expect(w.Node.Control.SignInURL())
			lookAt := func(tab *Tab, name string) {
				if view.NoScript {
					tab.Picture(name) // the look is a script
				} else {
					tab.Look(name)
				}
			}
			owner.Open("/members")
			owner.Fill("#email", email)
			owner.Choose("#role", "admin")
			owner.Click("form.card button.primary")
			owner.WaitText("#members", email)
			lookAt(owner, "console-members-invited")
			owner.Click("form[action$='/resend'] button[aria-label*='" + email + "']")
			owner.WaitText("main", "The invitation is sent again.")

			guest.Open(mailedLink(t, w, email))
			guest.Wait("#accept")
			lookAt(guest, "member-invitation")
			guest.Click("#accept button")
			guest.Wait("#set-password")
			lookAt(guest, "member-proof")
			guest.Fill("#name", "Cole Porter")
			guest.Fill("#password", "seven grey herons over Ostrava")
			guest.Click("#set-password button")
			guest.Wait("#organizations a")
			lookAt(guest, "member-places")
			guest.Click("#organizations a")
			guest.Wait("form.card")
			guest.Fill("#email", email)
			guest.Fill("#password", "seven grey herons over Ostrava")
			guest.Click("form.card button.primary")
			guest.Wait("details.account")
			guest.Open("/members")
			guest.WaitText("#members", "Cole Porter")
		})
	}
}

// mailedLink sends what waits through a mail server and returns the link of the
// newest mail to an address.
func mailedLink(t *testing.T, w *wiretest.World, email string) string {
	t.Helper()
	server := wiretest.StartMail(t)
	defer server.Close()
	w.Released()
	if err := server.SenderOf(w.Node).SendDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	link := ""
	for _, m := range server.Received() {
		if m.To == email {
			link = regexp.MustCompile(`https?://\S+/join/\S+`).FindString(m.Text)
		}
	}
	if !strings.HasPrefix(link, w.Node.Control.SignInURL()+"/join/") {
		t.Fatalf("the mail to %s leads to %q", email, link)
	}
	return link
}
