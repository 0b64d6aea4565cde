package attacks

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"portico/internal/node"
	"portico/internal/store"
	"portico/internal/wiretest"
)

func hosts() []attack {
	return []attack{
		{"A32 a Host that is none", malformedHosts},
		{"A33 a Host in another spelling", spelledHosts},
		{"A35 a Host that is a path", pathHosts},
		{"A36 a way back that leads elsewhere", openRedirects},
		{"A65 a cookie that was set before the sign-in", fixation},
		{"A66 cookies of one host", hostCookies},
		{"A67 a form from elsewhere", foreignForms},
		{"A68 a page in a frame", framed},
	}
}

// at sends a raw request to a host and returns the answer.
func (a *arena) at(host, method, target string, headers ...string) wiretest.Answer {
	a.Helper()
	head := method + " " + target + " HTTP/1.1\r\nConnection: close\r\n"
	if host != "" {
		head += "Host: " + host + "\r\n"
	}
	answers, _ := a.raw(head+strings.Join(append(headers, "", ""), "\r\n"), 1)
	if len(answers) != 1 {
		a.Fatalf("%s %s at %q: %d answers", method, target, host, len(answers))
	}
	return answers[0]
}

func (a *arena) hostOf(portal string) string {
	return strings.TrimPrefix(a.PortalURL(portal), "http://")
}

func malformedHosts(a *arena) {
	host := a.hostOf(a.portalNamed("Hosts"))
	for _, bad := range []string{"user@" + host, "a b", "localhost:99999", "localhost:", "localhost:x", "[::1", "a..b", ".", "münchen.localhost", "a,b", "a;b"} {
		if got := a.at(bad, "GET", "/"); got.Status != http.StatusBadRequest {
			a.Errorf("%q: %d", bad, got.Status)
		}
	}
	if got := a.at(host+"\r\nHost: localhost", "GET", "/"); got.Status != http.StatusBadRequest {
		a.Errorf("two hosts: %d", got.Status)
	}
	if got := a.at("", "GET", "/"); got.Status != http.StatusBadRequest {
		a.Errorf("no host: %d", got.Status)
	}
}

func spelledHosts(a *arena) {
	host := a.hostOf(a.portalNamed("Spelled"))
	label, rest, _ := strings.Cut(host, ".")
	want := a.at(host, "GET", "/")
	for _, same := range []string{strings.ToUpper(label) + "." + rest, label + ".LOCALHOST", label + ".localhost.", label + ".localhost.:80"} {
		got := a.at(same, "GET", "/")
		if got.Status != want.Status || got.Header.Get("Location") != want.Header.Get("Location") {
			a.Errorf("%q: %d %s, want %d %s", same, got.Status, got.Header.Get("Location"), want.Status, want.Header.Get("Location"))
		}
	}
	nobody := a.at("nobody.localhost", "GET", "/")
	for _, other := range []string{"xn--" + label + ".localhost", label + ".localhost.evil.example", label + "x.localhost", "x." + host, "evil.example", label, "2130706433"} {
		if got := a.at(other, "GET", "/"); got.Status != http.StatusNotFound || !bytes.Equal(got.Body, nobody.Body) {
			a.Errorf("%q: %d, or another body than nobody's", other, got.Status)
		}
	}
	for _, ip := range []string{"10.0.0.1", "[2001:db8::1]", "192.0.2.7:80"} {
		if got := a.at(ip, "GET", "/"); got.Status != http.StatusMisdirectedRequest {
			a.Errorf("%q: %d", ip, got.Status)
		}
	}
	// No host but the public one reaches the API, and it reaches no portal.
	for _, path := range []string{"/v1/status", "/v1/portal", "/openapi.json", "/dev/mail", "/docs/portal.md"} {
		for _, h := range []string{host, "signin.localhost", "nobody.localhost"} {
			if got := a.at(h, "GET", path); got.Status != http.StatusNotFound || !bytes.Equal(got.Body, nobody.Body) {
				a.Errorf("%s at %s: %d", path, h, got.Status)
			}
		}
	}
	for _, path := range []string{"/-/enter", "/invite/x", "/forward-auth", "/-/leave"} {
		if got := a.at("localhost", "GET", path); got.Status != http.StatusNotFound {
			a.Errorf("%s at the public host: %d", path, got.Status)
		}
	}
}

