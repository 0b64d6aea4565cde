package sqlite

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
	engine   *Engine
	limit    int
	patience time.Duration // how long an Open waits

	mu      sync.Mutex
	entries map[string]*entry
	open    int                 // databases that count against the limit
	idle    list.List           // of *entry without users; the front goes first
	waiting list.List           // of chan struct{}: openers for whom there is no room
	turns   int                 // given to those who waited and not used yet
	retired store.Retired       // names that are refused for good
	moving  map[string]struct{} // being quarantined
	closed  bool
}

// entry is a name in use: open, or with busy set in the hands of one goroutine.
type entry struct {
	name string
	db   *database
	id   store.Identity
	file fileID

	users   int
	counted bool          // against the limit
	spare   *list.Element // in handles.idle
	busy    chan struct{} // closed when the goroutine that has it is done
	drained chan struct{} // closed when the last user goes, if someone waits for it
	failed  error         // of opening, for those who waited for it
}

func newHandles(e *Engine, limit int) *handles {
	return &handles{
		engine: e, limit: limit, patience: patience,
		entries: make(map[string]*entry), moving: make(map[string]struct{}),
	}
}

func (h *handles) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

// acquire returns the open entry of a name with one more user. keep says
// whether it counts as one of those kept open; a sweep's does not.
func (h *handles) acquire(ctx context.Context, name string, keep bool) (*entry, error) {
	h.mu.Lock()
	if e := h.entries[name]; e != nil && e.busy == nil && h.refuse(name) == nil {
		h.use(e)
		h.mu.Unlock()
		return e, nil
	}
	h.mu.Unlock()
	patient, cancel := context.WithTimeoutCause(ctx, h.patience, fmt.Errorf("sqlite: waited %v for a handle", h.patience))
	defer cancel()
	return h.acquireSlowly(patient, name, keep)
}

func (h *handles) acquireSlowly(ctx context.Context, name string, keep bool) (*entry, error) {
	turn := false // it waited for room, and it is its turn
	h.mu.Lock()
	for {
		if err := h.refuse(name); err != nil {
			h.pass(turn)
			return nil, err
		}
		e := h.entries[name]
		mayTake := turn || h.waiting.Len() == 0 && h.turns < h.room()
		switch {
		case e != nil && e.busy == nil:
			h.use(e)
			h.pass(turn)
			return e, nil
		case e != nil:
			busy := e.busy
			h.pass(turn)
			turn = false
			if err := h.await(ctx, busy); err != nil {
				return nil, err
			}
			if e.failed != nil {
				return nil, e.failed
			}
			h.mu.Lock()
		case !keep || mayTake && h.open < h.limit:
			e = h.insert(name, keep)
			h.endTurn(turn)
			h.mu.Unlock()
			return h.load(e)
		case mayTake && h.idle.Len() > 0:
			h.evict()
		default:
			room := h.queue(turn)
			h.mu.Unlock()
			if err := h.await(ctx, room); err != nil {
				h.leave(room)
				return nil, err
			}
			turn = true
			h.mu.Lock()
		}
	}
}

// room is the number of databases that could be opened now, evictions counted.
func (h *handles) room() int { return h.limit - h.open + h.idle.Len() }

// queue returns a channel that is closed when there is room. Who has the turn
// and found the room taken again stays the first.
func (h *handles) queue(turn bool) chan struct{} {
	room := make(chan struct{})
	if turn {
		h.turns--
		h.waiting.PushFront(room)
	} else {
		h.waiting.PushBack(room)
	}
	return room
}

func (h *handles) endTurn(turn bool) {
	if turn {
		h.turns--
	}
	h.rouse()
}

// pass gives a turn that was not used to the next, and unlocks.
func (h *handles) pass(turn bool) {
	h.endTurn(turn)
	h.mu.Unlock()
}

func (h *handles) await(ctx context.Context, wait <-chan struct{}) error {
	select {
	case <-wait:
		return nil
	case <-ctx.Done():
		return unavailable(context.Cause(ctx))
	}
}

// refuse says why a name cannot be opened.
func (h *handles) refuse(name string) error {
	if h.closed {
		return errClosed()
	}
	if h.retired.Has(name) {
		return store.ErrRetired
	}
	if _, ok := h.moving[name]; ok {
		return store.ErrRetired
	}
	return nil
}

