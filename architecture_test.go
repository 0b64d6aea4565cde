package portico_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layer is a row of THE table: what a package may import of ours, and why it
// may import nothing else. Arrows are transitive: who may import a package may
// import what that one may.
type layer struct {
	pkg     string // below the module's root; "" is the root package
	imports string // the packages right below it
	why     string // said when an import is refused
}

// layers is THE table of allowed imports, from the top down. A package that is
// not in it fails the test: it is given a row, or it is a part of one that has.
var layers = []layer{
	{"cmd/portico", "internal/node client", "main parses a command line and hands over; what it does belongs to the node or to the API"},
	{"internal/node", "internal/httpapi internal/console internal/gateway internal/store/sqlite internal/store/postgres", "the node opens the parts and closes them; only commands stand above it"},
	{"internal/httpapi", "internal/control internal/schema", "a front turns requests into calls of control; it knows no other front, so that each can be left out, and no engine, so that rules never depend on one"},
	{"internal/console", "internal/control", "administrators' pages share no code path with guests' pages or the API but control: separate cookies, separate origins"},
	{"internal/gateway", "internal/control", "guests and attacker-chosen host names end here; nothing of the administrators' pages may be within reach"},
	{"internal/control", "internal/lifecycle internal/auth internal/domains internal/mail", "operations are put together here for every front: an import of a front would tie the rules to one of them, one of an engine to one database"},
	{"internal/lifecycle", "internal/jobs", "the state machines work over the Engine contract; passwords, mail and domains are siblings that control joins to them"},
	{"internal/auth", "internal/jobs", "auth says who is calling, never what they may, and never through a sibling: control joins them in one transaction"},
	{"internal/domains", "internal/jobs", "proof of a host name needs the queue and the store; control joins it to portals"},
	{"internal/mail", "internal/jobs", "mail renders and sends what control put into the outbox; it decides nothing about accounts or portals"},
	{"internal/jobs", "internal/store", "a queue that knew its workers' packages would be a ring; workers register themselves from above"},
	{"internal/store/sqlite", "internal/store/handles internal/store/transaction", "an engine owns opening, creating, dropping, locking, notifying; statements and rules are above it, for both engines"},
	{"internal/store/postgres", "internal/store/handles internal/store/transaction", "an engine owns opening, creating, dropping, locking, notifying; statements and rules are above it, for both engines"},
	{"internal/store/handles", "internal/store", "which databases are open is the same on every engine: it may know none"},
	{"internal/store/transaction", "internal/store", "the rules of a transaction hold on every engine: it may know none"},
	{"internal/store/storetest", "internal/store", "the suite is the contract: it may not know which engine it runs on"},
	{"internal/store", "", "one SQL text for both engines over database/sql: an import of an engine or of a rule would bind it to one"},
	{"internal/schema", "", "one declaration drives a body, whatever the body is about; of ours it knows the error type alone"},
	{"internal/web", "internal/web/program", "a leaf: pages share it, so it may know none of them"},
	{"internal/web/program", "", "it runs templates, whatever they show"},
	{"internal/keyring", "", "a leaf: the one secret and what is derived from it; the less it imports, the less can leak it"},
	{"internal/failpoint", "", "a leaf: every package names its points, so it may know none"},
	{"client", "", "what users import: the standard library and nothing of ours"},
	{"", "", "the nouns and their rules are pure: no I/O, no storage, and so nothing of ours"},
}

// leaves may be imported by every package but the root and the client.
var leaves = strings.Fields("internal/web internal/keyring internal/failpoint")

// harness is what tests are made of. It may import everything, and nothing
// that is shipped may import it.
var harness = strings.Fields("internal/store/postgres/pgtest internal/faults internal/attacks internal/bench internal/wiretest")

// testsOnly is what any package's tests may import beside what the package
// may: the store is never mocked, so they open a real engine.
var testsOnly = strings.Fields("internal/store/postgres/pgtest internal/store/sqlite internal/store/postgres internal/store/storetest internal/wiretest")

// notYet names rows whose packages are still to be written. A package that
// exists must leave this list, so that a row never outlives its package.
var notYet = strings.Fields("internal/domains")

