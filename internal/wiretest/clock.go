package wiretest

import (
	"sync"
	"time"

	"portico/internal/node"
)

// Clock is a clock that a test moves. Between moves it runs, or stands still.
type Clock struct {
	mu     sync.Mutex
	offset time.Duration
	at     time.Time // set: the clock stands still here
}

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() {
		return c.at
	}
	return time.Now().Add(c.offset)
}

// Move moves the clock on, or back.
func (c *Clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() {
		c.at = c.at.Add(d)
		return
	}
	c.offset += d
}

// Stop makes the clock stand still at a time.
func (c *Clock) Stop(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// Setup makes a server go by the clock.
func (c *Clock) Setup(_ *node.Config, o *node.Options) { o.Now = c.Now }
