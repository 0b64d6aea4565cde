package node_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"portico/internal/node"
	"portico/internal/wiretest"
)

// TestDevMail reads the outbox as a browser on the machine would, and as a page
// elsewhere might try to.
func TestDevMail(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t, func(c *node.Config, _ *node.Options) { c.DevMail = true })
	if a := w.Do("GET", "/dev/mail", "", nil); a.Status != http.StatusOK || !strings.Contains(string(a.Body), "No mail waits") {
		t.Fatalf("empty: %d %s", a.Status, a.Body)
	}
	portal := w.Portal(`<script>alert(1)</script> http://evil.example`)
	a := w.Do("POST", "/v1/portal/"+portal+"/users", w.Admin.Token, `{"users":["ada@example.com","`+w.Member.Email+`"],"message":"see https://evil.example"}`)
	if a.Status != http.StatusCreated {
		t.Fatalf("invite: %d %s", a.Status, a.Body)
	}
	list := w.Do("GET", "/dev/mail", "", nil)
	links := regexp.MustCompile(`/dev/mail/mail_[0-9a-v]+`).FindAllString(string(list.Body), -1)
	if len(links) != 2 || strings.Contains(string(list.Body), "<script") {
		t.Fatalf("list: %d links in\n%s", len(links), list.Body)
	}
	for _, link := range links {
		page, framed := w.Do("GET", link, "", nil), w.Do("GET", link+"/html", "", nil)
		for _, a := range []wiretest.Answer{page, framed} {
			policy := a.Header.Get("Content-Security-Policy")
			if a.Status != http.StatusOK || !strings.HasPrefix(policy, "default-src 'none'") || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d %v", link, a.Status, a.Header)
			}
			if strings.Contains(string(a.Body), "<script") {
				t.Errorf("%s holds markup of a portal's name:\n%s", link, a.Body)
			}
		}
		if strings.Contains(string(framed.Body), "//evil.example") {
			t.Errorf("%s/html holds a link of a portal's name:\n%s", link, framed.Body)
		}
		if !strings.Contains(framed.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s/html is not in a sandbox", link)
		}
		invited := strings.Contains(string(page.Body), "ada@example.com")
		if !strings.Contains(string(page.Body), ".localhost:") || strings.Contains(string(page.Body), "/invite/") != invited {
			t.Errorf("%s has the wrong link:\n%s", link, page.Body)
		}
	}
	for _, host := range []string{"evil.example", "evil.example:8010", "localhost.evil.example", "10.0.0.1", "x.localhost"} {
		r, err := http.NewRequest(http.MethodGet, w.URL+links[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusNotFound && answer.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("host %s: %d", host, answer.StatusCode)
		}
	}
	for _, path := range []string{"/dev/mail/", "/dev/mail/mail_nope", "/dev//mail", "/v1/../dev/mail", "/dev/mail/x/y"} {
		if a := w.Do("GET", path, "", nil); a.Status != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, a.Status)
		}
	}
	if a := w.Do("POST", "/dev/mail", "", nil); a.Status != http.StatusNotFound {
		t.Errorf("POST: %d", a.Status)
	}
	if a := w.Do("GET", "/v1/status", "", nil); string(a.Body) != `{"status":"ok"}` {
		t.Errorf("the API behind it: %d %s", a.Status, a.Body)
	}
}

// TestDevMailOff: without the setting there is no such page.
func TestDevMailOff(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	if a := w.Do("GET", "/dev/mail", "", nil); a.Status != http.StatusNotFound {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}
