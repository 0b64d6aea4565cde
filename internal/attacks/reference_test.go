package attacks

import (
	"regexp"
	"strings"
)

func reference() []attack {
	return []attack{
		{"A20 the reference for pages of another origin", referenceOrigins},
		{"A67 a call of the API from another page", foreignCalls},
		{"A68 the reference in a frame", framedReference},
		{"A69 what the runner may do", runnerBounds},
		{"A95 what the reference's errors tell", referenceErrors},
	}
}

// referencePages are the pages and texts that describe the API.
func referencePages() []string {
	return strings.Fields("/docs /docs.md /docs/portal /docs/portal.md /docs/auth /docs/status /llms.txt /llms-full.txt /openapi.json")
}

// assets returns the addresses of what a page loads.
func (a *arena) assets(page string) []string {
	a.Helper()
	var all []string
	for _, m := range regexp.MustCompile(`<(?:script|link|img)[^>]*(?:src|href)="([^"]+)"`).FindAllSubmatch(a.expect(200, "GET", page, "", nil).Body, -1) {
		all = append(all, string(m[1]))
	}
	if len(all) < 4 {
		a.Fatalf("%s loads %v", page, all)
	}
	return all
}

func referenceOrigins(a *arena) {
	for _, path := range append(referencePages(), a.assets("/docs/portal")...) {
		for _, origin := range []string{"https://evil.example", "null", a.URL + ".evil.example", a.URL} {
			for _, method := range []string{"GET", "OPTIONS"} {
				answer := a.do(method, path, "", nil, "Origin", origin, "Access-Control-Request-Method", "GET")
				for name := range answer.Header {
					if strings.HasPrefix(name, "Access-Control-") || name == "Timing-Allow-Origin" || name == "Set-Cookie" {
						a.Errorf("%s %s from %s: %s: %s", method, path, origin, name, answer.Header.Get(name))
					}
				}
				if method == "OPTIONS" && answer.Status != 405 {
					a.Errorf("a preflight of %s: %d", path, answer.Status)
				}
			}
		}
	}
}

// foreignCalls: what a page elsewhere can make a browser send carries no
// credential that the API takes: nothing is ambient.
func foreignCalls(a *arena) {
	token := a.Admin.Token
	for what, headers := range map[string][]string{
		"a simple request":        {"Content-Type", "text/plain", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"},
		"a form":                  {"Content-Type", "application/x-www-form-urlencoded", "Origin", "null", "Sec-Fetch-Site", "cross-site"},
		"a sibling portal's page": {"Content-Type", "text/plain", "Origin", "http://sibling.localhost", "Sec-Fetch-Site", "same-site"},
		"a cookie":                {"Cookie", "session=" + token + "; __Host-session=" + token + "; token=" + token + "; Authorization=Bearer " + token},
		"another header":          {"X-Authorization", "Bearer " + token, "Proxy-Authorization", "Bearer " + token},
		"basic authentication":    {"Authorization", "Basic " + token},
	} {
		for _, route := range [][2]string{{"POST", "/v1/portal"}, {"POST", "/v1/portal?access_token=" + token + "&token=" + token}, {"DELETE", "/v1/portal/x"}, {"GET", "/v1/portal"}} {
			var body any
			if route[0] == "POST" {
				body = `{"name":"From elsewhere","access_token":"` + token + `"}`
			}
			if answer := a.do(route[0], route[1], "", body, headers...); answer.Status != 401 {
				a.Errorf("%s: %s: %d %.200s", what, route[0], answer.Status, answer.Body)
			}
		}
	}
}

func framedReference(a *arena) {
	for _, page := range []string{"/docs", "/docs/portal", "/docs/auth", "/docs/status"} {
		answer := a.expect(200, "GET", page, "", nil)
		policy := answer.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				a.Errorf("%s: the policy has no %s: %s", page, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "http") || answer.Header.Get("X-Frame-Options") != "DENY" {
			a.Errorf("%s: %s, %s", page, policy, answer.Header.Get("X-Frame-Options"))
		}
		if found := inline(answer.Body); found != nil {
			a.Errorf("%s has %q", page, found)
		}
	}
}

// runnerBounds reads the runner: it has no way to keep a token, to put it into
// an address, or to make markup of an answer, and no address but of this server.
func runnerBounds(a *arena) {
	for _, address := range a.assets("/docs/portal") {
		if !strings.HasPrefix(address, "/docs/assets/") {
			a.Errorf("the page loads %s", address)
		}
		if !strings.HasSuffix(address, ".js") {
			continue
		}
		program := string(a.expect(200, "GET", address, "", nil).Body)
		for word := range strings.FieldsSeq("localStorage sessionStorage indexedDB document.cookie innerHTML outerHTML insertAdjacentHTML document.write eval( Function( " +
			"import( postMessage sendBeacon WebSocket XMLHttpRequest window.open location.hash location.search console. http: https:") {
			if strings.Contains(program, word) {
				a.Errorf("%s has %s", address, word)
			}
		}
	}
	page := string(a.expect(200, "GET", "/docs/portal", "", nil).Body)
	for _, m := range regexp.MustCompile(`data-path="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "/v1/") {
			a.Errorf("a runner leads to %s", m[1])
		}
	}
	if field := regexp.MustCompile(`<input id="token"[^>]*>`).FindString(page); strings.Contains(field, "name=") || !strings.Contains(field, `autocomplete="off"`) {
		a.Errorf("the token's field is %s", field)
	}
	// What is in a link changes nothing of the page.
	linked := string(a.expect(200, "GET", "/docs/portal?token=planted&server=https://evil.example&path=//evil.example", "", nil).Body)
	if linked != page {
		a.Error("a query changes the page")
	}
}

func referenceErrors(a *arena) {
	for path := range strings.FieldsSeq("/docs/nope /docs/portal.html /docs/portal/x /docs/assets /docs/assets/ /docs/assets/web.css /docs/assets/runner.js /docs/assets/group.html /docs/assets/..%2fportal /docs/assets/%2e%2e/%2e%2e/go.mod /llms-full.md /openapi.yaml") {
		answer := a.do("GET", path, "", nil)
		if answer.Status != 404 || len(answer.Body) > 200 {
			a.Errorf("%s: %d, %d bytes", path, answer.Status, len(answer.Body))
		}
		for _, word := range []string{"goroutine", ".go", "pages/", a.Dir, "portico", "template", "go1."} {
			if strings.Contains(string(answer.Body), word) {
				a.Errorf("%s tells %q: %s", path, word, answer.Body)
			}
		}
	}
	for _, path := range referencePages() {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
			a.expect(405, method, path, "", nil)
		}
	}
}
