// Package faults shows that the service survives what it must: kills at every
// step, power loss, full and failing storage, damaged files, two of everything
// at once. Each case breaks one thing in a child process, lets it start again,
// and asks the oracle whether the invariants I1 to I8 hold.
//
// It is made of tests only and imports the whole node; nothing that is shipped
// may import it. A child is this test binary run again.
//
// Start with oracle_test.go (what must hold), then child_test.go and
// server_test.go (the process that is broken), then the cases.
package faults
