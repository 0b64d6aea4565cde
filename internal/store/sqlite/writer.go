package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"portico"
	"portico/internal/store"
)

// The bounds of what shares one commit: closures, and how long they may have
// taken when another one is begun.
const (
	batchLimit = 64
	batchTime  = 100 * time.Millisecond
)

// writer runs the updates of one database on its one writing connection, and
// commits those that wait together: a commit costs a sync of the disk, however
// much is in it. Whoever comes while no one leads becomes the leader, runs
// what is queued up to batchLimit in order of arrival, commits once, and hands
// over to the first who came meanwhile. No goroutine and no timer is needed:
// the batch is what queued up during the commit before.
type writer struct {
	db *database

	mu      sync.Mutex
	rest    sync.Cond // signalled when no one leads any more
	queue   []*call   // the leader's own call is its first
	leading bool
	closed  bool

	budget time.Duration // of a batch; batchTime
	conn   *conn         // the leader's; nil until needed
}

// call is one Update.
type call struct {
	ctx   context.Context
	fn    func(store.SQL) error
	wake  chan struct{} // of one that waits: it is settled, or is to lead
	lead  bool          // guarded by writer.mu
	later bool          // left over for the next batch
	err   error
	panic any // what fn panicked with
}

// update queues the call and returns when it is settled.
func (w *writer) update(ctx context.Context, fn func(store.SQL) error) error {
	c := &call{ctx: ctx, fn: fn}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return errClosed()
	}
	w.queue = append(w.queue, c)
	if w.leading {
		c.wake = make(chan struct{}, 1)
		w.mu.Unlock()
		w.wait(c)
	} else {
		w.leading, c.lead = true, true
		w.mu.Unlock()
	}
	if c.lead {
		w.leadOn()
	}
	if c.panic != nil {
		panic(c.panic)
	}
	return c.err
}

// wait returns when c is settled or is to lead.
func (w *writer) wait(c *call) {
	select {
	case <-c.wake:
		return
	case <-c.ctx.Done():
	}
	w.mu.Lock()
	at := slices.Index(w.queue, c)
	if at >= 0 && !c.lead {
		w.queue = slices.Delete(w.queue, at, at+1)
		c.err = unavailable(context.Cause(c.ctx))
	}
	w.mu.Unlock()
	if at < 0 || c.lead { // it runs, or the lead was handed to it just now
		<-c.wake
	}
}

// leadOn runs one batch and hands the lead over.
func (w *writer) leadOn() {
	w.mu.Lock()
	batch := slices.Clone(w.queue[:min(len(w.queue), batchLimit)])
	w.queue = slices.Delete(w.queue, 0, len(batch))
	w.mu.Unlock()

	finished := false
	defer func() {
		if !finished { // a closure ended its goroutine, which happens to be ours
			w.abandon(batch)
		}
		var later []*call
		for _, c := range batch {
			switch {
			case c.later:
				later = append(later, c)
			case c.wake != nil && !c.lead:
				c.wake <- struct{}{}
			}
		}
		w.handOver(later)
	}()
	w.settle(batch)
	finished = true
}

func (w *writer) handOver(later []*call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range later {
		c.later = false
	}
	w.queue = append(later, w.queue...)
	if w.closed {
		for _, c := range w.queue {
			c.err = errClosed()
			c.wake <- struct{}{}
		}
		w.queue = nil
	}
	if len(w.queue) == 0 {
		w.leading = false
		w.rest.Broadcast()
		return
	}
	w.queue[0].lead = true
	w.queue[0].wake <- struct{}{}
}

// settle gives every call of the batch its outcome.
func (w *writer) settle(batch []*call) {
	live := make([]*call, 0, len(batch))
	for _, c := range batch {
		if c.ctx.Err() != nil {
			c.err = unavailable(context.Cause(c.ctx))
		} else {
			live = append(live, c)
		}
	}
	if len(live) == 0 {
		return
	}
	ran, err := w.run(live)
	again := ran > 1 // what one of them broke, the others can do without it
	if ran > 0 {
		for _, c := range live[ran:] {
			c.later = true
		}
		live = live[:ran]
	}
	if err == nil {
		return
	}
	// Nothing of the batch is known to have happened, what a closure returned
	// included: it may have seen rows of a neighbour that are gone now.
	if isFull(err) && w.db.reserve != nil {
		if !w.db.reserve.release() {
			w.shrink() // the reserve is used up
		}
		again = true
	}
	if w.db.suspect.Load() {
		again = false
	}
	for _, c := range live {
		c.panic = nil
		if c.err = err; !again {
			continue
		}
		if c.err = w.db.admit(c.ctx); c.err == nil {
			c.err = w.rerun(c)
		}
	}
}

// rerun runs a call alone. A nil result means that it has its outcome.
func (w *writer) rerun(c *call) error {
	_, err := w.run([]*call{c})
	if err == nil {
		err = c.err
	}
	return err
}

