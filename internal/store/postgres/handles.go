package postgres

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/store"
)

// handles knows which portal databases are open, who uses them, and who has a
// name to itself. Databases that nobody uses stay open, up to a limit; the one
// unused for the longest time makes room for the next. It never takes a
// database from under a handle, and whoever asks for one that is just being
// opened, closed or made waits and then looks again: a race is not absence.
type handles struct {
	engine *Engine
	limit  int

	mu      sync.Mutex
	entries map[store.Place]*entry
	open    int                      // databases that count against the limit
	idle    list.List                // of *entry without users; the front goes first
	waiting list.List                // of chan struct{}: openers for whom there is no room
	retired store.Retired            // names that are refused for good
	moving  map[store.Place]struct{} // being quarantined
	closed  bool
}

// entry is a name in use: open, or with busy set in the hands of one goroutine.
type entry struct {
	at     store.Place
	server *server
	db     *database
	id     store.Identity // Cluster is that of at

	users   int
	counted bool          // against the limit
	spare   *list.Element // in handles.idle
	busy    chan struct{} // closed when the goroutine that has it is done
	drained chan struct{} // closed when the last user goes, if someone waits for it
	failed  error         // of opening, for those who waited for it
}

func newHandles(e *Engine, limit int) *handles {
	return &handles{
		engine: e, limit: limit,
		entries: make(map[store.Place]*entry), moving: make(map[store.Place]struct{}),
	}
}

func (h *handles) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

// acquire returns the open entry of a name with one more user. keep says
// whether it counts as one of those kept open; a sweep's does not.
func (h *handles) acquire(ctx context.Context, at store.Place, keep bool) (*entry, error) {
	var timeout <-chan time.Time
	for {
		h.mu.Lock()
		if err := h.refuse(at); err != nil {
			h.mu.Unlock()
			return nil, err
		}
		e := h.entries[at]
		var wait chan struct{}
		var why string
		switch {
		case e != nil && e.busy == nil:
			h.use(e)
			h.mu.Unlock()
			return e, nil
		case e != nil:
			wait, why = e.busy, "another operation"
			h.mu.Unlock()
		case !keep || h.open < h.limit:
			e = h.insert(at, keep)
			h.mu.Unlock()
			return h.load(ctx, e)
		case h.idle.Len() > 0:
			h.evict() // unlocks
			continue
		default:
			wait, why = make(chan struct{}), "free handles"
			h.waiting.PushBack(wait)
			h.mu.Unlock()
		}
		if timeout == nil {
			timeout = time.After(patience)
		}
		if err := h.await(ctx, wait, timeout, why); err != nil {
			h.leave(wait)
			return nil, err
		}
		if e != nil && e.failed != nil {
			return nil, e.failed
		}
	}
}

func (h *handles) await(ctx context.Context, wait <-chan struct{}, timeout <-chan time.Time, why string) error {
	select {
	case <-wait:
		return nil
	case <-ctx.Done():
		return unavailable(context.Cause(ctx))
	case <-timeout:
		return unavailable(fmt.Errorf("postgres: waited %v for %s", patience, why))
	}
}

// refuse says why a name cannot be opened.
func (h *handles) refuse(at store.Place) error {
	if h.closed {
		return errClosed()
	}
	if h.retired.Has(at.Name) {
		return store.ErrRetired
	}
	if _, ok := h.moving[at]; ok {
		return store.ErrRetired
	}
	return nil
}

func (h *handles) insert(at store.Place, counted bool) *entry {
	e := &entry{at: at, busy: make(chan struct{}), counted: counted}
	h.entries[at] = e
	if counted {
		h.open++
	}
	return e
}

func (h *handles) use(e *entry) {
	e.users++
	if e.spare != nil {
		h.idle.Remove(e.spare)
		e.spare = nil
	}
}

// load opens the database of an entry that is the caller's alone.
func (h *handles) load(ctx context.Context, e *entry) (*entry, error) {
	err := h.engine.load(ctx, e)
	h.mu.Lock()
	if refused := h.refuse(e.at); err == nil && refused != nil {
		h.mu.Unlock()
		_ = e.db.close() // it was only read
		h.mu.Lock()
		err = refused
	}
	if err != nil {
		e.failed = err
		h.discard(e)
		h.mu.Unlock()
		return nil, err
	}
	e.users = 1
	h.settle(e)
	h.mu.Unlock()
	return e, nil
}

// settle ends the caller's having an entry to itself.
func (h *handles) settle(e *entry) {
	close(e.busy)
	e.busy = nil
}

// discard removes an entry that is the caller's alone and not open any more.
func (h *handles) discard(e *entry) {
	delete(h.entries, e.at)
	if e.counted {
		h.open--
	}
	close(e.busy)
	h.wakeOne()
}

// release takes one user from an entry.
func (h *handles) release(e *entry) {
	h.mu.Lock()
	e.users--
	if e.users > 0 || e.busy != nil || h.entries[e.at] != e { // in use, or closed by close
		h.mu.Unlock()
		return
	}
	if e.drained != nil {
		close(e.drained)
		e.drained = nil
	}
	if !h.closed && e.counted && h.open <= h.limit {
		e.spare = h.idle.PushBack(e)
		h.wakeOne()
		h.mu.Unlock()
		return
	}
	e.busy = make(chan struct{})
	h.mu.Unlock()
	h.finish(e)
}

