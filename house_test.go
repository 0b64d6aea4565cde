package portico_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The limits of the house. Do not split a thing to please a number: when one
// is reached, find the missing noun.
const (
	maxFunction  = 80  // lines
	maxSuite     = 100 // lines of a function in tests
	maxFile      = 500 // lines
	maxInterface = 10  // methods
	minComment   = 150 // characters of a package comment
)

// houseRules are checked on each package. A rule returns what breaks it, each
// with its place. houseCases shows of every rule that it can fail.
var houseRules = map[string]func(*source) []string{
	"functions are short":           longFunctions,
	"files are short":               longFiles,
	"interfaces are small":          wideInterfaces,
	"packages are explained":        packageComments,
	"packages are named for a noun": packageNames,
	"no init":                       initFunctions,
	"no package-level state":        packageState,
	"tests never sleep":             sleepingTests,
	"skips have a reason":           silentSkips,
	"exported names are documented": undocumented,
	"nothing is left for later":     leftovers,
}

// source is one package's files, parsed; test says which are tests.
type source struct {
	path  string // below the module's root
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
}

func (s *source) at(n ast.Node) string {
	p := s.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

func (s *source) name(f *ast.File) string { return s.fset.Position(f.Package).Filename }

func (s *source) isTest(f *ast.File) bool {
	return strings.HasSuffix(s.name(f), "_test.go") || slices.Contains(harness, s.path) || s.path == "internal/store/storetest"
}

// lines counts the lines from one node's start to its end.
func (s *source) lines(n ast.Node) int {
	return s.fset.Position(n.End()).Line - s.fset.Position(n.Pos()).Line + 1
}

// each visits the nodes of one type in all files, or in all but the tests.
func each[N ast.Node](s *source, tests bool, visit func(*ast.File, N)) {
	for _, f := range s.files {
		if !tests && s.isTest(f) {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if match, ok := n.(N); ok {
				visit(f, match)
			}
			return true
		})
	}
}

