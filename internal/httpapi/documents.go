package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"portico/internal/schema"
)

// document is a page that is made once, when the API is.
type document struct {
	contentType string
	body        []byte
}

// documents returns the documents by path. All come from the table of routes.
func (a *API) documents() map[string]document {
	markdown := "text/markdown; charset=utf-8"
	return map[string]document{
		"/openapi.json":   {"application/json", a.openAPI()},
		"/docs/portal.md": {markdown, []byte(a.group(tagPortal, "portal Endpoints"))},
		"/docs/auth.md":   {markdown, []byte(a.group(tagAuth, "auth Endpoints"))},
		"/llms.txt":       {"text/plain; charset=utf-8", []byte(a.llms())},
	}
}

func (d document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		writeError(w, errMethod)
		return
	}
	h := w.Header()
	h.Set("Content-Type", d.contentType)
	h.Set("Content-Length", strconv.Itoa(len(d.body)))
	h.Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(d.body) // a client that went away is nobody's error
	}
}

// llms returns the index for language models.
func (a *API) llms() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n> %s\n\n## Reference\n\n", titlePortico, aboutAPI)
	fmt.Fprintf(&b, "- [portal](/docs/portal.md): create, update and delete portals; invite, list and remove their users\n")
	fmt.Fprintf(&b, "- [auth](/docs/auth.md): sign in, switch organization, personal access tokens\n")
	fmt.Fprintf(&b, "- [OpenAPI 3.1](/openapi.json)\n\n## Operations\n\n")
	for _, r := range a.routes {
		fmt.Fprintf(&b, "- `%s %s`: %s\n", r.method, r.path, strings.TrimSuffix(r.doc, only))
	}
	return b.String()
}

// group returns one group's operations as Markdown, on one page: small enough
// to be handed to a language model whole.
func (a *API) group(tag, title string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nAll endpoints for the %s API group. Great for feeding into an LLM context.\n\n", title, tag)
	b.WriteString("Send `Authorization: Bearer <token>`. Errors are `{\"detail\": …}`: a text, or for 422 a list of " +
		"`{type, loc, msg, input}`.")
	if tag == tagPortal {
		b.WriteString(" All are only accessible by production organization administrators. Writes take an `Idempotency-Key` header.")
	}
	b.WriteString("\n")
	seen := map[string]bool{}
	for _, r := range a.routes {
		if r.tag == tag {
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
		if !seen[model.Name()] {
			seen[model.Name()] = true
			fmt.Fprintf(b, "\n%s", model.Markdown())
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
}
