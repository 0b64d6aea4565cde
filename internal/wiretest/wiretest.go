// Package wiretest starts a real server on a temporary folder, with two
// production organizations, a sandbox and people of every role, and sends it
// requests: what tests of the wire, of authorization, of faults and of attacks
// are made of.
//
// It is for tests only: nothing that is shipped may import it.
//
// Start with Start.
package wiretest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"portico"
	"portico/internal/auth"
	"portico/internal/control"
	"portico/internal/node"
	"portico/internal/store"
)

// World is a running server and the people in it. Tokens are unrestricted
// personal access tokens.
type World struct {
	T    testing.TB
	Node *node.Node
	Dir  string
	URL  string

	Acme, Other, Sandbox              portico.Organization
	Admin, Owner, Member              Person // of Acme
	OtherAdmin, SandboxAdmin, Insider Person // Insider: admin of Acme and of its sandbox

	client *http.Client
}

// Person is somebody who can sign in.
type Person struct {
	ID       string
	Email    string
	Password string
	Token    string
}

// Password is everybody's.
const Password = "a password long enough to be taken"

// Setup changes how a server is started.
type Setup func(*node.Config, *node.Options)

// unlimited lifts the limits on guessing, which tests would run into.
func unlimited(o *node.Options) {
	free := auth.Rate{Events: 1 << 20, Per: time.Second}
	o.SignIns, o.Failures, o.Mails = free, free, free
}

// Config returns the configuration of a test's server on a folder.
func Config(dir string) node.Config {
	config := node.Config{
		Listen: "127.0.0.1:0", OpsListen: "127.0.0.1:0", Data: dir, PortalDomain: "localhost",
		InvitationDays: 7, OpenPortals: 64,
	}
	if server := os.Getenv(ServerVar); server != "" {
		secret := sha256.Sum256([]byte("secret of " + dir))
		config.DatabaseURL, config.SecretKey = registryOn(server, dir), hex.EncodeToString(secret[:])
	}
	return config
}

// ServerVar names a PostgreSQL server, postgres://role@host/postgres, on which
// tests are to run instead of SQLite.
const ServerVar = "PORTICO_TEST_SERVER"

// registryOn returns the address of a registry of the folder's own.
func registryOn(server, dir string) string {
	u, err := url.Parse(server)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256([]byte(dir))
	u.Path = "/registry_" + hex.EncodeToString(sum[:8])
	return u.String()
}

// Open starts a server without any people. The caller closes it.
func Open(dir string, setups ...Setup) (*node.Node, error) {
	config, options := Config(dir), node.Options{Log: Log(), Version: "test"}
	unlimited(&options)
	for _, setup := range setups {
		setup(&config, &options)
	}
	return node.Open(config, options)
}

