package portico

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"
)

func TestParseHostname(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(strings.Repeat("a", 62)+".", 3) + strings.Repeat("b", 60) + ".com"
	cases := []struct{ in, want string }{
		{"example.com", "example.com"},
		{" Portal.Example.COM. ", "portal.example.com"},
		{"portal.acme.example", "portal.acme.example"},
		{"b.c", "b.c"},
		{"BÜCHER.example.com", "xn--bcher-kva.example.com"},
		{"xn--bcher-kva.example.com", "xn--bcher-kva.example.com"},
		{"straße.de", "xn--strae-oqa.de"},
		{"ｗｗｗ。example.com", "www.example.com"},
		{"пример.рф", "xn--e1afmkfd.xn--p1ai"},
		{"3com.com", "3com.com"},
		{"1.2.3.4.com", "1.2.3.4.com"},
		{"octo.github.io", "octo.github.io"},
		{"acme.co.uk", "acme.co.uk"},
		{"local.example.com", "local.example.com"},
		{long, long},

		{"", ""},
		{" ", ""},
		{".", ""},
		{"..", ""},
		{"com", ""},
		{"localhost", ""},
		{"a..com", ""},
		{".a.com", ""},
		{"a.com..", ""},
		{"-a.example.com", ""},
		{"a-.example.com", ""},
		{"ab--c.example.com", ""},
		{"x" + long, ""},
		{strings.Repeat("a", 64) + ".com", ""},
		{strings.Repeat("a.", 600) + "com", ""},
		{"a_b.example.com", ""},
		{"*.example.com", ""},
		{"https://example.com", ""},
		{"example.com/x", ""},
		{"example.com:443", ""},
		{"u@example.com", ""},
		{"a b.example.com", ""},
		{"a\x00.example.com", ""},
		{"a\xff.example.com", ""},
		{"1.2.3.4", ""},
		{"１.2.3.4", ""},
		{"0x7f.1", ""},
		{"127.0x0", ""},
		{"0x7f000001", ""},
		{"0177.0.0.1", ""},
		{"2130706433", ""},
		{"a.0x", ""},
		{"::1", ""},
		{"[::1]", ""},
		{"::ffff:1.2.3.4", ""},
		{"co.uk", ""},
		{"github.io", ""},
		{"foo.ck", ""},
		{"xn--55qx5d.cn", ""},
		{"a.test", ""},
		{"a.local", ""},
		{"a.internal", ""},
		{"x.home.arpa", ""},
		{"a.onion", ""},
		{"xn--a.example.com", ""},
		{"xn--.example.com", ""},
		{"xℕ--é-.example.com", ""},
		{"xn--İ-.example.com", ""},
		{"💩.example.com", ""},
		{"xn--ls8h.example.com", ""},
		{"аpple.com", ""},
		{"paypαl.com", ""},
	}
	for _, c := range cases {
		got, err := ParseHostname(c.in)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v; want %q", c.in, got, err, c.want)
		}
		if err != nil && (KindOf(err) != KindInvalid || !strings.HasSuffix(MessageOf(err), ".")) {
			t.Errorf("%q: %v %q", c.in, KindOf(err), MessageOf(err))
		}
	}
}

// TestParseHostnameSays checks that a refusal names what to leave out.
func TestParseHostnameSays(t *testing.T) {
	t.Parallel()
	cases := []struct{ in, says string }{
		{"https://example.com/x", `without "https://"`},
		{"example.com:443", "without a port"},
		{"*.example.com", "Wildcards"},
		{"1.2.3.4", "not an IP address"},
		{"[::1]:80", "not an IP address"},
		{"co.uk", `"co.uk" is shared`},
		{"portal", "with a dot"},
		{"a..com", "empty part"},
	}
	for _, c := range cases {
		if _, err := ParseHostname(c.in); err == nil || !strings.Contains(MessageOf(err), c.says) {
			t.Errorf("%q: %v, want %q", c.in, err, c.says)
		}
	}
}

func TestBelowDomain(t *testing.T) {
	t.Parallel()
	cases := []struct {
		host, own string
		want      bool
	}{
		{"portico-host.com", "portico-host.com", true},
		{"a.portico-host.com", "portico-host.com", true},
		{"a.b.Portico-Host.com.", "portico-host.COM", true},
		{"a.localhost", "localhost:8010", true},
		{"notportico-host.com", "portico-host.com", false},
		{"portico-host.com.evil.com", "portico-host.com", false},
		{"com", "portico-host.com", false},
		{"a.com", "", false},
		{"", "", false},
	}
	for _, c := range cases {
		if got := BelowDomain(c.host, c.own); got != c.want {
			t.Errorf("%q below %q: %v", c.host, c.own, got)
		}
	}
}

func TestHostnameSkeleton(t *testing.T) {
	t.Parallel()
	cases := []struct {
		a, b string
		same bool
	}{
		{"аррӏе.com", "apple.com", true},
		{"сосо.example.com", "coco.example.com", true},
		{"bücher.com", "bucher.com", false},
		{"xn--bcher-kva.com", "bücher.com", true},
		{"cl.example.com", "c1.example.com", false},
	}
	for _, c := range cases {
		a, err := ParseHostname(c.a)
		if err != nil {
			t.Fatal(err)
		}
		b, err := ParseHostname(c.b)
		if err != nil {
			t.Fatal(err)
		}
		if same := HostnameSkeleton(a) == HostnameSkeleton(b); same != c.same {
			t.Errorf("%q, %q: %v", c.a, c.b, same)
		}
	}
	if got := HostnameSkeleton("xn--9999999.com"); got != "xn--9999999.com" {
		t.Errorf("%q", got)
	}
}

// FuzzParseHostname checks that what is accepted is canonical and no IP
// address, public suffix or private name.
func FuzzParseHostname(f *testing.F) {
	for _, s := range []string{
		"example.com", "BÜCHER.example.com.", "1.2.3.4", "0x7f.1", "[::1]", "a。b.co", "xn--bcher-kva.com", "co.uk",
		"אב.com", "अ\u094D\u200D.com", "https://a.b", "аpple.com", "a.\u00ad.com",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, err := ParseHostname(s)
		if err != nil {
			if host != "" || KindOf(err) != KindInvalid {
				t.Fatalf("%q: %q, %v", s, host, err)
			}
			return
		}
		if again, err := ParseHostname(host); err != nil || again != host {
			t.Fatalf("%q: %q, then %q, %v", s, host, again, err)
		}
		if strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" || len(host) > MaxHostnameLength || !strings.Contains(host, ".") {
			t.Fatalf("%q: %q", s, host)
		}
		for label := range strings.SplitSeq(host, ".") {
			if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
				t.Fatalf("%q: %q", s, host)
			}
		}
		if _, err := netip.ParseAddr(host); err == nil {
			t.Fatalf("%q: %q is an IP address", s, host)
		}
		if suffix, _ := publicsuffix.PublicSuffix(host); suffix == host {
			t.Fatalf("%q: %q is a public suffix", s, host)
		}
		HostnameSkeleton(host)
	})
}
