package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"

	"portico/internal/store/transaction"
)

// link is one driver connection as database/sql sees it. It keeps compiled
// statements by their text, translates errors, and holds one transaction to the
// rules that every engine has.
//
// A link belongs to one goroutine at a time and never waits on a context: a
// cancellable one would cost the driver a goroutine for each statement.
type link struct {
	inner innerConn
	stmts map[string]*stmt
	limit int    // of stmts
	clock uint64 // counts uses of stmts
	rules transaction.Rules
}

// innerConn is what we use of the driver's connection.
type innerConn interface {
	driver.Conn
	driver.ExecerContext
	driver.ConnPrepareContext
	NewBackup(uri string) (*sqlite.Backup, error)
	Serialize() ([]byte, error)
}

type innerStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type stmt struct {
	innerStmt
	used uint64
}

func newLink(c driver.Conn, limit int) (*link, error) {
	inner, ok := c.(innerConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("sqlite: %T is not the driver's connection", c), c.Close())
	}
	return &link{inner: inner, stmts: make(map[string]*stmt), limit: limit, rules: transaction.NewRules(translate)}, nil
}

// run executes one statement of our own, outside the rules of transactions.
func (l *link) run(text string) error {
	s, err := l.stmt(text)
	if err != nil {
		return translate(err)
	}
	_, err = s.ExecContext(context.Background(), nil)
	return translate(err)
}

// script executes any number of statements, without keeping them.
func (l *link) script(text string) error {
	_, err := l.inner.ExecContext(context.Background(), text, nil)
	return translate(err)
}

// QueryContext implements driver.QueryerContext.
func (l *link) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if err := l.rules.Check(ctx, text); err != nil {
		return nil, err
	}
	s, err := l.stmt(text)
	if err != nil {
		return nil, l.rules.Fail(err)
	}
	inner, err := s.QueryContext(context.Background(), args)
	if err != nil {
		return nil, l.rules.Fail(err)
	}
	return l.rules.Rows(inner, nil), nil
}

// ExecContext implements driver.ExecerContext.
func (l *link) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if err := l.rules.Check(ctx, text); err != nil {
		return nil, err
	}
	s, err := l.stmt(text)
	if err != nil {
		return nil, l.rules.Fail(err)
	}
	result, err := s.ExecContext(context.Background(), args)
	if err != nil {
		return nil, l.rules.Fail(err)
	}
	return result, nil
}

func (l *link) stmt(text string) (*stmt, error) {
	l.clock++
	if s := l.stmts[text]; s != nil {
		s.used = l.clock
		return s, nil
	}
	prepared, err := l.inner.PrepareContext(context.Background(), positional(text))
	if err != nil {
		return nil, err
	}
	inner, ok := prepared.(innerStmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("sqlite: %T is not the driver's statement", prepared), prepared.Close())
	}
	if len(l.stmts) >= l.limit {
		l.forget()
	}
	s := &stmt{innerStmt: inner, used: l.clock}
	l.stmts[text] = s
	return s, nil
}

// forget closes the statement that was not used for the longest time. No
// statement is running: rows are closed before another one is compiled.
func (l *link) forget() {
	var oldest string
	least := ^uint64(0)
	for text, s := range l.stmts {
		if s.used < least {
			oldest, least = text, s.used
		}
	}
	_ = l.stmts[oldest].Close() // repeats the error of its last run
	delete(l.stmts, oldest)
}

// Prepare implements driver.Conn; nothing uses it.
func (l *link) Prepare(text string) (driver.Stmt, error) { return l.inner.Prepare(text) }

// Begin implements driver.Conn; transactions are begun by statement.
func (l *link) Begin() (driver.Tx, error) { return nil, driver.ErrSkip }

// Close implements driver.Conn.
func (l *link) Close() error {
	for _, s := range l.stmts {
		_ = s.Close() // repeats the error of its last run
	}
	clear(l.stmts)
	return translate(l.inner.Close())
}
