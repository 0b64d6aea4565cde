package portico_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxDirect is how many modules the product may name itself.
const maxDirect = 20

// TestHouseRefuses shows of each house rule that it fails what breaks it and
// passes what does not.
func TestHouseRefuses(t *testing.T) {
	t.Parallel()
	long := func(lines int) string { return strings.Repeat("\t_ = 1\n", lines) }
	methods := func(n int) string {
		var s strings.Builder
		for i := range n {
			fmt.Fprintf(&s, "\tM%d()\n", i)
		}
		return s.String()
	}
	cases := map[string][]struct{ file, bad, good string }{
		"functions are short": {
			{"a.go", "func f() {\n" + long(79) + "}", "func f() {\n" + long(78) + "}"},
			{"a_test.go", "func f() {\n" + long(99) + "}", "func f() {\n" + long(98) + "}"},
		},
		"files are short":      {{"a.go", strings.Repeat("//\n", 500), strings.Repeat("//\n", 499)}},
		"interfaces are small": {{"a.go", "type i interface {\n" + methods(10) + "j\n}\ntype j interface{ N() }", "type i interface {\n" + methods(10) + "}"}},
		"no init":              {{"a.go", "func init() {}", "type t struct{}\nfunc (t) init() {}"}},
		"no package-level state": {
			{"a.go", "var table = map[string]int{}\nfunc f() { table[`a`] = 1 }", "var table = map[string]int{}\nfunc f() int { table := table; table = nil; return table[`a`] }"},
			{"a.go", "var table = map[string]int{}\nfunc f() { delete(table, `a`) }", "var table = [...]string{1: `a`}"},
			{"a.go", "var n int\nfunc f() { n++ }", "func f() { n := 1; n++ }"},
			{"a.go", "var n int\nfunc f() *int { return &n }", "func f() *int { n := 1; return &n }"},
			{"a.go", "var mu sync.Mutex", "var pool = sync.Pool{}"},
			{"a.go", "var n atomic.Int64", "type t struct{ n atomic.Int64 }"},
			{"a.go", "var c = make(chan int)", "var version = `dev`"},
			{"a.go", "var Table = []int{1}", "var ErrGone = errors.New(`gone`)"},
		},
		"tests never sleep": {
			{"a_test.go", "func f() { time.Sleep(1) }", "func f() { synctest.Test(nil, func() { time.Sleep(1) }) }"},
		},
		"skips have a reason": {
			{"a_test.go", "func f(t *testing.T) {\n\n\tt.Skip(`x`)\n}", "func f(t *testing.T) {\n\t// Loop devices need root.\n\tt.Skip(`x`)\n}"},
		},
		"exported names are documented": {
			{"a.go", "func F() {}", "// F does.\nfunc F() {}"},
			{"a.go", "type t struct{}\n// T is.\ntype T struct{}\nfunc (T) F() {}", "type t struct{}\nfunc (t) F() {}"},
			{"a.go", "const A = 1", "const A = 1 // the first"},
		},
		"nothing is left for later": {{"a.go", "// TO" + "DO: more", "// done"}},
	}
	run := func(rule, file, text string) []string {
		return houseRules[rule](parse(t, "internal/x", map[string][]byte{file: []byte(text)}))
	}
	for rule, rows := range cases {
		for _, c := range rows {
			if got := run(rule, c.file, "package x\n"+c.bad); len(got) == 0 {
				t.Errorf("%s: passes %.200q", rule, c.bad)
			}
			if got := run(rule, c.file, "package x\n"+c.good); len(got) != 0 {
				t.Errorf("%s: fails %.200q: %q", rule, c.good, got)
			}
		}
	}
	cases["packages are explained"], cases["packages are named for a noun"] = nil, nil
	for _, text := range []string{"package utils\n", "// Package helpers helps.\npackage helpers\n"} {
		for _, rule := range []string{"packages are explained", "packages are named for a noun"} {
			if len(run(rule, "a.go", text)) == 0 {
				t.Errorf("%s: passes %q", rule, text)
			}
		}
	}
	for rule := range houseRules {
		if _, ok := cases[rule]; !ok {
			t.Errorf("nothing shows that the rule %q can fail", rule)
		}
	}
}

