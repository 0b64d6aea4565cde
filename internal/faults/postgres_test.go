package faults

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"portico"
	"portico/internal/failpoint"
	"portico/internal/lifecycle"
	"portico/internal/node"
	"portico/internal/store"
	"portico/internal/store/postgres"
	"portico/internal/store/postgres/pgtest"
	"portico/internal/wiretest"
)

// pairSecret is the secret of the services on PostgreSQL.
const pairSecret = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// pair is a service on two PostgreSQL servers: one holds the registry, both
// hold portals. One node runs in this process; others can be started.
type pair struct {
	*wiretest.World

	servers [2]*pgtest.Server
	config  childConfig // of another node
}

// reach turns a server into the address that the service is given of it.
type reach func(s *pgtest.Server, database string) string

func direct(s *pgtest.Server, database string) string { return s.URL(pgtest.Owner, database) }

// newPair starts a service whose two servers are reached as told.
func newPair(t *testing.T, pool *pgtest.Pool, first, second reach, setups ...wiretest.Setup) *pair {
	t.Helper()
	p := &pair{}
	for i := range p.servers {
		p.servers[i] = pool.Server(t, fmt.Sprint(t.Name(), i))
	}
	p.config = childConfig{
		Dir: filepath.Join(t.TempDir(), "data"), DatabaseURL: first(p.servers[0], "registry"), SecretKey: pairSecret,
	}
	p.World = wiretest.Start(t, append([]wiretest.Setup{func(c *node.Config, _ *node.Options) {
		c.DatabaseURL, c.SecretKey, c.PublicURL = p.config.DatabaseURL, pairSecret, "http://localhost:8010"
	}}, setups...)...)
	p.URL = "http://" + p.Node.Addr()
	if _, err := p.Node.Control.AddCluster(t.Context(), "second", second(p.servers[1], "postgres")); err != nil {
		t.Fatal(err)
	}
	return p
}

// clusters returns the ids of the two clusters.
func (p *pair) clusters() (ids [2]string) {
	p.T.Helper()
	all, err := p.Node.Control.Clusters(p.T.Context())
	if err != nil || len(all) != len(ids) {
		p.T.Fatalf("clusters: %v, %v", all, err)
	}
	for i, c := range all {
		ids[i] = c.ID
	}
	return ids
}

// portals makes portals and returns their ids by the number of their server.
func (p *pair) portals(n int) (on [2][]string) {
	p.T.Helper()
	ids := p.clusters()
	for i := range n {
		id := p.Portal(fmt.Sprintf("Portal %d", i))
		at := slices.Index(ids[:], p.Place(id).Cluster)
		on[at] = append(on[at], id)
	}
	return on
}

func (p *pair) get(path string) int {
	p.T.Helper()
	return p.Do("GET", path, p.Admin.Token, nil).Status
}

func users(portal string) string { return "/v1/portal/" + portal + "/users" }

// want fails the test unless an answer has a status.
func (p *pair) want(a wiretest.Answer, status int) {
	p.T.Helper()
	if a.Status != status {
		p.T.Errorf("answered %d %s, want %d", a.Status, a.Body, status)
	}
}

// converges fails the test unless everything is in order before long: each
// portal active, its database and role on its server, and nothing else there.
func (p *pair) converges() {
	p.T.Helper()
	wrong := within(3*soon, func() []string {
		if _, err := p.Node.Lifecycle.Reconcile(p.T.Context(), 0); err != nil {
			return []string{err.Error()}
		}
		return p.wrong()
	})
	if len(wrong) > 0 {
		p.T.Fatalf("does not converge:\n\t%s", strings.Join(wrong, "\n\t"))
	}
}

func (p *pair) wrong() (wrong []string) {
	want := map[store.Place]bool{}
	err := p.Node.Store.View(p.T.Context(), func(tx *store.Tx) error {
		rows, err := tx.PortalsAfter("", 1<<20)
		for _, row := range rows {
			want[p.Node.Store.Identity(row).Place()] = true
			if row.State != portico.PortalActive {
				wrong = append(wrong, fmt.Sprintf("%s is %s: %s", row.ID, row.State, row.LastError))
			}
		}
		return err
	})
	if err != nil {
		return []string{err.Error()}
	}
	for i, cluster := range p.clusters() {
		left, err := p.servers[i].Ask(p.T.Context(), "postgres", `SELECT datname FROM pg_database WHERE datname LIKE 'p\_%'
			UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE 'p\_%'
			UNION ALL SELECT 'folder ' || f FROM pg_ls_dir('base') f WHERE f ~ '^[0-9]+$' AND f NOT IN (SELECT oid::text FROM pg_database)`)
		if err != nil {
			return []string{err.Error()}
		}
		for at := range want {
			if at.Cluster == cluster && (!slices.Contains(left, at.Name) || !slices.Contains(left, at.Name+"_app")) {
				wrong = append(wrong, at.Name+" is not there, or its role")
			}
		}
		for _, name := range left {
			if !want[store.Place{Cluster: cluster, Name: strings.TrimSuffix(name, "_app")}] {
				wrong = append(wrong, name+" is left")
			}
		}
	}
	return wrong
}

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	var pool pgtest.Pool
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, run := range map[string]func(*testing.T, *pgtest.Pool){
		"F03 killed while the server creates a database":      killedInCreate,
		"F05 killed before the grants of a new database":      killedBeforeGrants,
		"F13 killed while a database is dropped":              killedInDrop,
		"F24 a node stands still with a lease":                standstill(lifecycle.PointCreateActivate),
		"F24 a node stands still with a database's lock":      standstill(postgres.FailCreateDatabase),
		"F40 the connection is cut at a commit":               cutAtCommit,
		"F41 a server falls silent":                           silentServer,
		"F45 one of two clusters is down":                     clusterDown,
		"F46 a cluster has too many connections":              tooManyConnections,
		"I04 databases are closed to others":                  closedToOthers,
		"I04 a database in another's place is not served":     swapped,
		"I07 deleted stays deleted while a node uses it":      hammered,
		"I08 more portals than may be open, used all at once": evictions,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, &pool)
		})
	}
}

