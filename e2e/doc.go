// Package e2e drives the product from outside as people and their programs do:
// with a browser over its pages, and with clients that generators made from its
// OpenAPI document. It is a module of its own, so that nothing of the browser's
// or the generators' is in the product's go.mod; nothing that is shipped imports
// it.
//
// `make e2e` installs what it needs (chromium, node) and runs it; while working,
// run one flow with `cd e2e && go test -run TestRunner .`. Screenshots of every
// page that a test looked at are in e2e/out; the first run fetches the packages
// of npm/package-lock.json.
//
// All tests share one chromium and one demonstration (node.OpenDemo: accounts,
// portals and guests in every state). A flow is a test that opens a Tab:
//
//	func TestSomething(t *testing.T) {
//		t.Parallel()
//		tab := shared.tab(t, Wide)
//		tab.Open("/docs/portal")
//		tab.Fill("#token", shared.admin().Token)
//		tab.Click("button.primary")
//		tab.WaitText("[data-answer]", "201")
//		tab.Look("docs-portal-created") // a screenshot, and axe-core finds nothing
//	}
//
// A flow that changes more than a portal of its own starts a server for itself:
// startDemo gives one, and tabAt opens it. A Tab fails its test when a page asks
// another host for anything, breaks its content security policy, or throws.
// TestPages looks at every page in both colour schemes and at both widths: add
// yours to its table. Every host name leads to this machine, so portals are
// opened by their own addresses (tab.Open takes whole addresses too).
//
// Start with reference_test.go, then browser.go.
package e2e
