// Package handles owns which portal databases an engine has open, who uses
// them, and who has a name to itself. It is the same for every engine, which
// gives it a way to open a database and to close it.
//
// It imports store; never an engine.
//
// Start with Cache and Acquire; then claims.go (who has a name to itself),
// retired.go (names that are no more) and room.go (who may open one more).
package handles

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/store"
)

// Cache keeps databases open that nobody uses, up to a limit; the one unused
// for the longest time makes room for the next. It never takes a database from
// under its users, and whoever asks for one that is just being opened, closed
// or made waits and then looks again: a race is not absence.
type Cache[D io.Closer] struct {
	Patience time.Duration // how long an Acquire waits

	open Open[D]
	log  *slog.Logger

	mu      sync.Mutex
	entries map[store.Place]*Entry[D]
	room    room
	retired retired                  // names that are refused for good
	moving  map[store.Place]struct{} // being quarantined
	closed  bool
}

// Open opens the database of a place. Its Close waits for the transactions
// under way.
type Open[D io.Closer] func(ctx context.Context, at store.Place) (D, error)

// Entry is a place in use: open, or with busy set in the hands of one goroutine.
type Entry[D io.Closer] struct {
	Database D

	cache   *Cache[D]
	at      store.Place
	users   int
	counted bool          // against the limit
	spare   *list.Element // in room.idle
	busy    chan struct{} // closed when the goroutine that has it is done
	drained chan struct{} // closed when the last user goes, if someone waits for it
	failed  error         // of opening, for those who waited for it
}

// New returns a cache that keeps up to limit databases open.
func New[D io.Closer](limit int, patience time.Duration, log *slog.Logger, open Open[D]) *Cache[D] {
	return &Cache[D]{
		Patience: patience, open: open, log: log, room: room{limit: limit},
		entries: map[store.Place]*Entry[D]{}, moving: map[store.Place]struct{}{},
	}
}

// Count returns the number of databases that are open, those aside that
// Acquire was not to keep.
func (c *Cache[D]) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.room.open
}

// Acquire returns the entry of a place, open, with one more user. keep says
// whether it counts as one of those kept open; a sweep's does not.
func (c *Cache[D]) Acquire(ctx context.Context, at store.Place, keep bool) (*Entry[D], error) {
	c.mu.Lock()
	if e := c.entries[at]; e != nil && e.busy == nil && c.refuse(at) == nil {
		c.use(e)
		c.mu.Unlock()
		return e, nil
	}
	c.mu.Unlock()
	patient, cancel := context.WithTimeoutCause(ctx, c.Patience, fmt.Errorf("handles: waited %v for a handle", c.Patience))
	defer cancel()
	e, isNew, err := c.wait(patient, at, keep)
	if err == nil && isNew {
		return c.load(ctx, e)
	}
	return e, err
}

// wait returns an open entry, used once more, or a new one that is the caller's
// alone.
func (c *Cache[D]) wait(ctx context.Context, at store.Place, keep bool) (e *Entry[D], isNew bool, err error) {
	turn := false // it waited for room, and it is its turn
	c.mu.Lock()
	for {
		if err := c.refuse(at); err != nil {
			c.pass(turn)
			return nil, false, err
		}
		e := c.entries[at]
		mayTake := c.room.mayTake(turn)
		switch {
		case e != nil && e.busy == nil:
			c.use(e)
			c.pass(turn)
			return e, false, nil
		case e != nil:
			busy := e.busy
			c.pass(turn)
			turn = false
			if err := await(ctx, busy); err != nil {
				return nil, false, err
			}
			if e.failed != nil {
				return nil, false, e.failed
			}
			c.mu.Lock()
		case !keep || mayTake && c.room.open < c.room.limit:
			e = c.insert(at, keep)
			c.pass(turn)
			return e, true, nil
		case mayTake && c.room.idle.Len() > 0:
			c.evict()
		default:
			room := c.room.queue(turn)
			c.mu.Unlock()
			err := await(ctx, room)
			c.mu.Lock()
			if err != nil {
				c.room.leave(room)
				c.mu.Unlock()
				return nil, false, err
			}
			turn = true
		}
	}
}

func await(ctx context.Context, wait <-chan struct{}) error {
	select {
	case <-wait:
		return nil
	case <-ctx.Done():
		return store.Unavailable(context.Cause(ctx))
	}
}

// pass gives a turn that was not used to the next, and unlocks.
func (c *Cache[D]) pass(turn bool) {
	c.room.endTurn(turn)
	c.mu.Unlock()
}

// refuse says why a place cannot be opened.
func (c *Cache[D]) refuse(at store.Place) error {
	if c.closed {
		return errClosed()
	}
	if c.retired.has(at.Name) {
		return store.ErrRetired
	}
	if _, ok := c.moving[at]; ok {
		return store.ErrRetired
	}
	return nil
}

func errClosed() error { return store.Unavailable(errors.New("handles: the engine is closed")) }

func (c *Cache[D]) insert(at store.Place, counted bool) *Entry[D] {
	e := &Entry[D]{cache: c, at: at, busy: make(chan struct{}), counted: counted}
	c.entries[at] = e
	if counted {
		c.room.open++
	}
	return e
}

