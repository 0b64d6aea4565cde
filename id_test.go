package portico

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestIDs makes ids while the clock stands still and goes back: they stay
// unique, in order, and of the one form.
func TestIDs(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	ids := NewIDSource(func() time.Time { return now })
	last := ""
	for i := range 1000 {
		switch i {
		case 300:
			now = now.Add(-time.Hour)
		case 600:
			now = now.Add(2 * time.Hour)
		}
		id := ids.New(PrefixPortal)
		if id <= last || !ValidID(id, PrefixPortal) || ValidID(id, PrefixAccount) {
			t.Fatalf("%q after %q", id, last)
		}
		last = id
	}
}

// FuzzID reads ids and database names: what is accepted has one spelling and is
// harmless as a name of a file.
func FuzzID(f *testing.F) {
	good := "port_06h199qou0001bfu3q4s46arso"
	for _, s := range []string{
		good, strings.ToUpper(good), good + "x", good[:len(good)-1], "port_../../../etc/passwd.......", "port_", "",
		DatabaseName(good, 1), DatabaseName(good, 12), "p_06h199qou0001bfu3q4s46arso_g01", "p_06h199qou0001bfu3q4s46arso_g+1",
		"p_06h199qou0001bfu3q4s46arso_g1 ", "p_06h199qou0001bfu3q4s46arso_g0", "p_06h199qou0001bfu3q4s46arso_g99999999999999999999", "p_é",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if ValidID(s, PrefixPortal) && (len(s) != len(PrefixPortal)+idLength || s != strings.ToLower(s) || s != filepath.Base(s) || strings.ContainsAny(s, ". \x00")) {
			t.Fatalf("%q is an id", s)
		}
		id, generation, ok := ParseDatabaseName(s)
		if ok && (!ValidID(id, PrefixPortal) || generation < 1 || DatabaseName(id, generation) != s || s != filepath.Base(s)) {
			t.Fatalf("%q is the name of generation %d of %q", s, generation, id)
		}
	})
}
