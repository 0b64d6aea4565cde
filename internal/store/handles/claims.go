package handles

import (
	"context"

	"portico/internal/store"
)

// Claim makes a place the caller's alone, until it calls the function that
// comes back. It waits until nobody uses the database, and closes that. Only
// ctx bounds the wait.
func (c *Cache[D]) Claim(ctx context.Context, at store.Place) (done func(), err error) {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, errClosed()
		}
		e := c.entries[at]
		var wait chan struct{}
		switch {
		case e == nil:
			defer c.mu.Unlock()
			return c.claim(at), nil
		case e.busy != nil:
			wait = e.busy
		case e.users > 0:
			if e.drained == nil {
				e.drained = make(chan struct{})
			}
			wait = e.drained
		default:
			c.seize(e)
			c.mu.Unlock()
			c.finish(e)
			continue
		}
		c.mu.Unlock()
		if err := await(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// claim makes a place that nobody has the caller's.
func (c *Cache[D]) claim(at store.Place) (done func()) {
	e := c.insert(at, false)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.discard(e)
	}
}

// Peek returns the database of a place if that is open. If not, done is not
// nil: the place is the caller's until it calls that.
func (c *Cache[D]) Peek(ctx context.Context, at store.Place) (database D, done func(), err error) {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return database, nil, errClosed()
		}
		e := c.entries[at]
		if e == nil || e.busy == nil {
			defer c.mu.Unlock()
			if e == nil {
				return database, c.claim(at), nil
			}
			return e.Database, nil, nil
		}
		wait := e.busy
		c.mu.Unlock()
		if err := await(ctx, wait); err != nil {
			return database, nil, err
		}
	}
}

// Retire refuses every later Acquire of a name, in whatever place.
func (c *Cache[D]) Retire(at store.Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retired.begin(at.Name)
}

// Gone notes that nothing is left of a retired name.
func (c *Cache[D]) Gone(at store.Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retired.end(at.Name, c.named)
}

// named reports whether something has a name in its hands.
func (c *Cache[D]) named(name string) bool {
	for at := range c.entries {
		if at.Name == name {
			return true
		}
	}
	return false
}

// Retired reports whether a name was given up in this process's life.
func (c *Cache[D]) Retired(at store.Place) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.retired.has(at.Name)
}

// Refused says why a place cannot be opened whatever is there, if it cannot.
func (c *Cache[D]) Refused(at store.Place) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refuse(at)
}

// Move refuses to open a place until the returned function is called.
func (c *Cache[D]) Move(at store.Place) (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moving[at] = struct{}{}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.moving, at)
	}
}
