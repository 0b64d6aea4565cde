package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// nodes are several servers over one registry in PostgreSQL.
type nodes struct {
	*world
	config childConfig
	slots  []atomic.Pointer[server]
}

func startNodes(w *world, config childConfig, count int) *nodes {
	w.t.Helper()
	n := &nodes{world: w, config: config, slots: make([]atomic.Pointer[server], count)}
	for i := range n.slots {
		n.revive(i)
	}
	return n
}

func (n *nodes) any(random *rand.Rand) *server { return n.slots[random.IntN(len(n.slots))].Load() }

// revive starts a node again, as often as it takes: its database may just be
// away.
func (n *nodes) revive(i int) {
	n.t.Helper()
	wrong := within(startPatience, func() []string {
		s, err := try(n.t, n.config)
		if err != nil {
			return []string{err.Error()}
		}
		n.slots[i].Store(s)
		return nil
	})
	if len(wrong) > 0 {
		n.t.Fatalf("node %d does not start: %s", i+1, wrong)
	}
}

func (n *nodes) kill() {
	for i := range n.slots {
		n.slots[i].Load().kill()
	}
}

// holds waits until everything that must hold does, by the answers of each node
// and behind the backs of all. It returns the folders that crashes left.
func (n *nodes) holds() (orphans int) {
	n.t.Helper()
	wrong := within(soon, func() []string {
		o := &oracle{dir: n.dir, server: n.server, broken: n.broken(), more: n.more}
		wrong := o.look()
		orphans = o.orphans
		wrong = append(wrong, n.recorded(o)...)
		for i := range n.slots {
			for _, one := range n.check(n.slots[i].Load(), n.Token) {
				wrong = append(wrong, fmt.Sprintf("node %d: %s", i+1, one))
			}
		}
		return wrong
	})
	if len(wrong) > 0 {
		n.t.Fatalf("the oracle, after %v:\n\t%s", soon, strings.Join(wrong, "\n\t"))
	}
	return orphans
}

// tide is a storm's clients that go on whatever happens to the nodes: what gets
// no good answer they send again, to whichever node.
type tide struct {
	*storm

	to     func(*rand.Rand) *server
	strict bool // every answer must be the one that is wanted, at once
	ctx    context.Context
	ebb    context.CancelFunc
	wait   sync.WaitGroup
}

func (n *nodes) tide(clients int, seed uint64) *tide {
	m := &tide{storm: newStorm(n.world, clients, seed), to: n.any}
	return m
}

// flow begins to send.
func (m *tide) flow() {
	m.ctx, m.ebb = context.WithCancel(context.Background())
	for _, c := range m.clients {
		m.wait.Go(func() { m.sail(c) })
	}
}

// still sends nothing new, and returns once every outcome is known. It returns
// how many requests were answered with success since flow.
func (m *tide) still() (sent int) {
	m.ebb()
	m.wait.Wait()
	for _, c := range m.clients {
		sent, c.sent = sent+c.sent, 0
	}
	return sent
}

// again is after how long a client sends again what came to nothing.
const again = 20 * time.Millisecond

func (m *tide) sail(c *stormer) {
	var late <-chan time.Time
	over := m.ctx.Done()
	for {
		if c.pending == nil {
			if m.ctx.Err() != nil {
				return
			}
			c.pending = c.choose()
		}
		r := c.pending
		status, body := c.w.send(m.to(c.random), r)
		switch {
		case status == r.want:
			c.pending = nil
			c.sent++
			continue
		case m.strict || status != 0 && status != http.StatusServiceUnavailable && status != http.StatusConflict:
			c.w.t.Errorf("%s %s: %d %s", r.method, r.path, status, body)
			c.pending = nil
			return
		}
		select {
		case <-time.After(again):
		case <-over:
			over, late = nil, time.After(2*soon)
		case <-late:
			c.w.t.Errorf("%s %s has no outcome yet: %d %s", r.method, r.path, status, body)
			c.pending = nil
			return
		}
	}
}

