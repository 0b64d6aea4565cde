package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"portico/internal/web"
)

// gallery opens the pages of testdata, which show every component.
func gallery(t *testing.T, log io.Writer) *web.Pages {
	t.Helper()
	pages, err := web.Open(web.Config{
		Brand: "Portico", Home: "/", Files: os.DirFS("testdata/gallery"), Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// galleryPage has something in every part of the layout.
func galleryPage() web.Page {
	type row struct {
		Name, Address, Visits string
		State                 web.Chip
		Since                 time.Time
	}
	at := time.Date(2026, 6, 29, 14, 41, 35, 0, time.UTC)
	links := []web.Link{{Href: "/", Text: "Portals"}, {Href: "/x", Text: "Customer Care", Current: true}}
	return web.Page{
		Title: "Customer Care", Aside: true, Scripts: []string{"own.js"},
		Nav:     []web.Link{{Href: "/", Text: "Portals", Current: true}, {Href: "/members", Text: "Members"}, {Href: "/audit", Text: "Audit log"}},
		Account: &web.Account{Name: "Idris Quayle", Detail: "Harbour Lane Studio", SignOut: "/sign-out", Links: links},
		Notices: []web.Notice{
			{Kind: "good", Title: "Invited.", Text: "240 guests get mail in a moment."}, {Kind: "bad", Text: "Three addresses failed."},
			{Kind: "warn", Text: "The domain does not point here."}, {Text: "Mail waits: no SMTP server is set."},
		},
		Data: map[string]any{
			"Crumbs": links, "Since": at,
			"Tabs": []web.Link{{Href: "?", Text: "Guests", Count: "240", Current: true}, {Href: "?a", Text: "Activity"}, {Href: "?b", Text: "Settings"}},
			"Rows": []row{
				{"Ada Lovelace", "ada@example.com", "1,204", web.Chip{Kind: "good", Text: "Active"}, at},
				{"Grace Hopper", "grace@example.com", "7", web.Chip{Kind: "busy", Text: "Invited"}, at},
				{"Edsger", "edsger@example.com", "0", web.Chip{Kind: "warn", Text: "Expired"}, at},
				{"<script>alert(1)</script>", "x@example.com", "0", web.Chip{Kind: "bad", Text: "Bounced"}, at},
			},
			"Pages": web.Pagination{Next: "?cursor=x", Text: "1–4 of 240"},
			"Empty": web.Empty{
				Title: "No guests yet", Text: "Invite somebody, and they appear here.", Action: web.Link{Href: "?new", Text: "Invite guests"},
				Code: []web.Code{{Label: "Command line", Text: "portico guest invite PORTAL ada@example.com"}},
			},
		},
	}
}

func get(h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func rendering(p *web.Pages, name string, page web.Page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.Render(w, r, name, page) })
}

// inflate returns the body as it was before it was compressed.
func inflate(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	if w.Header().Get("Content-Encoding") != "gzip" {
		return w.Body.String()
	}
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// TestPage shows the gallery: it is escaped, holds nothing that the policy
// forbids, names only its own origin, and is light.
func TestPage(t *testing.T) {
	t.Parallel()
	pages := gallery(t, io.Discard)
	w := get(rendering(pages, "gallery", galleryPage()), "/", "Accept-Encoding", "br, gzip")
	size := w.Body.Len()
	body := inflate(t, w)
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %s", w.Code, w.Header())
	}
	for _, want := range []string{
		"<title>Customer Care · Portico</title>", "&lt;script&gt;alert(1)", `aria-current="page"`, "<aside>", `action="/sign-out"`,
		`<time datetime="2026-06-29T14:41:35Z">29 Jun 2026, 14:41 UTC</time>`, "1–4 of 240", "portico guest invite PORTAL",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	for _, bad := range []string{` style=`, `<style`, ` onclick=`, `javascript:`, `<script>`, "://"} {
		// The label of an example and the address in a fact are text, not loaded.
		if strings.Contains(strings.ReplaceAll(body, "http://customer-care.localhost", ""), bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+pages.AssetPath(), pages.Assets())
	for _, m := range regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(body, -1) {
		a := get(mux, m[1], "Accept-Encoding", "gzip")
		if a.Code != 200 || a.Header().Get("Content-Encoding") != "gzip" || !strings.Contains(a.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", m[1], a.Code, a.Header())
		}
		size += a.Body.Len()
	}
	if size > 20<<10 {
		t.Errorf("the gallery takes %d bytes", size)
	}
	t.Logf("page and assets: %d bytes compressed", size)
}

// TestPolicy holds the headers of a page of each kind.
func TestPolicy(t *testing.T) {
	t.Parallel()
	pages := gallery(t, io.Discard)
	const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	for name, c := range map[string]struct {
		page web.Page
		want map[string]string
	}{
		"plain": {web.Page{}, map[string]string{
			"Content-Security-Policy": csp, "Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff",
			"X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin", "Content-Encoding": "gzip", "X-Robots-Tag": "", "ETag": "",
		}},
		"secret": {web.Page{Secret: true}, map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow", "Content-Encoding": "",
		}},
		"another form action": {web.Page{FormAction: []string{"https://a.example.com"}}, map[string]string{
			"Content-Security-Policy": strings.Replace(csp, "form-action 'self'", "form-action 'self' https://a.example.com", 1),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := get(rendering(pages, "plain", c.page), "/", "Accept-Encoding", "gzip")
			for header, want := range c.want {
				if got := w.Header().Get(header); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
		})
	}
}

// TestFixed shows that an unchanged page is not sent again, in each of its forms.
func TestFixed(t *testing.T) {
	t.Parallel()
	pages := gallery(t, io.Discard)
	h, err := pages.Fixed("plain", web.Page{Title: "One", Data: "One"})
	if err != nil {
		t.Fatal(err)
	}
	for _, encoding := range []string{"", "gzip"} {
		first := get(h, "/", "Accept-Encoding", encoding)
		again := get(h, "/", "Accept-Encoding", encoding, "If-None-Match", first.Header().Get("ETag"))
		if again.Code != http.StatusNotModified || again.Body.Len() != 0 || again.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%q: %d, %d bytes", encoding, again.Code, again.Body.Len())
		}
		if body := inflate(t, first); strings.Contains(body, "<aside>") || !strings.Contains(body, "A partial") {
			t.Error(body)
		}
	}
	for name, page := range map[string]web.Page{"absent": {}, "broken": {Data: struct{}{}}, "plain": {Styles: []string{"none.css"}}} {
		if _, err := pages.Fixed(name, page); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestNeverHalf shows that a page that fails in the middle is an error page,
// and that nothing of the cause is on it.
func TestNeverHalf(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	pages := gallery(t, &log)
	for _, name := range []string{"broken", "absent"} {
		w := get(rendering(pages, name, web.Page{Data: struct{}{}}), "/")
		body := w.Body.String()
		if w.Code != 500 || strings.Contains(body, "half a page") || strings.Contains(body, "Missing") || !strings.Contains(body, "could not be shown") {
			t.Errorf("%s: %d %s", name, w.Code, body)
		}
		if !strings.Contains(log.String(), "page="+name) {
			t.Errorf("the log says nothing of %s: %s", name, &log)
		}
	}
	w := get(rendering(pages, "plain", web.Page{Scripts: []string{"none.js"}}), "/")
	if w.Code != 500 {
		t.Errorf("a script that is not there: %d", w.Code)
	}
}

// TestFail shows an error with a way out and the request's id.
func TestFail(t *testing.T) {
	t.Parallel()
	pages := gallery(t, io.Discard)
	w := get(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "abc123")
		pages.Fail(w, r, web.Problem{Status: 410, Title: "This link has expired", Text: "Ask for a new one.", Action: web.Link{Href: "/new", Text: "Ask"}})
	}), "/")
	if w.Code != 410 {
		t.Errorf("status %d", w.Code)
	}
	for _, want := range []string{"This link has expired", "Ask for a new one.", `href="/new"`, "abc123"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in %s", want, w.Body)
		}
	}
}

// TestProtect tries forms from everywhere; only the page's own may pass.
func TestProtect(t *testing.T) {
	t.Parallel()
	pages := gallery(t, io.Discard)
	passed := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	h := pages.Protect(passed)
	for name, c := range map[string]struct {
		method, origin, site string
		want                 int
	}{
		"reading says nothing":            {"GET", "", "", 418},
		"own form":                        {"POST", "http://example.com", "same-origin", 418},
		"own form, old browser":           {"POST", "http://example.com", "", 418},
		"own form of a secret page":       {"POST", "null", "same-origin", 418},
		"address bar":                     {"POST", "", "none", 418},
		"another site":                    {"POST", "http://evil.example", "cross-site", 403},
		"another site, old browser":       {"POST", "http://evil.example", "", 403},
		"a sibling portal":                {"POST", "http://other.example.com", "same-site", 403},
		"no origin":                       {"POST", "", "", 403},
		"null origin":                     {"POST", "null", "", 403},
		"null origin, cross-site":         {"POST", "null", "cross-site", 403},
		"origin that begins like ours":    {"POST", "http://example.com.evil.example", "", 403},
		"origin that ends like ours":      {"POST", "http://evilexample.com", "", 403},
		"another port":                    {"POST", "http://example.com:81", "", 403},
		"delete from elsewhere":           {"DELETE", "http://evil.example", "cross-site", 403},
		"an unknown word for the site":    {"POST", "http://example.com", "sideways", 403},
		"own site claimed, other origin":  {"PUT", "http://evil.example", "cross-site", 403},
		"a method that nobody has beside": {"BREW", "", "", 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(c.method, "http://example.com/x", strings.NewReader(`{"a":1}`))
			r.Header.Set("Content-Type", "text/plain")
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("%d, want %d", w.Code, c.want)
			}
		})
	}
}

