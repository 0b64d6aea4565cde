// Package transaction runs one transaction at a time on a connection of
// database/sql, and holds it to the rules that every engine has: rows are closed
// before the next statement; after a statement that failed there is no other;
// and nothing runs once the transaction is over.
//
// It imports store; never an engine. How a transaction begins and ends is the
// engine's.
//
// Start with Rules, which an engine's driver connection embeds.
package transaction

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"portico/internal/store"
)

// Mistakes of the code that uses a transaction.
var (
	errRowsOpen = errors.New("transaction: the rows of the statement before are still open")
	errOver     = errors.New("transaction: it is over")
	errLook     = errors.New("transaction: a look is one SELECT")
)

// Rules is what a driver connection knows of its transaction. It belongs to one
// goroutine at a time.
type Rules struct {
	// Failed is what the transaction failed with, nil as long as it may go on.
	Failed error

	// Now is the time of the engine's clock when the transaction began; zero:
	// not asked for.
	Now time.Time

	translate func(error) error
	ctx       context.Context // of a View; of anything else one that never ends
	look      bool            // one SELECT is all
	looked    bool            // and there it was
	open      *Rows
}

// NewRules returns the rules of a connection. translate says what an error of
// the driver's is to callers.
func NewRules(translate func(error) error) Rules {
	return Rules{translate: translate, ctx: context.Background()}
}

// Fail notes that a statement failed, and returns what that is to callers.
func (r *Rules) Fail(err error) error {
	r.Failed = r.translate(err)
	return r.Failed
}

// Check says why there must be no statement of the text now. ctx is the
// statement's.
func (r *Rules) Check(ctx context.Context, text string) error {
	if ctx.Err() != nil { // how a finished transaction is told apart
		return errOver
	}
	if r.Failed == nil && r.open != nil {
		r.Failed = errRowsOpen
	}
	if r.Failed == nil && r.ctx.Err() != nil {
		r.Failed = store.Unavailable(context.Cause(r.ctx))
	}
	if r.Failed == nil && r.look {
		if r.looked || !strings.HasPrefix(text, "SELECT ") {
			r.Failed = errLook
		}
		r.looked = true
	}
	return r.Failed
}

// Rows returns the rows of a statement as ones that keep the rules. after is
// called when they are closed, unless it is nil.
func (r *Rules) Rows(rows driver.Rows, after func()) *Rows {
	r.open = &Rows{Rows: rows, rules: r, after: after}
	return r.open
}

// Rows are the rows of the one statement that runs on a connection.
type Rows struct {
	driver.Rows
	rules *Rules
	after func()
}

// Next implements driver.Rows.
func (r *Rows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return r.rules.Fail(err)
}

// Close implements driver.Rows. What the statement failed with was reported by
// the call that met it.
func (r *Rows) Close() error {
	if r.rules.open == r {
		r.rules.open = nil
	}
	err := r.Rows.Close()
	if r.after != nil {
		r.after()
	}
	if err != nil && r.rules.Failed == nil {
		return r.rules.Fail(err)
	}
	return nil
}

// Link returns the driver connection, an L, below one of database/sql, which it
// closes if that is another.
func Link[L any](c *sql.Conn) (L, error) {
	var link L
	err := c.Raw(func(raw any) error {
		var ok bool
		if link, ok = raw.(L); !ok {
			return fmt.Errorf("transaction: the driver's connection is a %T", raw)
		}
		return nil
	})
	if err != nil {
		err = errors.Join(err, c.Close())
	}
	return link, err
}

// Run runs fn between the engine's begin and its end of the transaction. It
// returns what fn returned, or the statement's error that fn hid. ctx ends the
// reading, between statements.
func (r *Rules) Run(ctx context.Context, c *sql.Conn, fn func(store.SQL) error) error {
	return r.run(ctx, c, false, fn)
}

// Look is Run for one SELECT, which is a transaction by itself.
func (r *Rules) Look(ctx context.Context, c *sql.Conn, fn func(store.SQL) error) error {
	return r.run(ctx, c, true, fn)
}

func (r *Rules) run(ctx context.Context, c *sql.Conn, look bool, fn func(store.SQL) error) error {
	r.ctx, r.Failed, r.look, r.looked = ctx, nil, look, false
	t := &statements{conn: c, rules: r, ctx: context.Background()}
	defer t.end()
	if err := fn(t); err != nil {
		return err
	}
	if r.open != nil {
		return errRowsOpen
	}
	return r.Failed
}

// statements implements store.SQL.
type statements struct {
	conn  *sql.Conn
	rules *Rules
	ctx   context.Context
	rows  *sql.Rows // of the last Query
	row   *sql.Row  // of the last QueryRow
}

// ServerNow implements store.Clocked.
func (s *statements) ServerNow() (time.Time, bool) { return s.rules.Now, !s.rules.Now.IsZero() }

// Exec implements store.SQL.
func (s *statements) Exec(query string, args ...any) (int64, error) {
	result, err := s.conn.ExecContext(s.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Query implements store.SQL.
func (s *statements) Query(query string, args ...any) (*sql.Rows, error) {
	rows, err := s.conn.QueryContext(s.ctx, query, args...)
	if err == nil {
		s.rows, s.row = rows, nil
	}
	return rows, err
}

// QueryRow implements store.SQL.
func (s *statements) QueryRow(query string, args ...any) *sql.Row {
	row := s.conn.QueryRowContext(s.ctx, query, args...)
	if row.Err() == nil {
		s.rows, s.row = nil, row
	}
	return row
}

// end closes rows that were left open, which would keep database/sql's lock on
// the connection, and makes every later use fail.
func (s *statements) end() {
	if s.rules.open != nil {
		if s.rows != nil {
			_ = s.rows.Close()
		}
		if s.row != nil {
			_ = s.row.Scan()
		}
	}
	s.ctx = over{s.ctx}
}

// over is the context of statements that come after their transaction's end.
type over struct{ context.Context }

// Err implements context.Context.
func (over) Err() error { return context.Canceled }
