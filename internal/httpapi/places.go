package httpapi

import "context"

// places bounds how many requests are worked on at once: load is shed early
// instead of slowing everything down.
type places chan struct{}

// place is one request's among those at work. It is taken when the body is
// there and left while the client reads, so that nobody holds one by being
// slow. The zero place is for requests that need none.
type place struct {
	of   places // nil: none is needed
	held bool
}

// take takes the place unless all are taken.
func (p *place) take() bool {
	if p.of == nil {
		return true
	}
	select {
	case p.of <- struct{}{}:
		p.held = true
	default:
	}
	return p.held
}

// regain waits for a place for a request whose answer has begun: it cannot be
// shed any more.
func (p *place) regain(ctx context.Context) error {
	if p.of == nil || p.held {
		return nil
	}
	select {
	case p.of <- struct{}{}:
		p.held = true
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// leave gives the place on, if there is one to give.
func (p *place) leave() {
	if p.held {
		p.held = false
		<-p.of
	}
}
