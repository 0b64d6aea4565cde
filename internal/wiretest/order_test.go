package wiretest

import (
	"net/http"
	"strings"
	"testing"
)

// TestOrder sends requests that break two rules at once, and expects the
// answer for the one that comes first: route, size and encoding, body, who,
// may, fields, Idempotency-Key, object, state.
func TestOrder(t *testing.T) {
	t.Parallel()
	w := Start(t)
	portal := w.Portal("Order")
	w.Do("PATCH", "/v1/portal/"+portal, w.Admin.Token, `{"name":"Used"}`, "Idempotency-Key", "used")
	large := `{"name":"` + strings.Repeat("x", 1<<20) + `"}`
	gone := "/v1/portal/port_unknown"
	for _, c := range []struct {
		name, method, path, token string
		body                      any
		headers                   []string
		status                    int
		text                      string // in the body
	}{
		{"no route, too large", "POST", "/v1/nope", "", large, nil, 404, `{"detail":"Not Found"}`},
		{"no route, no credential", "GET", "/v1/nope", "", nil, nil, 404, `{"detail":"Not Found"}`},
		{"method, no credential", "PUT", "/v1/portal", "", nil, nil, 405, `{"detail":"Method Not Allowed"}`},
		{"method, malformed body", "PUT", "/v1/portal", w.Admin.Token, `{`, nil, 405, ""},
		{"method, encoding", "PUT", "/v1/portal", w.Admin.Token, `{}`, []string{"Content-Encoding", "gzip"}, 405, ""},
		{"too large, malformed", "POST", "/v1/portal", w.Admin.Token, "{" + large, nil, 413, ""},
		{"too large, no credential", "POST", "/v1/portal", "", large, nil, 413, ""},
		{"too large, never read", "DELETE", gone, "", large, nil, 413, ""},
		{"too large, encoding", "DELETE", gone, "", large, []string{"Content-Encoding", "gzip"}, 413, ""},
		{"encoding, never read", "GET", gone, "", nil, []string{"Content-Encoding", "gzip"}, 415, ""},
		{"encoding that is none, malformed", "POST", "/v1/portal", "", `{`, []string{"Content-Encoding", "identity, Identity"}, 422, "json_invalid"},
		{"encoding, malformed", "POST", "/v1/portal", w.Admin.Token, `{`, []string{"Content-Encoding", "gzip"}, 415, ""},
		{"encoding, no credential", "POST", "/v1/portal", "", `{}`, []string{"Content-Encoding", "br"}, 415, ""},
		{"malformed, no credential", "POST", "/v1/portal", "", `{`, nil, 422, "json_invalid"},
		{"malformed, member", "POST", "/v1/portal", w.Member.Token, `{`, nil, 422, "json_invalid"},
		{"malformed, unknown portal", "PATCH", gone, w.Admin.Token, `{`, nil, 422, "json_invalid"},
		{"unreadable, no credential", "POST", "/v1/portal", "", "\xff\xff\"", nil, 400, "There was an error parsing the body"},
		{"no credential, fields", "POST", "/v1/portal", "", `{}`, nil, 401, "Not authenticated"},
		{"no credential, empty body", "POST", "/v1/portal", "", "", nil, 401, "Not authenticated"},
		{"no credential, query", "GET", "/v1/portal?limit=x", "", nil, nil, 401, "Not authenticated"},
		{"no credential, bad key", "POST", "/v1/portal", "", `{"name":"a"}`, []string{"Idempotency-Key", "a b"}, 401, ""},
		{"no credential, unknown portal", "GET", gone, "", nil, nil, 401, ""},
		{"bad credential, fields", "POST", "/v1/portal", "bad", `{}`, nil, 401, "Could not validate credentials"},
		{"member, fields", "POST", "/v1/portal", w.Member.Token, `{}`, nil, 403, "Only accessible by"},
		{"member, query", "GET", "/v1/portal?limit=x", w.Member.Token, nil, nil, 403, "Only accessible by"},
		{"member, bad key", "DELETE", "/v1/portal/" + portal, w.Member.Token, nil, []string{"Idempotency-Key", "a b"}, 403, ""},
		{"member, unknown portal", "GET", gone, w.Member.Token, nil, nil, 403, ""},
		{"scope, unknown portal", "DELETE", gone, w.Token(w.Acme.ID, w.Admin.Email, "portal:read"), nil, nil, 403, "Missing scope: portal:write"},
		{"fields, bad key", "POST", "/v1/portal", w.Admin.Token, `{}`, []string{"Idempotency-Key", "a b"}, 422, `["body","name"]`},
		{"fields, used key", "PATCH", "/v1/portal/" + portal, w.Admin.Token, `{"name":1}`, []string{"Idempotency-Key", "used"}, 422, `["body","name"]`},
		{"fields, unknown portal", "PATCH", gone, w.Admin.Token, `{"name":1}`, nil, 422, `["body","name"]`},
		{"empty body, unknown portal", "PATCH", gone, w.Admin.Token, "", nil, 422, `{"detail":[{"type":"missing","loc":["body"]`},
		{"query, unknown portal", "GET", gone + "/users?limit=0", w.Admin.Token, nil, nil, 422, `["query","limit"]`},
		{"bad key, unknown portal", "DELETE", gone, w.Admin.Token, nil, []string{"Idempotency-Key", "a b"}, 422, `["header","idempotency-key"]`},
		{"used key, unknown portal", "PATCH", gone, w.Admin.Token, `{"name":"Used"}`, []string{"Idempotency-Key", "used"}, 409, "Idempotency-Key"},
		{"cursor, unknown portal", "GET", gone + "/users?cursor=x", w.Admin.Token, nil, nil, 422, `["query","cursor"]`},
		{"unknown portal, domain", "PATCH", gone, w.Admin.Token, `{"custom_domain":"x.example.com"}`, nil, 404, `{"detail":"Not found"}`},
	} {
		a := w.Do(c.method, c.path, c.token, c.body, c.headers...)
		if a.Status != c.status || !strings.Contains(string(a.Body), c.text) {
			t.Errorf("%s: %d %.200s, want %d %s", c.name, a.Status, a.Body, c.status, c.text)
		}
		if a.Status == http.StatusMethodNotAllowed && a.Header.Get("Allow") != "GET, POST" {
			t.Errorf("%s: Allow is %q", c.name, a.Header.Get("Allow"))
		}
	}
}