// killedInCreate kills a node while the server makes a database for it; the
// server goes on. The other node finishes the portal under the same id.
func killedInCreate(t *testing.T, pool *pgtest.Pool) {
	p := newPair(t, pool, direct, direct)
	p.portals(2) // both templates are there
	for range size(1, 3, 20) {
		s := start(t, p.config)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = s.send("POST", "/v1/portal", p.Admin.Token, map[string]string{"name": "Late"})
		}()
		within(soon, func() []string {
			for _, server := range p.servers {
				at, err := server.Ask(t.Context(), "postgres", `SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'CREATE DATABASE%'`)
				if err != nil {
					t.Fatal(err)
				}
				if len(at) > 0 {
					return nil
				}
			}
			select {
			case <-ended:
				return nil // it was quicker
			default:
				return []string{"no creation yet"}
			}
		})
		s.kill()
		<-ended
		p.converges()
	}
}

// killedAt has another node die at a point of a request.
func (p *pair) killedAt(point, method, path string, body any) {
	p.T.Helper()
	s := start(p.T, p.config)
	s.arm(point + "=kill")
	if a, err := s.send(method, path, p.Admin.Token, body); err == nil {
		p.T.Fatalf("answered %d %s", a.Status, a.Body)
	}
	s.died()
}

// found returns the portals of all states, by state.
func (p *pair) found(state portico.PortalState) (ids []string) {
	p.T.Helper()
	err := p.Node.Store.View(p.T.Context(), func(tx *store.Tx) error {
		rows, err := tx.PortalsAfter("", 1<<20)
		for _, row := range rows {
			if row.State == state {
				ids = append(ids, row.ID)
			}
		}
		return err
	})
	if err != nil {
		p.T.Fatal(err)
	}
	return ids
}

func killedBeforeGrants(t *testing.T, pool *pgtest.Pool) {
	p := newPair(t, pool, direct, direct)
	p.killedAt(postgres.FailCreateDatabase, "POST", "/v1/portal", map[string]string{"name": "Half"})
	p.everybodyKeptOut()
	for _, id := range p.found(portico.PortalCreating) {
		if status := p.get("/v1/portal/" + id); status != http.StatusNotFound {
			t.Errorf("a portal whose grants are incomplete: %d", status)
		}
	}
	p.converges()
	p.everybodyKeptOut()
	if active := p.found(portico.PortalActive); len(active) != 1 {
		t.Errorf("active: %v", active)
	}
}

// everybodyKeptOut fails the test if a role that has nothing to do with a
// portal can connect to its database.
func (p *pair) everybodyKeptOut() {
	p.T.Helper()
	for _, server := range p.servers {
		names, err := server.Ask(p.T.Context(), "postgres", `SELECT datname FROM pg_database WHERE datname LIKE 'p\_%'`)
		if err == nil {
			err = server.Run(p.T.Context(), "postgres", `DO $$BEGIN CREATE ROLE stranger LOGIN; EXCEPTION WHEN duplicate_object THEN END$$`)
		}
		if err != nil {
			p.T.Fatal(err)
		}
		for _, name := range names {
			if _, err := server.AskAs(p.T.Context(), "stranger", name, "SELECT 1"); err == nil {
				p.T.Errorf("a stranger connects to %s", name)
			}
		}
	}
}

// killedInDrop kills a node as it drops a database, and leaves what a server
// leaves that was killed then too.
func killedInDrop(t *testing.T, pool *pgtest.Pool) {
	p := newPair(t, pool, direct, direct)
	for i, of := range p.portals(2) {
		path := "/v1/portal/" + of[0]
		at := p.Place(of[0])
		p.killedAt(postgres.FailDropFenced, "DELETE", path, nil)
		if status := p.get(path); status != http.StatusNotFound {
			t.Errorf("a portal that is being deleted: %d", status)
		}
		err := p.servers[i].Run(t.Context(), "postgres", "UPDATE pg_database SET datconnlimit = -2 WHERE datname = '"+at.Name+"'")
		if err != nil {
			t.Fatal(err)
		}
		p.converges()
		if status := p.get(path); status != http.StatusNotFound {
			t.Errorf("a deleted portal: %d", status)
		}
	}
}

