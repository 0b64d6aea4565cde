package httpapi

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"io/fs"
	"net/http"
	"strconv"
	"strings"

	"portico/internal/schema"
	"portico/internal/web"
)

//go:embed pages/*
var pageFiles embed.FS

// group is a group of operations: a page of the reference.
type group struct {
	tag string
	doc string // what the operations are for
}

// groups are those of the table, in the order of the documents.
func groups() []group {
	return []group{
		{tagPortal, "Create, update and delete portals; invite, list and remove their users."},
		{tagAuth, "Sign in, switch organization, personal access tokens, members, the audit log."},
		{tagStatus, "Is the service there, and what does it serve."},
	}
}

func (g group) path() string  { return "/docs/" + g.tag }
func (g group) title() string { return g.tag + " Endpoints" }
func (g group) intro() string { return "All endpoints for the " + g.tag + " API group. " + feeding }

const feeding = "Great for feeding into an LLM context."

// access in words, for people.
func (a access) String() string {
	switch a {
	case administrator:
		return "an owner or admin of a production organization"
	case manager:
		return "an owner or admin of the organization; not a token limited to scopes"
	case anyone:
		return "anyone with a good credential"
	case person:
		return "anyone who signed in; not a personal access token"
	case public:
		return "everyone, without a credential"
	}
	return ""
}

// operationView is an operation on its page.
type operationView struct {
	ID, Method, Path, Title, Doc, Role, Scope string

	Once, Public, Form bool
	Confirm            string // what a person confirms before it is sent: "portal", "yes" or nothing
	Parameters         []parameterView
	Body               *bodyView
	Responses          []responseView
	Samples, Templates samples
}

// Verb is the method as a class of the stylesheet.
func (o operationView) Verb() string { return strings.ToLower(o.Method) }

type parameterView struct {
	schema.Member

	In string
}

type bodyView struct {
	JSON    string // as the document has it
	Type    string
	Objects []objectView
	Fields  []fieldView
	Example string
}

// fieldView is a member of a body in the form of the runner.
type fieldView struct {
	schema.Member

	Value string // with which it is shown first
}

// objectView is a component's schema as a table.
type objectView struct {
	Name    string
	Members []schema.Member
}

type responseView struct {
	Status            int
	Description, Type string
	JSON              string // its schema as the document has it
	Objects           []objectView
	Example           string
}

func objectsOf(c schema.Component) []objectView {
	var all []objectView
	for _, object := range schema.Objects(c) {
		all = append(all, objectView{object.Name(), object.Members()})
	}
	return all
}

// pretty is JSON as the published reference shows it.
func pretty(raw []byte) string {
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		panic("httpapi: a document holds what is no JSON")
	}
	return out.String()
}

func (r *route) view(base string) operationView {
	o := operationView{
		ID: r.id, Method: r.method, Path: r.path, Title: r.title, Doc: r.doc, Role: r.access.String(), Scope: string(r.scope),
		Once: r.once, Public: r.access == public, Form: r.form, Samples: r.samples(base), Templates: samples{CLI: r.cli, Go: r.sdk},
	}
	if r.method == http.MethodDelete {
		o.Confirm = "yes"
		if strings.HasPrefix(r.path, "/v1/portal/{portal_id}") {
			o.Confirm = "portal"
		}
	}
	for _, name := range r.pathParameters() {
		o.Parameters = append(o.Parameters, parameterView{schema.Member{
			Name: name, Type: "string", Required: true, Input: schema.Input{Kind: schema.InputText},
		}, "path"})
	}
	if q, ok := r.query.(schema.Component); ok {
		for _, m := range q.Members() {
			o.Parameters = append(o.Parameters, parameterView{m, "query"})
		}
	}
	if r.body != nil {
		o.Body = r.bodyView(len(o.Parameters) > 0)
	}
	o.Responses = r.responseViews()
	return o
}

func (r *route) bodyView(hasParameters bool) *bodyView {
	b := &bodyView{
		JSON: pretty(r.requestBody(hasParameters).AppendJSON(nil)), Type: r.bodyType(),
		Objects: objectsOf(r.body),
	}
	if example := r.body.Example(); example != nil && !r.form {
		b.Example = pretty(example)
	}
	values := r.prefilled()
	for _, m := range r.body.Members() {
		f := fieldView{Member: m}
		switch v := values[m.Name].(type) {
		case string:
			f.Value = v
		case []any:
			for _, line := range v {
				text, _ := line.(string)
				f.Value += text + "\n"
			}
		}
		if m.Input.Kind == schema.InputSecret {
			f.Value = ""
		}
		b.Fields = append(b.Fields, f)
	}
	return b
}