func (h *handles) insert(name string, counted bool) *entry {
	e := &entry{name: name, busy: make(chan struct{}), counted: counted}
	h.entries[name] = e
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
func (h *handles) load(e *entry) (*entry, error) {
	err := h.engine.load(e)
	h.mu.Lock()
	if refused := h.refuse(e.name); err == nil && refused != nil {
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
	h.remove(e)
	h.rouse()
}

func (h *handles) remove(e *entry) {
	delete(h.entries, e.name)
	if e.counted {
		h.open--
	}
	close(e.busy)
}

// release takes one user from an entry.
func (h *handles) release(e *entry) {
	h.mu.Lock()
	e.users--
	if e.users > 0 || e.busy != nil || h.entries[e.name] != e { // in use, or closed by close
		h.mu.Unlock()
		return
	}
	if e.drained != nil {
		close(e.drained)
		e.drained = nil
	}
	if !h.closed && e.counted && h.open <= h.limit {
		e.spare = h.idle.PushBack(e)
		h.rouse()
		h.mu.Unlock()
		return
	}
	e.busy = make(chan struct{})
	h.mu.Unlock()
	h.finish(e)
}

// evict closes the database unused for the longest time. It is called with mu
// held, and gives it up while it closes.
func (h *handles) evict() {
	e, ok := h.idle.Front().Value.(*entry)
	if !ok {
		panic("sqlite: the list of idle handles holds something else")
	}
	h.seize(e)
	h.mu.Unlock()
	h.shut(e)
	h.mu.Lock()
	h.remove(e) // and the room is the caller's
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
	h.shut(e)
	h.mu.Lock()
	h.discard(e)
	h.mu.Unlock()
}

func (h *handles) shut(e *entry) {
	if err := e.db.close(); err != nil {
		h.engine.log.Error("closing a portal's database failed", "database", e.name, "error", err)
	}
}

// rouse gives those who wait for room their turns, first come first. Room
// that a turn was given for is not a newcomer's, even before it is used.
func (h *handles) rouse() {
	for h.waiting.Len() > 0 && h.turns < h.room() {
		if room, ok := h.waiting.Remove(h.waiting.Front()).(chan struct{}); ok {
			h.turns++
			close(room)
		}
	}
}

// leave takes a waiter out of the queue, or passes on the turn that it got
// while it gave up.
func (h *handles) leave(room chan struct{}) {
	h.mu.Lock()
	for at := h.waiting.Front(); at != nil; at = at.Next() {
		if at.Value == any(room) {
			h.waiting.Remove(at)
			h.mu.Unlock()
			return
		}
	}
	h.pass(true)
}

// forget closes an entry that nobody uses, so that the next use opens it anew.
func (h *handles) forget(e *entry) {
	h.mu.Lock()
	if h.entries[e.name] != e || e.spare == nil {
		h.mu.Unlock()
		return
	}
	h.seize(e)
	h.mu.Unlock()
	h.finish(e)
}

// claim makes a name the caller's alone: it waits until nobody uses its
// database, and closes that. Only ctx bounds the wait.
func (h *handles) claim(ctx context.Context, name string) (*entry, error) {
	for {
		h.mu.Lock()
		if h.closed {
			h.mu.Unlock()
			return nil, errClosed()
		}
		e := h.entries[name]
		var wait chan struct{}
		switch {
		case e == nil:
			e = h.insert(name, false)
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
		if err := h.await(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// peek returns the identity of a name that is open, or else the name as a
// claim, for a moment.
func (h *handles) peek(ctx context.Context, name string) (*entry, store.Identity, error) {
	for {
		h.mu.Lock()
		if h.closed {
			h.mu.Unlock()
			return nil, store.Identity{}, errClosed()
		}
		e := h.entries[name]
		switch {
		case e == nil:
			e = h.insert(name, false)
			h.mu.Unlock()
			return e, store.Identity{}, nil
		case e.busy == nil:
			defer h.mu.Unlock()
			return nil, e.id, nil
		}
		wait := e.busy
		h.mu.Unlock()
		if err := h.await(ctx, wait); err != nil {
			return nil, store.Identity{}, err
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
func (h *handles) retire(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.retired.Begin(name)
}

// gone notes that nothing is left of a retired name.
func (h *handles) gone(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.retired.End(name, func(name string) bool { return h.entries[name] != nil })
}

// absent says why a name without a file cannot be opened.
func (h *handles) absent(name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.refuse(name); err != nil {
		return err
	}
	return store.ErrAbsent
}

func (h *handles) isRetired(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.retired.Has(name)
}

// move refuses Opens of a name until the returned function is called.
func (h *handles) move(name string) (done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.moving[name] = struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.moving, name)
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
