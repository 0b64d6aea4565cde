package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// storm is clients that send mixed requests until the server is gone. Each
// works on portals of its own, so that it knows what they must be.
type storm struct {
	w       *world
	clients []*stormer
}

type stormer struct {
	w       *world
	random  *rand.Rand
	portals []*portal
	pending *request // sent, and not answered with success
	sent    int
}

// maxPortals is how many portals a client of a storm has at most.
const maxPortals = 3

func newStorm(w *world, clients int, seed uint64) *storm {
	s := &storm{w: w}
	for i := range clients {
		s.clients = append(s.clients, &stormer{w: w, random: rand.New(rand.NewPCG(seed, uint64(i)))})
	}
	return s
}

// rage sends requests from all clients until each got no answer to one.
func (m *storm) rage(s *server) (sent int) {
	var wait sync.WaitGroup
	for _, c := range m.clients {
		wait.Go(func() { c.rage(s) })
	}
	wait.Wait()
	for _, c := range m.clients {
		sent += c.sent
	}
	return sent
}

// calm repeats what was not answered, so that every outcome is known.
func (m *storm) calm(s *server) {
	m.w.t.Helper()
	for _, c := range m.clients {
		if c.pending != nil {
			m.w.finish(s, c.pending)
			c.pending = nil
		}
	}
}

func (c *stormer) rage(s *server) {
	for {
		r := c.choose()
		c.pending = r
		status, body := c.w.send(s, r)
		switch status {
		case r.want:
			c.pending = nil
			c.sent++
		case 0, http.StatusServiceUnavailable, http.StatusConflict:
			return // repeated by calm
		default:
			c.w.t.Errorf("%s %s: %d %s", r.method, r.path, status, body)
			return
		}
	}
}

// choose makes up the next request.
func (c *stormer) choose() *request {
	c.portals = slices.DeleteFunc(c.portals, func(p *portal) bool { return p.gone })
	if len(c.portals) == 0 || len(c.portals) < maxPortals && c.random.IntN(4) == 0 {
		p, r := c.w.create()
		note := r.done
		r.done = func(a answer) { note(a); c.portals = append(c.portals, p) }
		return r
	}
	p := c.portals[c.random.IntN(len(c.portals))]
	email, n := p.guest(), c.random.IntN(10)
	switch {
	case n < 1 || n < 3 && len(c.portals) == maxPortals:
		return c.w.remove(p)
	case n < 4:
		return c.w.rename(p)
	case n < 6 && email != "":
		return c.w.expel(p, email)
	default:
		return c.w.invite(p, 1+c.random.IntN(5))
	}
}

// TestKillStorm kills the server at random moments under mixed load.
func TestKillStorm(t *testing.T) {
	t.Parallel()
	t.Run("F63 kill -9 storm under mixed load", func(t *testing.T) {
		t.Parallel()
		lanes := size(1, 2, 4)
		for lane := range lanes {
			t.Run(fmt.Sprintf("lane %d", lane+1), func(t *testing.T) {
				t.Parallel()
				runStorms(t, lane, size(10, 200, 10_000)/lanes)
			})
		}
	})
	t.Run("F32 killed under memory pressure", func(t *testing.T) {
		t.Parallel()
		runStorm(t, newWorld(t), 32, size(2, 10, 200), childConfig{MemoryLimit: 24 << 20})
	})
}

// killsPerWorld is after how many kills a storm goes on in a fresh folder: the
// oracle reads the whole audit log each time.
const killsPerWorld = 250

func runStorms(t *testing.T, lane, kills int) {
	t.Helper()
	for done := 0; done < kills && !t.Failed(); done += killsPerWorld {
		runStorm(t, newWorld(t), uint64(lane<<32+done), min(killsPerWorld, kills-done), childConfig{})
	}
}

func runStorm(t *testing.T, w *world, seed uint64, kills int, config childConfig) {
	t.Helper()
	config.Dir = w.dir
	random := rand.New(rand.NewPCG(63, seed))
	m := newStorm(w, 6, random.Uint64())
	s := start(t, config)
	var ready []float64
	sent := 0
	for range kills {
		doom := time.AfterFunc(time.Duration(2+random.IntN(250))*time.Millisecond, func() { _ = s.cmd.Process.Kill() })
		sent = m.rage(s)
		doom.Stop()
		s = s.restart()
		ready = append(ready, s.ReadyMillis)
		m.calm(s)
		w.holds(s)
		w.forget()
		if t.Failed() {
			return
		}
	}
	s.kill()
	slices.Sort(ready)
	t.Logf("%d kills, %d requests answered 2xx, 0 violations; ready after a restart: median %.0f ms, most %.0f ms",
		kills, sent, ready[len(ready)/2], ready[len(ready)-1])
}

// forget drops portals that were found to be gone, all but the last few, so
// that a long storm does not ask after thousands of them each time.
func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	surplus := -20
	for _, p := range w.portals {
		if p.gone {
			surplus++
		}
	}
	w.portals = slices.DeleteFunc(w.portals, func(p *portal) bool {
		if !p.gone || surplus <= 0 {
			return false
		}
		surplus--
		return true
	})
}
