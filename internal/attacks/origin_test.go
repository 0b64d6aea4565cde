package attacks

import (
	"encoding/json"
	"fmt"
	"time"

	"portico/internal/auth"
	"portico/internal/node"
)

func origin() []attack {
	return []attack{
		{"A31 headers that claim another origin", claims},
	}
}

// claimed are headers in which a request says that it went elsewhere, or came
// from there.
func claimed() [][]string {
	return [][]string{
		{"X-Forwarded-Host", "evil.example.com"},
		{"X-Forwarded-Proto", "http"},
		{"X-Forwarded-Scheme", "http"},
		{"X-Forwarded-Port", "80"},
		{"X-Forwarded-Prefix", "/evil"},
		{"X-Forwarded-Server", "evil.example.com"},
		{"Forwarded", `for=192.0.2.1;host=evil.example.com;proto=http`},
		{"X-Original-URL", "/v1/routes"},
		{"X-Rewrite-URL", "/v1/routes"},
		{"X-Original-Host", "evil.example.com"},
		{"X-Host", "evil.example.com"},
		{"X-Forwarded-For", "192.0.2.1", "X-Forwarded-Host", "evil.example.com", "X-Forwarded-Proto", "http"},
	}
}

// claims is the case's own server, reached from outside by https. Whatever a
// request claims, from a trusted proxy or not, answers are the same and links
// keep their scheme and host.
func claims(a *arena) {
	own := newArena(a.T, func(c *node.Config, o *node.Options) {
		c.PublicURL, c.PortalDomain = "https://portals.example.com", "portals.example.com"
		o.Failures = auth.Rate{Events: 5, Per: time.Hour}
	})
	own.URL = "http://" + own.Node.Addr() // the public one leads elsewhere
	base := own.begin()
	portal := own.portalNamed("Origin")
	plain := own.expect(200, "GET", "/v1/portal/"+portal, own.Admin.Token, nil)
	own.sameWhatever(portal, string(plain.Body))
	if got := own.portalURL(plain.Body); got != "https://origin.portals.example.com" {
		a.Errorf("the portal's address is %q", got)
	}
	own.absolute(portal, string(plain.Body))
	own.ownBucket()
	own.end(base)
	own.Node.Close()
}

func (a *arena) portalURL(body []byte) string {
	var portal struct{ URL string }
	if err := json.Unmarshal(body, &portal); err != nil {
		a.Error(err)
	}
	return portal.URL
}

func (a *arena) sameWhatever(portal, want string) {
	a.Helper()
	for _, headers := range claimed() {
		if got := a.expect(200, "GET", "/v1/portal/"+portal, a.Admin.Token, nil, headers...); string(got.Body) != want || got.Header.Get("Location") != "" {
			a.Errorf("%v: %s", headers, got.Body)
		}
		a.expect(401, "GET", "/v1/portal/"+portal, "", nil, headers...)
		a.expect(404, "GET", "/nowhere", a.Admin.Token, nil, headers...)
		next := a.expect(200, "GET", "/v1/portal?limit=1", a.Admin.Token, nil, headers...).Header.Get("Link")
		if next != "" && next[:5] != "</v1/" {
			a.Errorf("%v: Link %q", headers, next)
		}
	}
}

// absolute sends targets with a scheme and a host of their own.
func (a *arena) absolute(portal, want string) {
	a.Helper()
	for target, status := range map[string]int{
		"http://localhost/v1/portal/" + portal:         200,
		"https://localhost/v1/portal/" + portal:        200,
		"http://localhost/v1/status":                   200,
		"http://evil.example.com/v1/portal/" + portal:  400,
		"http://localhost@evil.example.com/v1/portal/": 400,
		"http://evil.example.com:80/v1/routes":         400,
		"//evil.example.com/v1/portal/" + portal:       404,
		"ftp://localhost/v1/portal/" + portal:          400,
	} {
		answers, _ := a.raw(a.request("GET", target, ""), 1)
		if len(answers) != 1 || answers[0].Status != status || (status == 200 && answers[0].Body[2] == 'i' && string(answers[0].Body) != want) {
			a.Errorf("%s: %.300s", target, fmt.Sprint(answers))
		}
	}
}

// ownBucket fails to authenticate under the name of ever another address: the
// limit on failures is that of the peer, and a good credential is not limited.
func (a *arena) ownBucket() {
	a.Helper()
	limited := 0
	for i := range 10 {
		address := fmt.Sprintf("192.0.2.%d", i)
		answer := a.do("GET", "/v1/portal", "bad", nil, "X-Forwarded-For", address, "Forwarded", "for="+address, "X-Real-IP", address)
		if answer.Status == 429 {
			limited++
		}
	}
	if limited < 5 {
		a.Errorf("of 10 failures under other names only %d were limited", limited)
	}
	a.expect(200, "GET", "/v1/portal", a.Admin.Token, nil, "X-Forwarded-For", "192.0.2.1")
	if trusted := a.trustedProxy(); trusted != nil {
		a.Error(trusted)
	}
}

// trustedProxy starts the server again, behind a proxy that is trusted: then
// each client has failures of its own, by whom the proxy names last.
func (a *arena) trustedProxy() error {
	a.Helper()
	a.Restart(a.watch, func(c *node.Config, o *node.Options) {
		proxies, err := node.ParseProxies("127.0.0.1")
		if err != nil {
			a.Fatal(err)
		}
		c.TrustedProxies, o.Failures = proxies, auth.Rate{Events: 5, Per: time.Hour}
	})
	fail := func(chain string) int {
		return a.do("GET", "/v1/portal", "bad", nil, "X-Forwarded-For", chain, "X-Forwarded-Proto", "http", "X-Forwarded-Host", "evil.example.com").Status
	}
	for i := range 10 {
		if status := fail(fmt.Sprintf("192.0.2.%d, 198.51.100.%d", i, i)); status != 401 {
			return fmt.Errorf("client %d behind a trusted proxy: %d", i, status)
		}
	}
	limited := 0
	for i := range 10 { // one client, who claims to be a proxy for ever another
		if fail(fmt.Sprintf("192.0.2.%d, 203.0.113.9", i)) == 429 {
			limited++
		}
	}
	if limited != 5 {
		return fmt.Errorf("of one client's 10 failures behind a trusted proxy %d were limited", limited)
	}
	return nil
}
