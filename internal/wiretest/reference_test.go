package wiretest

import (
	"bytes"
	"compress/gzip"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// text returns what a person reads of a node, with single spaces.
func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// sections returns the operations on a page of the reference, by the text of
// their headings in the order of the page, and the whole page's text.
func sections(t *testing.T, page []byte) (names []string, byName map[string]string, whole string) {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	byName = map[string]string{}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && slices.Contains(n.Attr, html.Attribute{Key: "class", Val: "operation"}) {
			section := text(n)
			name := strings.Join(strings.Fields(section)[:2], " ")
			names = append(names, name)
			byName[name] = section
		}
	}
	return names, byName, text(root)
}

// TestReferencePage holds the page against the published reference: the same
// operations in the same order, and of each the same words in the same order.
func TestReferencePage(t *testing.T) {
	t.Parallel()
	w := Start(t)
	names, byName, whole := sections(t, w.Do("GET", "/docs/portal", "", nil).Body)
	for _, want := range []string{"portal Endpoints", "All endpoints for the portal API group. Great for feeding into an LLM context."} {
		if !strings.Contains(whole, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	var published []string
	for _, r := range readReference(t) {
		name := r.method + " " + r.path
		published = append(published, name)
		words := []string{r.method, r.path, r.summary, r.description}
		if len(r.parameters) > 0 {
			words = append(words, "Parameters")
		}
		for _, p := range r.parameters {
			words = append(words, p, "*", "in: path", "type: string")
		}
		if r.body != "" {
			words = append(words, "Request Body", r.body)
		}
		words = append(words, "Responses")
		for _, status := range slices.Sorted(maps.Keys(r.responses)) {
			words = append(words, status, r.responses[status])
		}
		section := byName[name]
		for _, word := range append(words, "API Runner", "Send "+r.method, "curl -s") {
			word = strings.Join(strings.Fields(word), " ")
			_, after, found := strings.Cut(section, word)
			if !found {
				t.Errorf("%s: %q is missing, or not where it stands in the reference", name, word)
				break
			}
			section = after
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(published, name) })
	if !slices.Equal(names, published) {
		t.Errorf("the page has %v, the reference %v", names, published)
	}
}

// TestReferenceDrift holds the pages, the Markdown beside them and the texts
// for language models against the routes.
func TestReferenceDrift(t *testing.T) {
	t.Parallel()
	w := Start(t)
	var routes []struct{ Method, Path string }
	w.Do("GET", "/v1/routes", w.Admin.Token, nil).JSON(t, &routes)
	var served, shown []string
	for _, r := range routes {
		served = append(served, r.Method+" "+r.Path)
	}
	full := string(w.Do("GET", "/llms-full.txt", "", nil).Body)
	index := string(w.Do("GET", "/docs", "", nil).Body)
	for _, m := range regexp.MustCompile(`<h3><a href="(/docs/\w+)">`).FindAllStringSubmatch(index, -1) {
		names, byName, _ := sections(t, w.Do("GET", m[1], "", nil).Body)
		shown = append(shown, names...)
		markdown := w.Do("GET", m[1]+".md", "", nil)
		if !strings.Contains(full, string(markdown.Body)) {
			t.Errorf("%s.md is not in llms-full.txt", m[1])
		}
		asked := w.Do("GET", m[1], "", nil, "Accept", "text/markdown, text/html;q=0.9, */*;q=0.8")
		if !bytes.Equal(asked.Body, markdown.Body) || asked.Header.Get("Content-Type") != "text/markdown; charset=utf-8" || asked.Header.Get("Vary") != "Accept" {
			t.Errorf("%s as Markdown: %v", m[1], asked.Header)
		}
		for name, section := range byName {
			if !strings.Contains(section, "Example") && !strings.Contains(section, "Responses 204") {
				t.Errorf("%s has no example", name)
			}
		}
	}
	slices.Sort(served)
	slices.Sort(shown)
	if !slices.Equal(served, shown) {
		t.Errorf("the pages show\n%v\nthe routes are\n%v", shown, served)
	}
}

// TestReferenceIsLight sums what a browser loads for each page of the
// reference, and looks for what it would load from elsewhere.
func TestReferenceIsLight(t *testing.T) {
	t.Parallel()
	w := Start(t)
	for _, page := range []string{"/docs", "/docs/portal", "/docs/auth", "/docs/status"} {
		a := w.Do("GET", page, "", nil, "Accept", "text/html,*/*;q=0.8", "Accept-Encoding", "gzip")
		if csp := a.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; style-src 'self';") {
			t.Errorf("%s: policy %q", page, csp)
		}
		size := len(a.Body)
		body := string(gunzip(t, a.Body))
		for _, m := range regexp.MustCompile(`<(?:link|script|img)[^>]*(?:src|href)="([^"]+)"`).FindAllStringSubmatch(body, -1) {
			if !strings.HasPrefix(m[1], "/docs/assets/") {
				t.Errorf("%s loads %s", page, m[1])
			}
			asset := w.Do("GET", m[1], "", nil, "Accept-Encoding", "gzip")
			if asset.Status != 200 || !strings.Contains(asset.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: %d %v", m[1], asset.Status, asset.Header)
			}
			size += len(asset.Body)
		}
		if size > 40<<10 {
			t.Errorf("%s takes %d bytes", page, size)
		}
		t.Logf("%s: %d bytes", page, size)
	}
}

func gunzip(t *testing.T, packed []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	return plain.Bytes()
}
