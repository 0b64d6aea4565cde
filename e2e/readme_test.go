package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestReadmePictures takes the two pictures that the README shows.
func TestReadmePictures(t *testing.T) {
	t.Parallel()
	console := signedIn(t, shared.tab(t, Wide), shared.admin())
	console.Open("/portals")
	console.window(t, "console")

	reference := shared.tab(t, Wide)
	reference.Open("/docs/portal")
	create := runner{reference, opCreate}
	reference.Fill("#token", shared.admin().Token)
	create.fill("name", "Acme Customers")
	create.send("201")
	reference.Eval(`document.querySelector("`+opCreate+` .runner").scrollIntoView()`, nil)
	reference.window(t, "runner")
}

// window takes a picture of what the window shows, for docs/pictures.
func (tab *Tab) window(t *testing.T, name string) {
	t.Helper()
	var png []byte
	tab.do("take a picture", emulation.SetDeviceMetricsOverride(tab.view.Width, 740, 1, false), chromedp.CaptureScreenshot(&png))
	folders := []string{"out"}
	if *pictures {
		folders = append(folders, "../docs/pictures")
	}
	for _, folder := range folders {
		if err := errors.Join(os.MkdirAll(folder, 0o750), os.WriteFile(filepath.Join(folder, name+".png"), png, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}
