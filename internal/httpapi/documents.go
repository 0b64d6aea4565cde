package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"portico/internal/schema"
)

// document is a text that is made once, when the API is.
type document struct {
	contentType string
	body        []byte
}

const (
	typeMarkdown = "text/markdown; charset=utf-8"
	typePlain    = "text/plain; charset=utf-8"
)

// documents returns what describes the API, by path: pages for people, the same
// as Markdown for language models, and one document for machines. All come from
// the table of routes.
func (a *API) documents() (map[string]http.Handler, error) {
	pages, made, err := a.reference()
	if err != nil {
		return nil, err
	}
	full := new(strings.Builder)
	full.WriteString(a.index())
	all := map[string]http.Handler{"/openapi.json": reading(document{"application/json", a.openAPI()})}
	add := func(path, markdown string) {
		text := document{typeMarkdown, []byte(markdown)}
		all[path] = reading(choice{made[path], text})
		all[path+".md"] = reading(text)
	}
	add("/docs", a.index())
	for _, g := range groups() {
		markdown := a.markdown(g)
		add(g.path(), markdown)
		full.WriteString("\n" + markdown)
	}
	all["/llms.txt"] = reading(document{typePlain, []byte(a.index())})
	all["/llms-full.txt"] = reading(document{typePlain, []byte(full.String())})
	for _, address := range pages.AssetAddresses() {
		all[address] = reading(pages.Assets())
	}
	return all, nil
}

// reading answers 405 to what does not only read.
func reading(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			writeError(w, errMethod)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (d document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", d.contentType)
	h.Set("Content-Length", strconv.Itoa(len(d.body)))
	h.Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(d.body) // a client that went away is nobody's error
	}
}

// choice is a page, or its Markdown for who would rather have that.
type choice struct{ page, markdown http.Handler }

func (c choice) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Accept")
	if wantsMarkdown(r.Header["Accept"]) {
		c.markdown.ServeHTTP(w, r)
		return
	}
	c.page.ServeHTTP(w, r)
}

// wantsMarkdown reports whether Markdown is named, and HTML not before it.
func wantsMarkdown(accept []string) bool {
	markdown, html := 0.0, 0.0
	for value := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, parameters, _ := strings.Cut(value, ";")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.ReplaceAll(parameters, " ", ""), "q="); ok {
			var err error
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				weight = 0
			}
		}
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "text/markdown":
			markdown = weight
		case "text/html":
			html = weight
		}
	}
	return markdown > 0 && markdown >= html
}

// index returns the index for language models.
func (a *API) index() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n> %s\n\n## Reference\n\n", titlePortico, aboutAPI)
	for _, g := range groups() {
		fmt.Fprintf(&b, "- [%s](%s.md): %s\n", g.tag, g.path(), g.doc)
	}
	fmt.Fprintf(&b, "- [All of it in one text](/llms-full.txt)\n- [OpenAPI 3.1](/openapi.json)\n\n## Operations\n\n")
	for _, r := range a.routes {
		fmt.Fprintf(&b, "- `%s %s`: %s\n", r.method, r.path, strings.TrimSuffix(r.doc, only))
	}
	return b.String()
}

// markdown returns one group's operations on one page: small enough to be
// handed to a language model whole.
func (a *API) markdown(g group) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", g.title(), g.intro())
	b.WriteString("Send `Authorization: Bearer <token>`. Errors are `{\"detail\": …}`: a text, or for 422 a list of " +
		"`{type, loc, msg, input}`.")
	if g.tag == tagPortal {
		b.WriteString(" All are only accessible by production organization administrators. Writes take an `Idempotency-Key` header.")
	}
	b.WriteString("\n")
	seen := map[string]bool{}
	for _, r := range a.routes {
		if r.tag == g.tag {
			r.describe(&b, seen)
		}
	}
	return b.String()
}

// describe appends one operation. A schema is shown where it is first used.
func (r *route) describe(b *strings.Builder, seen map[string]bool) {
	fmt.Fprintf(b, "\n## %s\n\n`%s %s`\n\n%s\n", r.title, r.method, r.path, strings.TrimSuffix(r.doc, only))
	if r.scope != "" {
		fmt.Fprintf(b, "\nScope: `%s`\n", r.scope)
	}
	if names := r.pathParameters(); len(names) > 0 {
		fmt.Fprintf(b, "\nParameters: `%s`\n", strings.Join(names, "`, `"))
	}
	if q, ok := r.query.(schema.Component); ok {
		table, _, _ := strings.Cut(q.Markdown(), "\n```json") // a query is no JSON
		fmt.Fprintf(b, "\nQuery:\n\n%s", table)
	}
	show := func(label string, model schema.Component) {
		fmt.Fprintf(b, "\n%s: `%s`\n", label, model.Name())
		for _, object := range schema.Objects(model) {
			if seen[object.Name()] {
				continue
			}
			seen[object.Name()] = true
			text := object.Markdown()
			if object != model {
				table, _, _ := strings.Cut(text, "\n```json") // the example is in that of the whole
				text = "`" + object.Name() + "`:\n\n" + table
			}
			fmt.Fprintf(b, "\n%s", text)
		}
	}
	if r.body != nil {
		show("Request Body", r.body)
	}
	switch {
	case r.success == http.StatusNoContent:
		fmt.Fprintf(b, "\nResponse %d: no content\n", r.success)
	case r.response == nil:
		fmt.Fprintf(b, "\nResponse %d: `{}`\n", r.success)
	case r.listTitle != "":
		show(fmt.Sprintf("Response %d, array of", r.success), r.response)
	default:
		show(fmt.Sprintf("Response %d", r.success), r.response)
	}
	var also []string
	for _, answer := range r.responses()[1:] {
		also = append(also, answer.Key)
	}
	if len(also) > 0 {
		fmt.Fprintf(b, "\nAlso: %s\n", strings.Join(also, ", "))
	}
}