// responseViews are the answers of the document, with an example of each.
func (r *route) responseViews() []responseView {
	var all []responseView
	for _, status := range r.responses() {
		answer, _ := status.Value.(schema.Map)
		v := responseView{}
		v.Status, _ = strconv.Atoi(status.Key) // the keys are numbers
		for _, part := range answer {
			switch value := part.Value.(type) {
			case string:
				v.Description = value
			case schema.Map:
				v.Type = value[0].Key
				content, _ := value[0].Value.(schema.Map)
				of, _ := content[0].Value.(schema.Map)
				v.JSON = pretty(of.AppendJSON(nil))
			}
		}
		switch v.Status {
		case r.success:
			if r.response != nil {
				v.Objects = objectsOf(r.response)
			}
			v.Example = r.successExample()
		case http.StatusNotFound:
			v.Example = `{"detail":"Not found"}`
		case http.StatusUnprocessableEntity:
			v.Example = pretty(r.refusalExample())
		}
		all = append(all, v)
	}
	return all
}

// successExample is an example of the success answer; empty when it has no body.
func (r *route) successExample() string {
	switch {
	case r.success == http.StatusNoContent:
		return ""
	case r.response == nil:
		return "{}"
	}
	example := r.response.Example()
	if example == nil {
		panic("httpapi: " + r.response.Name() + " has a member without an example")
	}
	if r.listTitle != "" {
		example = append(append([]byte("["), example...), ']')
	}
	return pretty(example)
}

// refusalExample is a 422 as this operation gives it: of its first field, or of
// an Idempotency-Key.
func (r *route) refusalExample() []byte {
	if r.body != nil {
		return schema.Errors{{
			Type: "missing", Loc: []any{"body", r.body.Members()[0].Name}, Msg: "Field required", Input: []byte("{}"),
		}}.AppendJSON(nil)
	}
	if q, ok := r.query.(schema.Component); ok {
		return schema.Errors{{
			Type: "int_parsing", Loc: []any{"query", q.Members()[0].Name},
			Msg: "Input should be a valid integer, unable to parse string as an integer", Input: []byte(`"many"`),
		}}.AppendJSON(nil)
	}
	return schema.ValueError("an Idempotency-Key is 1 to 255 visible ASCII characters, sent once", "", "header", "idempotency-key").AppendJSON(nil)
}

// reference opens the pages of the reference and makes each of them once.
func (a *API) reference() (*web.Pages, map[string]http.Handler, error) {
	files, err := fs.Sub(pageFiles, "pages")
	if err != nil {
		return nil, nil, err
	}
	pages, err := web.Open(web.Config{
		Brand: titlePortico, Home: "/docs", Files: files, AssetAt: "/docs/assets/", Log: a.config.Log,
		Funcs: template.FuncMap{"inline": inline, "input": newInput, "sample": newSample},
	})
	if err != nil {
		return nil, nil, err
	}
	type groupView struct {
		Path, Title, Intro, Doc, Tag string
		Administrators, Current      bool
		Operations                   []operationView
	}
	views := make([]groupView, 0, len(groups()))
	for _, g := range groups() {
		v := groupView{Path: g.path(), Title: g.title(), Intro: g.intro(), Doc: g.doc, Tag: g.tag, Administrators: g.tag == tagPortal}
		for _, r := range a.routes {
			if r.tag == g.tag {
				v.Operations = append(v.Operations, r.view(a.base()))
			}
		}
		views = append(views, v)
	}
	made := map[string]http.Handler{}
	nav := func(current string) []web.Link {
		links := []web.Link{{Href: "/", Text: "Console"}, {Href: "/docs", Text: "Reference", Current: current == ""}}
		for _, v := range views {
			links = append(links, web.Link{Href: v.Path, Text: v.Tag, Current: v.Tag == current})
		}
		return links
	}
	made["/docs"], err = pages.Fixed("index", web.Page{
		Title: "API reference", Nav: nav(""), Styles: []string{"reference.css"}, Scripts: []string{"runner.js"},
		Data: struct {
			Base, About string
			Groups      []groupView
		}{a.base(), aboutAPI, views},
	})
	for _, v := range views {
		if err != nil {
			return nil, nil, err
		}
		made[v.Path], err = pages.Fixed("group", web.Page{
			Title: v.Title, Nav: nav(v.Tag), Aside: true, Styles: []string{"reference.css"}, Scripts: []string{"runner.js"}, Data: v,
		})
	}
	return pages, made, err
}

// base is where the service is reached from outside.
func (a *API) base() string { return a.control.PublicURL() }

// inputView is a field of a runner's form.
type inputView struct {
	schema.Member

	ID, In, Value, Hint string
}

// newInput describes the field for a member that is sent in the path, the query
// or the body of the operation with an id.
func newInput(operation, in string, m schema.Member, value string) inputView {
	v := inputView{Member: m, ID: operation + "-" + in + "-" + m.Name, In: in, Value: value, Hint: m.Doc}
	switch m.Input.Kind {
	case schema.InputLines:
		v.Hint = strings.TrimSpace(v.Hint + " One a line.")
	case schema.InputObject:
		v.Hint = strings.TrimSpace(v.Hint + " As JSON.")
	}
	return v
}

// sampleView is a sample, with the template from which a script makes it anew.
type sampleView struct{ Label, Text, Template string }

func newSample(label, text, template string) sampleView { return sampleView{label, text, template} }

// inline turns what stands in backquotes into code.
func inline(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String()) //nolint:gosec // every part was escaped above
}