// fences name modules that only some packages may import, tests included.
var fences = []struct{ module, only, why string }{
	{"modernc.org/sqlite", "internal/store/sqlite", "driver codes become kinds in the engine, and nobody else opens a database file"},
	{"modernc.org/libc", "internal/store/sqlite", "it is the SQLite driver's, pinned to the version that the driver names"},
	{"github.com/jackc/pgx", "internal/store/postgres", "driver codes become kinds in the engine, and nobody else connects"},
	{"github.com/spf13/cobra", "cmd/portico", "a command line is main's; everything below takes values"},
	{"github.com/schollz/progressbar", "cmd/portico", "talk on stderr is main's; everything below reports progress by a callback"},
}

// pure names packages whose whole import tree is limited to the standard
// library and the named prefixes.
var pure = []struct{ pkg, also, why string }{
	{"", "golang.org/x/", "rules must be testable as tables, anywhere"},
	{"client", "", "a user's go.mod must not grow by ours"},
}

// goPackage is what `go list -json` tells.
type goPackage struct {
	ImportPath     string   `json:"ImportPath"`
	Standard       bool     `json:"Standard"`
	GoFiles        []string `json:"GoFiles"`
	CgoFiles       []string `json:"CgoFiles"`
	IgnoredGoFiles []string `json:"IgnoredGoFiles"`
	TestGoFiles    []string `json:"TestGoFiles"`
	XTestGoFiles   []string `json:"XTestGoFiles"`
	Imports        []string `json:"Imports"`
	TestImports    []string `json:"TestImports"`
	XTestImports   []string `json:"XTestImports"`
}

const module = "portico"

// short gives the package's path below the module's root.
func (p *goPackage) short() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

// goList runs go list with -json.
func goList(t *testing.T, args ...string) []*goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json"}, args...)...)
	stderr := new(strings.Builder)
	cmd.Stderr = stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	var pkgs []*goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		p := new(goPackage)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// below gives everything that the package may import of ours, and its row.
func below(pkg string) (map[string]bool, *layer) {
	allowed := map[string]bool{}
	var row *layer
	var add func(string)
	add = func(name string) {
		for i := range layers {
			if layers[i].pkg != name {
				continue
			}
			if name == pkg {
				row = &layers[i]
			}
			for next := range strings.FieldsSeq(layers[i].imports) {
				if !allowed[next] {
					allowed[next] = true
					add(next)
				}
			}
		}
	}
	add(pkg)
	if row == nil || pkg == "" || pkg == "client" {
		return allowed, row
	}
	if !slices.Contains(leaves, pkg) {
		for _, leaf := range leaves {
			allowed[leaf] = true
		}
		allowed[""] = true
	}
	return allowed, row
}

// refused says what is wrong with a package's own imports.
func refused(p *goPackage) []string {
	pkg := p.short()
	var bad []string
	for _, f := range fences {
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if (imported == f.module || strings.HasPrefix(imported, f.module+"/")) && pkg != f.only {
				bad = append(bad, fmt.Sprintf("%s imports %s; only %s may: %s", p.ImportPath, imported, f.only, f.why))
			}
		}
	}
	if slices.Contains(harness, pkg) {
		return bad
	}
	allowed, row := below(pkg)
	if row == nil {
		return append(bad, p.ImportPath+" has no row in the table of architecture_test.go")
	}
	check := func(imports []string, what string, also ...string) {
		for _, imported := range imports {
			name, ours := strings.CutPrefix(imported+"/", module+"/")
			name = strings.TrimSuffix(name, "/")
			if ours && name != pkg && !allowed[name] && !slices.Contains(also, name) {
				bad = append(bad, fmt.Sprintf("%s%s may not import %s: %s", p.ImportPath, what, imported, row.why))
			}
		}
	}
	check(p.Imports, "")
	check(slices.Concat(p.TestImports, p.XTestImports), " (tests)", testsOnly...)
	return bad
}

// impure says which packages of a whole import tree are neither standard nor
// begin with the prefix.
func impure(tree []*goPackage, pkg, also, why string) []string {
	var bad []string
	for _, p := range tree {
		if !p.Standard && p.short() != pkg && (also == "" || !strings.HasPrefix(p.ImportPath, also)) {
			bad = append(bad, fmt.Sprintf("%s/%s may not depend on %s: %s", module, pkg, p.ImportPath, why))
		}
	}
	return bad
}