// evict closes the database unused for the longest time. It is called with mu
// held and returns without it.
func (h *handles) evict() {
	e, ok := h.idle.Front().Value.(*entry)
	if !ok {
		panic("postgres: the list of idle handles holds something else")
	}
	h.seize(e)
	h.mu.Unlock()
	h.finish(e)
}

// reclaim closes the database behind a gate that is unused for the longest time,
// so that others get its connections. It reports whether there was one. The
// registry's own server has two names, and one gate.
func (h *handles) reclaim(g *gate) bool {
	h.mu.Lock()
	for at := h.idle.Front(); at != nil; at = at.Next() {
		if e, ok := at.Value.(*entry); ok && e.server.gate == g {
			h.seize(e)
			h.mu.Unlock()
			h.finish(e)
			return true
		}
	}
	h.mu.Unlock()
	return false
}

// seize makes an idle entry the caller's alone.
func (h *handles) seize(e *entry) {
	h.idle.Remove(e.spare)
	e.spare = nil
	e.busy = make(chan struct{})
}

// finish closes the database of an entry that is the caller's alone, and
// removes the entry.
func (h *handles) finish(e *entry) {
	if err := e.db.close(); err != nil {
		h.engine.log.Error("closing a portal's database failed", "database", e.at.Name, "cluster", e.at.Cluster, "error", err)
	}
	h.mu.Lock()
	h.discard(e)
	h.mu.Unlock()
}

func (h *handles) wakeOne() {
	if front := h.waiting.Front(); front != nil {
		if wait, ok := h.waiting.Remove(front).(chan struct{}); ok {
			close(wait)
		}
	}
}

// leave takes a waiter out of the queue, or passes on the turn that it got
// while it gave up.
func (h *handles) leave(wait chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for at := h.waiting.Front(); at != nil; at = at.Next() {
		if at.Value == any(wait) {
			h.waiting.Remove(at)
			return
		}
	}
	h.wakeOne()
}

// forget closes an entry that nobody uses, so that the next use opens it anew.
func (h *handles) forget(e *entry) {
	h.mu.Lock()
	if h.entries[e.at] != e || e.spare == nil {
		h.mu.Unlock()
		return
	}
	h.seize(e)
	h.mu.Unlock()
	h.finish(e)
}

// claim makes a name the caller's alone: it waits until nobody uses its
// database, and closes that. Only ctx bounds the wait.
func (h *handles) claim(ctx context.Context, at store.Place) (*entry, error) {
	for {
		h.mu.Lock()
		if h.closed {
			h.mu.Unlock()
			return nil, errClosed()
		}
		e := h.entries[at]
		var wait chan struct{}
		switch {
		case e == nil:
			e = h.insert(at, false)
			h.mu.Unlock()
			return e, nil
		case e.busy != nil:
			wait = e.busy
		case e.users > 0:
			if e.drained == nil {
				e.drained = make(chan struct{})
			}
			wait = e.drained
		default:
			h.seize(e)
			h.mu.Unlock()
			h.finish(e)
			continue
		}
		h.mu.Unlock()
		if err := h.await(ctx, wait, nil, ""); err != nil {
			return nil, err
		}
	}
}

// unclaim gives a claimed name back.
func (h *handles) unclaim(e *entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.discard(e)
}

// retire refuses every later Open and Create of a name.
func (h *handles) retire(at store.Place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.retired.Begin(at.Name)
}

// gone notes that nothing is left of a retired name.
func (h *handles) gone(at store.Place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.retired.End(at.Name, h.named)
}

// named reports whether something has a name in its hands.
func (h *handles) named(name string) bool {
	for at := range h.entries {
		if at.Name == name {
			return true
		}
	}
	return false
}

// isRetired reports whether a name was given up in this process's life.
func (h *handles) isRetired(at store.Place) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.retired.Has(at.Name)
}

// move refuses Opens of a name until the returned function is called.
func (h *handles) move(at store.Place) (done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.moving[at] = struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.moving, at)
	}
}

// close waits for the transactions under way and closes every database.
func (h *handles) close() error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	var all error
	for {
		e, wait := h.next()
		switch {
		case e == nil:
			return all
		case wait != nil:
			<-wait
		default:
			all = errors.Join(all, e.db.close())
			h.mu.Lock()
			h.discard(e)
			h.mu.Unlock()
		}
	}
}

// next returns an entry to close, the caller's alone, or one to wait for.
func (h *handles) next() (*entry, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.entries {
		if e.busy != nil {
			return e, e.busy
		}
		if e.spare != nil {
			h.seize(e)
		} else {
			e.busy = make(chan struct{})
		}
		return e, nil
	}
	return nil, nil
}

// handle is one user of an entry. It implements store.Handle.
type handle struct {
	*database
	entry    *entry
	handles  *handles
	released atomic.Bool
}

// Release implements store.Handle.
func (h *handle) Release() {
	if !h.released.Swap(true) {
		h.handles.release(h.entry)
	}
}
