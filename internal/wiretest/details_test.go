package wiretest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/internal/auth"
	"portico/internal/node"
)

// TestEveryAnswer checks what all answers have in common, on one of each kind.
func TestEveryAnswer(t *testing.T) {
	t.Parallel()
	w := Start(t)
	portal := w.Portal("Common")
	large := bytes.Repeat([]byte("x"), 1<<20+1)
	for _, c := range []struct {
		method, path, token string
		body                any
		status              int
	}{
		{"GET", "/v1/portal", w.Admin.Token, nil, 200},
		{"POST", "/v1/portal", w.Admin.Token, `{"name":"a"}`, 201},
		{"GET", "/v1/portal/" + portal + "/users", w.Admin.Token, nil, 200},
		{"GET", "/v1/status", "", nil, 200},
		{"GET", "/nope", "", nil, 404},
		{"GET", "/v1/portal/x", w.Admin.Token, nil, 404},
		{"GET", "/v1/portal/", w.Admin.Token, nil, 404},
		{"GET", "//v1/portal", w.Admin.Token, nil, 404},
		{"GET", "/v1/portal/x%2Fusers", w.Admin.Token, nil, 404},
		{"GET", "/v1/portal/%2e%2e", w.Admin.Token, nil, 404},
		{"PUT", "/v1/portal", w.Admin.Token, nil, 405},
		{"TRACE", "/v1/portal", w.Admin.Token, nil, 405},
		{"POST", "/v1/portal", w.Admin.Token, large, 413},
		{"POST", "/v1/portal", w.Admin.Token, "\xff", 400},
		{"POST", "/v1/portal", w.Admin.Token, `{}`, 422},
		{"GET", "/v1/portal", "", nil, 401},
		{"GET", "/v1/portal", w.Member.Token, nil, 403},
		{"GET", "/v1/portal?q=" + strings.Repeat("x", 9000), w.Admin.Token, nil, 414},
		{"GET", "/v1/portal?" + strings.Repeat("a&", 200), w.Admin.Token, nil, 400},
	} {
		a := w.Do(c.method, c.path, c.token, c.body)
		name := c.method + " " + c.path[:min(len(c.path), 40)]
		if a.Status != c.status {
			t.Errorf("%s: %d %s, want %d", name, a.Status, a.Body, c.status)
		}
		if len(a.Header.Get("X-Request-Id")) < 20 || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", name, a.Header)
		}
		if a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", name, a.Header)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, a.Body); err != nil || !bytes.Equal(compact.Bytes(), a.Body) {
			t.Errorf("%s: not compact JSON: %s", name, a.Body)
		}
	}
	const id = "my.request-7"
	if a := w.Do("GET", "/v1/status", "", nil, "X-Request-Id", id); a.Header.Get("X-Request-Id") != id {
		t.Errorf("the client's request id became %q", a.Header.Get("X-Request-Id"))
	}
	if a := w.Do("GET", "/v1/status", "", nil, "X-Request-Id", "a b"); a.Header.Get("X-Request-Id") == "a b" {
		t.Error("a request id with a space is echoed")
	}
	for _, path := range []string{"/v1/portal", "/v1/status", "/v1/auth/load"} {
		a := w.Do("HEAD", path, w.Admin.Token, nil)
		if a.Status != http.StatusMethodNotAllowed || len(a.Body) != 0 || a.Header.Get("X-Request-Id") == "" {
			t.Errorf("HEAD %s: %d %v", path, a.Status, a.Header)
		}
	}
}

