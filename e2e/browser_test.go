package e2e

import (
	"slices"
	"strings"
	"testing"
)

// TestTabSees shows that what a Tab and axe-core watch for is found when it is
// there: without that, pages without findings would say nothing.
func TestTabSees(t *testing.T) {
	t.Parallel()
	tab := shared.tab(t, Wide)
	tab.Open("/docs/status")
	tab.Eval(`document.querySelector("main").insertAdjacentHTML("beforeend",
		'<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="><button class="small" id="tiny">x</button><button id="tiny2">y</button>' +
		'<style nonce="x">#tiny, #tiny2 { all: unset; }</style>')`, nil)
	tab.Eval(`for (const b of document.querySelectorAll("#tiny, #tiny2")) Object.assign(b.style, {minHeight: 0, height: "10px", width: "10px", padding: 0})`, nil)
	tab.Eval(`fetch("http://elsewhere.example/").catch(() => 0)`, nil)
	found := tab.Violations()
	for _, want := range []string{"image-alt", "target-size"} {
		if !slices.ContainsFunc(found, func(v string) bool { return strings.HasPrefix(v, want+":") }) {
			t.Errorf("axe-core does not find %s in %q", want, found)
		}
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if !slices.ContainsFunc(tab.problems, func(p string) bool { return strings.Contains(p, "Content Security Policy") }) {
		t.Errorf("the tab does not see what the policy refused: %q", tab.problems)
	}
	tab.problems = nil
}
