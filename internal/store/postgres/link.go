package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"portico"
	"portico/internal/store/transaction"
)

// statementLimit is how long a statement of a transaction may take. A server
// that does not answer for so long is as good as gone.
const statementLimit = 5 * time.Second

// link is one driver connection as database/sql sees it. It translates errors
// and holds one transaction to the rules that every engine has.
//
// A link belongs to one goroutine at a time. A caller's context never reaches
// the network: cancelling would cost the connection, and an update that began
// is not to be stopped.
type link struct {
	inner  *stdlib.Conn
	server *server
	at     *address      // that it was made to: the server may have another since
	limit  time.Duration // of a statement
	gate   *gate         // that it has a place of; nil for one that is not counted
	uses   int           // transactions begun
	rules  transaction.Rules
}

// connector opens links to one database of a server, wherever that is by now.
type connector struct {
	server     *server
	database   string
	role       string // empty: ours
	password   string // of another role
	statements int    // kept prepared
	counted    bool   // by the server's gate
}

func (c *connector) config() pgx.ConnConfig {
	config := c.server.address().config(c.database, c.statements)
	if c.role != "" {
		config.User, config.Password = c.role, c.password
	}
	return *config
}

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.counted {
		if err := c.server.gate.enter(ctx); err != nil {
			return nil, err
		}
	}
	l, err := c.dial(ctx)
	if err != nil {
		if c.counted {
			c.server.gate.leave()
		}
		return nil, err
	}
	return l, nil
}

func (c *connector) dial(ctx context.Context) (*link, error) {
	at := c.server.address()
	conn, err := c.connect(ctx, c.config())
	if codeOf(err) == codeUndefinedDatabase {
		conn, err = c.seek(ctx, err)
	}
	if err != nil {
		return nil, translate(err)
	}
	inner, ok := conn.(*stdlib.Conn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("postgres: %T is not the driver's connection", conn), conn.Close())
	}
	l := &link{inner: inner, server: c.server, at: at, limit: statementLimit}
	l.rules = transaction.NewRules(l.verdict)
	if c.counted {
		l.gate = c.server.gate
	}
	return l, nil
}

func (c *connector) connect(ctx context.Context, config pgx.ConnConfig) (conn driver.Conn, err error) {
	err = c.server.breaker.try(func() (err error) {
		conn, err = stdlib.GetConnector(config).Connect(ctx)
		return err
	})
	return conn, err
}

// Driver implements driver.Connector; nothing uses it.
func (*connector) Driver() driver.Driver { return nil }

// run executes statements of our own, which take no parameters, in one round
// trip, outside the rules of transactions. It returns the last one's tag.
func (l *link) run(text string) (tag string, err error) {
	tag, _, err = l.ask(text)
	return tag, err
}

// ask is run for a last statement that returns a row. It returns the first
// value of that too.
func (l *link) ask(text string) (tag, value string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.limit)
	defer cancel()
	results, err := l.inner.Conn().PgConn().Exec(ctx, text).ReadAll()
	if n := len(results); n > 0 {
		tag = results[n-1].CommandTag.String()
		if rows := results[n-1].Rows; len(rows) > 0 && len(rows[0]) > 0 {
			value = string(rows[0][0])
		}
	}
	return tag, value, l.outcome(err)
}

// outcome translates an error; one that ended the connection is an outage
// whatever it is.
func (l *link) outcome(err error) error {
	if err != nil && codeOf(err) == "" && l.inner.Conn().IsClosed() && portico.KindOf(err) == portico.KindInternal {
		return unavailable(err)
	}
	return translate(err)
}

// idle reports whether the link is whole and in no transaction.
func (l *link) idle() bool {
	return !l.inner.Conn().IsClosed() && l.inner.Conn().PgConn().TxStatus() == 'I'
}

// QueryContext implements driver.QueryerContext.
func (l *link) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if err := l.rules.Check(ctx, text); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.limit)
	inner, err := l.inner.QueryContext(ctx, text, args)
	if err != nil {
		cancel()
		return nil, l.rules.Fail(err)
	}
	return l.rules.Rows(inner, cancel), nil
}

// ExecContext implements driver.ExecerContext.
func (l *link) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if err := l.rules.Check(ctx, text); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.limit)
	defer cancel()
	result, err := l.inner.ExecContext(ctx, text, args)
	if err != nil {
		return nil, l.rules.Fail(err)
	}
	return result, nil
}

// verdict is the outcome of a statement of a transaction. The pool must not run
// it again, whatever the driver says.
func (l *link) verdict(err error) error {
	if errors.Is(err, driver.ErrBadConn) {
		err = unavailable(errors.New("postgres: the connection is lost"))
	}
	return l.outcome(err)
}

// CheckNamedValue implements driver.NamedValueChecker: the driver encodes what
// it is given.
func (l *link) CheckNamedValue(value *driver.NamedValue) error { return l.inner.CheckNamedValue(value) }

// ResetSession implements driver.SessionResetter. Whether the server is still
// there shows when a transaction begins, which is tried again elsewhere.
func (l *link) ResetSession(context.Context) error {
	if !l.idle() || l.at != l.server.address() {
		return driver.ErrBadConn
	}
	return nil
}

// IsValid implements driver.Validator: whether the pool may keep the link.
func (l *link) IsValid() bool { return l.idle() && (l.gate == nil || l.gate.wanted.Load() == 0) }

// Prepare implements driver.Conn; nothing uses it.
func (l *link) Prepare(text string) (driver.Stmt, error) { return l.inner.Prepare(text) }

// Begin implements driver.Conn; transactions are begun by statement.
func (l *link) Begin() (driver.Tx, error) { return nil, driver.ErrSkip }

// Close implements driver.Conn. A connection that is lost cannot be closed any
// better.
func (l *link) Close() error {
	_ = l.inner.Close()
	if l.gate != nil {
		l.gate.leave()
	}
	return nil
}
