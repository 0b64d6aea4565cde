//go:build race

package attacks

// raced says that the race detector is in: it takes several times the memory.
const raced = true
