package gateway

import (
	"net/url"
	"strings"
	"testing"

	"portico/internal/store"
)

func TestHosts(t *testing.T) {
	t.Parallel()
	hosts := NewHosts(&url.URL{Scheme: "https", Host: "Portals.Example.com"}, "portals.example.com")
	label := func(l string) store.Host { return store.Host{Label: l} }
	for _, tt := range []struct {
		header string
		kind   HostKind
		host   store.Host
	}{
		{"portals.example.com", HostPublic, store.Host{}},
		{"PORTALS.example.COM.:443", HostPublic, store.Host{}},
		{"localhost:8010", HostPublic, store.Host{}},
		{"127.0.0.1", HostPublic, store.Host{}},
		{"[::1]:8010", HostPublic, store.Host{}},
		{"signin.portals.example.com", HostSignIn, store.Host{}},
		{"SignIn.Portals.example.com.", HostSignIn, store.Host{}},
		{"acme.portals.example.com", HostPortal, label("acme")},
		{"ACME.portals.EXAMPLE.com.:8443", HostPortal, label("acme")},
		{"a.b.portals.example.com", HostPortal, label("a.b")}, // nobody has such a label
		{"acme.portals.example.com.evil.example", HostUnknown, store.Host{Domain: "acme.portals.example.com.evil.example"}},
		{"acmeportals.example.com", HostUnknown, store.Host{Domain: "acmeportals.example.com"}},
		{"xn--mnchen-3ya.example", HostUnknown, store.Host{Domain: "xn--mnchen-3ya.example"}},
		{"0x7f.1", HostUnknown, store.Host{Domain: "0x7f.1"}},
		{"10.0.0.1", HostMisdirected, store.Host{}},
		{"[2001:db8::1]", HostMisdirected, store.Host{}},
		{"[::ffff:10.0.0.1]:80", HostMisdirected, store.Host{}},
	} {
		if kind, host := hosts.Find(tt.header); kind != tt.kind || host != tt.host {
			t.Errorf("%q: %d %+v, want %d %+v", tt.header, kind, host, tt.kind, tt.host)
		}
	}
	for _, header := range []string{
		"", ".", ":80", "acme.portals.example.com:", "acme.portals.example.com:99999", "acme.portals.example.com:0",
		"acme.portals.example.com:+80", "acme.portals.example.com:8x", "user@acme.portals.example.com", "acme portals.example.com",
		"../../x", "a%2fb", `a\b`, "a/b", "a..b", ".acme.portals.example.com", "münchen.example", "a\x00b", "[::1", "::1", "[::1]x",
		"[acme]", "[fe80::1%25eth0]", strings.Repeat("a.", 130) + "com", "acme.portals.example.com..",
	} {
		if kind, host := hosts.Find(header); kind != HostMalformed || host != (store.Host{}) {
			t.Errorf("%q: %d %+v, want malformed", header, kind, host)
		}
	}
}

func FuzzHosts(f *testing.F) {
	hosts := NewHosts(&url.URL{Host: "portals.example.com:8010"}, "portals.example.com")
	for _, seed := range []string{"acme.portals.example.com:443", "[::1]:80", "A.Example.", "..", "a@b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		kind, host := hosts.Find(header)
		name := host.Label + host.Domain
		if strings.ContainsAny(name, "/\\%@: \x00ABCDEFGHIJKLMNOPQRSTUVWXYZ") || strings.Contains(name, "..") {
			t.Errorf("%q: %q", header, name)
		}
		if (name != "") != (kind == HostPortal || kind == HostUnknown) {
			t.Errorf("%q: %d %+v", header, kind, host)
		}
	})
}

func TestSafeReturn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"/":                             "/",
		"/reports":                      "/reports",
		"/reports/?a=1&b=%2F%2Fx":       "/reports/?a=1&b=%2F%2Fx",
		"/caf%C3%A9":                    "/caf%C3%A9",
		"/a?next=//evil.example":        "/a?next=//evil.example",
		"":                              "/",
		"reports":                       "/",
		"//evil.example":                "/",
		"///evil.example":               "/",
		`/\evil.example`:                "/",
		`\\evil.example`:                "/",
		"https:evil.example":            "/",
		"https://evil.example/":         "/",
		"https://portal@evil/":          "/",
		"javascript:alert(1)":           "/",
		"/\t/evil.example":              "/",
		"/%09/evil.example":             "/",
		"/%2F/evil.example":             "/",
		"/%5cevil.example":              "/",
		"/./evil.example":               "/",
		"/..//evil.example":             "/",
		"/a//b":                         "/",
		"/a\r\nSet-Cookie: x=y":         "/",
		"/a%0d%0aSet-Cookie:%20x=y":     "/",
		" /a":                           "/",
		"/-/sign-out":                   "/",
		"/\u00e9":                       "/",
		"/" + strings.Repeat("a", 2000): "/",
	} {
		if got := safeReturn(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzSafeReturn(f *testing.F) {
	for _, seed := range []string{"/a?b", "//x", `/\x`, "/%09/x", "https:x", "/a/../b", "/%2f%2fx"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := returnTo(text)
		base := &url.URL{Scheme: "https", Host: "portal.example.com", Path: "/-/enter"}
		to, err := base.Parse(got)
		if err != nil || to.Host != base.Host || to.Scheme != "https" || to.User != nil || !strings.HasPrefix(got, "/") ||
			strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n\t ") {
			t.Errorf("%q leads to %q", text, got)
		}
	})
}
