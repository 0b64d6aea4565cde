package faults

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"portico"
	"portico/internal/node"
	"portico/internal/store/postgres/pgtest"
	"portico/internal/wiretest"
)

// through makes a proxy the address of a server.
func through(t *testing.T, into **pgtest.Proxy) reach {
	return func(s *pgtest.Server, database string) string {
		proxy, err := s.Proxy()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := proxy.Close(); err != nil {
				t.Error(err)
			}
		})
		*into = proxy
		return proxy.URL(pgtest.Owner, database)
	}
}

// cutAtCommit cuts the connection to the registry at a commit: before the
// server hears of it, and after it has done it. A repeat with the same key
// settles what the first call began, once.
func cutAtCommit(t *testing.T, pool *pgtest.Pool) {
	var registry *pgtest.Proxy
	p := newPair(t, pool, through(t, &registry), direct)
	p.portals(2)
	made := 2
	for round := range size(1, 3, 20) {
		for _, after := range []bool{false, true} {
			registry.CutAt("COMMIT", after)
			key := fmt.Sprintf("cut-%d-%v", round, after)
			send := func() wiretest.Answer {
				return p.Do("POST", "/v1/portal", p.Admin.Token, map[string]string{"name": "Cut"}, "Idempotency-Key", key)
			}
			a := send()
			if registry.Waiting() {
				t.Fatal("nothing was cut")
			}
			if a.Status != http.StatusCreated && a.Status != http.StatusServiceUnavailable {
				t.Errorf("the call whose commit was cut: %d %s", a.Status, a.Body)
			}
			wrong := within(soon, func() []string {
				if again := send(); again.Status != http.StatusCreated {
					return []string{fmt.Sprintf("repeated: %d %s", again.Status, again.Body)}
				}
				return nil
			})
			if len(wrong) > 0 {
				t.Fatal(wrong)
			}
			made++
			p.converges()
			if active := p.found(portico.PortalActive); len(active) != made {
				t.Errorf("%d portals, want %d", len(active), made)
			}
		}
	}
	registry.Cut() // all that the pool kept
	if status := p.get("/v1/portal"); status != http.StatusOK {
		t.Errorf("after a cut of what was idle: %d", status)
	}
}

// silentServer lets a cluster hang: its portals are unavailable within the time
// that a statement may take, the others do not notice, and it heals.
func silentServer(t *testing.T, pool *pgtest.Pool) {
	var second *pgtest.Proxy
	p := newPair(t, pool, direct, through(t, &second))
	on := p.portals(4)
	for _, of := range on {
		p.Invite(p.Admin.Token, of[0], "ada@example.com")
	}
	end := second.Silence()
	defer end()
	var wait sync.WaitGroup
	for range 8 {
		for _, id := range on[1] {
			wait.Go(func() {
				a := p.Do("GET", users(id), p.Admin.Token, nil)
				if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
					t.Errorf("a portal of the silent server: %d %s", a.Status, a.Body)
				}
			})
		}
	}
	for range 20 {
		if status := p.get(users(on[0][0])); status != http.StatusOK {
			t.Errorf("a portal of the other server: %d", status)
		}
	}
	wait.Wait()
	end()
	p.healed(on)
}

// healed fails the test unless every portal answers before long.
func (p *pair) healed(on [2][]string) {
	p.T.Helper()
	wrong := within(3*soon, func() (wrong []string) {
		for _, of := range on {
			for _, id := range of {
				if status := p.get(users(id)); status != http.StatusOK {
					wrong = append(wrong, fmt.Sprintf("%s: %d", id, status))
				}
			}
		}
		return wrong
	})
	if len(wrong) > 0 {
		p.T.Fatal(wrong)
	}
	p.converges()
}

// unreached looks at a service that cannot reach its second server.
func (p *pair) unreached(on [2][]string) {
	p.T.Helper()
	a := p.Do("GET", users(on[1][0]), p.Admin.Token, nil)
	if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		p.T.Errorf("a portal of the server that is down: %d %s", a.Status, a.Body)
	}
	p.want(p.Do("GET", users(on[0][0]), p.Admin.Token, nil), http.StatusOK)
	a = p.Do("GET", "/v1/portal", p.Admin.Token, nil)
	for _, of := range on {
		for _, id := range of {
			if !strings.Contains(string(a.Body), id) {
				p.T.Errorf("%s is not listed", id)
			}
		}
	}
	if _, err := p.Node.Lifecycle.Reconcile(p.T.Context(), 0); err != nil {
		p.T.Error(err)
	}
	if lost := p.found(portico.PortalUnavailable); len(lost) > 0 {
		p.T.Errorf("taken for lost: %v", lost)
	}
	first := p.clusters()[0]
	for i := range 2 { // the second is the emptier one
		id := p.Portal(fmt.Sprintf("Elsewhere %d", i))
		if at := p.Place(id); at.Cluster != first {
			p.T.Errorf("a new portal is on %s", at.Cluster)
		}
	}
}

