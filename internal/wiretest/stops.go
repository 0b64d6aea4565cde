package wiretest

import (
	"context"
	"errors"
	"sync"

	"portico/internal/failpoint"
	"portico/internal/node"
)

// Stops holds or fails single operations of a server at named points. What is
// not armed passes.
type Stops struct {
	set *failpoint.Set

	mu    sync.Mutex
	known map[string]bool
	armed map[string][]*Stop
}

// Stop is one armed point: it catches the next operation that comes by.
type Stop struct {
	reached, opened chan struct{}
	open            sync.Once
	err             error
}

// NewStops returns stops of which none is armed.
func NewStops() *Stops {
	return &Stops{set: failpoint.New(), known: map[string]bool{}, armed: map[string][]*Stop{}}
}

// Setup gives the stops to a server.
func (s *Stops) Setup(_ *node.Config, o *node.Options) { o.Failpoints = s.set }

// Hold makes the next operation at a point wait until the stop is opened.
func (s *Stops) Hold(point string) *Stop {
	return s.arm(point, &Stop{reached: make(chan struct{}), opened: make(chan struct{})})
}

// Fail makes the next operation at a point fail.
func (s *Stops) Fail(point string) *Stop {
	stop := &Stop{reached: make(chan struct{}), opened: make(chan struct{}), err: errors.New("told to fail")}
	stop.Open()
	return s.arm(point, stop)
}

func (s *Stops) arm(point string, stop *Stop) *Stop {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed[point] = append(s.armed[point], stop)
	if !s.known[point] {
		s.known[point] = true
		s.set.On(point, func(ctx context.Context, _ failpoint.Point) error { return s.pass(ctx, point) })
	}
	return stop
}

func (s *Stops) pass(ctx context.Context, point string) error {
	s.mu.Lock()
	waiting := s.armed[point]
	if len(waiting) == 0 {
		s.mu.Unlock()
		return nil
	}
	stop := waiting[0]
	s.armed[point] = waiting[1:]
	s.mu.Unlock()
	close(stop.reached)
	select {
	case <-stop.opened:
		return stop.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Reached is closed when an operation was caught.
func (s *Stop) Reached() <-chan struct{} { return s.reached }

// Open lets the operation go on. A second call does nothing.
func (s *Stop) Open() { s.open.Do(func() { close(s.opened) }) }
