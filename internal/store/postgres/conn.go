package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"portico/internal/store"
	"portico/internal/store/transaction"
)

// conn is a connection with one owner at a time.
type conn struct {
	sql  *sql.Conn
	link *link
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
	l, err := transaction.Link[*link](c)
	if err != nil {
		return nil, err
	}
	l.rules.Now = time.Time{}
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

// transact runs fn between begin and the caller's end of the transaction.
func (c *conn) transact(ctx context.Context, fn func(store.SQL) error) error {
	return c.link.rules.Run(ctx, c.sql, fn)
}

// look is transact for one SELECT, which needs no begin.
func (c *conn) look(ctx context.Context, fn func(store.SQL) error) error {
	return c.link.rules.Look(ctx, c.sql, fn)
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