// parse reads the files of a package; names map to their text, or to nil when
// they are on disk.
func parse(t *testing.T, path string, names map[string][]byte) *source {
	t.Helper()
	s := &source{path: path, fset: token.NewFileSet()}
	packages := map[string][]*ast.File{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		var text any
		if names[name] != nil {
			text = names[name]
		}
		f, err := parser.ParseFile(s.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		s.files = append(s.files, f)
		packages[f.Name.Name] = append(packages[f.Name.Name], f)
	}
	// Imports are not resolved: names of the package itself are all that is asked for.
	s.info = &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Error: func(error) {}, Importer: noImports{}}
	for name, files := range packages {
		_, _ = conf.Check(name, s.fset, files, s.info) // errors are expected, imports being absent
	}
	return s
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not resolved") }

func longFunctions(s *source) (bad []string) {
	each(s, true, func(f *ast.File, fn *ast.FuncDecl) {
		limit := maxFunction
		if s.isTest(f) {
			limit = maxSuite
		}
		if n := s.lines(fn); n > limit {
			bad = append(bad, fmt.Sprintf("%s: %s has %d lines of at most %d", s.at(fn), fn.Name.Name, n, limit))
		}
	})
	return bad
}

func longFiles(s *source) (bad []string) {
	for _, f := range s.files {
		if n := s.fset.File(f.Pos()).LineCount(); n > maxFile {
			bad = append(bad, fmt.Sprintf("%s: %d lines of at most %d", s.name(f), n, maxFile))
		}
	}
	return bad
}

func wideInterfaces(s *source) (bad []string) {
	each(s, true, func(_ *ast.File, spec *ast.TypeSpec) {
		it, ok := spec.Type.(*ast.InterfaceType)
		if !ok {
			return
		}
		n := it.Methods.NumFields()
		if obj := s.info.Defs[spec.Name]; obj != nil {
			if whole, ok := obj.Type().Underlying().(*types.Interface); ok {
				n = max(n, whole.NumMethods())
			}
		}
		if n > maxInterface {
			bad = append(bad, fmt.Sprintf("%s: %s has %d methods of at most %d", s.at(spec), spec.Name.Name, n, maxInterface))
		}
	})
	return bad
}

func packageComments(s *source) []string {
	for _, f := range s.files {
		if f.Doc != nil && len(strings.TrimSpace(f.Doc.Text())) >= minComment {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: the package comment says what it owns, what it never imports, where to start reading, in %d characters or more", s.name(s.files[0]), minComment)}
}

func packageNames(s *source) (bad []string) {
	for _, f := range s.files {
		switch name := strings.TrimSuffix(f.Name.Name, "_test"); name {
		case "utils", "util", "common", "helpers", "helper", "models", "model", "types", "misc", "base":
			bad = append(bad, s.at(f.Name)+": "+name+" names no noun")
		}
	}
	return bad
}

func initFunctions(s *source) (bad []string) {
	each(s, true, func(_ *ast.File, fn *ast.FuncDecl) {
		if fn.Name.Name == "init" && fn.Recv == nil {
			bad = append(bad, s.at(fn)+": init runs for everyone who imports the package; make it a constructor")
		}
	})
	return bad
}

// packageState allows what no one can change: error sentinels, embedded files,
// compiled tables that nothing assigns to, and pools, whose state none can see.
func packageState(s *source) (bad []string) {
	vars := map[types.Object]bool{}
	for _, f := range s.files {
		for _, decl := range f.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.VAR || s.isTest(f) {
				continue
			}
			for _, spec := range group.Specs {
				spec, ok := spec.(*ast.ValueSpec)
				if !ok {
					continue
				}
				for _, name := range spec.Names {
					vars[s.info.Defs[name]] = true
					if why := stateful(spec, name); why != "" {
						bad = append(bad, s.at(name)+": "+name.Name+" "+why)
					}
				}
			}
		}
	}
	touch := func(x ast.Expr, how string) {
		if root := rootOf(x); root != nil && vars[s.info.Uses[root]] {
			bad = append(bad, s.at(x)+": "+root.Name+" is of the package and is "+how)
		}
	}
	each(s, true, func(_ *ast.File, n *ast.AssignStmt) {
		for _, x := range n.Lhs {
			touch(x, "assigned to")
		}
	})
	each(s, true, func(_ *ast.File, n *ast.IncDecStmt) { touch(n.X, "counted") })
	each(s, true, func(_ *ast.File, n *ast.UnaryExpr) {
		if n.Op == token.AND {
			touch(n.X, "given away by its address")
		}
	})
	each(s, true, func(_ *ast.File, n *ast.CallExpr) {
		if fn, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && (fn.Name == "delete" || fn.Name == "clear" || fn.Name == "copy") {
			touch(n.Args[0], "changed by "+fn.Name)
		}
	})
	return bad
}

// stateful says why a package-level variable is state by its looks, or "".
func stateful(spec *ast.ValueSpec, name *ast.Ident) string {
	if name.IsExported() && !strings.HasPrefix(name.Name, "Err") {
		return "is a variable that every importer can assign to"
	}
	looks := types.ExprString
	var kinds []string
	if spec.Type != nil {
		kinds = append(kinds, looks(spec.Type))
	}
	for _, v := range spec.Values {
		if unary, ok := v.(*ast.UnaryExpr); ok {
			v = unary.X
		}
		switch v := v.(type) {
		case *ast.CompositeLit:
			if v.Type != nil {
				kinds = append(kinds, looks(v.Type))
			}
		case *ast.CallExpr:
			if fn, ok := v.Fun.(*ast.Ident); ok && (fn.Name == "make" || fn.Name == "new") && len(v.Args) > 0 {
				kinds = append(kinds, "made "+looks(v.Args[0]))
			}
		}
	}
	for _, kind := range kinds {
		if kind != "sync.Pool" && regexp.MustCompile(`^(made |sync\.|atomic\.|(made )?\*?chan )`).MatchString(kind) {
			return "is state (" + kind + "): it belongs into a value"
		}
	}
	return ""
}

// rootOf gives the identifier at the root of a.b[c].d, or nil.
func rootOf(x ast.Expr) *ast.Ident {
	for {
		switch v := x.(type) {
		case *ast.Ident:
			return v
		case *ast.SelectorExpr:
			x = v.X
		case *ast.IndexExpr:
			x = v.X
		case *ast.StarExpr:
			x = v.X
		case *ast.ParenExpr:
			x = v.X
		default:
			return nil
		}
	}
}

// sleepingTests allows time.Sleep within synctest.Test, where it costs no time.
func sleepingTests(s *source) (bad []string) {
	type span struct{ from, to token.Pos }
	var bubbles []span
	each(s, true, func(_ *ast.File, call *ast.CallExpr) {
		if types.ExprString(call.Fun) == "synctest.Test" {
			bubbles = append(bubbles, span{call.Pos(), call.End()})
		}
	})
	each(s, true, func(f *ast.File, call *ast.CallExpr) {
		inBubble := slices.ContainsFunc(bubbles, func(b span) bool { return b.from <= call.Pos() && call.End() <= b.to })
		if types.ExprString(call.Fun) == "time.Sleep" && s.isTest(f) && !inBubble {
			bad = append(bad, s.at(call)+": wait for what the test waits for, not for time")
		}
	})
	return bad
}

// silentSkips wants a comment on the line of a skip or on the one above it.
func silentSkips(s *source) (bad []string) {
	each(s, true, func(f *ast.File, call *ast.CallExpr) {
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !s.isTest(f) || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
			return
		}
		line := s.fset.Position(call.Pos()).Line
		for _, c := range f.Comments {
			if from, to := s.fset.Position(c.Pos()).Line, s.fset.Position(c.End()).Line; from == line || to == line-1 {
				return
			}
		}
		bad = append(bad, s.at(call)+": a skip without a comment that says why")
	})
	return bad
}

func undocumented(s *source) (bad []string) {
	miss := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		if name.IsExported() && !slices.ContainsFunc(docs, func(d *ast.CommentGroup) bool { return d != nil }) {
			bad = append(bad, s.at(name)+": "+name.Name+" is exported and not documented")
		}
	}
	for _, f := range s.files {
		if s.isTest(f) && strings.HasSuffix(s.name(f), "_test.go") {
			continue
		}
		for _, decl := range f.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				receiver := ""
				if d.Recv != nil {
					receiver = strings.TrimLeft(types.ExprString(d.Recv.List[0].Type), "*")
				}
				if d.Recv == nil || ast.IsExported(receiver) {
					miss(d.Name, d.Doc)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch sp := spec.(type) {
					case *ast.TypeSpec:
						miss(sp.Name, d.Doc, sp.Doc)
					case *ast.ValueSpec:
						for _, name := range sp.Names {
							miss(name, d.Doc, sp.Doc, sp.Comment)
						}
					}
				}
			}
		}
	}
	return bad
}

func leftovers(s *source) (bad []string) {
	later := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b|not imple` + `mented`)
	for _, f := range s.files {
		for _, c := range f.Comments {
			if word := later.FindString(c.Text()); word != "" {
				bad = append(bad, s.at(c)+": "+word+": finish it or leave it out")
			}
		}
	}
	return bad
}

func TestHouse(t *testing.T) {
	t.Parallel()
	for _, p := range goList(t, "./...") {
		names := map[string][]byte{}
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.TestGoFiles, p.XTestGoFiles, p.IgnoredGoFiles) {
			names[filepath.Join(filepath.FromSlash("./"+p.short()), name)] = nil
		}
		s := parse(t, p.short(), names)
		for rule, check := range houseRules {
			for _, bad := range check(s) {
				t.Errorf("%s: %s", rule, bad)
			}
		}
	}
}