func pathHosts(a *arena) {
	for _, bad := range []string{"../../x", "a%2fb", "a/b", `a\b`, "..%2f..", "%00"} {
		if got := a.at(bad, "GET", "/"); got.Status != http.StatusBadRequest {
			a.Errorf("%q: %d", bad, got.Status)
		}
	}
}

// openRedirects looks at where a guest is sent after the sign-in, whatever the
// address claimed.
func openRedirects(a *arena) {
	portal := a.portalNamed("Ways back")
	b := a.comeIn(portal, "wayback@example.com")
	home := a.PortalURL(portal)
	for _, next := range []string{
		"//evil.example", `/\evil.example`, `\\evil.example`, "https:evil.example", "https://evil.example/", "/%09/evil.example",
		"javascript:alert(1)", strings.Replace(home, "://", "://x@", 1) + "@evil.example", "/./evil.example", "/%2f%2fevil.example",
		"%2F%2Fevil.example", "%5C%5Cevil.example", "///evil.example", "/\r\nLocation: //evil.example", "/-/sign-out",
	} {
		for _, query := range []string{"next=" + url.QueryEscape(next), "next=" + strings.NewReplacer("\r", "%0d", "\n", "%0a", " ", "%20", `\`, "%5c").Replace(next)} {
			var page wiretest.Page
			a.legit(func() { page = b.Get(home + "/-/enter?" + query) })
			if page.URL.String() != home+"/" {
				a.Errorf("%q led to %s", query, page.URL)
			}
			for _, hop := range b.Hops {
				if u, err := url.Parse(hop); err != nil || !strings.HasSuffix(u.Hostname(), ".localhost") {
					a.Errorf("%q led by %s", query, hop)
				}
			}
		}
	}
	var page wiretest.Page
	a.legit(func() { page = b.Get(home + "/-/enter?next=/-/?x=1%26y") })
	if page.Status != http.StatusOK {
		a.Errorf("a way back of our own: %d", page.Status)
	}
}

// fixation sets the cookies of sessions that nobody, or somebody else, began.
func fixation(a *arena) {
	portal := a.portalNamed("Fixed")
	victim, thief := "fixed-victim@example.com", "fixed-thief@example.com"
	a.comeIn(portal, victim)
	b := a.comeIn(portal, thief)
	before := b.Cookies(a.PortalURL(portal))["portico_session"]
	// The browser's own session and the one in another portal end as well.
	other, signIn := a.portalNamed("Fixed too"), a.Node.Control.SignInURL()
	a.guests(a.Admin.Token, other, thief)
	var page wiretest.Page
	a.legit(func() { page = b.Get(a.PortalURL(other)) })
	if !strings.Contains(page.Text(), thief) {
		a.Fatalf("not in the other portal: %d %s", page.Status, page.Text())
	}
	left := a.Browser()
	left.SetCookie(a.PortalURL(other), "portico_session", b.Cookies(a.PortalURL(other))["portico_session"])
	left.SetCookie(signIn, "portico_session", b.Cookies(signIn)["portico_session"])
	a.legit(func() {
		page = b.Post(signIn+"/sign-in", url.Values{"portal": {portal}, "email": {victim}, "password": {wiretest.Password}})
	})
	if !strings.Contains(page.Text(), victim) {
		a.Fatalf("not signed in: %d %s", page.Status, page.Text())
	}
	after := b.Cookies(a.PortalURL(portal))["portico_session"]
	if after == before || after == "" {
		a.Error("a sign-in kept the session that was there")
	}
	old := a.Browser()
	old.SetCookie(a.PortalURL(portal), "portico_session", before)
	if page := old.Get(a.PortalURL(portal)); strings.Contains(page.Text(), victim) || !strings.Contains(page.Text(), "Sign in to") {
		a.Errorf("the session of before is worth %s", page.Text())
	}
	a.stranger(left, other, "with the sessions of before")
	for _, forged := range []string{"", "x", after + "x", after[:len(after)-1], strings.ToUpper(after), "00000000000000000000000000." + strings.Repeat("A", 43)} {
		other := a.Browser()
		other.SetCookie(a.PortalURL(portal), "portico_session", forged)
		if page := other.Get(a.PortalURL(portal)); !strings.Contains(page.Text(), "Sign in to") {
			a.Errorf("the cookie %q is worth %s", forged, page.Text())
		}
	}
	// A way in that somebody else began signs nobody in.
	var code string
	a.legit(func() {
		b.Get(a.PortalURL(portal) + "/-/enter")
		for _, hop := range b.Hops {
			if strings.Contains(hop, "/-/enter?code=") {
				code = hop
			}
		}
	})
	lured := a.Browser()
	if page := lured.Get(code); page.Status != http.StatusForbidden {
		a.Errorf("a stranger's code: %d %s", page.Status, page.Text())
	}
}

// hostCookies is the case's own server, reached by https.
func hostCookies(a *arena) {
	own := newArena(a.T, func(c *node.Config, _ *node.Options) {
		c.PublicURL, c.PortalDomain = "https://portals.example.com", "portals.example.com"
	})
	own.URL = "http://" + own.Node.Addr()
	base := own.begin()
	portal := own.portalNamed("Cookies")
	host := "cookies.portals.example.com"
	var cookies []string
	own.legit(func() {
		cookies = append(cookies, own.at(host, "GET", "/-/enter").Header.Values("Set-Cookie")...)
		form := "portal=" + portal + "&email=" + url.QueryEscape(own.Owner.Email) + "&password=" + url.QueryEscape(wiretest.Password)
		signIn := fmt.Sprintf("Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\nContent-Length: %d\r\n\r\n%s", len(form), form)
		answers, _ := own.raw("POST /sign-in HTTP/1.1\r\nHost: signin.portals.example.com\r\nConnection: close\r\n"+signIn, 1)
		cookies = append(cookies, answers[0].Header.Values("Set-Cookie")...)
	})
	if len(cookies) != 2 {
		a.Errorf("cookies: %v", cookies)
	}
	for _, c := range cookies {
		name, rest, _ := strings.Cut(c, "=")
		if !strings.HasPrefix(name, "__Host-") || strings.Contains(strings.ToLower(rest), "domain=") {
			a.Errorf("a cookie that other hosts can have: %s", c)
		}
		for _, word := range []string{"; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"} {
			if !strings.Contains(rest, word) {
				a.Errorf("a cookie without %s: %s", word, c)
			}
		}
	}
	// A sibling that tosses a cookie of the same name is met with two: none counts.
	name, value, _ := strings.Cut(strings.Split(cookies[1], ";")[0], "=")
	signed := own.at("signin.portals.example.com", "GET", "/", "Cookie: "+name+"="+value)
	tossed := own.at("signin.portals.example.com", "GET", "/", "Cookie: "+name+"=tossed; "+name+"="+value)
	if signed.Status != http.StatusOK || tossed.Status != http.StatusSeeOther {
		a.Errorf("one cookie: %d, two: %d", signed.Status, tossed.Status)
	}
	// It is worth nothing at another host, and none without its prefix.
	for _, h := range []string{host, "portals.example.com"} {
		if got := own.at(h, "GET", "/-/", "Cookie: "+name+"="+value); got.Status == http.StatusOK {
			a.Errorf("the sign-in host's cookie at %s: %d", h, got.Status)
		}
	}
	if got := own.at("signin.portals.example.com", "GET", "/", "Cookie: portico_session="+value); got.Status != http.StatusSeeOther {
		a.Errorf("without the prefix: %d", got.Status)
	}
	own.end(base)
	own.Node.Close()
}

// foreignForms posts every form of the gateway from where none of ours is.
func foreignForms(a *arena) {
	portal := a.portalNamed("Forms")
	host, link := a.hostOf(portal), a.invitationTo(portal, "forms@example.com")
	token := link[strings.LastIndexByte(link, '/')+1:]
	signIn := strings.TrimPrefix(a.Node.Control.SignInURL(), "http://")
	sibling := "http://sibling." + strings.SplitN(host, ".", 2)[1]
	elsewhere := map[string][]string{
		"cross-site": {"Sec-Fetch-Site: cross-site"}, "a sibling": {"Sec-Fetch-Site: same-site", "Origin: " + sibling},
		"an old browser at a sibling": {"Origin: " + sibling}, "Origin null": {"Origin: null"}, "evil": {"Origin: https://evil.example"},
		"nothing": nil, "another port": {"Origin: http://" + strings.Split(host, ":")[0] + ":1"}, "a prefix": {"Origin: http://" + host + ".evil.example"},
	}
	for _, form := range []struct{ host, path string }{
		{host, "/-/sign-out"}, {host, "/-/sign-out-everywhere"}, {host, "/-/leave"}, {host, "/invite/" + token}, {host, "/invite/" + token + "/ask-again"},
		{signIn, "/sign-in"}, {signIn, "/code"}, {signIn, "/code/x"}, {signIn, "/forgotten"}, {signIn, "/reset/x"}, {signIn, "/sign-out"},
		{signIn, "/invitation/" + portal + "/" + token + "/password"}, {signIn, "/invitation/" + portal + "/" + token + "/join"},
		{signIn, "/invitation/" + portal + "/" + token + "/code"}, {signIn, "/invitation/" + portal + "/" + token + "/sign-in"}, {signIn, "/invitation/" + portal + "/" + token + "/switch"},
	} {
		for what, headers := range elsewhere {
			body := "password=" + url.QueryEscape(wiretest.Password) + "&email=forms%40example.com"
			headers := append([]string{"Content-Type: application/x-www-form-urlencoded", fmt.Sprint("Content-Length: ", len(body))}, headers...)
			answers, _ := a.raw("POST "+form.path+" HTTP/1.1\r\nHost: "+form.host+"\r\nConnection: close\r\n"+strings.Join(headers, "\r\n")+"\r\n\r\n"+body, 1)
			if len(answers) != 1 || answers[0].Status != http.StatusForbidden {
				a.Errorf("%s from %s: %v", form.path, what, answers)
			}
		}
		for _, kind := range []string{"text/plain", "application/json", "multipart/form-data; boundary=x", ""} {
			answers, _ := a.raw("POST "+form.path+" HTTP/1.1\r\nHost: "+form.host+"\r\nConnection: close\r\nSec-Fetch-Site: same-origin\r\nContent-Type: "+kind+"\r\nContent-Length: 2\r\n\r\n{}", 1)
			if len(answers) != 1 || answers[0].Status != http.StatusUnsupportedMediaType {
				a.Errorf("%s as %q: %v", form.path, kind, answers)
			}
		}
	}
	a.refusals.Store(0) // they were strangers
}

var outside = regexp.MustCompile(`(?:src|href|action)="(?:https?:)?//[^"]*"`)

// framed looks at the headers of every page, and at what it loads.
func framed(a *arena) {
	portal := a.portalNamed("Framed")
	link := a.invitationTo(portal, "framed@example.com")
	b := a.comeIn(portal, "framed-guest@example.com")
	signIn := a.Node.Control.SignInURL()
	for _, address := range []string{
		link, a.PortalURL(portal), a.PortalURL(portal) + "/-/signed-out", a.PortalURL(portal) + "/nowhere", signIn + "/", signIn + "/sign-in?portal=" + portal,
		signIn + "/forgotten", signIn + "/reset/x", signIn + "/code/x", "http://nobody.localhost/", a.Mail("framed@example.com", store.TemplateInvited).Unsubscribe,
		signIn + "/invitation/" + portal + link[strings.LastIndexByte(link, '/'):],
	} {
		var page wiretest.Page
		a.legit(func() { page = b.Get(address) }) // some of them lead into the portal again
		policy := page.Header.Get("Content-Security-Policy")
		for _, word := range []string{"default-src 'none'", "frame-ancestors 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, word) {
				a.Errorf("%s: the policy lacks %s: %s", address, word, policy)
			}
		}
		if strings.Contains(policy, "unsafe") {
			a.Errorf("%s: %s", address, policy)
		}
		for name, want := range map[string]string{
			"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "X-Robots-Tag": "noindex, nofollow",
		} {
			if got := page.Header.Get(name); got != want {
				a.Errorf("%s: %s is %q", address, name, got)
			}
		}
		if found := inline(page.Body); found != nil {
			a.Errorf("%s has %q", address, found)
		}
		for _, found := range outside.FindAllString(string(page.Body), -1) {
			if !strings.Contains(found, ".localhost") {
				a.Errorf("%s leads outside: %s", address, found)
			}
		}
	}
}
