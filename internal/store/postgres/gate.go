package postgres

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// gate bounds the connections to a server's portal databases. When all places
// are taken it closes databases that nobody uses, and has the connections of
// the others closed after use rather than kept, until there are enough.
type gate struct {
	places  chan struct{}
	wanted  atomic.Int64 // how many wait for a place
	reclaim func() bool  // closes an idle database of the server; false when there is none
}

// reclaimEvery is how often who waits for a place looks for idle databases.
const reclaimEvery = 20 * time.Millisecond

func newGate(places int, reclaim func() bool) *gate {
	return &gate{places: make(chan struct{}, places), reclaim: reclaim}
}

func (g *gate) enter(ctx context.Context) error {
	select {
	case g.places <- struct{}{}:
		return nil
	default:
	}
	g.wanted.Add(1)
	defer g.wanted.Add(-1)
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	again := time.NewTicker(reclaimEvery)
	defer again.Stop()
	for {
		for g.reclaim() && len(g.places) == cap(g.places) {
		}
		select {
		case g.places <- struct{}{}:
			return nil
		case <-again.C:
		case <-ctx.Done():
			return unavailable(context.Cause(ctx))
		case <-timeout.C:
			return unavailable(fmt.Errorf("postgres: waited %v for one of %d connections", patience, cap(g.places)))
		}
	}
}

func (g *gate) leave() { <-g.places }
