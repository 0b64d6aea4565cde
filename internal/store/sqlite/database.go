package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/failpoint"
	"portico/internal/store"
)

// patience bounds every wait for something that others hold: a handle, a
// connection, the end of a recovery.
const patience = 5 * time.Second

// database is one file with its connections: a writer and a few readers, each
// opened when first needed. It implements store.Database.
type database struct {
	name    string // for messages
	rel     string // in the data folder
	path    string
	profile profile
	sync    string // PRAGMA synchronous
	pool    *sql.DB
	points  *failpoint.Set
	reserve *reserve // of the registry; nil otherwise

	slots chan struct{} // one for each reader that is not at work
	done  chan struct{} // closed when the database is closing

	mu   sync.Mutex
	idle []*conn // readers that wait for work; the last one's pages are warm

	writer writer

	// suspect is set when a write or a sync failed. No transaction begins
	// until recover has read the file through on new connections.
	suspect    atomic.Bool
	recovering sync.Mutex
}

func newDatabase(name, rel string, p profile, e *Engine) *database {
	d := &database{
		name: name, rel: rel, path: e.folder.abs(rel), profile: p, sync: e.synchronous, pool: e.pool, points: e.points,
		slots: make(chan struct{}, p.readers), done: make(chan struct{}),
	}
	for range p.readers {
		d.slots <- struct{}{}
	}
	d.writer.db, d.writer.budget = d, batchTime
	d.writer.rest.L = &d.writer.mu
	return d
}

// View implements store.Database.
func (d *database) View(ctx context.Context, fn func(store.SQL) error) error {
	return d.read(ctx, func(c *conn) (healthy bool, err error) {
		if err := c.link.run("BEGIN"); err != nil {
			return false, err
		}
		err = c.transact(ctx, fn)
		if spoils(codeOf(c.link.rules.Failed)) {
			return false, err
		}
		return c.link.run("ROLLBACK") == nil, err
	})
}

// Look implements store.Database. The statement begins a transaction, and the
// end of its rows ends it.
func (d *database) Look(ctx context.Context, fn func(store.SQL) error) error {
	return d.read(ctx, func(c *conn) (healthy bool, err error) {
		err = c.look(ctx, fn)
		return !spoils(codeOf(c.link.rules.Failed)), err
	})
}

// read runs fn on a reader, which it says whether it is fit for another.
func (d *database) read(ctx context.Context, fn func(c *conn) (healthy bool, err error)) error {
	c, err := d.reader(ctx)
	if err != nil {
		return err
	}
	healthy := false
	defer func() { d.giveBack(c, healthy) }()
	healthy, err = fn(c)
	return err
}

// reader returns a read-only connection, waiting until one is free.
func (d *database) reader(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, unavailable(context.Cause(ctx))
	}
	if d.suspect.Load() {
		if err := d.recover(ctx); err != nil {
			return nil, err
		}
	}
	select {
	case <-d.slots:
	case <-d.done:
		return nil, errClosed()
	case <-ctx.Done():
		return nil, unavailable(context.Cause(ctx))
	}
	if c := d.takeIdle(); c != nil { // before a new one
		return c, nil
	}
	c, err := d.dial(false)
	if err != nil {
		d.slots <- struct{}{}
	}
	return c, err
}

// takeIdle returns the reader that waits for the shortest time, nil if none
// does. The caller has a slot.
func (d *database) takeIdle() *conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := len(d.idle) - 1
	if last < 0 {
		return nil
	}
	c := d.idle[last]
	d.idle = d.idle[:last]
	return c
}

func (d *database) dial(write bool) (*conn, error) {
	return dial(d.pool, target{path: d.path, profile: d.profile, write: write, synchronous: d.sync})
}

// giveBack takes a reader back, and closes it when it is not fit for another
// transaction.
func (d *database) giveBack(c *conn, healthy bool) {
	if healthy {
		d.mu.Lock()
		d.idle = append(d.idle, c)
		d.mu.Unlock()
	} else {
		_ = c.close() // it only read
	}
	d.slots <- struct{}{}
}

// Update implements store.Database.
func (d *database) Update(ctx context.Context, fn func(store.SQL) error) error {
	if err := ctx.Err(); err != nil {
		return unavailable(context.Cause(ctx))
	}
	if err := d.admit(ctx); err != nil {
		return err
	}
	return d.writer.update(ctx, fn)
}

// admit refuses updates that only take space while there is none.
func (d *database) admit(ctx context.Context) error {
	if d.reserve == nil || store.HasReserve(ctx) || !d.reserve.low() {
		return nil
	}
	return store.StorageFull(errors.New("sqlite: low on space, only what frees space runs"))
}

// drain takes every reader out of use and closes it. It waits for those at
// work. What it took is given back by restock.
func (d *database) drain(ctx context.Context) (taken int, err error) {
	for taken < d.profile.readers {
		select {
		case <-d.slots:
		case <-ctx.Done():
			return taken, unavailable(context.Cause(ctx))
		}
		if c := d.takeIdle(); c != nil {
			_ = c.close() // it only read
		}
		taken++
	}
	return taken, nil
}

func (d *database) restock(taken int) {
	for range taken {
		d.slots <- struct{}{}
	}
}

// recover reopens a suspect database: what the kernel still has in memory is
// no proof of what is on the disk, so the file is read through before any
// transaction begins. The writer's connection is closed already.
func (d *database) recover(ctx context.Context) error {
	d.recovering.Lock()
	defer d.recovering.Unlock()
	if !d.suspect.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	taken, err := d.drain(ctx)
	defer d.restock(taken)
	if err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	d.suspect.Store(false)
	return nil
}

// check reads the file through on a connection of its own.
func (d *database) check() error {
	c, err := d.dial(false)
	if err != nil {
		return err
	}
	return errors.Join(quickCheck(c), c.close())
}

func quickCheck(c *conn) error {
	var verdict string
	if err := c.query(`PRAGMA quick_check(1)`, &verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", store.ErrDamaged, verdict)
	}
	return nil
}

// close waits for the transactions under way, refuses those that wait, and
// closes the connections: readers first, so that the writer's end writes the
// WAL back and removes it.
func (d *database) close() error {
	close(d.done)
	_, _ = d.drain(context.Background()) // ends: it keeps every slot that it takes
	return d.writer.close()
}

func errClosed() error { return unavailable(errors.New("sqlite: the database is closed")) }