// standstill stops a node in the middle of a creation for longer than its lease
// lasts: the other finishes, and what the first one then writes is refused.
func standstill(point string) func(*testing.T, *pgtest.Pool) {
	return func(t *testing.T, pool *pgtest.Pool) { standsStillAt(t, pool, point) }
}

func standsStillAt(t *testing.T, pool *pgtest.Pool, point string) {
	p := newPair(t, pool, direct, direct)
	s := start(t, p.config)
	s.arm(point + "=delay:1s")
	answered := make(chan wiretest.Answer, 1)
	go func() {
		a, _ := s.send("POST", "/v1/portal", p.Admin.Token, map[string]string{"name": "Slow"})
		answered <- a
	}()
	wrong := within(soon, func() []string {
		if r, err := s.ask("hits"); err != nil || !slices.ContainsFunc(r.Points, func(seen failpoint.Point) bool { return seen.Name == point }) {
			return []string{"not there yet"}
		}
		return nil
	})
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	if err := syscall.Kill(s.cmd.Process.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	p.converges()
	if err := syscall.Kill(s.cmd.Process.Pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if a := <-answered; a.Status != http.StatusCreated && a.Status != http.StatusServiceUnavailable {
		t.Errorf("the one that stood still: %d %s", a.Status, a.Body)
	}
	p.converges()
	if active := p.found(portico.PortalActive); len(active) != 1 {
		t.Errorf("active: %v", active)
	}
	events := 0
	err := p.Node.Store.View(t.Context(), func(tx *store.Tx) error {
		all, err := tx.Events(p.Acme.ID, "", 1<<20)
		for _, e := range all {
			if e.Action == portico.ActionPortalCreated {
				events++
			}
		}
		return err
	})
	if err != nil || events != 1 {
		t.Errorf("%d records of a creation, %v", events, err)
	}
	s.stop()
}

func closedToOthers(t *testing.T, pool *pgtest.Pool) {
	p := newPair(t, pool, direct, direct)
	on := p.portals(4)
	p.everybodyKeptOut()
	for i, of := range on {
		one, other := p.Place(of[0]).Name, p.Place(of[1]).Name
		err := p.servers[i].Run(t.Context(), "postgres", "ALTER ROLE "+one+"_app LOGIN")
		if err != nil {
			t.Fatal(err)
		}
		ask := func(database, query string) error {
			_, err := p.servers[i].AskAs(t.Context(), one+"_app", database, query)
			return err
		}
		if err := ask(one, "CREATE TABLE notes (n int); SELECT n FROM app.notes"); err != nil {
			t.Errorf("an app in its own database: %v", err)
		}
		for _, refused := range []error{ask(other, "SELECT 1"), ask(one, "SELECT portal_id FROM portico.identity"), ask(one, "CREATE SCHEMA mine")} {
			if refused == nil {
				t.Error("an app went where it must not")
			}
		}
		p.want(p.Do("DELETE", "/v1/portal/"+of[0], p.Admin.Token, nil), http.StatusOK)
	}
	p.converges()
}

// swapped puts two portals' databases into each other's places: what a handle
// finds is not what the registry says, and no byte of it is served.
func swapped(t *testing.T, pool *pgtest.Pool) {
	p := newPair(t, pool, direct, direct)
	on := p.portals(4)
	one, other := on[0][0], on[0][1]
	p.Invite(p.Admin.Token, one, "one@example.com")
	p.Invite(p.Admin.Token, other, "other@example.com")
	swap := func() {
		a, b := p.Place(one).Name, p.Place(other).Name
		err := p.servers[0].Run(context.Background(), "postgres",
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('"+a+"', '"+b+"')",
			"ALTER DATABASE "+a+" RENAME TO swapped", "ALTER DATABASE "+b+" RENAME TO "+a, "ALTER DATABASE swapped RENAME TO "+b)
		if err != nil {
			t.Fatal(err)
		}
	}
	swap()
	s := start(t, p.config) // a node that has neither open
	for _, id := range []string{one, other} {
		a, err := s.send("GET", users(id), p.Admin.Token, nil)
		if err != nil || a.Status != http.StatusServiceUnavailable || strings.Contains(string(a.Body), "@") {
			t.Errorf("a database in another's place: %d %s %v", a.Status, a.Body, err)
		}
	}
	swap()
	p.converges()
	for id, email := range map[string]string{one: "one@example.com", other: "other@example.com"} {
		a := p.Do("GET", users(id), p.Admin.Token, nil)
		if a.Status != http.StatusOK || !strings.Contains(string(a.Body), `"email":"`+email) {
			t.Errorf("back in its place: %d %s", a.Status, a.Body)
		}
	}
	s.stop()
}
