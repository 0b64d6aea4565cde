package handles

import (
	"strconv"
	"testing"
)

// TestRetired drops more databases than are remembered: those under way and
// those waited for stay, the last stay, the first are forgotten.
func TestRetired(t *testing.T) {
	t.Parallel()
	var r retired
	r.begin("under way")
	waited := func(name string) bool { return name == "5" || name == strconv.Itoa(retiredKept/2) }
	const all = 3 * retiredKept
	for i := range all {
		name := strconv.Itoa(i)
		r.begin(name)
		if !r.has(name) {
			t.Fatalf("%s is not known while it is dropped", name)
		}
		r.end(name, waited)
		r.begin(name) // a drop that is repeated
		r.end(name, waited)
	}
	for name, want := range map[string]bool{
		"under way": true, "5": true, strconv.Itoa(retiredKept / 2): true, "4": false, "0": false,
		strconv.Itoa(all - 1): true, strconv.Itoa(all - retiredKept/2): true, strconv.Itoa(all - retiredKept - 1): false, "never": false,
	} {
		if r.has(name) != want {
			t.Errorf("%s is known: %v, want %v", name, !want, want)
		}
	}
	if len(r.gone) != retiredKept+1 || len(r.order) != retiredKept {
		t.Errorf("%d names are kept, %d of them in order", len(r.gone), len(r.order))
	}
	for i := range retiredKept { // all are waited for: none is lost
		name := "more " + strconv.Itoa(i)
		r.begin(name)
		r.end(name, func(string) bool { return true })
	}
	if len(r.order) != 2*retiredKept || !r.has(strconv.Itoa(all-1)) || !r.has("more 0") {
		t.Errorf("%d names are kept of %d that are waited for", len(r.order), 2*retiredKept)
	}
}
