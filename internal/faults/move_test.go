package faults

import (
	"context"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"portico"
	"portico/internal/control"
	"portico/internal/lifecycle"
	"portico/internal/node"
	"portico/internal/store/postgres"
	"portico/internal/store/postgres/pgtest"
	"portico/internal/wiretest"
)

// mover is an installation on two servers, with one portal that has an app.
type mover struct {
	config  childConfig
	servers [2]*pgtest.Server
	portal  string
	guests  []string
	token   string
}

// second is the name of the server that is not the registry's own.
const second = "second"

func newMover(t *testing.T) *mover {
	t.Helper()
	m := &mover{config: childConfig{
		Dir: filepath.Join(t.TempDir(), "data"), SecretKey: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	}}
	for i := range m.servers {
		s, err := pgtest.Start(t.Context(), "fsync = off")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
		})
		m.servers[i] = s
	}
	m.config.DatabaseURL = m.servers[0].URL(pgtest.Owner, "registry")
	serving(t, m.config, func(n *node.Node) { m.populate(t, n) })
	return m
}

func (m *mover) populate(t *testing.T, n *node.Node) {
	t.Helper()
	no := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	o, err := n.Control.CreateOrganization(t.Context(), control.OrganizationCreate{Name: "Acme", Kind: portico.Production})
	no(err)
	account := control.AccountCreate{Email: "admin@acme.example.com", Password: wiretest.Password, OrganizationID: o.ID, Role: portico.Admin}
	made, err := n.Control.CreateAccount(t.Context(), account)
	no(err)
	token, err := n.Control.CreateTokenFor(t.Context(), o.ID, account.Email, control.TokenCreate{Name: "test"})
	no(err)
	by := portico.Principal{AccountID: made.Account.ID, OrganizationID: o.ID, Kind: portico.Production, Role: portico.Admin}
	p, err := n.Control.CreatePortal(context.Background(), by, control.Once{}, portico.PortalCreate{Name: "Moves"})
	no(err)
	m.portal, m.token = p.ID, token.Secret
	_, err = n.Control.AddCluster(t.Context(), second, m.servers[1].URL(pgtest.Owner, "postgres"))
	no(err)
}

// app asks for the app's address and runs a statement there, on whichever
// server it is.
func (m *mover) app(t *testing.T, s *server, text string) []string {
	t.Helper()
	a, err := s.send("GET", "/v1/portal/"+m.portal+"/database", m.token, nil)
	if err != nil || a.Status != http.StatusOK {
		t.Fatalf("the app's address: %v %d %s", err, a.Status, a.Body)
	}
	var at struct{ URL string }
	a.JSON(t, &at)
	u, err := url.Parse(at.URL)
	if err != nil {
		t.Fatal(err)
	}
	on := m.servers[0]
	if strings.Contains(m.servers[1].URL(pgtest.Owner, "x"), url.QueryEscape(u.Query().Get("host"))) {
		on = m.servers[1]
	}
	got, err := on.AskAs(t.Context(), u.User.Username(), strings.TrimPrefix(u.Path, "/"), text)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// databases returns the portals' databases and roles on both servers.
func (m *mover) databases(t *testing.T) (all []string) {
	t.Helper()
	for _, s := range m.servers {
		found, err := s.Ask(t.Context(), "postgres", `SELECT datname::text FROM pg_database WHERE starts_with(datname, 'p_')
			UNION ALL SELECT rolname::text FROM pg_roles WHERE starts_with(rolname, 'p_') AND rolcanlogin ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

// invite makes somebody a guest, and remembers it.
func (m *mover) invite(t *testing.T, s *server, email string) {
	t.Helper()
	a, err := s.send("POST", "/v1/portal/"+m.portal+"/users", m.token, map[string]any{"users": []string{email}})
	if err != nil || a.Status != http.StatusCreated {
		t.Fatalf("invite: %v %d %s", err, a.Status, a.Body)
	}
	m.guests = append(m.guests, email)
}

// whole looks that the portal has every guest and all that its app wrote, that
// the app is let in, and that there is one database.
func (m *mover) whole(t *testing.T, s *server, notes int) {
	t.Helper()
	eventually(t, "one database", func() []string {
		if _, err := s.ask("reconcile"); err != nil {
			return []string{err.Error()}
		}
		if all := m.databases(t); len(all) != 2 || all[1] != all[0]+"_app" { // the app is let in again
			return all
		}
		return nil
	})
	a, err := s.send("GET", "/v1/portal/"+m.portal+"/users", m.token, nil)
	if err != nil || a.Status != http.StatusOK {
		t.Fatalf("list: %v %d %s", err, a.Status, a.Body)
	}
	for _, email := range m.guests {
		if !strings.Contains(string(a.Body), `"`+email+`"`) {
			t.Errorf("%s is lost", email)
		}
	}
	if got := m.app(t, s, `SELECT COUNT(*) FROM notes`); !slices.Equal(got, []string{strconv.Itoa(notes)}) {
		t.Errorf("the app has %v notes, want %d", got, notes)
	}
}

// TestMoveKilled kills the process that moves a portal, at each point. The
// portal is whole afterwards, on the one server or on the other.
func TestMoveKilled(t *testing.T) {
	t.Parallel()
	m := newMover(t)
	s := start(t, m.config)
	m.app(t, s, `CREATE TABLE notes (id BIGINT PRIMARY KEY)`)
	notes, to := 0, second
	points := []string{
		lifecycle.PointReplaceReserved, lifecycle.PointMoveBarred, postgres.FailCreateGrants, lifecycle.PointReplaceFilled, lifecycle.PointReplaced,
		postgres.FailCreateDatabase, postgres.FailCreateIdentity, postgres.FailCreateDone,
	}
	for _, point := range points[:size(3, 5, len(points))] {
		m.app(t, s, `INSERT INTO notes SELECT COALESCE(MAX(id), 0) + 1 FROM notes`)
		notes++
		m.invite(t, s, "guest-"+strconv.Itoa(notes)+"@example.com")
		s.arm(point + "=kill")
		if _, err := s.ask("move " + m.portal + " " + to); err == nil {
			t.Fatalf("%s: the move was not killed", point)
		}
		s.died()
		s = s.restart()
		if point == lifecycle.PointReplaced { // the app has to ask where its database is by now
			m.app(t, s, `SELECT 1`)
		}
		m.whole(t, s, notes)
		to = m.other(t)
		m.invite(t, s, "later-"+strconv.Itoa(notes)+"@example.com")
		if r, err := s.ask("move " + m.portal + " " + to); err != nil {
			t.Fatalf("%s: moved again: %+v %v", point, r, err)
		}
		m.app(t, s, `INSERT INTO notes SELECT COALESCE(MAX(id), 0) + 1 FROM notes`)
		notes++
		m.whole(t, s, notes)
		to = m.other(t)
	}
}

// other returns the server that the portal's database is not on.
func (m *mover) other(t *testing.T) string {
	t.Helper()
	found, err := m.servers[1].Ask(t.Context(), "postgres", `SELECT datname::text FROM pg_database WHERE starts_with(datname, 'p_')`)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		return portico.FirstCluster
	}
	return second
}
