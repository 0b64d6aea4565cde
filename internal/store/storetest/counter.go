package storetest

import (
	"context"
	"database/sql"
	"net/http"
	"sync/atomic"

	"portico/internal/store"
)

// Counter counts the statements that an engine's registry is asked to run: of
// the one engine that was given to Watch.
type Counter struct {
	store.Database

	count, requests atomic.Int64
}

// Watch returns the engine with its registry counted.
func (c *Counter) Watch(e store.Engine) store.Engine {
	c.Database = e.Registry()
	return watchedEngine{e, c}
}

// Count returns how many statements there were.
func (c *Counter) Count() int64 { return c.count.Load() }

// OfRequests returns how many of them HTTP requests asked for: what mails, jobs
// and the reconciler ask in the background is left out.
func (c *Counter) OfRequests() int64 { return c.requests.Load() }

// asked counts one statement for the work of ctx.
func (c *Counter) asked(ctx context.Context) {
	c.count.Add(1)
	if ctx.Value(http.ServerContextKey) != nil {
		c.requests.Add(1)
	}
}

type watchedEngine struct {
	store.Engine

	registry *Counter
}

// Registry implements store.Engine.
func (w watchedEngine) Registry() store.Database { return w.registry }

// View implements store.Database.
func (c *Counter) View(ctx context.Context, fn func(store.SQL) error) error {
	return c.Database.View(ctx, func(q store.SQL) error { return fn(counted{q, ctx, c}) })
}

// Look implements store.Database.
func (c *Counter) Look(ctx context.Context, fn func(store.SQL) error) error {
	return c.Database.Look(ctx, func(q store.SQL) error { return fn(counted{q, ctx, c}) })
}

// Update implements store.Database.
func (c *Counter) Update(ctx context.Context, fn func(store.SQL) error) error {
	return c.Database.Update(ctx, func(q store.SQL) error { return fn(counted{q, ctx, c}) })
}

type counted struct {
	store.SQL

	ctx context.Context
	in  *Counter
}

// Exec implements store.SQL.
func (c counted) Exec(query string, args ...any) (int64, error) {
	c.in.asked(c.ctx)
	return c.SQL.Exec(query, args...)
}

// Query implements store.SQL.
func (c counted) Query(query string, args ...any) (*sql.Rows, error) {
	c.in.asked(c.ctx)
	return c.SQL.Query(query, args...)
}

// QueryRow implements store.SQL.
func (c counted) QueryRow(query string, args ...any) *sql.Row {
	c.in.asked(c.ctx)
	return c.SQL.QueryRow(query, args...)
}