// hammer asks any node for portals that are gone, until ctx ends: from the
// answer to its deletion on there is none, on no node.
func (n *nodes) hammer(ctx context.Context, random *rand.Rand) (asked int) {
	for {
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return asked
		}
		p := n.someGone(random)
		if p == nil {
			continue
		}
		r := []*request{
			{method: "GET", path: "/v1/portal/" + p.id},
			{method: "GET", path: p.users()},
			{method: "POST", path: p.users(), body: map[string]any{"users": []string{"late@people.example.com"}}},
			{method: "PATCH", path: "/v1/portal/" + p.id, body: map[string]any{"name": "Late"}},
		}[random.IntN(4)]
		a, err := n.any(random).send(r.method, r.path, n.Token, r.body)
		if err == nil && a.Status != http.StatusNotFound && a.Status != http.StatusServiceUnavailable {
			n.t.Errorf("%s %s of a deleted portal: %d %s", r.method, r.path, a.Status, a.Body)
		}
		asked++
	}
}

func (n *nodes) someGone(random *rand.Rand) *portal {
	n.mu.Lock()
	defer n.mu.Unlock()
	for range n.portals {
		if p := n.portals[random.IntN(len(n.portals))]; p.gone {
			return p
		}
	}
	return nil
}

// strike kills something at random: a node, one of the database server's
// processes, which has it end all others, or that server.
func (n *nodes) strike(random *rand.Rand, counts map[string]int) {
	n.t.Helper()
	switch k := random.IntN(10); {
	case k < 6:
		i := random.IntN(len(n.slots))
		n.slots[i].Load().kill()
		n.revive(i)
		counts["nodes"]++
	case k < 9:
		n.killBackend()
		counts["backends"]++
	default:
		if err := errors.Join(n.server.Kill(), n.server.Launch(context.Background())); err != nil {
			n.t.Fatal(err)
		}
		counts["servers"]++
	}
}

func (n *nodes) killBackend() {
	n.t.Helper()
	eventually(n.t, "a connection to kill", func() []string {
		pids, err := n.server.Ask(context.Background(), "postgres",
			`SELECT pid FROM pg_stat_activity WHERE application_name = 'portico' ORDER BY state = 'active' DESC, random() LIMIT 1`)
		if err != nil || len(pids) == 0 {
			return []string{fmt.Sprint("none: ", err)}
		}
		if err := n.server.Signal(pids[0], syscall.SIGKILL); err != nil {
			return []string{err.Error()} // it ended by itself
		}
		return nil
	})
}

// TestNodeStorm kills nodes, connections and the database server at random
// moments under mixed load.
func TestNodeStorm(t *testing.T) {
	t.Parallel()
	t.Run("F63 kill -9 storm over three nodes and their PostgreSQL", func(t *testing.T) {
		t.Parallel()
		kills := size(4, 50, 1000)
		for done := 0; done < kills && !t.Failed(); done += killsPerWorld {
			runNodeStorm(t, uint64(done), min(killsPerWorld, kills-done))
		}
	})
}

// killsPerLook is after how many kills, at most, everything must hold again.
const killsPerLook = 10

func runNodeStorm(t *testing.T, seed uint64, kills int) {
	t.Helper()
	w := worldAt(t, newServer(t, "fsync = off"))
	n := startNodes(w, w.config(), 3)
	random := rand.New(rand.NewPCG(6363, seed))
	m := n.tide(6, random.Uint64())
	counts := map[string]int{}
	sent, asked, orphans := 0, 0, 0
	for left := kills; left > 0 && !t.Failed(); {
		ctx, rest := context.WithCancel(context.Background())
		var hammering sync.WaitGroup
		hammers := rand.New(rand.NewPCG(63, random.Uint64()))
		hammering.Go(func() { asked += n.hammer(ctx, hammers) })
		m.flow()
		for range min(left, 1+random.IntN(2*killsPerLook-1)) {
			<-time.After(time.Duration(random.IntN(300)) * time.Millisecond)
			n.strike(random, counts)
			left--
		}
		sent += m.still()
		rest()
		hammering.Wait()
		orphans = n.holds()
		w.forget()
	}
	n.kill()
	t.Logf("%d kills %v, %d requests answered 2xx, %d of deleted portals, 0 violations; %d folders without a database left",
		kills, counts, sent, asked, orphans)
}
