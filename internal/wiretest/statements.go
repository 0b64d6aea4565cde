package wiretest

import (
	"context"
	"database/sql"
	"sync/atomic"

	"portico/internal/node"
	"portico/internal/store"
)

// Statements counts what is asked of a server's registry. Setup is given to
// Start or Open.
type Statements struct {
	store.Database

	count atomic.Int64
}

// Setup makes a server's statements be counted.
func (s *Statements) Setup(_ *node.Config, o *node.Options) {
	o.Watch = func(e store.Engine) store.Engine {
		s.Database = e.Registry()
		return watchedEngine{e, s}
	}
}

// Count returns how many statements there were.
func (s *Statements) Count() int64 { return s.count.Load() }

type watchedEngine struct {
	store.Engine

	registry *Statements
}

// Registry implements store.Engine.
func (w watchedEngine) Registry() store.Database { return w.registry }

// View implements store.Database.
func (s *Statements) View(ctx context.Context, fn func(store.SQL) error) error {
	return s.Database.View(ctx, func(q store.SQL) error { return fn(counted{q, s}) })
}

// Look implements store.Database.
func (s *Statements) Look(ctx context.Context, fn func(store.SQL) error) error {
	return s.Database.Look(ctx, func(q store.SQL) error { return fn(counted{q, s}) })
}

// Update implements store.Database.
func (s *Statements) Update(ctx context.Context, fn func(store.SQL) error) error {
	return s.Database.Update(ctx, func(q store.SQL) error { return fn(counted{q, s}) })
}

type counted struct {
	store.SQL

	in *Statements
}

// Exec implements store.SQL.
func (c counted) Exec(query string, args ...any) (int64, error) {
	c.in.count.Add(1)
	return c.SQL.Exec(query, args...)
}

// Query implements store.SQL.
func (c counted) Query(query string, args ...any) (*sql.Rows, error) {
	c.in.count.Add(1)
	return c.SQL.Query(query, args...)
}

// QueryRow implements store.SQL.
func (c counted) QueryRow(query string, args ...any) *sql.Row {
	c.in.count.Add(1)
	return c.SQL.QueryRow(query, args...)
}
