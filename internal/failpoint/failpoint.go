// Package failpoint owns the named points at which a test makes the product
// die, fail, wait or count. A package that has such points declares their names
// in one const block, is given a *Set, and calls Hit between two steps:
//
//	if err := l.points.Hit(ctx, FailCreateIntent); err != nil {
//		return err
//	}
//
// Production passes a nil Set, on which Hit is a nil check and nothing more.
// Nothing in the product reads EnvVar: a node gets its Set from a field of its
// configuration that only tests fill, and a child process that is to be killed
// is the test binary run again, whose TestMain parses EnvVar into that field.
// No environment and no file can therefore arm a point in a product binary.
//
// It is a leaf: it imports the standard library only, and nothing of Portico.
//
// Start with Set.Hit in this file; spec.go has the syntax, names.go the list of
// all points for tests that go through every one.
package failpoint

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

// EnvVar is where a test leaves the spec for a child process.
const EnvVar = "PORTICO_FAILPOINTS"

// ExitCode is the status of a process that an exit action ended.
const ExitCode = 86

// pollEvery is how often a wait for a file looks.
const pollEvery = 2 * time.Millisecond

// Error is what a point returns when it is told to fail.
type Error struct {
	Point string
	Hit   int // of the point, from 1
}

// Error names the point.
func (e *Error) Error() string { return fmt.Sprintf("failpoint %s: hit %d fails", e.Point, e.Hit) }

// Point is a name with the number of its hits.
type Point struct {
	Name string
	Hits int
}

// Set counts hits and acts on them. The nil Set does neither. It is safe for
// concurrent use.
type Set struct {
	mu    sync.Mutex
	rules []rule
	hits  map[string]int
	order []string // names in the order of their first hit
	total int
}

// New returns a Set that only counts, until On or Gate arms a point.
func New() *Set { return &Set{hits: map[string]int{}} }

// rule says what happens at some hits of one point, or, with no name, at one
// hit counted over all points.
type rule struct {
	name string
	nth  int // 0: each
	do   action
}

// action is what a rule does; an error makes the point fail.
type action func(ctx context.Context, p Point) error

// Hit reports that the caller reached a point and does what the rules for it
// say, in their order. It returns an *Error when the point is to fail, and the
// context's error when that ended a wait.
func (s *Set) Hit(ctx context.Context, name string) error {
	if s == nil {
		return nil
	}
	return s.hit(ctx, name)
}

func (s *Set) hit(ctx context.Context, name string) error {
	s.mu.Lock()
	if s.hits[name] == 0 {
		s.order = append(s.order, name)
	}
	s.hits[name]++
	s.total++
	p := Point{Name: name, Hits: s.hits[name]}
	var due []action
	for _, r := range s.rules {
		if r.name == name && (r.nth == 0 || r.nth == p.Hits) || r.name == "" && r.nth == s.total {
			due = append(due, r.do)
		}
	}
	s.mu.Unlock()

	for _, do := range due {
		if err := do(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// Seen returns the points that were hit, in the order of their first hits.
func (s *Set) Seen() []Point {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := make([]Point, len(s.order))
	for i, name := range s.order {
		seen[i] = Point{Name: name, Hits: s.hits[name]}
	}
	return seen
}

// Total returns the number of hits of all points. A test runs an operation once
// with a Set that only counts, and then Total times with "#n=error" or "#n=kill".
func (s *Set) Total() int {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// On makes each hit of a point call fn, which may count, wait, or make the
// point fail with an error of its own choice.
func (s *Set) On(name string, fn func(ctx context.Context, p Point) error) {
	s.add(rule{name: name, do: fn})
}

func (s *Set) add(r rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, r)
}

// Gate holds every caller that reaches a point until it is opened.
type Gate struct {
	reached chan struct{}
	opened  chan struct{}
	first   sync.Once
	open    sync.Once
}

// Gate puts a closed gate at a point.
func (s *Set) Gate(name string) *Gate {
	g := &Gate{reached: make(chan struct{}), opened: make(chan struct{})}
	s.On(name, func(ctx context.Context, _ Point) error {
		g.first.Do(func() { close(g.reached) })
		select {
		case <-g.opened:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return g
}

// Reached is closed when the first caller stands at the gate.
func (g *Gate) Reached() <-chan struct{} { return g.reached }

// Open lets the callers through, those that come later too. A second call does
// nothing.
func (g *Gate) Open() { g.open.Do(func() { close(g.opened) }) }

// kill ends the process as SIGKILL does, without any clean-up, and does not
// return: the signal may take a moment.
func kill(context.Context, Point) error {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic("failpoint: the process cannot kill itself: " + err.Error())
	}
	select {}
}

func exit(context.Context, Point) error {
	os.Exit(ExitCode)
	return nil
}

func fail(_ context.Context, p Point) error { return &Error{Point: p.Name, Hit: p.Hits} }

// delay returns an action that waits for a time.
func delay(d time.Duration) action {
	return func(ctx context.Context, _ Point) error {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awaitFile returns an action that waits until a file is there, or is not.
func awaitFile(path string, there bool) action {
	return func(ctx context.Context, p Point) error {
		for {
			_, err := os.Lstat(path)
			if there == (err == nil) {
				return nil
			}
			if err := delay(pollEvery)(ctx, p); err != nil {
				return err
			}
		}
	}
}
