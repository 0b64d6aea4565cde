package e2e

import (
	"encoding/json"
	"os"
	"strings"
)

// axeRun finds what keeps people from using a page. target-size is off by
// default; here it is on, with everything else.
const axeRun = `axe.run(document, {rules: {"target-size": {enabled: true}}}).then((r) => JSON.stringify(r.violations.map((v) =>
	({id: v.id, help: v.help, nodes: v.nodes.map((n) => n.html.slice(0, 160) + " | " + n.failureSummary.slice(0, 300))}))))`

// Look takes a picture of the page and fails the test for everything that
// axe-core finds wrong with it, and when it is wider than the window.
func (tab *Tab) Look(name string) {
	tab.t.Helper()
	tab.Picture(name)
	var over int
	tab.Eval("document.documentElement.scrollWidth - document.documentElement.clientWidth", &over)
	if over > 0 {
		tab.t.Errorf("%s at %s is %d pixels wider than the window", name, tab.view, over)
	}
	for _, v := range tab.Violations() {
		tab.t.Errorf("%s at %s: %s", name, tab.view, v)
	}
}

// Violations is what axe-core finds wrong with the page as it is.
func (tab *Tab) Violations() []string {
	tab.t.Helper()
	source, err := os.ReadFile("npm/node_modules/axe-core/axe.min.js")
	if err != nil {
		tab.t.Fatal(err)
	}
	var raw string
	tab.Eval(string(source)+";0", nil)
	tab.Eval(axeRun, &raw)
	var found []struct {
		ID    string   `json:"id"`
		Help  string   `json:"help"`
		Nodes []string `json:"nodes"`
	}
	if err := json.Unmarshal([]byte(raw), &found); err != nil {
		tab.t.Fatal(err)
	}
	all := make([]string, len(found))
	for i, v := range found {
		all[i] = v.ID + ": " + v.Help + "\n  " + strings.Join(v.Nodes, "\n  ")
	}
	return all
}
