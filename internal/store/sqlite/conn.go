package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"modernc.org/sqlite"

	"portico/internal/store"
	"portico/internal/store/transaction"
)

// profile is how connections to one sort of database are set up.
type profile struct {
	readers    int // most read-only connections
	statements int // most compiled statements on a connection
	cacheKiB   int // most page cache on a connection
	checkpoint int // pages of WAL after which it is written back
}

var (
	registryProfile = profile{readers: 4, statements: 256, cacheKiB: 4096, checkpoint: 1000}
	portalProfile   = profile{readers: 2, statements: 32, cacheKiB: 128, checkpoint: 256}
)

// target is what a connection is opened to.
type target struct {
	path        string
	memory      bool // in the place of path
	profile     profile
	write       bool
	synchronous string
}

// dsn returns the driver's name for the target. It never creates a file.
func (t target) dsn() string {
	pragmas := []string{
		"busy_timeout(5000)",
		"synchronous(" + t.synchronous + ")",
		"foreign_keys(0)",
		"temp_store(2)",
		"trusted_schema(0)",
		"cell_size_check(1)",
		"mmap_size(0)",
		fmt.Sprintf("cache_size(-%d)", t.profile.cacheKiB),
		fmt.Sprintf("wal_autocheckpoint(%d)", t.profile.checkpoint),
		fmt.Sprintf("journal_size_limit(%d)", t.profile.checkpoint*4096),
	}
	if !t.write {
		pragmas = append(pragmas, "query_only(1)")
	}
	address, mode := "file:"+(&url.URL{Path: t.path}).EscapedPath(), "rw"
	if t.memory {
		address, mode = "file::memory:", "memory"
	}
	// One parameter holds them all: each parameter costs a statement's parsing
	// of the whole address.
	return address + "?mode=" + mode + "&_dqs=0&_defensive=1&_pragma=" + url.QueryEscape(strings.Join(pragmas, ";PRAGMA "))
}

// connector opens the connection that the context asks for, so that one
// sql.DB, which keeps none itself, serves every database of an engine.
type connector struct{}

type targetKey struct{}

// Connect implements driver.Connector.
func (connector) Connect(ctx context.Context) (driver.Conn, error) {
	t, ok := ctx.Value(targetKey{}).(target)
	if !ok {
		return nil, errors.New("sqlite: a connection without a target")
	}
	c, err := sqlite.NewConnector(t.dsn())
	if err != nil {
		return nil, err
	}
	inner, err := c.Connect(context.Background())
	if err != nil {
		return nil, translate(err)
	}
	return newLink(inner, t.profile.statements)
}

// Driver implements driver.Connector; nothing uses it.
func (connector) Driver() driver.Driver { return nil }

func newPool() *sql.DB {
	db := sql.OpenDB(connector{})
	db.SetMaxIdleConns(-1) // a connection ends when its owner closes it
	return db
}

// conn is a connection with one owner at a time.
type conn struct {
	sql  *sql.Conn
	link *link
}

func dial(pool *sql.DB, t target) (*conn, error) {
	c, err := pool.Conn(context.WithValue(context.Background(), targetKey{}, t))
	if err != nil {
		return nil, err
	}
	l, err := transaction.Link[*link](c)
	if err != nil {
		return nil, err
	}
	return &conn{sql: c, link: l}, nil
}

func (c *conn) close() error { return c.sql.Close() }

// transact runs fn between begin and the caller's end of the transaction.
func (c *conn) transact(ctx context.Context, fn func(store.SQL) error) error {
	return c.link.rules.Run(ctx, c.sql, fn)
}

// look is transact for one SELECT, which needs no begin.
func (c *conn) look(ctx context.Context, fn func(store.SQL) error) error {
	return c.link.rules.Look(ctx, c.sql, fn)
}

// query scans the one row that a statement of our own returns.
func (c *conn) query(text string, dest ...any) error {
	return c.transact(context.Background(), func(q store.SQL) error { return q.QueryRow(text).Scan(dest...) })
}
