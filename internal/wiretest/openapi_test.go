package wiretest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what is served; go test ./internal/wiretest -run %s -update writes it anew", path, t.Name())
	}
}

// openAPI is as much of the document as the tests look at.
type openAPI struct {
	OpenAPI    string                          `json:"openapi"`
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas  map[string]json.RawMessage `json:"schemas"`
		Security map[string]json.RawMessage `json:"securitySchemes"`
	} `json:"components"`
}

type operation struct {
	Tags        []string                   `json:"tags"`
	Summary     string                     `json:"summary"`
	Description string                     `json:"description"`
	OperationID string                     `json:"operationId"`
	Parameters  []parameter                `json:"parameters"`
	RequestBody json.RawMessage            `json:"requestBody"`
	Responses   map[string]json.RawMessage `json:"responses"`
	Security    []map[string][]string      `json:"security"`
}

type parameter struct {
	Name     string          `json:"name"`
	In       string          `json:"in"`
	Required bool            `json:"required"`
	Schema   json.RawMessage `json:"schema"`
}

func readOpenAPI(t *testing.T, w *World) (raw []byte, document openAPI) {
	t.Helper()
	a := w.Do("GET", "/openapi.json", "", nil)
	a.JSON(t, &document)
	return a.Body, document
}

// reference is one operation of the published reference.
type reference struct {
	method, path, summary, description string
	parameters                         []string
	body                               string
	responses                          map[string]string
}

// readReference reads the published reference: a heading of method, path,
// summary and description, then parameters, body and answers.
func readReference(t *testing.T) []reference {
	t.Helper()
	raw, err := os.ReadFile("testdata/portal-reference.txt")
	if err != nil {
		t.Fatal(err)
	}
	heading := regexp.MustCompile(`(?m)^(GET|POST|PATCH|DELETE)\n\n(/\S+)\n\n(.+)\n\n(.+)\n`)
	text := string(raw)
	found := heading.FindAllStringSubmatchIndex(text, -1)
	var all []reference
	for i, at := range found {
		part := func(n int) string { return text[at[2*n]:at[2*n+1]] }
		end := len(text)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		section := text[at[1]:end]
		r := reference{method: part(1), path: part(2), summary: part(3), description: part(4), responses: map[string]string{}}
		before, answers, _ := strings.Cut(section, "\nResponses\n")
		for _, m := range regexp.MustCompile(`(?m)^(\w+)\*\nin: path\ntype: string$`).FindAllStringSubmatch(before, -1) {
			r.parameters = append(r.parameters, m[1])
		}
		if _, body, ok := strings.Cut(before, "Request Body\n"); ok {
			r.body = strings.TrimSpace(body)
		}
		for _, block := range regexp.MustCompile(`(?m)^(\d{3})$`).FindAllStringIndex(answers, -1) {
			status, rest := answers[block[0]:block[1]], answers[block[1]+1:]
			if next := regexp.MustCompile(`(?m)^(\d{3}|API Runner)`).FindStringIndex(rest); next != nil {
				rest = rest[:next[0]]
			}
			r.responses[status] = strings.TrimSpace(rest)
		}
		all = append(all, r)
	}
	return all
}

// TestOpenAPIGolden compares the document, byte for byte.
func TestOpenAPIGolden(t *testing.T) {
	t.Parallel()
	w := Start(t)
	raw, _ := readOpenAPI(t, w)
	var indented bytes.Buffer
	if err := json.Indent(&indented, raw, "", " "); err != nil {
		t.Fatal(err)
	}
	golden(t, "openapi.json", append(indented.Bytes(), '\n'))
	golden(t, "portal.md", w.Do("GET", "/docs/portal.md", "", nil).Body)
}