// TestBodies checks the limits of bodies, and the encodings of text.
func TestBodies(t *testing.T) {
	t.Parallel()
	w := Start(t)
	exactly := []byte(`{"name":"a","pad":"` + strings.Repeat("x", 1<<20) + `"}`)
	exactly = append(exactly[:1<<20-2], `"}`...)
	wide := func(s string, mark ...byte) []byte {
		for _, c := range []byte(s) {
			mark = append(mark, c, 0)
		}
		return mark
	}
	nested := func(n int) string {
		return `{"name":"a","x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	for _, c := range []struct {
		name   string
		body   any
		status int
		text   string
	}{
		{"1 MiB", exactly, 201, ""},
		{"1 MiB and 1", append(slices.Clip(exactly), ' '), 413, ""},
		{"byte order mark", "\xef\xbb\xbf" + `{"name":"bom"}`, 201, `"name":"bom"`},
		{"UTF-16 with mark", wide(`{"name":"wide"}`, 0xff, 0xfe), 201, `"name":"wide"`},
		{"UTF-16 without", wide(`{"name":"wide"}`), 201, `"name":"wide"`},
		{"nesting 63", nested(63), 201, ""},
		{"nesting 64", nested(64), 422, "json_invalid"},
		{"nesting 100,000", nested(100_000), 422, "json_invalid"},
		{"NaN", `{"name":"a","x":NaN}`, 422, "json_invalid"},
		{"lone surrogate", `{"name":"\ud800"}`, 422, "json_invalid"},
		{"lone surrogate where nobody looks", `{"name":"a","x":"\udc00"}`, 422, "json_invalid"},
		{"surrogate pair", `{"name":"\ud83d\ude00"}`, 201, `"name":"😀"`},
		{"NUL", "{\"name\":\"a\"}\x00", 422, "json_invalid"},
		{"escaped NUL", `{"name":"a\u0000"}`, 422, "value_error"},
		{"duplicate keys", `{"name":1,"name":"b"}`, 201, `"name":"b"`},
		{"another case", `{"Name":"b"}`, 422, `"missing"`},
		{"unknown fields", `{"name":"m","id":"port_x","organization_id":"org_x","api_name":"stolen","is_active":false,"created_by":"x"}`, 201, `"api_name":"m"`},
		{"null", `null`, 422, `{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]}`},
		{"array", `[]`, 422, "model_attributes_type"},
		{"large integer", `{"name":123456789012345678901234567890}`, 422, `"input":123456789012345678901234567890`},
		{"81 characters", `{"name":"` + strings.Repeat("ä", 81) + `"}`, 422, `"string_too_long"`},
		{"80 characters", `{"name":"` + strings.Repeat("ä", 80) + `"}`, 201, ""},
		{"blank", `{"name":"   "}`, 422, `"type":"value_error"`},
		{"bidi", `{"name":"a\u202eb"}`, 422, `"ctx":{"error":{}}`},
		{"outer space", `{"name":"  x  "}`, 201, `"name":"x"`},
		{"decomposed", `{"name":"Cafe\u0301"}`, 201, `"name":"Café"`},
		{"markup", `{"name":"<script>&\"\\"}`, 201, `"name":"<script>&\"\\"`},
	} {
		a := w.Do("POST", "/v1/portal", w.Admin.Token, c.body)
		if a.Status != c.status || !strings.Contains(string(a.Body), c.text) {
			t.Errorf("%s: %d %.300s, want %d %s", c.name, a.Status, a.Body, c.status, c.text)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/v1/portal", io.MultiReader(bytes.NewReader(exactly), strings.NewReader(" ")))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.Admin.Token)
	response, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("chunked, 1 MiB and 1: %d", response.StatusCode)
	}
}

// TestTimes checks the form of timestamps by a clock that stands still.
func TestTimes(t *testing.T) {
	t.Parallel()
	clock := &Clock{}
	now := time.Date(2026, 6, 29, 14, 41, 35, 0, time.UTC)
	clock.Stop(now)
	w := Start(t, clock.Setup)
	a := w.Do("POST", "/v1/portal", w.Admin.Token, `{"name":"Whole second"}`)
	if !strings.Contains(string(a.Body), `"created_date":"2026-06-29T14:41:35Z","modified_date":"2026-06-29T14:41:35Z"`) {
		t.Errorf("a whole second: %s", a.Body)
	}
	clock.Stop(now.Add(355 * time.Millisecond))
	a = w.Do("PATCH", "/v1/portal/"+a.ID(t), w.Admin.Token, `{"name":"Later"}`)
	if !strings.Contains(string(a.Body), `"created_date":"2026-06-29T14:41:35Z","modified_date":"2026-06-29T14:41:35.355000Z"`) {
		t.Errorf("a fraction: %s", a.Body)
	}
}

// TestNullFields checks that every field of an answer is there, in its order.
func TestNullFields(t *testing.T) {
	t.Parallel()
	w := Start(t)
	created := w.Do("POST", "/v1/portal", w.Admin.Token, `{"name":"Fields"}`)
	w.Invite(w.Admin.Token, created.ID(t), "fields@example.com")
	users := w.Do("GET", "/v1/portal/"+created.ID(t)+"/users", w.Admin.Token, nil)
	for want, body := range map[string][]byte{
		"id name api_name description organization_id url custom_domain custom_domain_status is_active created_date modified_date created_by modified_by": created.Body,
		"id name email first_name last_name status is_active is_portal_user portal_id organization_id created_date modified_date created_by modified_by":  users.Body,
	} {
		var names []string
		for _, match := range regexp.MustCompile(`"([a-z_]+)":`).FindAllSubmatch(body, -1) {
			names = append(names, string(match[1]))
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("fields %s\nwant   %s", got, want)
		}
	}
	if !strings.Contains(string(created.Body), `"description":null`) || !strings.Contains(string(created.Body), `"custom_domain":null,"custom_domain_status":null`) {
		t.Errorf("%s", created.Body)
	}
}

// TestTooManyFailures checks that guessing is slowed down and that a good
// credential is not.
func TestTooManyFailures(t *testing.T) {
	t.Parallel()
	clock := &Clock{}
	clock.Stop(time.Now())
	w := Start(t, clock.Setup, func(_ *node.Config, o *node.Options) {
		o.SignIns, o.Failures = auth.Rate{Events: 3, Per: time.Minute}, auth.Rate{Events: 5, Per: time.Minute}
	})
	for range 3 {
		if a := w.Login(w.Admin.Email, "wrong password, surely"); a.Status != http.StatusUnauthorized {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	a := w.Login(w.Admin.Email, Password)
	if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
		t.Errorf("a fourth sign-in: %d %v", a.Status, a.Header)
	}
	for range 2 {
		w.Do("GET", "/v1/portal", "bad", nil)
	}
	a = w.Do("GET", "/v1/portal", "bad", nil)
	if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
		t.Errorf("a sixth failure: %d %v", a.Status, a.Header)
	}
	if a := w.Do("GET", "/v1/portal", w.Admin.Token, nil); a.Status != http.StatusOK {
		t.Errorf("a good credential: %d %s", a.Status, a.Body)
	}
}
