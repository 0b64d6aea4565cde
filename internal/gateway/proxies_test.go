package gateway_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"portico/internal/gateway"
	"portico/internal/store"
	"portico/internal/wiretest"
)

// proxied is a server with an app behind a proxy from the guide.
type proxied struct {
	*wiretest.World

	app    *httptest.Server
	asked  atomic.Int64 // how often the app was
	port   string       // of the proxy
	portal string
}

// newProxied starts everything but the proxy. The app greets who the proxy says
// the guest is, after it checked the statement as the guide says.
func newProxied(t *testing.T) *proxied {
	t.Helper()
	p := &proxied{port: freePort(t)}
	p.World = wiretest.Start(t, wiretest.Behind("http://localhost:"+p.port))
	p.URL = "http://" + p.Node.Addr()
	p.app = httptest.NewServer(http.HandlerFunc(p.greet))
	t.Cleanup(p.app.Close)
	p.portal = p.Portal("Behind")
	return p
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func (p *proxied) greet(w http.ResponseWriter, r *http.Request) {
	p.asked.Add(1)
	all := r.Header.Values(gateway.IdentityHeader)
	if len(all) != 1 {
		http.Error(w, fmt.Sprintf("%d statements", len(all)), http.StatusUnauthorized)
		return
	}
	claims, err := checkIdentity(all[0], p.jwks(r.Host), "http://"+r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<main><h1>Hello, %v</h1><p>%s %v %v</p></main>", claims["name"], r.URL.RequestURI(), claims["email"], claims["portal"])
}

// jwks fetches the key set from the portal's host, as Portico serves it.
func (p *proxied) jwks(host string) []byte {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, p.URL+"/.well-known/jwks.json", nil)
	if err != nil {
		return nil
	}
	r.Host = host
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil
	}
	return raw
}

// checkIdentity is what an app does with a statement.
func checkIdentity(token string, keySet []byte, audience string) (jwt.MapClaims, error) {
	var set struct {
		Keys []struct{ Kid, X, Alg, Crv string }
	}
	if err := json.Unmarshal(keySet, &set); err != nil {
		return nil, err
	}
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		for _, key := range set.Keys {
			if raw, err := base64.RawURLEncoding.DecodeString(key.X); err == nil && key.Kid == t.Header["kid"] {
				return ed25519.PublicKey(raw), nil
			}
		}
		return nil, jwt.ErrTokenUnverifiable
	}, jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	return claims, err
}

// guide returns the block of docs/guides/your-app.md in a language, with the
// addresses of the test.
func (p *proxied) guide(language string) string {
	p.T.Helper()
	text, err := os.ReadFile("../../docs/guides/your-app.md")
	if err != nil {
		p.T.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(text)
	if block == nil {
		p.T.Fatalf("the guide has no %s block", language)
	}
	return strings.NewReplacer(
		"127.0.0.1:8010", p.Node.Addr(), "127.0.0.1:3000", strings.TrimPrefix(p.app.URL, "http://"),
		"listen 443 ssl;", "listen 127.0.0.1:"+p.port+";", "portals.example.com", "localhost",
	).Replace(string(block[1]))
}

// run starts a proxy and waits until it answers.
func (p *proxied) run(name string, args ...string) {
	p.T.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = "/usr/sbin/" + name
	}
	if _, err := os.Stat(path); err != nil {
		// Without the right to install packages the proxy cannot be had.
		p.T.Skipf("skipped: %s is not installed (.ci/needs installs it): %v", name, err)
	}
	dir := p.T.TempDir()
	cmd := exec.Command(path, args...) // the proxy of the guide; it is killed at the end
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		p.T.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	p.T.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if p.T.Failed() {
			p.T.Logf("%s said:\n%s", name, said.String())
		}
	})
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		c, err := (&net.Dialer{}).DialContext(p.T.Context(), "tcp", "127.0.0.1:"+p.port)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-ticker.C:
		case <-ended:
			p.T.Fatalf("%s ended at once", name)
		case <-deadline.C:
			p.T.Fatalf("%s does not answer", name)
		}
	}
}

