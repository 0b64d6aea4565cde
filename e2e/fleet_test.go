package e2e

import "testing"

// TestFleet looks at the operator's page in both colour schemes and at both
// widths.
func TestFleet(t *testing.T) {
	t.Parallel()
	for _, view := range []View{Wide, Wide.InDark(), Narrow, Narrow.InDark()} {
		t.Run(view.String(), func(t *testing.T) {
			t.Parallel()
			tab := shared.tabAt(t, "http://"+shared.demo.Node.OpsAddr(), view)
			tab.Open("/fleet")
			tab.Wait("main h1")
			tab.Look("fleet")
		})
	}
}
