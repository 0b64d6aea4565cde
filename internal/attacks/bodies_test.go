package attacks

import (
	"fmt"
	"io"
	"net/http"
	"runtime/metrics"
	"strings"
	"sync"

	"golang.org/x/text/unicode/norm"

	"portico"
	"portico/internal/wiretest"
)

func bodies() []attack {
	return []attack{
		{"A01 a body that is no object", bodyOfOtherShape},
		{"A02 a body that is no JSON", bodyBroken},
		{"A03 a key twice, or in another case", bodyKeys},
		{"A04 a body nested 100,000 deep", bodyDeep},
		{"A05 a body without end, or compressed", bodyHuge},
		{"A06 a body of another content type", bodyOfOtherType},
		{"A07 fields that nobody may set", bodyMassAssignment},
		{"A08 names that deceive or break", bodyNames},
	}
}

// bodied are the requests with a JSON body that an administrator may send.
func (a *arena) bodied(portal string) [][2]string {
	return [][2]string{
		{"POST", "/v1/portal"}, {"PATCH", "/v1/portal/" + portal}, {"POST", "/v1/portal/" + portal + "/users"},
		{"POST", "/v1/auth/switch"}, {"POST", "/v1/auth/pats"}, {"POST", "/v1/oauth2/refresh"},
	}
}

func bodyOfOtherShape(a *arena) {
	portal, token := a.portalNamed("Shapes"), a.session(a.Admin)
	for _, route := range a.bodied(portal) {
		for _, body := range []string{"", "null", "[]", "[1,{}]", "0", "1.5", "true", `"name"`, `""`, " ", `[{"name":"x"}]`} {
			answer := a.expect(422, route[0], route[1], token, body)
			a.fieldErrors(answer)
		}
	}
	a.expect(422, "POST", "/v1/oauth2/login", "", "", "Content-Type", "application/x-www-form-urlencoded")
}

func bodyBroken(a *arena) {
	portal := a.portalNamed("Broken")
	for _, route := range a.bodied(portal) {
		for _, body := range []string{
			`{`, `{"name":"x"`, `{"name":"x`, `{"name":"x"}}`, `{"name":"x"} x`, `{"name":"x"}{"name":"y"}`, `{"name":"x",}`,
			"\x00", "{\"name\":\"x\"}\x00", "{\"name\":\"a\x00b\"}", `{"name":NaN}`, `{"name":"\ud800"}`, `{"\udfff":"x","name":"x"}`,
			`{'name':'x'}`, `{"name":"\x41"}`, `{"name":01}`, `// {"name":"x"}`,
		} {
			answer := a.expect(422, route[0], route[1], a.Admin.Token, body)
			if errors := a.fieldErrors(answer); len(errors) == 0 || !strings.HasPrefix(errors[0], "json_invalid ") {
				a.Errorf("%q: %v, want json_invalid", body, errors)
			}
		}
		a.expect(400, route[0], route[1], a.Admin.Token, "{\"name\":\"\xff\xfe\"}")
		a.expect(400, route[0], route[1], a.Admin.Token, "{\x00\"name\":\"x\"}") // taken for UTF-16, and cut
	}
	a.legit(func() {
		if marked := a.do("POST", "/v1/portal", a.Admin.Token, "\ufeff"+`{"name":"Marked"}`); marked.Status >= 500 {
			a.Errorf("a body with a byte order mark: %d %s", marked.Status, marked.Body)
		}
	})
}

func bodyKeys(a *arena) {
	a.legit(func() {
		answer := a.expect(201, "POST", "/v1/portal", a.Admin.Token, `{"name":{"no":"name"},"name":"First","name":"Second"}`)
		var p struct{ Name string }
		if answer.JSON(a, &p); p.Name != "Second" {
			a.Errorf("of two names %q won, want the last", p.Name)
		}
	})
	a.expect(422, "POST", "/v1/portal", a.Admin.Token, `{"name":"First","name":""}`)
	a.expect(422, "POST", "/v1/portal", a.Admin.Token, `{"name":"First","name":7}`)
	for _, key := range []string{"Name", "NAME", "name ", "na\\u0000me", "ｎame", "naſme"} {
		a.expect(422, "POST", "/v1/portal", a.Admin.Token, `{"`+key+`":"x"}`)
	}
}