// astray says which rows name no package, and which packages are written that
// the table says are not.
func astray(exists func(pkg string) bool) []string {
	var bad []string
	for _, l := range layers {
		switch planned := slices.Contains(notYet, l.pkg); {
		case planned && exists(l.pkg):
			bad = append(bad, l.pkg+" is written: strike it from notYet")
		case !planned && !exists(l.pkg):
			bad = append(bad, l.pkg+" does not exist: its row guards nothing")
		}
	}
	return bad
}

func TestArchitecture(t *testing.T) {
	t.Parallel()
	pkgs := goList(t, "./...")
	written := map[string]bool{}
	for _, p := range pkgs {
		written[p.short()] = true
		for _, bad := range refused(p) {
			t.Error(bad)
		}
	}
	for _, bad := range astray(func(pkg string) bool { return written[pkg] }) {
		t.Error(bad)
	}
	for _, p := range pure {
		if !written[p.pkg] {
			continue
		}
		for _, bad := range impure(goList(t, "-deps", "./"+p.pkg), p.pkg, p.also, p.why) {
			t.Error(bad)
		}
	}
}

// TestArchitectureRefuses shows that the table can fail.
func TestArchitectureRefuses(t *testing.T) {
	t.Parallel()
	type row struct {
		pkg, imported string
		inTest        bool
		want          string // part of the complaint, "" for none
	}
	for _, r := range []row{
		{"internal/control", "portico/internal/store", false, ""},
		{"internal/control", "portico", false, ""},
		{"internal/control", "portico/internal/failpoint", false, ""},
		{"internal/node", "portico/internal/store/sqlite", false, ""},
		{"cmd/portico", "portico/internal/jobs", false, ""},
		{"internal/faults", "portico/internal/node", false, ""},
		{"internal/control", "portico/internal/store/sqlite", true, ""},
		{"internal/store/sqlite", "modernc.org/sqlite/lib", false, ""},
		{"internal/store", "portico/internal/control", false, "may not import"},
		{"internal/store", "portico/internal/control", true, "may not import"},
		{"internal/control", "portico/internal/store/sqlite", false, "may not import"},
		{"internal/auth", "portico/internal/mail", false, "never through a sibling"},
		{"internal/httpapi", "portico/internal/console", false, "knows no other front"},
		{"internal/schema", "portico", false, ""},
		{"internal/schema", "portico/internal/store", false, "whatever the body is about"},
		{"internal/keyring", "portico/internal/store", false, "a leaf"},
		{"internal/httpapi", "portico/internal/faults", false, "may not import"},
		{"internal/store", "modernc.org/sqlite", true, "only internal/store/sqlite may"},
		{"internal/faults", "github.com/jackc/pgx/v5", false, "only internal/store/postgres may"},
		{"client", "portico", false, "may not import"},
		{"", "portico/internal/keyring", false, "pure"},
		{"internal/new", "fmt", false, "no row"},
	} {
		p := &goPackage{ImportPath: strings.TrimSuffix(module+"/"+r.pkg, "/")}
		if r.inTest {
			p.TestImports = []string{r.imported}
		} else {
			p.Imports = []string{r.imported}
		}
		if got := strings.Join(refused(p), "\n"); (got == "") != (r.want == "") || !strings.Contains(got, r.want) {
			t.Errorf("%s importing %s: want %q, got %q", r.pkg, r.imported, r.want, got)
		}
	}
	tree := []*goPackage{{ImportPath: "fmt", Standard: true}, {ImportPath: "golang.org/x/text/unicode/norm"}, {ImportPath: "github.com/x/y"}, {ImportPath: "portico"}}
	if got := impure(tree, "", "golang.org/x/", "why"); len(got) != 1 {
		t.Errorf("impure: %q", got)
	}
	if got := impure(tree, "client", "", "why"); len(got) != 3 {
		t.Errorf("impure: %q", got)
	}
	if got := astray(func(string) bool { return true }); len(got) != len(notYet) {
		t.Errorf("astray, all written: %q", got)
	}
	if got := astray(func(string) bool { return false }); len(got) != len(layers)-len(notYet) {
		t.Errorf("astray, none written: %q", got)
	}
}
