// Package attacks sends a real server what an attacker would, one test for each
// case of the list in docs/security.md, and looks after each whether anything
// was left behind: a row, a mail, a file, an audit record, a goroutine, a
// connection, a secret in the log.
//
// It is for tests only: nothing imports it, and it may import everything.
//
// Start with the list in suite_test.go, then trace_test.go, which says what
// counts as a trace.
package attacks