func bodyDeep(a *arena) {
	portal := a.portalNamed("Deep")
	const depth = 100_000
	stacks := stackBytes()
	for _, route := range a.bodied(portal) {
		for _, body := range []string{
			strings.Repeat("[", depth), strings.Repeat("[", depth) + strings.Repeat("]", depth),
			strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth),
			`{"name":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`,
			`{"unknown":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `,"name":"x","users":["a@example.com"]}`,
			`{"users":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`,
		} {
			a.fieldErrors(a.expect(422, route[0], route[1], a.Admin.Token, body))
		}
	}
	if grown := int64(stackBytes()) - int64(stacks); grown > 2<<20 {
		a.Errorf("stacks grew by %d bytes", grown)
	}
}

func stackBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// endless gives zeros, and counts how many were taken.
type endless struct {
	left, taken int64
}

// Read implements io.Reader.
func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.left)
	clear(p[:n])
	e.left, e.taken = e.left-n, e.taken+n
	return int(n), nil
}

func bodyHuge(a *arena) {
	portal := a.portalNamed("Huge")
	const whole = 100 << 20
	resetPeak(a)
	start := resident(a)
	var wg sync.WaitGroup
	for _, route := range a.bodied(portal)[:3] {
		for _, kind := range []string{
			"Content-Length: 104857600", "Content-Length: 1048577", "Transfer-Encoding: chunked",
			"Content-Encoding: gzip\r\nContent-Length: 104857600", "Content-Encoding: br\r\nTransfer-Encoding: chunked",
			"Content-Encoding: identity, gzip\r\nContent-Length: 50",
		} {
			wg.Go(func() { a.pour(route, kind, whole) })
		}
	}
	wg.Wait()
	if grown := resident(a) - start; grown > 64<<20 {
		a.Errorf("memory grew by %d MiB", grown>>20)
	}
	a.expect(413, "POST", "/v1/portal", a.Admin.Token, `{"name":"`+strings.Repeat("x", 1<<20)+`"}`)
	a.expect(415, "POST", "/v1/portal", a.Admin.Token, "\x1f\x8b\x08\x00", "Content-Encoding", "gzip")
	a.expect(415, "POST", "/v1/portal", a.Admin.Token, "\x1f\x8b\x08\x00", "Content-Encoding", "GZIP, identity")
}

// pour sends a body until the server has enough, and looks at the answer. What
// the kernel buffers on both sides is more than what the server reads.
func (a *arena) pour(route [2]string, kind string, whole int64) {
	c := a.dial()
	defer c.Close()
	done := make(chan struct{})
	body := &endless{left: whole}
	go func() {
		defer close(done)
		head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n%s\r\n\r\n", route[0], route[1], a.Admin.Token, kind)
		if strings.Contains(kind, "chunked") {
			head += "40000000\r\n"
		}
		if _, err := io.WriteString(c, head); err == nil {
			_, _ = io.Copy(c, body)
		}
	}()
	want := " 413 "
	if strings.Contains(kind, "Content-Encoding") && !strings.Contains(kind, "104857600") { // its size comes first
		want = " 415 "
	}
	var first [32]byte
	if _, err := io.ReadAtLeast(c, first[:], 16); err != nil || !strings.Contains(string(first[:]), want) {
		a.Errorf("%s: %q, %v, want%s", kind, first, err, want)
	}
	c.Close()
	<-done
	if body.taken > 32<<20 {
		a.Errorf("%s: %d MiB were taken", kind, body.taken>>20)
	}
}

func bodyOfOtherType(a *arena) {
	portal, token := a.portalNamed("Types"), a.session(a.Admin)
	text := `{"name":"x","users":["a@example.com"],"id":"` + a.Acme.ID + `","refresh_token":"x"}`
	for _, route := range a.bodied(portal) {
		for _, contentType := range []string{
			"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain;application/json",
			"application/jsonp", "text/json", "application/xml", "*/*", "application", ";", "application/json-patch",
		} {
			a.fieldErrors(a.expect(422, route[0], route[1], token, text, "Content-Type", contentType))
		}
	}
	// What a page elsewhere can make a browser send: no credential of ours
	// travels by itself.
	for _, cookie := range []string{"access_token=" + a.Admin.Token, "Authorization=Bearer " + a.Admin.Token, "session=" + a.Admin.Token} {
		a.expect(401, "POST", "/v1/portal", "", text, "Cookie", cookie)
		a.expect(401, "DELETE", "/v1/portal/"+portal, "", nil, "Cookie", cookie)
	}
}

func bodyMassAssignment(a *arena) {
	const canary = "canary0000000000000000000z"
	extra := `"id":"port_` + canary + `","organization_id":"` + a.Other.ID + `","db_name":"` + canary + `","api_name":"` + canary +
		`","verified":true,"proven":true,"role":"owner","status":"active","state":"` + canary + `","user_id":"user_` + canary +
		`","created_by":"` + canary + `","is_active":false,"generation":7,"token":"` + canary + `","__proto__":{"role":"` + canary + `"}`
	var portal string
	a.legit(func() {
		answer := a.expect(201, "POST", "/v1/portal", a.Admin.Token, `{"name":"Mass",`+extra+`}`)
		portal = answer.ID(a)
		var p struct {
			Organization string `json:"organization_id"`
			CreatedBy    string `json:"created_by"`
			Active       bool   `json:"is_active"`
		}
		if answer.JSON(a, &p); p.Organization != a.Acme.ID || p.CreatedBy != a.Admin.ID || !p.Active {
			a.Errorf("fields were taken: %s", answer.Body)
		}
		answer = a.expect(201, "POST", "/v1/portal/"+portal+"/users", a.Admin.Token, `{"users":[{"email":"mass@example.com",`+extra+`}],`+extra+`}`)
		if !strings.Contains(string(answer.Body), `"status":"invited"`) {
			a.Errorf("a status was taken: %s", answer.Body)
		}
		a.expect(200, "PATCH", "/v1/portal/"+portal, a.Admin.Token, `{"description":"x",`+extra+`}`)
	})
	a.expect(200, "PATCH", "/v1/portal/"+portal, a.Admin.Token, `{`+extra+`}`)
	a.expect(404, "GET", "/v1/portal/"+portal, a.OtherAdmin.Token, nil)
	a.expect(404, "GET", "/v1/portal/port_"+canary, a.Admin.Token, nil)
	for key, value := range a.before {
		if strings.Contains(value, canary) {
			a.Errorf("stored: %s: %s", key, value)
		}
	}
}

func bodyNames(a *arena) {
	bad := map[string]string{
		"empty": "", "spaces": " \t ", "long": strings.Repeat("x", 10_000), "81": strings.Repeat("é", 81), "direction": "Acme \u202ecod.exe", "isolate": "a\u2066b",
		"marks": "a\u200fb", "line": "a\r\nSubject: b", "line feed": "a\nb", "separator": "a\u2028b", "escape": "a\x1b[2Jb", "NUL": "a\x00b",
		"nothing to see": "\u200b\u200d\u2060", "braille blank": "\u2800", "filler": "\u3164", "no character": "a\ufffeb", "C1": "a\u0085b",
	}
	portal, token := a.portalNamed("Names"), a.session(a.Admin)
	for what, name := range bad {
		for _, route := range [][2]string{{"POST", "/v1/portal"}, {"PATCH", "/v1/portal/" + portal}, {"POST", "/v1/auth/pats"}} {
			if answer := a.do(route[0], route[1], token, map[string]string{"name": name}); answer.Status != 422 {
				a.Errorf("%s: %s: %d %.200s", what, route[1], answer.Status, answer.Body)
			}
		}
	}
	for _, name := range []string{
		"<script>alert(1)</script>", "=cmd|' /C calc'!A0", "+1+1", "@SUM(A1)", "👩‍👩‍👧‍👦 family", "a\u200bb", "Ünïcode", "Cafe\u0301", "x\\u0000", `"; DROP TABLE portals;--`,
		"{{7*7}}", "${jndi:ldap://x}", "%0d%0aSet-Cookie:x", "../../etc/passwd", strings.Repeat("é", portico.MaxNameLength), "خالد",
	} {
		a.legit(func() { a.keepsName(name) })
	}
}

// keepsName creates a portal with a name and reads it back.
func (a *arena) keepsName(name string) {
	a.Helper()
	made := a.expect(201, "POST", "/v1/portal", a.Admin.Token, map[string]string{"name": name})
	if made.Status != http.StatusCreated {
		return
	}
	for _, answer := range []wiretest.Answer{made, a.expect(200, "GET", "/v1/portal/"+made.ID(a), a.Admin.Token, nil)} {
		var p struct {
			Name    string
			APIName string `json:"api_name"`
		}
		answer.JSON(a, &p)
		label := strings.Trim(p.APIName, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
		if p.Name != norm.NFC.String(name) || !label || len(p.APIName) > portico.MaxSlugLength {
			a.Errorf("%q came back as %q, label %q", name, p.Name, p.APIName)
		}
		if answer.Header.Get("Content-Type") != "application/json" || answer.Header.Get("X-Content-Type-Options") != "nosniff" {
			a.Errorf("a browser could take the answer for a page: %v", answer.Header)
		}
	}
	a.expect(200, "DELETE", "/v1/portal/"+made.ID(a), a.Admin.Token, nil)
}
