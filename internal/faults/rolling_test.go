package faults

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portico/internal/wiretest"
)

// balancer spreads requests over nodes in turn, as one in production does: it
// asks each whether it is ready, keeps connections, and sends a request whose
// connection fails to another node only when it is a read.
type balancer struct {
	*httptest.Server

	nodes *nodes
	turn  atomic.Int64
	end   context.CancelFunc
	done  sync.WaitGroup

	mu     sync.Mutex
	probes int64
	behind map[*server]*backend
}

// backend is a node as the balancer knows it.
type backend struct {
	proxy *httputil.ReverseProxy
	ready bool
	probe int64 // whose answer said so: one that took longer does not overrule it
}

// probeEvery is how often the balancer asks a node, and drainFor how long a
// node goes on after it was asked to end.
const (
	probeEvery = 50 * time.Millisecond
	drainFor   = 600 * time.Millisecond
)

func newBalancer(n *nodes) *balancer {
	b := &balancer{nodes: n, behind: map[*server]*backend{}}
	var ctx context.Context
	ctx, b.end = context.WithCancel(context.Background())
	b.Server = httptest.NewServer(b)
	b.done.Go(func() {
		ticker := time.NewTicker(probeEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				for i := range n.slots {
					b.done.Go(func() { b.probe(n.slots[i].Load()) })
				}
			}
		}
	})
	n.t.Cleanup(func() {
		b.end()
		b.done.Wait()
		b.Close()
	})
	for i := range n.slots {
		b.await(n.slots[i].Load())
	}
	return b
}

// front is the balancer as a client sees a server.
func (b *balancer) front() *server {
	return &server{
		t: b.nodes.t, hello: hello{URL: b.URL},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}, Timeout: time.Minute},
	}
}

// probe asks a node whether it is ready.
func (b *balancer) probe(s *server) {
	b.mu.Lock()
	b.probes++
	number, known := b.probes, b.behind[s]
	if known == nil {
		known = &backend{proxy: b.proxyTo(s)}
		b.behind[s] = known
	}
	b.mu.Unlock()
	a, err := wiretest.Send(s.client, s.Ops, "GET", "/readyz", "", nil)
	b.mu.Lock()
	defer b.mu.Unlock()
	if known.probe < number {
		known.probe, known.ready = number, err == nil && a.Status == http.StatusOK
	}
}

func (b *balancer) proxyTo(s *server) *httputil.ReverseProxy {
	to, err := url.Parse(s.URL)
	if err != nil {
		b.nodes.t.Error(err)
		return nil
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	return &httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			transport.CloseIdleConnections()
			if r.Method == http.MethodGet && r.Context().Err() == nil {
				b.ServeHTTP(w, r)
				return
			}
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
}

// ServeHTTP implements http.Handler.
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	var next *httputil.ReverseProxy
	for range b.nodes.slots {
		s := b.nodes.slots[int(b.turn.Add(1))%len(b.nodes.slots)].Load()
		if known := b.behind[s]; known != nil && known.ready {
			next = known.proxy
			break
		}
	}
	b.mu.Unlock()
	if next == nil {
		http.Error(w, "no node is ready", http.StatusBadGateway)
		return
	}
	next.ServeHTTP(w, r)
}

// await returns when the balancer sends to a node.
func (b *balancer) await(s *server) {
	eventually(b.nodes.t, "a node that is ready", func() []string {
		b.mu.Lock()
		defer b.mu.Unlock()
		if known := b.behind[s]; known == nil || !known.ready {
			return []string{"the balancer does not send to it"}
		}
		return nil
	})
}

// TestRollingRestart ends one node after the other under load, as an upgrade
// does, while clients see one address.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	t.Run("F62 rolling restarts of three nodes under full load", func(t *testing.T) {
		t.Parallel()
		w := worldAt(t, newServer(t, "fsync = off"))
		config := w.config()
		config.Drain = drainFor
		n := startNodes(w, config, 3)
		b := newBalancer(n)
		front := b.front()
		defer front.client.CloseIdleConnections()
		m := n.tide(8, 62)
		m.to, m.strict = func(*rand.Rand) *server { return front }, true
		rounds := size(1, 20, 100)
		m.flow()
		for range rounds {
			for i := range n.slots {
				n.slots[i].Load().stop()
				n.revive(i)
				b.await(n.slots[i].Load())
			}
			if t.Failed() {
				break
			}
		}
		sent := m.still()
		n.holds()
		n.kill()
		t.Logf("%d rolling restarts, %d requests, 0 failed", rounds, sent)
	})
}