func TestBehindNginx(t *testing.T) {
	t.Parallel()
	p := newProxied(t)
	dir := t.TempDir()
	var config strings.Builder
	fmt.Fprintf(&config, "daemon off; master_process off; pid %s/pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n", dir)
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&config, "%s_temp_path %s;\n", kind, filepath.Join(dir, kind))
	}
	fmt.Fprintf(&config, "%s}\n", p.guide("nginx"))
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p.run("nginx", "-c", path, "-p", dir)
	p.story(t)
}

func TestBehindCaddy(t *testing.T) {
	t.Parallel()
	p := newProxied(t)
	text := p.guide("caddy")
	for _, host := range []string{"*.localhost {", "signin.localhost {", "localhost, "} {
		with := strings.NewReplacer(" {", ":"+p.port+" {", ", ", ":"+p.port+", ").Replace(host)
		text = strings.Replace(text, host, "http://"+with, 1)
	}
	path := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(path, []byte("{\nadmin off\nauto_https off\ndefault_bind 127.0.0.1\n}\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.run("caddy", "run", "--config", path, "--adapter", "caddyfile")
	p.story(t)
}

// story is what a guest of an app behind a proxy meets.
func (p *proxied) story(t *testing.T) {
	t.Helper()
	b := p.BrowserVia("127.0.0.1:" + p.port)
	home := p.PortalURL(p.portal)
	if !strings.HasSuffix(home, ":"+p.port) {
		t.Fatalf("the portal is at %s", home)
	}
	want(t, b.Get(home+"/reports?year=2026&all=1"), http.StatusOK, "Sign in to Behind")
	p.Invite(p.Admin.Token, p.portal, guestEmail)
	page := b.Submit(b.Get(p.Mail(guestEmail, store.TemplateInvited).Link), "accept")
	page = b.Submit(page, "set-password", "password", wiretest.Password, "name", "Ada Lovelace")
	want(t, page, http.StatusOK, "Hello, Ada Lovelace")
	want(t, page, http.StatusOK, "/reports?year=2026&all=1 "+guestEmail+" "+p.portal)
	want(t, b.Get(home+"/-/"), http.StatusOK, "Signed in as")

	// What a client says of itself does not reach the app, nor does a guest who
	// claims to be at their own portal while they ask for another's app.
	host := strings.TrimPrefix(home, "http://")
	p.refused(t, host, gateway.IdentityHeader, "forged")
	other := strings.TrimPrefix(p.PortalURL(p.Portal("Other")), "http://")
	for name, value := range b.Cookies(home) {
		p.refused(t, other, "Cookie", name+"="+value, "X-Forwarded-Host", host)
	}

	if a := p.Do(http.MethodDelete, "/v1/portal/"+p.portal+"/users/"+p.accountID(guestEmail), p.Admin.Token, nil); a.Status != http.StatusOK {
		t.Fatalf("remove: %d %s", a.Status, a.Body)
	}
	page = b.Get(home + "/reports")
	if page.Status != http.StatusForbidden || !strings.Contains(page.Text(), "You have no access to Behind") {
		t.Errorf("after the removal: %s %d %s", page.URL, page.Status, page.Text())
	}
}

// refused fails when a request with these headers reaches the app.
func (p *proxied) refused(t *testing.T, host string, headers ...string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+p.port+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	before := p.asked.Load()
	answer, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode == http.StatusOK || p.asked.Load() != before {
		t.Errorf("%v reached the app: %d", headers[:1], answer.StatusCode)
	}
}

func (p *proxied) accountID(email string) (id string) {
	p.T.Helper()
	err := p.Node.Store.View(context.Background(), func(tx *store.Tx) error {
		a, err := tx.AccountByKey(email)
		id = a.ID
		return err
	})
	if err != nil || id == "" {
		p.T.Fatalf("no account %s: %s", strconv.Quote(email), err)
	}
	return id
}