// TestReference holds the six operations against the published reference:
// their texts, parameters, and the very JSON of bodies and answers.
func TestReference(t *testing.T) {
	t.Parallel()
	_, document := readOpenAPI(t, Start(t))
	all := readReference(t)
	if len(all) != 6 {
		t.Fatalf("%d operations in the reference", len(all))
	}
	for _, want := range all {
		name := want.method + " " + want.path
		got, ok := document.Paths[want.path][strings.ToLower(want.method)]
		if !ok {
			t.Errorf("%s is missing", name)
			continue
		}
		if got.Summary != want.summary || got.Description != want.description {
			t.Errorf("%s: %q, %q", name, got.Summary, got.Description)
		}
		id := strings.ToLower(strings.ReplaceAll(want.summary, " ", "_")) + regexp.MustCompile(`\W`).ReplaceAllString(want.path, "_") + "_" + strings.ToLower(want.method)
		if got.OperationID != id || !slices.Equal(got.Tags, []string{"portal"}) {
			t.Errorf("%s: operationId %s, tags %v, want %s", name, got.OperationID, got.Tags, id)
		}
		var inPath []string
		for _, p := range got.Parameters {
			if p.In == "path" {
				inPath = append(inPath, p.Name)
				title := map[string]string{"portal_id": "Portal Id", "user_id": "User Id"}[p.Name]
				if string(p.Schema) != `{"type":"string","title":"`+title+`"}` || !p.Required {
					t.Errorf("%s: parameter %s is %s", name, p.Name, p.Schema)
				}
			} else if p.Required {
				t.Errorf("%s: %s is required", name, p.Name)
			}
		}
		if !slices.Equal(inPath, want.parameters) {
			t.Errorf("%s: parameters %v, want %v", name, inPath, want.parameters)
		}
		if compact(t, string(got.RequestBody)) != compact(t, want.body) {
			t.Errorf("%s: body %s, want %s", name, got.RequestBody, want.body)
		}
		if len(got.Responses) != len(want.responses) || len(want.responses) != 3 {
			t.Errorf("%s: %d answers, want %d", name, len(got.Responses), len(want.responses))
		}
		for status, text := range want.responses {
			description, schema, hasSchema := strings.Cut(text, "\napplication/json\n")
			expected := fmt.Sprintf(`{"description":%q}`, description)
			if hasSchema {
				expected = fmt.Sprintf(`{"description":%q,"content":{"application/json":{"schema":%s}}}`, description, compact(t, schema))
			}
			if string(got.Responses[status]) != expected {
				t.Errorf("%s, %s: %s, want %s", name, status, got.Responses[status], expected)
			}
		}
	}
}

func compact(t *testing.T, text string) string {
	t.Helper()
	if text == "" {
		return ""
	}
	var out bytes.Buffer
	if err := json.Compact(&out, []byte(text)); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return out.String()
}

// TestOpenAPIErrors holds the two error schemas and the security scheme
// against the contract.
func TestOpenAPIErrors(t *testing.T) {
	t.Parallel()
	_, document := readOpenAPI(t, Start(t))
	if document.OpenAPI != "3.1.0" {
		t.Errorf("openapi is %s", document.OpenAPI)
	}
	var e struct {
		Properties map[string]json.RawMessage
		Required   []string
	}
	if err := json.Unmarshal(document.Components.Schemas["ValidationError"], &e); err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(e.Properties))
	if !slices.Equal(e.Required, []string{"loc", "msg", "type"}) || !slices.Equal(names, []string{"ctx", "input", "loc", "msg", "type"}) {
		t.Errorf("ValidationError has %v, of which required %v", names, e.Required)
	}
	for what, c := range map[string]struct{ got, want string }{
		"HTTPValidationError": {
			string(document.Components.Schemas["HTTPValidationError"]),
			`{"properties":{"detail":{"items":{"$ref":"#/components/schemas/ValidationError"},"type":"array","title":"Detail"}},"type":"object","title":"HTTPValidationError"}`,
		},
		"loc":  {string(e.Properties["loc"]), `{"items":{"anyOf":[{"type":"string"},{"type":"integer"}]},"type":"array","title":"Location"}`},
		"msg":  {string(e.Properties["msg"]), `{"type":"string","title":"Message"}`},
		"type": {string(e.Properties["type"]), `{"type":"string","title":"Error Type"}`},
		"the security scheme": {
			string(document.Components.Security["OAuth2PasswordBearer"]),
			`{"type":"oauth2","flows":{"password":{"scopes":{},"tokenUrl":"/v1/oauth2/login"}}}`,
		},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s\nwant %s", what, c.got, c.want)
		}
	}
}

// TestOpenAPIStructure checks the document as a validator of 3.1 would: known
// keys in known places, references that resolve, components that are used,
// operation ids that are there once, and path parameters that are declared.
func TestOpenAPIStructure(t *testing.T) {
	t.Parallel()
	raw, document := readOpenAPI(t, Start(t))
	var node any
	if err := json.Unmarshal(raw, &node); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	eachRef(node, func(ref string) {
		name, ok := strings.CutPrefix(ref, "#/components/schemas/")
		if _, there := document.Components.Schemas[name]; !ok || !there {
			t.Errorf("%s does not resolve", ref)
		}
		used[name] = true
	})
	for name, raw := range document.Components.Schemas {
		if !used[name] {
			t.Errorf("component %s is not used", name)
		}
		var schema map[string]any
		if err := json.Unmarshal(raw, &schema); err != nil {
			t.Fatal(err)
		}
		checkSchema(t, name, schema)
	}
	ids := map[string]bool{}
	for path, methods := range document.Paths {
		for method, op := range methods {
			name := strings.ToUpper(method) + " " + path
			if op.OperationID == "" || ids[op.OperationID] {
				t.Errorf("%s: operationId %q", name, op.OperationID)
			}
			ids[op.OperationID] = true
			if len(op.Responses) == 0 || op.Summary == "" || op.Description == "" {
				t.Errorf("%s is not described", name)
			}
			declared := map[string]bool{}
			for _, p := range op.Parameters {
				declared[p.Name] = p.In == "path"
				var schema map[string]any
				if err := json.Unmarshal(p.Schema, &schema); err != nil {
					t.Fatal(err)
				}
				checkSchema(t, name+" "+p.Name, schema)
			}
			for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				if !declared[m[1]] {
					t.Errorf("%s: {%s} is not declared", name, m[1])
				}
			}
		}
	}
}

