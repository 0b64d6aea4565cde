package node

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"portico/internal/gateway"
)

func TestParseProxies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want int
		ok   bool
	}{
		{"", 0, true}, {" , ", 0, true},
		{"10.0.0.5", 1, true}, {"10.0.0.0/24, ::1", 2, true}, {"fd00::/8", 1, true}, {"::ffff:10.0.0.5", 1, true},
		{"0.0.0.0/0", 0, false}, {"::/0", 0, false}, {"proxy.example.com", 0, false}, {"10.0.0.0/33", 0, false}, {"10.0.0.5:80", 0, false}, {"10.0.0", 0, false},
	} {
		got, err := ParseProxies(tt.in)
		if len(got) != tt.want || (err == nil) != tt.ok {
			t.Errorf("%q: %v, %v", tt.in, got, err)
		}
	}
}

// TestProxiesFront: whose a request is, by what the peer is and what the
// headers claim, and that no claim is left for who comes behind.
func TestProxiesFront(t *testing.T) {
	t.Parallel()
	const xff, forwarded = "X-Forwarded-For", "Forwarded"
	for _, tt := range []struct {
		name, trusted, peer string
		headers             [][2]string
		want                string
	}{
		{"nobody is trusted", "", "10.0.0.5:7", [][2]string{{xff, "1.2.3.4"}, {forwarded, "for=1.2.3.4"}}, "10.0.0.5:7"},
		{"another peer", "10.0.0.6", "10.0.0.5:7", [][2]string{{xff, "1.2.3.4"}}, "10.0.0.5:7"},
		{"a proxy", "10.0.0.5", "10.0.0.5:7", [][2]string{{xff, "1.2.3.4"}}, "1.2.3.4:7"},
		{"a proxy that says nothing", "10.0.0.5", "10.0.0.5:7", nil, "10.0.0.5:7"},
		{"what the client claimed", "10.0.0.5", "10.0.0.5:7", [][2]string{{xff, "9.9.9.9, 1.2.3.4"}}, "1.2.3.4:7"},
		{"in lines", "10.0.0.5", "10.0.0.5:7", [][2]string{{xff, "9.9.9.9"}, {xff, "1.2.3.4"}}, "1.2.3.4:7"},
		{"two proxies", "10.0.0.0/8", "10.0.0.5:7", [][2]string{{xff, "9.9.9.9, 1.2.3.4, 10.1.1.1"}}, "1.2.3.4:7"},
		{"only the near one is trusted", "10.0.0.5", "10.0.0.5:7", [][2]string{{xff, "1.2.3.4, 10.1.1.1"}}, "10.1.1.1:7"},
		{"proxies all the way", "10.0.0.0/8", "10.0.0.5:7", [][2]string{{xff, "10.9.9.9, 10.1.1.1"}}, "10.9.9.9:7"},
		{"nonsense", "10.0.0.5", "10.0.0.5:7", [][2]string{{xff, "1.2.3.4, unknown"}}, "10.0.0.5:7"},
		{"nonsense behind a proxy", "10.0.0.0/8", "10.0.0.5:7", [][2]string{{xff, "1.2.3.4, x, 10.1.1.1"}}, "10.1.1.1:7"},
		{"empty", "10.0.0.5", "10.0.0.5:7", [][2]string{{xff, ""}}, "10.0.0.5:7"},
		{"with a port", "10.0.0.5", "10.0.0.5:7", [][2]string{{xff, "1.2.3.4:55"}}, "1.2.3.4:7"},
		{"IPv6", "::1", "[::1]:7", [][2]string{{xff, "2001:db8::1"}}, "[2001:db8::1]:7"},
		{"IPv6 with a port", "::1", "[::1]:7", [][2]string{{xff, "[2001:db8::1]:55"}}, "[2001:db8::1]:7"},
		{"IPv4 in IPv6", "10.0.0.5", "[::ffff:10.0.0.5]:7", [][2]string{{xff, "::ffff:1.2.3.4"}}, "1.2.3.4:7"},
		{"a zone", "fe80::1", "[fe80::1%eth0]:7", [][2]string{{xff, "1.2.3.4"}}, "1.2.3.4:7"},
		{"Forwarded", "10.0.0.5", "10.0.0.5:7", [][2]string{{forwarded, "for=9.9.9.9, for=1.2.3.4;proto=https;by=10.0.0.5"}}, "1.2.3.4:7"},
		{"Forwarded, quoted", "10.0.0.5", "10.0.0.5:7", [][2]string{{forwarded, `proto=http; For="[2001:db8::1]:4711"`}}, "[2001:db8::1]:7"},
		{"Forwarded, a comma in quotes", "10.0.0.5", "10.0.0.5:7", [][2]string{{forwarded, `for="x, for=9.9.9.9";a=b, for=1.2.3.4`}}, "1.2.3.4:7"},
		{"Forwarded, hidden", "10.0.0.5", "10.0.0.5:7", [][2]string{{forwarded, "for=1.2.3.4, for=_hidden"}}, "10.0.0.5:7"},
		{"Forwarded, without for", "10.0.0.5", "10.0.0.5:7", [][2]string{{forwarded, "for=1.2.3.4, proto=https"}}, "10.0.0.5:7"},
		{"Forwarded, a quote that does not end", "10.0.0.5", "10.0.0.5:7", [][2]string{{forwarded, `for="1.2.3.4, for=5.6.7.8\`}}, "10.0.0.5:7"},
		{"both, the same", "10.0.0.5", "10.0.0.5:7", [][2]string{{xff, "1.2.3.4"}, {forwarded, "for=1.2.3.4"}}, "1.2.3.4:7"},
		{"both, one of them the client's", "10.0.0.5", "10.0.0.5:7", [][2]string{{xff, "1.2.3.4"}, {forwarded, "for=9.9.9.9"}}, "10.0.0.5:7"},
		{"another's header", "10.0.0.5", "10.0.0.5:7", [][2]string{{"X-Real-Ip", "1.2.3.4"}}, "10.0.0.5:7"},
		{"no address", "10.0.0.5", "@", [][2]string{{xff, "1.2.3.4"}}, "@"},
	} {
		trusted, err := ParseProxies(tt.trusted)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/v1/status", http.NoBody)
		r.RemoteAddr = tt.peer
		for _, name := range []string{"X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Anything", "X-Original-Url", "X-Rewrite-Url"} {
			r.Header.Set(name, "claimed")
		}
		r.Header.Set("Accept", "kept")
		r.Header.Set("X-Forwarded-Uri", "/asked/about")
		r.Header.Set("X-Forwarded-Method", "GET")
		for _, h := range tt.headers {
			r.Header.Add(h[0], h[1])
		}
		trusted.front(testHosts(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.RemoteAddr != tt.want {
				t.Errorf("%s: from %s, want %s", tt.name, r.RemoteAddr, tt.want)
			}
			if len(r.Header) != 3 || r.Header.Get("Accept") != "kept" || r.Header.Get("X-Forwarded-Uri") == "" || r.Header.Get("X-Forwarded-Method") == "" {
				t.Errorf("%s: headers are left: %v", tt.name, r.Header)
			}
		})).ServeHTTP(nil, r)
	}
}

func testHosts() *gateway.Hosts {
	return gateway.NewHosts(&url.URL{Scheme: "https", Host: "portico.example.org"}, "localhost")
}

// TestProxiesAsk: only a trusted proxy says of which host the request is that it
// asks about, only where it asks, and not against the host that it asks at: a
// guest of one portal could send the header to another's.
func TestProxiesAsk(t *testing.T) {
	t.Parallel()
	trusted, err := ParseProxies("10.0.0.5")
	if err != nil {
		t.Fatal(err)
	}
	const proxy, ask = "10.0.0.5:7", "/forward-auth"
	for _, tt := range []struct {
		name, peer, path, at string
		about                []string
		want                 string
	}{
		{"a proxy that asks", proxy, ask, "127.0.0.1:8010", []string{"acme.localhost"}, "acme.localhost"},
		{"at the public address", proxy, ask, "portico.example.org", []string{"acme.localhost"}, "acme.localhost"},
		{"at a machine's address", proxy, ask, "10.0.0.1:8010", []string{"acme.localhost"}, "acme.localhost"},
		{"at a machine's name", proxy, ask, "portico:8010", []string{"acme.localhost"}, "acme.localhost"},
		{"at a name of a cluster", proxy, ask, "portico.web.svc.cluster.local", []string{"acme.localhost"}, "acme.localhost"},
		{"at another portal", proxy, ask, "other.localhost:8010", []string{"acme.localhost"}, "other.localhost:8010"},
		{"at a portal's own domain", proxy, ask, "Portal.Example.Com.", []string{"acme.localhost"}, "Portal.Example.Com."},
		{"at the sign-in host", proxy, ask, "signin.localhost", []string{"acme.localhost"}, "signin.localhost"},
		{"a proxy that passes on", proxy, "/v1/status", "127.0.0.1:8010", []string{"acme.localhost"}, "127.0.0.1:8010"},
		{"a stranger", "10.0.0.6:7", ask, "127.0.0.1:8010", []string{"acme.localhost"}, "127.0.0.1:8010"},
		{"two hosts", proxy, ask, "127.0.0.1:8010", []string{"acme.localhost", "other.localhost"}, "127.0.0.1:8010"},
		{"none", proxy, ask, "127.0.0.1:8010", nil, "127.0.0.1:8010"},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://"+tt.at+tt.path, http.NoBody)
		r.RemoteAddr = tt.peer
		r.Header["X-Forwarded-Host"] = tt.about
		trusted.front(testHosts(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Host != tt.want || r.Header.Get("X-Forwarded-Host") != "" {
				t.Errorf("%s: %s, want %s; %v", tt.name, r.Host, tt.want, r.Header)
			}
		})).ServeHTTP(nil, r)
	}
}

// FuzzForwarded gives a trusted proxy's headers any content: a client is the
// peer or an address that stands in them.
func FuzzForwarded(f *testing.F) {
	f.Add("1.2.3.4, 10.0.0.1", `for="[::1]:1";by=x, for=1.2.3.4`)
	f.Add("", `for="\"`)
	trusted, err := ParseProxies("10.0.0.0/8")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, old, standard string) {
		peer := trusted[0].Addr()
		got := trusted.client(peer, http.Header{"X-Forwarded-For": {old}, "Forwarded": {standard}})
		alone := trusted.client(peer, http.Header{"X-Forwarded-For": {old}})
		if !got.IsValid() || got.Is4In6() || got.Zone() != "" || (got != peer && got != alone) {
			t.Fatalf("from %v; by X-Forwarded-For alone %v", got, alone)
		}
	})
}
