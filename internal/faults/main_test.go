package faults

import (
	"flag"
	"os"
	"testing"
)

// full runs the cases at full length: -args -full.
var full = flag.Bool("full", false, "run every case at full length")

// TestMain runs a child when the environment says so, the tests otherwise.
func TestMain(m *testing.M) {
	if raw := os.Getenv(childEnv); raw != "" {
		os.Exit(runChild(raw))
	}
	code := m.Run()
	removeSeed()
	os.Exit(code)
}

// size returns how often a case repeats what it does: few in CI, many with
// -full, fewest with -short.
func size(short, ci, most int) int {
	switch {
	case *full:
		return most
	case testing.Short():
		return short
	default:
		return ci
	}
}
