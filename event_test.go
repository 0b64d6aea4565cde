package portico

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// TestActions: what is recorded can be filtered by.
func TestActions(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Action" {
			return true
		}
		for _, value := range spec.Values {
			text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
			if err != nil || !slices.Contains(Actions(), Action(text)) {
				t.Errorf("%s is not among Actions: %v", text, err)
			}
			declared++
		}
		return true
	})
	if declared != len(Actions()) || declared < 30 {
		t.Errorf("%d actions are declared, Actions has %d", declared, len(Actions()))
	}
}