// run runs the calls, or as many as there is time for, in one transaction. A
// nil error means that each call that ran has its outcome; an error, that the
// transaction came to nothing as a whole; before any ran, if ran is zero.
func (w *writer) run(batch []*call) (ran int, err error) {
	if err := w.ready(batch[0].ctx); err != nil {
		return 0, err
	}
	if err := w.conn.link.run("BEGIN IMMEDIATE"); err != nil {
		return 0, w.giveUp(err)
	}
	began, worth := time.Now(), false // worth committing
	for ran < len(batch) && (ran == 0 || time.Since(began) < w.budget) {
		kept, err := w.runOne(batch[ran], len(batch) > 1)
		ran++
		if err != nil {
			return ran, w.giveUp(err)
		}
		worth = worth || kept
	}
	if !worth {
		if err := w.conn.link.run("ROLLBACK"); err != nil {
			return ran, w.giveUp(err)
		}
		return ran, nil
	}
	return ran, w.commit(batch[0].ctx)
}

func (w *writer) commit(ctx context.Context) error {
	if err := w.db.points.Hit(ctx, FailCommitBefore); err != nil {
		return w.giveUp(err)
	}
	if err := w.conn.link.run("COMMIT"); err != nil {
		return w.giveUp(err)
	}
	if err := w.db.points.Hit(ctx, FailCommitAfter); err != nil {
		w.distrust()
		return unavailable(err)
	}
	return nil
}

// runOne runs one closure. kept means that its changes stand in the
// transaction; an error, that SQLite may have ended the transaction.
func (w *writer) runOne(c *call, shared bool) (kept bool, err error) {
	if shared {
		if err := w.conn.link.run("SAVEPOINT one"); err != nil {
			return false, err
		}
	}
	c.err = nil
	w.protect(c)
	if failed := w.conn.link.rules.Failed; spoils(codeOf(failed)) {
		return false, failed
	}
	kept = c.err == nil && c.panic == nil
	if !shared {
		return kept, nil
	}
	if !kept {
		if err := w.conn.link.run("ROLLBACK TO one"); err != nil {
			return false, err
		}
	}
	return kept, w.conn.link.run("RELEASE one")
}

// protect keeps the panic of a closure for the goroutine that brought it.
func (w *writer) protect(c *call) {
	defer func() { c.panic = recover() }()
	c.err = w.conn.transact(context.Background(), c.fn)
}

// ready opens the connection, and recovers the database if it must.
func (w *writer) ready(ctx context.Context) error {
	if w.db.suspect.Load() {
		if err := w.db.recover(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	if w.conn != nil {
		return nil
	}
	c, err := w.db.dial(true)
	if err != nil {
		return err
	}
	w.conn = c
	return nil
}

// giveUp ends a transaction that failed and returns the error for its calls.
// After an I/O error nothing is tried again on the same connection: the
// database counts as suspect.
func (w *writer) giveUp(cause error) error {
	err := w.db.explain(cause)
	if unsure(codeOf(cause)) {
		w.distrust()
	} else if rollback := w.conn.link.run("ROLLBACK"); rollback != nil || readOnly(codeOf(cause)) {
		w.drop() // SQLite rolled back already, or cannot; or another connection may be allowed to write
	}
	switch portico.KindOf(err) {
	case portico.KindUnavailable, portico.KindStorageFull:
		return err
	}
	if errors.Is(err, store.ErrDamaged) {
		return err
	}
	return unavailable(fmt.Errorf("sqlite: %s: %w", w.db.name, err))
}

// shrink gives the room of the write-ahead log back, once what is in it stands
// in the database's file, where most of its pages have their room already. So
// deleting goes on when the reserve is used up. It may come to nothing: nothing
// is lost by that.
func (w *writer) shrink() {
	if err := w.ready(context.Background()); err != nil {
		return // and so says the next update
	}
	var busy, frames, written int
	if err := w.conn.query("PRAGMA wal_checkpoint(TRUNCATE)", &busy, &frames, &written); err != nil {
		w.db.reserve.log.Warn("the write-ahead log could not be given up", "database", w.db.name, "error", err)
		if unsure(codeOf(w.conn.link.rules.Failed)) {
			w.distrust()
		}
	}
}

func (w *writer) distrust() {
	w.db.suspect.Store(true)
	w.drop()
}

func (w *writer) drop() {
	if w.conn != nil {
		_ = w.conn.close() // its transaction failed, which is being reported
		w.conn = nil
	}
}

// abandon ends a batch whose leader is being ended by runtime.Goexit.
func (w *writer) abandon(batch []*call) {
	w.drop()
	for _, c := range batch {
		c.panic = nil
		c.err = unavailable(errors.New("sqlite: a transaction's function ended its goroutine"))
	}
}

// close waits for the leader and closes the connection.
func (w *writer) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for w.leading {
		w.rest.Wait()
	}
	if w.conn == nil {
		return nil
	}
	err := w.conn.close()
	w.conn = nil
	return err
}
