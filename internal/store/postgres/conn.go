package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"portico/internal/store"
)

// conn is a connection with one owner at a time.
type conn struct {
	sql  *sql.Conn
	link *link
	now  time.Time // the server's, when the transaction began; zero: not asked
}

// dial takes a connection of a pool. ctx ends the wait for it.
func dial(ctx context.Context, pool *sql.DB) (*conn, error) {
	c, err := pool.Conn(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, unavailable(context.Cause(ctx))
		}
		if translated := translate(err); translated != err { //nolint:errorlint // is it the same one
			return nil, translated
		}
		return nil, unavailable(err) // that of a closed pool has no type
	}
	var l *link
	err = c.Raw(func(raw any) error {
		var ok bool
		if l, ok = raw.(*link); !ok {
			return fmt.Errorf("postgres: %T is not a link", raw)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	l.start(context.Background())
	return &conn{sql: c, link: l}, nil
}

// finish takes back what is not committed and gives the connection back to its
// pool, which keeps it only when it is whole.
func (c *conn) finish() {
	if !c.link.inner.Conn().IsClosed() && !c.link.idle() {
		_, _ = c.link.run("ROLLBACK") // a connection on which it fails is not kept
	}
	_ = c.sql.Close() // fails when it was closed already
}

// transact runs fn between begin and the caller's end of the transaction. It
// returns what fn returned, or the statement's error that fn hid.
func (c *conn) transact(ctx context.Context, fn func(store.SQL) error) error {
	c.link.start(ctx)
	t := &tx{conn: c, ctx: context.Background()}
	defer t.end()
	if err := fn(t); err != nil {
		return err
	}
	if c.link.open != nil {
		return errRowsOpen
	}
	return c.link.failed
}

// look is transact for one statement, which needs no begin.
func (c *conn) look(ctx context.Context, fn func(store.SQL) error) error {
	return c.transact(ctx, func(q store.SQL) error {
		c.link.looking = new(store.Looking)
		return fn(q)
	})
}

// try runs the first thing on a connection and gives it back where that fails.
// again means that the connection was lost before.
func (c *conn) try(first func(*conn) error) (again bool, err error) {
	fresh, good := c.link.uses == 0, false
	c.link.uses++
	defer func() {
		if !good {
			c.finish()
		}
	}()
	err = first(c)
	good = err == nil
	silent := pgconn.Timeout(err) // the others would be too
	return !good && !fresh && !silent && c.link.inner.Conn().IsClosed(), err
}

// query scans the one row that a statement of our own returns.
func (c *conn) query(text string, args []any, dest ...any) error {
	return c.transact(context.Background(), func(q store.SQL) error { return q.QueryRow(text, args...).Scan(dest...) })
}

// tx implements store.SQL.
type tx struct {
	conn *conn
	ctx  context.Context
	rows *sql.Rows // of the last Query
	row  *sql.Row  // of the last QueryRow
}

// ServerNow implements store.Clocked.
func (t *tx) ServerNow() (time.Time, bool) { return t.conn.now, !t.conn.now.IsZero() }

// Exec implements store.SQL.
func (t *tx) Exec(query string, args ...any) (int64, error) {
	result, err := t.conn.sql.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Query implements store.SQL.
func (t *tx) Query(query string, args ...any) (*sql.Rows, error) {
	rows, err := t.conn.sql.QueryContext(t.ctx, query, args...)
	if err == nil {
		t.rows, t.row = rows, nil
	}
	return rows, err
}

// QueryRow implements store.SQL.
func (t *tx) QueryRow(query string, args ...any) *sql.Row {
	row := t.conn.sql.QueryRowContext(t.ctx, query, args...)
	if row.Err() == nil {
		t.rows, t.row = nil, row
	}
	return row
}

// end closes rows that were left open, which would keep the connection, and
// makes every later use fail.
func (t *tx) end() {
	if t.conn.link.open != nil {
		if t.rows != nil {
			_ = t.rows.Close()
		}
		if t.row != nil {
			_ = t.row.Scan()
		}
	}
	t.ctx = over{t.ctx}
}

// over is the context of statements that come after their transaction's end.
type over struct{ context.Context }

// Err implements context.Context.
func (over) Err() error { return context.Canceled }
