//go:build !race

package attacks

// raced is described in race_test.go.
const raced = false
