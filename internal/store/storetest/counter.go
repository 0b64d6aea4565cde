package storetest

import (
	"context"
	"database/sql"
	"sync/atomic"

	"portico/internal/store"
)

// Counter counts the statements that an engine's registry is asked to run: of
// the one engine that was given to Watch.
type Counter struct {
	store.Database

	count atomic.Int64
}

// Watch returns the engine with its registry counted.
func (c *Counter) Watch(e store.Engine) store.Engine {
	c.Database = e.Registry()
	return watchedEngine{e, c}
}

// Count returns how many statements there were.
func (c *Counter) Count() int64 { return c.count.Load() }

type watchedEngine struct {
	store.Engine

	registry *Counter
}

// Registry implements store.Engine.
func (w watchedEngine) Registry() store.Database { return w.registry }

// View implements store.Database.
func (c *Counter) View(ctx context.Context, fn func(store.SQL) error) error {
	return c.Database.View(ctx, func(q store.SQL) error { return fn(counted{q, c}) })
}

// Look implements store.Database.
func (c *Counter) Look(ctx context.Context, fn func(store.SQL) error) error {
	return c.Database.Look(ctx, func(q store.SQL) error { return fn(counted{q, c}) })
}

// Update implements store.Database.
func (c *Counter) Update(ctx context.Context, fn func(store.SQL) error) error {
	return c.Database.Update(ctx, func(q store.SQL) error { return fn(counted{q, c}) })
}

type counted struct {
	store.SQL

	in *Counter
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
