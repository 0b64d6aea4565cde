package bench

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/control"
	"portico/internal/node"
	"portico/internal/wiretest"
)

const (
	address  = "admin@acme.example.com"
	password = "a password long enough to be taken"
)

// product is a node in this process, as it ships: it writes its log too.
type product struct {
	t            *testing.T
	node         *node.Node
	organization string
	account      string
}

func openProduct(t *testing.T, dir string, setups ...wiretest.Setup) *product {
	t.Helper()
	sink, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sink.Close() })
	n, err := wiretest.Open(dir, append(setups, func(_ *node.Config, o *node.Options) {
		o.Log = slog.New(slog.NewTextHandler(sink, nil))
	})...)
	if err != nil {
		t.Fatal(err)
	}
	return &product{t: t, node: n}
}

// newFolder makes a folder with one organization, its administrator, and as
// many portals as numbers of guests are given; it returns the portals' ids.
func newFolder(t *testing.T, guests ...int) (dir string, organization, account string, portals []string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p := openProduct(t, dir)
	defer p.node.Close()
	p.found()
	s := p.service(p.personalToken())
	for i, n := range guests {
		id := mustCreate(t, s, fmt.Sprintf("first-%d", i))
		for from := 0; from < n; from += 1000 {
			c := inviteCall(id, int64(from), min(1000, n-from), fmt.Sprintf("first-%d", i))
			if _, err := s.do(c); err != nil {
				t.Fatal(err)
			}
		}
		portals = append(portals, id)
	}
	return dir, p.organization, p.account, portals
}

// found makes the organization and its administrator.
func (p *product) found() {
	t := p.t
	t.Helper()
	o, err := p.node.Control.CreateOrganization(t.Context(), control.OrganizationCreate{Name: "Acme", Kind: portico.Production})
	if err != nil {
		t.Fatal(err)
	}
	made, err := p.node.Control.CreateAccount(t.Context(), control.AccountCreate{
		Email: address, Password: password, OrganizationID: o.ID, Role: portico.Admin,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.organization, p.account = o.ID, made.Account.ID
}

func mustCreate(t *testing.T, s *service, name string) string {
	t.Helper()
	body, err := s.do(createCall(name))
	if err != nil {
		t.Fatal(err)
	}
	return idOf(t, body)
}

func idOf(t *testing.T, body []byte) string {
	t.Helper()
	var made struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(body, &made); err != nil {
		t.Fatal(err)
	}
	return made.ID
}

func (p *product) service(token string) *service {
	return newService(p.t, "http://"+p.node.Addr(), token)
}

// accessToken signs in, as clients do.
func (p *product) accessToken() string {
	p.t.Helper()
	body, err := p.service("").do(signInCall())
	if err != nil {
		p.t.Fatal(err)
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		p.t.Fatal(err)
	}
	return answer.Token
}

func (p *product) personalToken() string {
	p.t.Helper()
	made, err := p.node.Control.CreateTokenFor(p.t.Context(), p.organization, address, control.TokenCreate{Name: "bench"})
	if err != nil {
		p.t.Fatal(err)
	}
	return made.Secret
}

func signInCall() call {
	form := url.Values{"grant_type": {"password"}, "username": {address}, "password": {password}}
	return call{method: "POST", path: "/v1/oauth2/login", body: form.Encode(), form: "application/x-www-form-urlencoded", status: http.StatusOK}
}

func createCall(name string) call {
	return call{method: "POST", path: "/v1/portal", body: `{"name":"` + name + `"}`, status: http.StatusCreated}
}

func listCall(portal string) call {
	return call{method: "GET", path: "/v1/portal/" + portal + "/users", status: http.StatusOK}
}

func inviteCall(portal string, first int64, n int, word string) call {
	var b strings.Builder
	b.WriteString(`{"users":[`)
	for i := range int64(n) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"email":"guest.%s.%d@mail.example.com","first_name":"Guest","last_name":"Number %d"}`, word, first+i, first+i)
	}
	b.WriteString(`],"message":"Welcome aboard."}`)
	return call{method: "POST", path: "/v1/portal/" + portal + "/users", body: b.String(), status: http.StatusCreated}
}

func updateCall(portal string, n int64) call {
	return call{
		method: "PATCH", path: "/v1/portal/" + portal, status: http.StatusOK,
		body: fmt.Sprintf(`{"name":"Renamed %d","description":"For the %d. time"}`, n, n),
	}
}

// world is product and floor, each on a folder of its own with the same
// content.
type world struct {
	t        *testing.T
	product  *product
	floor    *floor
	personal *service // the product by a personal token
	session  *service // the product by an access token
	bare     *service
	portals  []string
}

func openWorld(t *testing.T, guests ...int) *world {
	t.Helper()
	dir, organization, account, portals := newFolder(t, guests...)
	copied := t.TempDir()
	if out, err := exec.Command("cp", "-a", dir+"/.", copied).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p := openProduct(t, dir)
	p.organization, p.account = organization, account
	t.Cleanup(p.node.Close)
	_, port, err := net.SplitHostPort(p.node.Addr())
	if err != nil {
		t.Fatal(err)
	}
	f, err := openFloor(copied, port, organization, account)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(f.handler())
	t.Cleanup(func() {
		server.Close()
		if err := f.close(); err != nil {
			t.Error(err)
		}
	})
	return &world{
		t: t, product: p, floor: f, portals: portals,
		personal: p.service(p.personalToken()), session: p.service(p.accessToken()), bare: newService(t, server.URL, ""),
	}
}

const (
	pairs     = 9
	stretch   = time.Second
	lastsLong = 3 * time.Second
)

// against compares the product with the floor under a load, and then profiles
// the product alone under it.
func (w *world) against(name string, s *service, load workload) comparison {
	w.t.Helper()
	c := compare(w.t, pairs,
		func() window { return load.must(w.t, s) },
		func() window { return load.must(w.t, w.bare) })
	load.lasts = lastsLong
	profiled(w.t, name, func() { load.must(w.t, s) })
	return c
}

// many is a product with a number of portals.
type many struct {
	*product
	dir     string
	service *service
}

func openMany(t *testing.T, portals int) many {
	t.Helper()
	dir, organization, _, _ := newFolder(t)
	p := openProduct(t, dir)
	p.organization = organization
	t.Cleanup(p.node.Close)
	s := p.service(p.personalToken())
	fill := workload{connections: 32, lasts: time.Hour, calls: portals, next: func(n int64) call { return createCall(fmt.Sprintf("filler-%d", n)) }}
	if got := fill.must(t, s); len(got.times) != portals {
		t.Fatalf("%d portals of %d", len(got.times), portals)
	}
	return many{p, dir, s}
}