func (c *Cache[D]) use(e *Entry[D]) {
	e.users++
	if e.spare != nil {
		c.room.idle.Remove(e.spare)
		e.spare = nil
	}
}

// load opens the database of an entry that is the caller's alone.
func (c *Cache[D]) load(ctx context.Context, e *Entry[D]) (*Entry[D], error) {
	database, err := c.open(ctx, e.at)
	c.mu.Lock()
	if refused := c.refuse(e.at); err == nil && refused != nil {
		c.mu.Unlock()
		_ = database.Close() // it was only read
		c.mu.Lock()
		err = refused
	}
	defer c.mu.Unlock()
	if err != nil {
		e.failed = err
		c.discard(e)
		return nil, err
	}
	e.Database, e.users = database, 1
	close(e.busy)
	e.busy = nil
	return e, nil
}

// discard removes an entry that is the caller's alone and not open any more.
func (c *Cache[D]) discard(e *Entry[D]) {
	c.remove(e)
	c.room.rouse()
}

func (c *Cache[D]) remove(e *Entry[D]) {
	delete(c.entries, e.at)
	if e.counted {
		c.room.open--
	}
	close(e.busy)
	c.drain(e)
}

// drain tells those who wait for the last user of an entry.
func (c *Cache[D]) drain(e *Entry[D]) {
	if e.drained != nil {
		close(e.drained)
		e.drained = nil
	}
}

// Release takes one user from the entry.
func (e *Entry[D]) Release() {
	c := e.cache
	c.mu.Lock()
	e.users--
	if e.users > 0 || e.busy != nil || c.entries[e.at] != e { // in use, or closed by Close
		c.mu.Unlock()
		return
	}
	c.drain(e)
	if !c.closed && e.counted && c.room.open <= c.room.limit {
		e.spare = c.room.idle.PushBack(e)
		c.room.rouse()
		c.mu.Unlock()
		return
	}
	e.busy = make(chan struct{})
	c.mu.Unlock()
	c.finish(e)
}

// Forget closes the entry's database if nobody uses it, so that the next use
// opens it anew.
func (e *Entry[D]) Forget() {
	c := e.cache
	c.mu.Lock()
	if c.entries[e.at] != e || e.spare == nil {
		c.mu.Unlock()
		return
	}
	c.seize(e)
	c.mu.Unlock()
	c.finish(e)
}

// evict closes the database unused for the longest time. It is called with mu
// held, and gives it up while it closes.
func (c *Cache[D]) evict() {
	e := c.entryAt(c.room.idle.Front())
	c.seize(e)
	c.mu.Unlock()
	c.shut(e)
	c.mu.Lock()
	c.remove(e) // and the room is the caller's
}

// Reclaim closes the database unused for the longest time of those that match.
// It reports whether there was one.
func (c *Cache[D]) Reclaim(match func(D) bool) bool {
	c.mu.Lock()
	for at := c.room.idle.Front(); at != nil; at = at.Next() {
		if e := c.entryAt(at); match(e.Database) {
			c.seize(e)
			c.mu.Unlock()
			c.finish(e)
			return true
		}
	}
	c.mu.Unlock()
	return false
}

func (c *Cache[D]) entryAt(at *list.Element) *Entry[D] {
	e, ok := at.Value.(*Entry[D])
	if !ok {
		panic("handles: the list of idle entries holds something else")
	}
	return e
}

// seize makes an idle entry the caller's alone.
func (c *Cache[D]) seize(e *Entry[D]) {
	c.room.idle.Remove(e.spare)
	e.spare = nil
	e.busy = make(chan struct{})
}

// finish closes the database of an entry that is the caller's alone, and
// removes the entry.
func (c *Cache[D]) finish(e *Entry[D]) {
	c.shut(e)
	c.mu.Lock()
	c.discard(e)
	c.mu.Unlock()
}

func (c *Cache[D]) shut(e *Entry[D]) {
	if err := e.Database.Close(); err != nil {
		c.log.Error("closing a portal's database failed", "database", e.at.Name, "cluster", e.at.Cluster, "error", err)
	}
}

// Close waits for the transactions under way and closes every database.
func (c *Cache[D]) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	var all error
	for {
		e, wait := c.next()
		switch {
		case e == nil:
			return all
		case wait != nil:
			<-wait
		default:
			all = errors.Join(all, e.Database.Close())
			c.mu.Lock()
			c.discard(e)
			c.mu.Unlock()
		}
	}
}

// next returns an entry to close, the caller's alone, or one to wait for.
func (c *Cache[D]) next() (*Entry[D], <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.entries {
		if e.busy != nil {
			return e, e.busy
		}
		if e.spare != nil {
			c.seize(e)
		} else {
			e.busy = make(chan struct{})
		}
		return e, nil
	}
	return nil, nil
}

// Lease is one user of an entry, who may say more than once that it is done.
type Lease[D io.Closer] struct {
	Entry    *Entry[D]
	released atomic.Bool
}

// Release implements store.Handle.
func (l *Lease[D]) Release() {
	if !l.released.Swap(true) {
		l.Entry.Release()
	}
}