// Log returns where a test's server logs: nowhere, or standard error when
// PORTICO_TEST_LOG is set.
func Log() *slog.Logger {
	if os.Getenv("PORTICO_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Start starts a server with people in it. It is closed when the test ends.
func Start(t testing.TB, setups ...Setup) *World {
	t.Helper()
	w := &World{T: t, Dir: t.TempDir(), client: NewClient(t)}
	if err := os.Chmod(w.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.Restart(setups...)
	w.populate()
	return w
}

// NewClient returns a client that keeps connections and follows no redirects.
func NewClient(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Jar: jar, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Restart closes the server, if one runs, and starts one on the same folder.
func (w *World) Restart(setups ...Setup) {
	w.T.Helper()
	if w.Node != nil {
		w.Node.Close()
	}
	n, err := Open(w.Dir, setups...)
	if err != nil {
		w.T.Fatal(err)
	}
	w.Node, w.URL = n, n.URL()
	var once sync.Once
	w.T.Cleanup(func() { once.Do(n.Close) })
}

func (w *World) populate() {
	w.Acme = w.Organization("Acme", portico.Production, "")
	w.Other = w.Organization("Other", portico.Production, "")
	w.Sandbox = w.Organization("Acme sandbox", portico.Sandbox, w.Acme.ID)
	w.Admin = w.Person("admin@acme.example.com", w.Acme, portico.Admin)
	w.Owner = w.Person("owner@acme.example.com", w.Acme, portico.Owner)
	w.Member = w.Person("member@acme.example.com", w.Acme, portico.Member)
	w.OtherAdmin = w.Person("admin@other.example.com", w.Other, portico.Admin)
	w.SandboxAdmin = w.Person("admin@sandbox.example.com", w.Sandbox, portico.Admin)
	w.Insider = w.Person("insider@acme.example.com", w.Acme, portico.Admin)
	w.Person(w.Insider.Email, w.Sandbox, portico.Admin)
}

// Organization makes an organization.
func (w *World) Organization(name string, kind portico.OrganizationKind, parent string) portico.Organization {
	w.T.Helper()
	o, err := w.Node.Control.CreateOrganization(context.Background(),
		control.OrganizationCreate{Name: name, Kind: kind, ParentID: parent})
	if err != nil {
		w.T.Fatal(err)
	}
	return o
}

// Person makes somebody a member of an organization, with an unrestricted
// token for it.
func (w *World) Person(email string, o portico.Organization, role portico.Role) Person {
	w.T.Helper()
	made, err := w.Node.Control.CreateAccount(context.Background(), control.AccountCreate{
		Email: email, Password: Password, OrganizationID: o.ID, Role: role,
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return Person{ID: made.Account.ID, Email: email, Password: Password, Token: w.Token(o.ID, email)}
}

// Token makes a personal access token; no scopes mean all.
func (w *World) Token(organizationID, email string, scopes ...string) string {
	w.T.Helper()
	t, err := w.Node.Control.CreateTokenFor(context.Background(), organizationID, email,
		control.TokenCreate{Name: "test", Scopes: scopes})
	if err != nil {
		w.T.Fatal(err)
	}
	return t.Secret
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON decodes the body.
func (a Answer) JSON(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, into); err != nil {
		t.Fatalf("status %d, body %q: %v", a.Status, a.Body, err)
	}
}

// ID returns the id in the body.
func (a Answer) ID(t testing.TB) string {
	t.Helper()
	var object struct {
		ID string `json:"id"`
	}
	a.JSON(t, &object)
	return object.ID
}

// Do sends a request with a bearer token (empty: none) and a JSON body (nil:
// none), and headers as pairs.
func (w *World) Do(method, path, token string, body any, headers ...string) Answer {
	w.T.Helper()
	a, err := Send(w.client, w.URL, method, path, token, body, headers...)
	if err != nil {
		w.T.Fatal(err)
	}
	return a
}

// Send is Do with a client and a server of the caller's. body is JSON text
// when it is a string or bytes.
func Send(client *http.Client, base, method, path, token string, body any, headers ...string) (Answer, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case []byte:
		reader = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(body)
		if err != nil {
			return Answer{}, err
		}
		reader = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, base+path, reader)
	if err != nil {
		return Answer{}, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	return Answer{response.StatusCode, response.Header, raw}, err
}

// Portal creates a portal of Acme and returns its id.
func (w *World) Portal(name string) string {
	w.T.Helper()
	a := w.Do("POST", "/v1/portal", w.Admin.Token, map[string]string{"name": name})
	if a.Status != http.StatusCreated {
		w.T.Fatalf("create portal: %d %s", a.Status, a.Body)
	}
	return a.ID(w.T)
}

// Place returns where a portal's database is.
func (w *World) Place(portalID string) store.Place {
	w.T.Helper()
	var row store.PortalRow
	err := w.Node.Store.View(context.Background(), func(tx *store.Tx) (err error) {
		row, err = tx.PortalByID(portalID)
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return w.Node.Store.Identity(row).Place()
}