func clusterDown(t *testing.T, pool *pgtest.Pool) {
	p := newPair(t, pool, direct, direct)
	on := p.portals(6)
	p.want(p.Do("DELETE", "/v1/portal/"+on[1][2], p.Admin.Token, nil), http.StatusOK)
	on[1] = on[1][:2]
	if _, err := p.Node.Control.RemoveCluster(t.Context(), "second"); portico.KindOf(err) != portico.KindConflict {
		t.Errorf("a cluster that holds portals is removed: %v", err)
	}
	if err := p.servers[1].Kill(); err != nil {
		t.Fatal(err)
	}
	p.unreached(on)
	if err := p.servers[1].Launch(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.healed(on)
}

func tooManyConnections(t *testing.T, pool *pgtest.Pool) {
	p := newPair(t, pool, direct, direct)
	on := p.portals(6)
	p.want(p.Do("DELETE", "/v1/portal/"+on[1][2], p.Admin.Token, nil), http.StatusOK)
	on[1] = on[1][:2]
	limit := func(n int) {
		err := p.servers[1].Run(t.Context(), "postgres", fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT %d", pgtest.Owner, n),
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '"+pgtest.Owner+"'")
		if err != nil {
			t.Fatal(err)
		}
	}
	limit(0)
	p.unreached(on)
	limit(-1)
	p.healed(on)
}

// hammered deletes portals on one node while another uses them: from the first
// answer on they are gone everywhere, and nothing brings a database back.
func hammered(t *testing.T, pool *pgtest.Pool) {
	p := newPair(t, pool, direct, direct)
	s := start(t, p.config)
	for range size(1, 2, 10) {
		on := p.portals(2)
		stop := make(chan struct{})
		var wait sync.WaitGroup
		for _, of := range on {
			for i := range 4 {
				wait.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						method, path, body := "GET", users(of[0]), any(nil)
						if i%2 == 1 {
							method, body = "POST", map[string]any{"users": []string{fmt.Sprintf("g%d@example.com", i)}}
						}
						if a, err := s.send(method, path, p.Admin.Token, body); err != nil || a.Status >= 500 && a.Status != http.StatusServiceUnavailable {
							t.Errorf("%s: %d %s %v", method, a.Status, a.Body, err)
						}
					}
				})
			}
		}
		for _, of := range on {
			p.want(p.Do("DELETE", "/v1/portal/"+of[0], p.Admin.Token, nil), http.StatusOK)
			for range 5 {
				a, err := s.send("GET", users(of[0]), p.Admin.Token, nil)
				if err != nil || a.Status != http.StatusNotFound {
					t.Errorf("deleted, and on the other node: %d %s %v", a.Status, a.Body, err)
				}
			}
		}
		close(stop)
		wait.Wait()
		p.converges()
	}
	s.stop()
}

// evictions uses more portals at once than may be open: each answers, and at
// the end no connection is left.
func evictions(t *testing.T, pool *pgtest.Pool) {
	p := newPair(t, pool, direct, direct, func(c *node.Config, _ *node.Options) { c.OpenPortals = 8 })
	on := p.portals(size(12, 24, 500))
	all := append(append([]string{}, on[0]...), on[1]...)
	var wait sync.WaitGroup
	for client := range size(8, 16, 64) {
		wait.Go(func() {
			for i := range all {
				if status := p.get(users(all[(i*7+client)%len(all)])); status != http.StatusOK && status != http.StatusServiceUnavailable {
					t.Errorf("a portal among many: %d", status)
				}
			}
		})
	}
	wait.Wait()
	p.converges()
	p.Node.Close()
	for _, server := range p.servers {
		left, err := server.Ask(t.Context(), "postgres", `SELECT datname FROM pg_stat_activity WHERE datname LIKE 'p\_%'`)
		if err != nil || len(left) > 0 {
			t.Errorf("connections are left to %v, %v", left, err)
		}
	}
}
