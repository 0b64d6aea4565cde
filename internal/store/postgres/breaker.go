package postgres

import (
	"fmt"
	"sync"
	"time"
)

// silent is how long a connection may take to be made before its server counts
// as one that does not answer.
const silent = time.Second

// breaker keeps who wants a connection to a server that does not answer from
// waiting for it one after the other: once an attempt took long and came to
// nothing, one at a time tries again, and the others are told at once. A server
// that refuses says so quickly, and needs no such thing.
type breaker struct {
	mu    sync.Mutex
	cause error     // why the last attempt failed; nil: it did not
	until time.Time // when the next may be made
}

func (b *breaker) try(attempt func() error) error {
	if err := b.enter(); err != nil {
		return err
	}
	began := time.Now()
	err := attempt()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil || time.Since(began) < silent:
		b.cause = nil
	default:
		b.cause, b.until = err, time.Now().Add(silent)
	}
	return err
}

func (b *breaker) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cause == nil {
		return nil
	}
	if time.Now().Before(b.until) {
		return unavailable(fmt.Errorf("postgres: the server did not answer: %w", b.cause))
	}
	b.until = time.Now().Add(dialTimeout + silent) // the others go on failing meanwhile
	return nil
}
