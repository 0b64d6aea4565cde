package faults

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"portico/internal/store/postgres/pgtest"
	"portico/internal/wiretest"
)

// TestRegistryAway takes the registry's server away from several nodes, or
// makes it slow.
func TestRegistryAway(t *testing.T) {
	t.Parallel()
	t.Run("F42 the registry is 200 ms away and loses packets", slowRegistry)
	t.Run("F43 the primary is killed and its standby promoted", failover)
	t.Run("F47 the registry is down for a while", registryDown)
}

// failover kills the primary under load and promotes the standby that it
// committed with. The old one comes back as if nothing had been.
func failover(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	primary := newServer(t)
	w := worldAt(t, primary)
	standby, err := primary.Standby(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := standby.Stop(); err != nil {
			t.Error(err)
		}
	})
	config := w.config()
	config.DatabaseURL = pgtest.URLOfPrimary(pgtest.Owner, registryName, primary, standby)
	n := startNodes(w, config, 3)
	m := n.tide(6, 43)
	m.flow()
	<-time.After(2 * time.Second)
	if err := primary.Murder(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := standby.Promote(ctx); err != nil {
		t.Fatal(err)
	}
	promoted := time.Since(began)
	w.server = standby
	n.answers()
	back := time.Since(began)
	eventually(t, "the old primary, writable in its own eyes, and the first to be asked", func() []string {
		if err := primary.Launch(ctx); err != nil { // until the last of its processes is gone
			return []string{err.Error()}
		}
		return nil
	})
	for range 3 {
		if err := standby.Run(ctx, "postgres", `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'portico'`); err != nil {
			t.Fatal(err)
		}
		<-time.After(300 * time.Millisecond)
	}
	sent := m.still()
	n.holds()
	used, err := primary.Ask(ctx, "postgres", `SELECT pid FROM pg_stat_activity WHERE application_name = 'portico' AND backend_type = 'client backend'`)
	if err != nil || len(used) > 0 {
		t.Errorf("the old primary is used: %q, %v", used, err)
	}
	n.kill()
	t.Logf("promoted after %v, every node answers after %v; %d requests answered 2xx, none lost", promoted.Round(time.Millisecond), back.Round(time.Millisecond), sent)
}

// answers waits until every node reads and writes again.
func (n *nodes) answers() {
	n.t.Helper()
	for i := range n.slots {
		eventually(n.t, fmt.Sprintf("node %d answers", i+1), func() []string {
			s := n.slots[i].Load()
			a, err := s.send("GET", "/v1/portal", n.Token, nil)
			if err != nil || a.Status != http.StatusOK {
				return []string{fmt.Sprint(a.Status, " ", err)}
			}
			return nil
		})
		_, create := n.create()
		n.finish(n.slots[i].Load(), create)
	}
}

// registryDown: while the registry is away nothing is answered but 503, with
// when to ask again, and the process says that it lives. Soon after its return
// all is as it was.
func registryDown(t *testing.T) {
	t.Parallel()
	w := worldAt(t, newServer(t, "fsync = off"))
	n := startNodes(w, w.config(), 2)
	s := n.slots[0].Load()
	p := w.portal(s, 3)
	n.holds()
	if err := w.server.Kill(); err != nil {
		t.Fatal(err)
	}
	_, create := w.create()
	late := []*request{w.invite(p, 2), w.rename(p), create}
	for until := time.Now().Add(time.Duration(size(1, 4, 600)) * time.Second); time.Now().Before(until); {
		for _, r := range append(late, &request{method: "GET", path: "/v1/portal", token: w.Token}, &request{method: "GET", path: p.users(), token: w.Token}) {
			a, err := s.send(r.method, r.path, r.token, r.body, "Idempotency-Key", r.key)
			if err != nil || a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
				t.Fatalf("%s %s without a registry: %d %s, %v", r.method, r.path, a.Status, a.Body, err)
			}
		}
		for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable} {
			if a, err := wiretest.Send(s.client, s.Ops, "GET", path, "", nil); err != nil || a.Status != want {
				t.Fatalf("%s without a registry: %d, %v", path, a.Status, err)
			}
		}
		<-time.After(again)
	}
	if err := w.server.Launch(context.Background()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for _, r := range late {
		w.finish(s, r)
	}
	n.answers()
	back := time.Since(began)
	if back > soon/2 {
		t.Errorf("back only %v after the registry was", back)
	}
	n.holds()
	n.kill()
	t.Logf("back after %v", back.Round(time.Millisecond))
}

// slowRegistry: a far registry makes answers slow, each by its round trips, and
// nothing else: no request waits for a connection until it is refused.
func slowRegistry(t *testing.T) {
	t.Parallel()
	w := worldAt(t, newServer(t, "fsync = off"))
	proxy, err := w.server.Proxy()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	config := w.config()
	config.DatabaseURL = proxy.URL(pgtest.Owner, registryName)
	n := startNodes(w, config, 1)
	s := n.slots[0].Load()
	p := w.portal(s, 3)
	proxy.Slow(200 * time.Millisecond)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range size(1, 3, 50) {
				for _, path := range []string{"/v1/portal", p.users()} {
					if a, err := s.send("GET", path, w.Token, nil); err != nil || a.Status != http.StatusOK {
						t.Errorf("%s: %d %s, %v", path, a.Status, a.Body, err)
					}
				}
			}
		})
	}
	wait.Wait()
	w.must(s, w.invite(p, 2))
	proxy.Slow(0)
	n.holds()
	n.kill()
}