func eachRef(node any, visit func(string)) {
	switch n := node.(type) {
	case map[string]any:
		if ref, ok := n["$ref"].(string); ok {
			visit(ref)
		}
		for _, child := range n {
			eachRef(child, visit)
		}
	case []any:
		for _, child := range n {
			eachRef(child, visit)
		}
	}
}

// checkSchema checks a JSON schema of the kind that the document has.
func checkSchema(t *testing.T, at string, schema map[string]any) {
	t.Helper()
	known := strings.Fields("type title description properties required items anyOf $ref enum format default examples pattern " +
		"minLength maxLength minItems maxItems minimum maximum")
	for key := range schema {
		if !slices.Contains(known, key) {
			t.Errorf("%s: unknown keyword %s", at, key)
		}
	}
	types := strings.Fields("string integer number boolean array object null")
	if typ, ok := schema["type"]; ok && !slices.Contains(types, fmt.Sprint(typ)) {
		t.Errorf("%s: type %v", at, typ)
	}
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if properties[fmt.Sprint(name)] == nil {
			t.Errorf("%s: %v is required but no property", at, name)
		}
	}
	children := maps.Clone(properties)
	if items, ok := schema["items"]; ok {
		children = map[string]any{"[]": items}
	}
	choices, _ := schema["anyOf"].([]any)
	for i, choice := range choices {
		if children == nil {
			children = map[string]any{}
		}
		children[fmt.Sprint("anyOf ", i)] = choice
	}
	for name, child := range children {
		object, ok := child.(map[string]any)
		if !ok {
			t.Errorf("%s.%s is no schema", at, name)
			continue
		}
		checkSchema(t, at+"."+name, object)
	}
	if fmt.Sprint(schema["type"]) == "array" && schema["items"] == nil {
		t.Errorf("%s: an array of nothing", at)
	}
}

// TestDocumentsDrift holds routes, OpenAPI, Markdown and llms.txt against each
// other, in both directions.
func TestDocumentsDrift(t *testing.T) {
	t.Parallel()
	w := Start(t)
	_, document := readOpenAPI(t, w)
	var routes []struct{ Method, Path string }
	w.Do("GET", "/v1/routes", w.Admin.Token, nil).JSON(t, &routes)
	served := map[string]bool{}
	for _, r := range routes {
		served[r.Method+" "+r.Path] = true
	}
	var described, inPortal, inAuth []string
	for path, methods := range document.Paths {
		for method, op := range methods {
			name := strings.ToUpper(method) + " " + path
			described = append(described, name)
			switch op.Tags[0] {
			case "portal":
				inPortal = append(inPortal, name)
			case "auth":
				inAuth = append(inAuth, name)
			}
		}
	}
	all := slices.Sorted(maps.Keys(served))
	for what, c := range map[string]struct {
		path string
		want []string
	}{
		"portal": {"/docs/portal.md", inPortal}, "auth": {"/docs/auth.md", inAuth}, "llms": {"/llms.txt", all},
	} {
		a := w.Do("GET", c.path, "", nil)
		if a.Status != 200 || len(a.Body) >= 16_000 {
			t.Errorf("%s: %d, %d characters", c.path, a.Status, len(a.Body))
		}
		var named []string
		for _, m := range regexp.MustCompile("(?m)^(?:- )?`([A-Z]+ /[^`]*)`").FindAllSubmatch(a.Body, -1) {
			named = append(named, string(m[1]))
		}
		slices.Sort(named)
		slices.Sort(c.want)
		if !slices.Equal(named, c.want) {
			t.Errorf("%s names\n%v\nwant\n%v", what, named, c.want)
		}
	}
	slices.Sort(described)
	if !slices.Equal(described, all) {
		t.Errorf("OpenAPI has\n%v\nroutes are\n%v", described, all)
	}
	markdown := string(w.Do("GET", "/docs/portal.md", "", nil).Body)
	if tokens := utf8.RuneCountInString(markdown) / 4; tokens >= 4000 {
		t.Errorf("portal.md takes a language model about %d tokens, want fewer than 4,000", tokens)
	}
	for name := range document.Components.Schemas {
		if strings.HasPrefix(name, "Portal") && !strings.Contains(markdown, "`"+name) && !strings.Contains(markdown, name+" ") && !strings.Contains(markdown, "of "+name) {
			t.Errorf("portal.md does not name %s", name)
		}
	}
}
