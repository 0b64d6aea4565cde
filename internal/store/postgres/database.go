package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"portico"
	"portico/internal/failpoint"
	"portico/internal/store"
)

// patience bounds every wait for something that others hold.
const patience = 5 * time.Second

// idleLife is how long a connection that nobody uses is kept.
const idleLife = 60 * time.Second

// updateAttempts is how often an update is run that collides with others. From
// the second time on it runs alone, so that more than two are rare.
const updateAttempts = 5

// The beginnings of transactions, one round trip each. An update reads and
// writes as if it were alone: what the rules above check and then change
// must not be changed by another between. PostgreSQL lets updates run side by
// side and refuses one of two that could not have run one after the other;
// that one is run again, with the turn to itself. A lock of a table is taken
// before the transaction's snapshot, so what it sees is what it waited for.
const (
	beginView   = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	beginUpdate = "BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE %s IN ROW SHARE MODE"
	beginAlone  = "BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE %s IN EXCLUSIVE MODE"
)

// askTime, in the same round trip, is what leases are measured by: the one
// clock that all nodes share.
const askTime = "; SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint"

// database is one PostgreSQL database with a small pool of connections, each
// opened when first needed. It implements store.Database.
type database struct {
	name   string
	pool   *sql.DB
	most   int    // connections in the pool
	turn   string // the table whose lock is the turn: every database of ours has it
	clock  bool   // transactions carry the server's time
	points *failpoint.Set
	gone   atomic.Bool // the server says that there is no such database

	mu     sync.Mutex
	closed bool
	active sync.WaitGroup // transactions under way
}

func newDatabase(c *connector, turn string, most int, points *failpoint.Set) *database {
	pool := sql.OpenDB(c)
	pool.SetMaxOpenConns(most)
	pool.SetMaxIdleConns(most)
	pool.SetConnMaxIdleTime(idleLife)
	return &database{name: c.database, pool: pool, most: most, turn: turn, points: points}
}

// View implements store.Database.
func (d *database) View(ctx context.Context, fn func(store.SQL) error) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.active.Done()
	c, err := d.begin(ctx, beginView)
	if err != nil {
		return err
	}
	defer c.finish()
	return c.transact(ctx, fn)
}

// Look implements store.Database. The statement begins and ends a transaction
// of its own, in one round trip.
func (d *database) Look(ctx context.Context, fn func(store.SQL) error) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.active.Done()
	c, err := d.reach(ctx, func(c *conn) error { return c.look(ctx, fn) })
	if err == nil {
		c.finish()
	}
	return err
}

// Update implements store.Database.
func (d *database) Update(ctx context.Context, fn func(store.SQL) error) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.active.Done()
	again, err := d.updateOnce(ctx, fmt.Sprintf(beginUpdate, d.turn), fn)
	begun := context.WithoutCancel(ctx) // fn has
	for attempt := 1; again && attempt < updateAttempts; attempt++ {
		again, err = d.updateOnce(begun, fmt.Sprintf(beginAlone, d.turn), fn)
	}
	return err
}

// updateOnce runs fn in a transaction. again means that it came to nothing
// only because of another.
func (d *database) updateOnce(ctx context.Context, begin string, fn func(store.SQL) error) (again bool, err error) {
	c, err := d.begin(ctx, begin)
	if err != nil {
		return collided(codeOf(err)), err
	}
	defer c.finish()
	err = c.transact(context.Background(), fn)
	if failed := c.link.rules.Failed; collided(codeOf(failed)) {
		return true, errors.Join(unavailable(failed), err)
	}
	if err != nil {
		return false, err
	}
	if err := d.points.Hit(ctx, FailCommitBefore); err != nil {
		return false, unavailable(err)
	}
	tag, err := c.link.run("COMMIT")
	if err == nil && tag != "COMMIT" {
		err = fmt.Errorf("postgres: a commit ended as %s", tag)
	}
	if err != nil {
		return collided(codeOf(err)), commitFailed(err)
	}
	if err := d.points.Hit(ctx, FailCommitAfter); err != nil {
		return false, unavailable(err)
	}
	return false, nil
}

// commitFailed is the error of a commit whose outcome counts as unknown.
func commitFailed(err error) error {
	switch portico.KindOf(err) {
	case portico.KindUnavailable, portico.KindStorageFull:
		return err
	}
	return unavailable(err)
}

// begin takes a connection and begins a transaction on it.
func (d *database) begin(ctx context.Context, text string) (*conn, error) {
	return d.reach(ctx, func(c *conn) error { return d.open(c, text) })
}

// reach returns a connection on which first succeeded. One that the pool kept
// and that turns out to be lost is no reason to fail: first runs on another.
func (d *database) reach(ctx context.Context, first func(*conn) error) (*conn, error) {
	for range d.most + 1 {
		c, err := dial(ctx, d.pool)
		if err != nil {
			d.notice(err)
			return nil, err
		}
		again, err := c.try(first)
		if err == nil {
			return c, nil
		}
		if !again {
			d.notice(err)
			return nil, err
		}
	}
	return nil, unavailable(fmt.Errorf("postgres: %s: connections are lost as soon as they are made", d.name))
}

// open runs the beginning of a transaction on a connection.
func (d *database) open(c *conn, text string) error {
	if !d.clock {
		_, err := c.link.run(text)
		return err
	}
	_, value, err := c.link.ask(text + askTime)
	if err != nil {
		return err
	}
	us, err := strconv.ParseInt(value, 10, 64)
	c.link.rules.Now = time.UnixMicro(us).UTC()
	return err
}

// notice remembers that the database is not there any more.
func (d *database) notice(err error) {
	if errors.Is(err, store.ErrAbsent) {
		d.gone.Store(true)
	}
}

func (d *database) enter(ctx context.Context) error {
	if ctx.Err() != nil {
		return unavailable(context.Cause(ctx))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errClosed()
	}
	d.active.Add(1)
	return nil
}

// close refuses new transactions, waits for those under way and closes the
// connections.
func (d *database) close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.active.Wait()
	return d.pool.Close()
}
