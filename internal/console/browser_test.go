package console_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"portico/internal/wiretest"
)

// browser is somebody in front of the console: it keeps cookies, sends forms
// as a page of the same origin does, and follows no redirects.
type browser struct {
	t       testing.TB
	client  *http.Client
	base    string
	cookies []*http.Cookie
}

func newBrowser(t testing.TB, w *wiretest.World) *browser {
	t.Helper()
	client := wiretest.NewClient(t)
	client.Jar = nil
	return &browser{t: t, client: client, base: w.URL}
}

// page is what came back.
type page struct {
	status   int
	header   http.Header
	location string
	text     string
}

func (b *browser) send(method, path string, body io.Reader, change func(*http.Request)) page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	if method != http.MethodGet {
		r.Header.Set("Origin", b.base)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if change != nil {
		change(r)
	}
	answer, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range answer.Cookies() {
		b.cookies = []*http.Cookie{c}
		if c.MaxAge < 0 {
			b.cookies = nil
		}
	}
	return page{answer.StatusCode, answer.Header, answer.Header.Get("Location"), string(raw)}
}

func (b *browser) get(path string) page {
	b.t.Helper()
	return b.send(http.MethodGet, path, nil, nil)
}

// post sends a form of pairs.
func (b *browser) post(path string, pairs ...string) page {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.send(http.MethodPost, path, strings.NewReader(form.Encode()), nil)
}

// signIn signs somebody in.
func (b *browser) signIn(email string) *browser {
	b.t.Helper()
	p := b.post("/sign-in", "email", email, "password", wiretest.Password)
	if p.status != http.StatusSeeOther || p.location != "/" || len(b.cookies) != 1 {
		b.t.Fatalf("sign in: %d %s %s", p.status, p.location, p.text)
	}
	return b
}

// want fails unless the page has a status and says something.
func (b *browser) want(p page, status int, says ...string) page {
	b.t.Helper()
	if p.status != status {
		b.t.Fatalf("status %d to %s, want %d: %s", p.status, p.location, status, words(p.text))
	}
	for _, text := range says {
		if !strings.Contains(p.text, text) {
			b.t.Errorf("the page does not say %q: %s", text, words(p.text))
		}
	}
	return p
}

// goes fails unless a form was answered with an address, and opens that.
func (b *browser) goes(p page, to string) page {
	b.t.Helper()
	if p.status != http.StatusSeeOther || !strings.HasPrefix(p.location, to) {
		b.t.Fatalf("%d to %q, want %q: %s", p.status, p.location, to, p.text)
	}
	return b.want(b.get(p.location), http.StatusOK)
}

// words is a page without its markup, for the log of a test that failed.
func words(text string) string {
	return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, " ")), " ")
}
