package attacks

import (
	"flag"
	"strings"
	"testing"
)

// full makes cases as large as the list says; without it they are as large as
// shows the same.
var full = flag.Bool("full", false, "run attacks at full size")

// size returns how much of something a case uses.
func size(ci, whole int) int {
	if *full {
		return whole
	}
	return ci
}

// attack is one case of the list.
type attack struct {
	name string
	run  func(*arena)
}

// TestAttacks runs the cases on one server, one after the other, so that what
// a case left behind can be told.
func TestAttacks(t *testing.T) { //nolint:paralleltest // goroutines, files and rows are compared before and after each case
	shared := newArena(t)
	for _, group := range [][]attack{bodies(), paths(), framing(), origin(), lists(), tenants(), people(), signIn(), hosts(), invitations(), guests(), consoles(), reference(), machine()} {
		for _, c := range group {
			t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) { c.watched(shared.in(t)) })
		}
	}
}

// watched runs a case between two looks of the oracle.
func (c attack) watched(a *arena) {
	_ = a.log.take()
	base := a.begin()
	c.run(a)
	a.end(base)
}