// unlisted says which modules named directly have no line in the document,
// and which lines name a module that go.mod does not.
func unlisted(direct, required []string, document string) (bad []string) {
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(document, -1) {
		listed[m[1]] = true
		if !slices.Contains(required, m[1]) {
			bad = append(bad, m[1]+" has a line in docs/dependencies.md and none in go.mod")
		}
	}
	for _, name := range direct {
		if !listed[name] {
			bad = append(bad, name+" is a direct dependency without a line in docs/dependencies.md")
		}
	}
	if len(direct) > maxDirect {
		bad = append(bad, fmt.Sprintf("%d direct dependencies of at most %d", len(direct), maxDirect))
	}
	return bad
}

func TestDependenciesAreListed(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string `json:"Path"`
			Indirect bool   `json:"Indirect"`
		} `json:"Require"`
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	direct := map[string]bool{}
	var required []string
	for _, r := range mod.Require {
		required = append(required, r.Path)
		if !r.Indirect {
			direct[r.Path] = true
		}
	}
	for _, p := range goList(t, "./...") { // what is imported counts, whatever go.mod calls it
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			for _, m := range required {
				if imported == m || strings.HasPrefix(imported, m+"/") {
					direct[m] = true
				}
			}
		}
	}
	document, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range unlisted(slices.Sorted(maps.Keys(direct)), required, string(document)) {
		t.Error(bad)
	}
	doc := "| `a` | x |\n| `b` | x |\n"
	if got := unlisted([]string{"a", "c"}, []string{"a", "c"}, doc); len(got) != 2 {
		t.Errorf("unlisted: %q", got)
	}
}

// foreign finds what belongs to one machine: its paths, and the hosts of its
// module proxy.
func foreign(text []byte, hosts []string) string {
	place := regexp.MustCompile(`(?:^|[^a-z./-])/(wo` + `rk|fa` + `rm)/`)
	if m := place.FindSubmatch(text); m != nil {
		return "a path of the machine it was written on: /" + string(m[1])
	}
	for _, host := range hosts {
		if bytes.Contains(text, []byte(host)) {
			return "the host of this machine's module proxy"
		}
	}
	return ""
}

func TestTreeIsPortable(t *testing.T) {
	t.Parallel()
	var hosts []string
	proxies, err := exec.CommandContext(t.Context(), "go", "env", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, proxy := range strings.FieldsFunc(string(proxies), func(r rune) bool { return strings.ContainsRune(",| \n", r) }) {
		if u, err := url.Parse(proxy); err == nil && strings.Contains(u.Hostname(), ".") && u.Hostname() != "127.0.0.1" {
			hosts = append(hosts, u.Hostname())
		}
	}
	listed, err := exec.CommandContext(t.Context(), "git", "ls-files", "-z").Output()
	if err != nil {
		t.Skip("not a git work tree") // an archive of the source has no list of its files; CI has one
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(listed), "\x00"), "\x00") {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // deleted in the work tree, not in the index yet
		}
		if why := foreign(text, hosts); why != "" {
			t.Errorf("%s names %s", name, why)
		}
		if len(text) > 2<<20 {
			t.Errorf("%s has %d bytes; generate it, or keep it elsewhere", name, len(text))
		}
	}
	for text, want := range map[string]bool{"cd /wo" + "rk/x": true, "/fa" + "rm/": true, "net" + "/wo" + "rk/": false, "proxy.corp.example": true, "fine": false} {
		if got := foreign([]byte(text), []string{"proxy.corp.example"}) != ""; got != want {
			t.Errorf("foreign(%q) = %t", text, got)
		}
	}
}

// TestSchemaStepsAreOneRow: two branches that each add a step are each right,
// and what they make together opens no registry.
func TestSchemaStepsAreOneRow(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"internal/store/schema/registry", "internal/store/schema/portal"} {
		steps, err := filepath.Glob(filepath.Join(filepath.FromSlash(dir), "*.sql"))
		if err != nil || len(steps) == 0 {
			t.Fatalf("%s: %d steps, %v", dir, len(steps), err)
		}
		for i, step := range steps {
			if want := fmt.Sprintf("%04d_", i+1); !strings.HasPrefix(filepath.Base(step), want) {
				t.Errorf("%s: want %s", filepath.ToSlash(step), want)
			}
		}
	}
}