// TestAssets asks for assets in ways in which they are not served.
func TestAssets(t *testing.T) {
	t.Parallel()
	pages := gallery(t, io.Discard)
	body := get(rendering(pages, "plain", web.Page{}), "/").Body.String()
	sheet := regexp.MustCompile(`/assets/web\.[0-9a-f]{16}\.css`).FindString(body)
	for name, c := range map[string]struct {
		method, path, accept string
		status               int
		encoding             string
	}{
		"plain":        {"GET", sheet, "", 200, ""},
		"compressed":   {"GET", sheet, "br;q=1, gzip;q=0.5", 200, "gzip"},
		"refused":      {"GET", sheet, "gzip;q=0", 200, ""},
		"only asked":   {"HEAD", sheet, "gzip", 200, "gzip"},
		"by name":      {"GET", "/assets/web.css", "gzip", 404, ""},
		"a template":   {"GET", "/assets/layout.html", "", 404, ""},
		"out of it":    {"GET", "/assets/../go.mod", "", 404, ""},
		"to be posted": {"POST", sheet, "", 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(c.method, c.path, nil)
			r.Header.Set("Accept-Encoding", c.accept)
			w := httptest.NewRecorder()
			pages.Assets().ServeHTTP(w, r)
			if w.Code != c.status || w.Header().Get("Content-Encoding") != c.encoding {
				t.Errorf("%d %s, want %d %s", w.Code, w.Header().Get("Content-Encoding"), c.status, c.encoding)
			}
			if c.method == "HEAD" && w.Body.Len() != 0 {
				t.Error("a body after HEAD")
			}
		})
	}
}

// TestOpenRefuses shows that what is wrong with a front's files is found at start.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]fstest.MapFS{
		"a page without main":    {"a.html": {Data: []byte("x")}},
		"a template that is not": {"a.html": {Data: []byte(`{{define "main"}}{{`)}},
		"a partial that is not":  {"_a.html": {Data: []byte(`{{`)}},
		"an asset's name twice":  {"web.css": {Data: []byte("x")}},
	} {
		if _, err := web.Open(web.Config{Files: files, Log: slog.Default()}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
