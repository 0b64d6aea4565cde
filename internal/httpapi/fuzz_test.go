package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/keyring"
)

func testCursors(t testing.TB, secret string) cursors {
	t.Helper()
	sum := sha256.Sum256([]byte(secret))
	ring, err := keyring.Parse(hex.EncodeToString(sum[:]))
	if err != nil {
		t.Fatal(err)
	}
	return newCursors(ring)
}

func testRequest(method, organization, target string) *request {
	r := httptest.NewRequest(method, target, http.NoBody)
	return &request{
		w: httptest.NewRecorder(), r: r, route: &route{method: method, path: "/v1/portal", once: true},
		by: portico.Principal{OrganizationID: organization},
	}
}

// FuzzCursor opens cursors that were not made for the request: none is
// accepted but the one that was, in its one spelling.
func FuzzCursor(f *testing.F) {
	made := testCursors(f, "a")
	at := time.Date(2026, 7, 1, 0, 0, 0, 5000, time.UTC)
	const target = "/v1/portal?limit=2"
	next, err := url.Parse(made.next(testRequest("GET", "org_a", target), at, "port_x"))
	if err != nil {
		f.Fatal(err)
	}
	good := next.Query().Get("cursor")
	f.Add(good, "org_a", "2")
	f.Add(good, "org_b", "2")
	f.Add(good, "org_a", "3")
	f.Add(good[:len(good)-1], "org_a", "2")
	f.Add(good+"\n", "org_a", "2")
	f.Add(good+"=", "org_a", "2")
	f.Add("", "org_a", "2")
	f.Fuzz(func(t *testing.T, cursor, organization, limit string) {
		query := url.Values{"limit": {limit}, "cursor": {cursor}}
		place, wrong := made.open(testRequest("GET", organization, "/v1/portal?"+query.Encode()), cursor)
		mine := cursor == good && organization == "org_a" && limit == "2"
		if (wrong == nil) != mine {
			t.Fatalf("cursor %q of %q with limit %q: %v", cursor, organization, limit, wrong)
		}
		if mine && (!place.time.Equal(at) || place.id != "port_x") {
			t.Fatalf("opened as %+v", place)
		}
		other := testCursors(t, "b")
		if _, wrong := other.open(testRequest("GET", organization, target), cursor); wrong == nil {
			t.Fatalf("another installation took %q", cursor)
		}
	})
}

// FuzzCursorRoundTrip makes cursors for any position and query and opens them.
func FuzzCursorRoundTrip(f *testing.F) {
	c := testCursors(f, "a")
	f.Add(int64(1782830495355000), "port_x", "q=a%20b&limit=3&q=c")
	f.Add(int64(-1), "", "%zz&;=&cursor=old")
	f.Fuzz(func(t *testing.T, micros int64, id, query string) {
		id = portico.PrefixPortal + id
		q := testRequest("GET", "org_a", "/v1/portal")
		q.r.URL.RawQuery = query
		next, err := url.Parse(c.next(q, time.UnixMicro(micros), id))
		if err != nil {
			t.Fatal(err)
		}
		cursor := next.Query().Get("cursor")
		q.r.URL = next
		place, wrong := c.open(q, cursor)
		if wrong != nil {
			t.Fatalf("%s: %v", next, wrong)
		}
		if place.time.UnixMicro() != micros || place.id != id {
			t.Fatalf("%d %q came back as %+v", micros, id, place)
		}
	})
}

// FuzzCleanPath checks that no path reaches the routes that they would read in
// another way than it was judged: one segment stays one parameter.
func FuzzCleanPath(f *testing.F) {
	for _, path := range []string{
		"/v1/portal", "/v1/portal/port_x", "/v1/portal/", "//v1/portal", "/v1/portal/../x", "/v1/portal/%2e%2e", "/v1/portal/a%2fb",
		"/v1/portal/x';--", "/v1/portal/%00", "/v1/portal/a%5cb", "/v1/portal/é", "/v1/portal/%C3%A9", "/v1/%70ortal", "/v1/portal/%252e", "/v1/portal/.",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		target, err := url.ParseRequestURI(path)
		if err != nil || target.Path == "" {
			return
		}
		r := &http.Request{Method: http.MethodGet, URL: target, RequestURI: path, Host: "localhost", Header: http.Header{}}
		if !cleanPath(r) {
			return
		}
		mux := http.NewServeMux()
		seen := ""
		mux.HandleFunc("/v1/portal/{portal_id}", func(_ http.ResponseWriter, r *http.Request) { seen = r.PathValue("portal_id") })
		mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%q was answered %d by the router", path, w.Code)
		}
		if seen != "" && (strings.Contains(seen, "/") || seen == "." || seen == "..") {
			t.Fatalf("%q gave the parameter %q", path, seen)
		}
	})
}

// FuzzIdempotencyKey reads keys: what is taken is what was sent.
func FuzzIdempotencyKey(f *testing.F) {
	for _, key := range []string{"", "a", "a b", "é", "\x00", "\x7f", strings.Repeat("k", 255), strings.Repeat("k", 256), "\xff"} {
		f.Add(key, "body")
	}
	f.Fuzz(func(t *testing.T, key, body string) {
		q := testRequest("POST", "org_a", "/v1/portal")
		q.r.Header["Idempotency-Key"] = []string{key}
		q.raw = []byte(body)
		err := q.claim()
		visible := key != "" && len(key) <= 255 && strings.IndexFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) < 0
		if (err == nil) != visible {
			t.Fatalf("%q: %v", key, err)
		}
		if err != nil {
			writeError(q.w, err)
			return
		}
		if q.once.Key != key || len(q.once.Fingerprint) != 64 {
			t.Fatalf("%q became %+v", key, q.once)
		}
		again := testRequest("POST", "org_a", "/v1/portal")
		again.r.Header["Idempotency-Key"] = []string{key}
		again.raw = []byte(body + "\x00")
		if err := again.claim(); err != nil || again.once.Fingerprint == q.once.Fingerprint {
			t.Fatalf("two bodies, one fingerprint: %v", err)
		}
	})
}
