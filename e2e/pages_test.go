package e2e

import "testing"

// looks are the pages that everybody can see, by the name of their pictures.
// What needs somebody to be signed in is looked at by the flow that signs in.
func looks() map[string]string {
	return map[string]string{
		"docs":        "/docs",
		"docs-portal": "/docs/portal",
		"docs-auth":   "/docs/auth",
		"docs-status": "/docs/status",
		"dev-mail":    "/dev/mail",
	}
}

// TestPages looks at every page in both colour schemes and at both widths.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, view := range []View{Wide, Wide.InDark(), Narrow, Narrow.InDark()} {
		t.Run(view.String(), func(t *testing.T) {
			t.Parallel()
			tab := shared.tab(t, view)
			for name, path := range looks() {
				tab.Open(path)
				tab.Look(name)
			}
		})
	}
}

// TestPagesWithoutScript looks at the same pages in a browser without scripts:
// nothing waits for one, and nothing that needs one is shown.
func TestPagesWithoutScript(t *testing.T) {
	t.Parallel()
	tab := shared.tab(t, Narrow.WithoutScript())
	for name, path := range looks() {
		tab.Open(path)
		tab.Picture(name)
		if tab.Has("[data-scripted]") {
			t.Errorf("%s shows what needs a script", path)
		}
	}
	tab.Open("/docs/portal")
	if !tab.Has("[data-sample=curl]") {
		t.Error("the curl lines are not shown")
	}
}
