package e2e

import (
	"log/slog"
	"testing"

	"portico/internal/node"
)

// portalURL returns where the demonstration's portal of a name is.
func portalURL(t *testing.T, demo node.Demo, name string) string {
	t.Helper()
	for _, p := range demo.Portals {
		if p.Name == name {
			return p.URL
		}
	}
	t.Fatalf("the demonstration has no portal %s", name)
	return ""
}

// TestGuest follows a guest by clicking: from the mail to the portal's first
// page, out, and in again.
func TestGuest(t *testing.T) {
	t.Parallel()
	for _, view := range []View{Wide, Wide.InDark(), Narrow, Narrow.InDark(), Narrow.WithoutScript()} {
		t.Run(view.String(), func(t *testing.T) {
			t.Parallel()
			demo := startDemo(t, slog.New(slog.DiscardHandler))
			tab := shared.tabAt(t, demo.URL, view)
			tab.Expect(portalURL(t, demo.Demo, "Customer Care"))
			tab.Expect(demo.Node.Control.SignInURL())
			look := tab.Look
			if view == Narrow.WithoutScript() {
				look = tab.Picture // the look is a script
			}
			tab.Open("/dev/mail")
			tab.Click("ol.mails li a")
			tab.Click("dd a")
			tab.Wait("#accept")
			look("guest-invitation")
			tab.Click("#accept button")
			tab.Wait("#set-password")
			look("guest-proof")
			tab.Fill("#password", "password12345678")
			tab.Click("#set-password button")
			tab.Wait("#problem")
			look("guest-proof-problem")
			tab.Fill("#password", "seven grey herons over Ostrava")
			tab.Fill("#name", "Hanae Tanaka")
			tab.Click("#set-password button")
			tab.Wait("#sign-out")
			tab.WaitText("#you", "Hello, Hanae Tanaka")
			look("guest-home")
			tab.Click("#sign-out button")
			tab.Wait("a.primary[href='/-/enter']")
			look("guest-signed-out")
			tab.Click("a.primary[href='/-/enter']")
			tab.Wait("#sign-in")
			look("guest-sign-in")
			tab.Click("#sign-in a.plain")
			tab.Wait("#forgotten")
			look("guest-forgotten")
			tab.Open(portalURL(t, demo.Demo, "Customer Care") + "/nowhere")
			look("guest-nothing")
		})
	}
}
