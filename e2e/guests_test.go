package e2e

import (
	"flag"
	"log/slog"
	"os"
	"path/filepath"
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

var pictures = flag.Bool("pictures", false, "keep the README's pictures in docs/pictures")

// keepPictures copies pictures of the wide view to where the README shows them.
func keepPictures(t *testing.T, names ...string) {
	t.Helper()
	dir := filepath.Join("..", "docs", "pictures")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		png, err := os.ReadFile(filepath.Join("out", name+"-"+Wide.String()+".png"))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
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
			tab.Fill("#name", "Rosa Bergström")
			tab.Click("#set-password button")
			tab.Wait("#sign-out")
			tab.WaitText("#you", "Hello, Rosa Bergström")
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
			if *pictures && view == Wide {
				keepPictures(t, "guest-invitation", "guest-home")
			}
		})
	}
}
