// Package postgres keeps the registry and the portal databases in PostgreSQL.
// It owns the connections and their transactions, and what CREATE and DROP
// DATABASE, roles and grants are about. It is the only package with the driver.
//
// It imports portico, store and failpoint; never control, nor anything above.
// It knows no table but identity, and no rule.
//
// Start with Open in this file; then database.go (transactions), handles.go
// (which databases have connections), server.go (a session on a server),
// create.go and drop.go.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"portico/internal/failpoint"
	"portico/internal/store"
)

// Config says where an engine keeps its databases.
type Config struct {
	// URL is the registry's database: postgres://role@host/database. The
	// portals' databases are made on the same server. The role needs CREATEDB
	// and CREATEROLE. A registry that does not exist is made.
	URL string

	// MaxHandles is the most portal databases with connections, 64 when zero.
	MaxHandles int

	// MaxConnections is the most connections to portal databases, 80 when
	// zero. Up to 24 more go to the registry and to making databases.
	MaxConnections int

	// Now takes the place of the server's clock: tests only. nil: the server's
	// in the registry, this machine's on markers.
	Now        func() time.Time
	Log        *slog.Logger // slog.Default when nil
	Failpoints *failpoint.Set

	// MorePortalSteps follow the embedded steps of the portals' schema: for the
	// test of upgrades, which needs a step to come.
	MorePortalSteps []store.Migration
}

// The connections of a pool. Portal databases are many and quiet.
const (
	registryConnections = 16
	portalConnections   = 4
	serverConnections   = 8
)

// Engine implements store.Engine over a PostgreSQL server. It is safe for
// concurrent use, also by several processes at once.
type Engine struct {
	server      *server
	log         *slog.Logger
	now         func() time.Time
	points      *failpoint.Set
	portalSteps []store.Migration
	serverClock bool

	registry *database
	handles  *handles
	closing  sync.Once
}

var _ store.Engine = (*Engine)(nil)

// Open connects to the server, looks whether all that it needs is there, and
// brings the registry to the newest schema version. It touches no portal's
// database.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	serverClock := cfg.Now == nil
	if serverClock {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.MaxHandles == 0 {
		cfg.MaxHandles = 64
	}
	if cfg.MaxConnections == 0 {
		cfg.MaxConnections = 80
	}
	steps, err := store.PortalMigrations()
	if err != nil {
		return nil, err
	}
	at, err := parseAddress(cfg.URL)
	if err != nil {
		return nil, err
	}
	e := &Engine{serverClock: serverClock, log: cfg.Log, now: cfg.Now, points: cfg.Failpoints, portalSteps: append(steps, cfg.MorePortalSteps...)}
	e.handles = newHandles(e, cfg.MaxHandles)
	e.server = newServer(at, newGate(cfg.MaxConnections, e.handles.reclaim))
	if err := e.start(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Engine) start(ctx context.Context) error {
	if err := e.server.examine(ctx, e.log); err != nil {
		return err
	}
	if err := e.migrateRegistry(ctx); err != nil {
		return fmt.Errorf("open the registry: %w", err)
	}
	at := e.server.at
	e.registry = newDatabase(at.config(at.database, registryStatements), nil, "meta", registryConnections, e.points)
	e.registry.clock = e.serverClock
	return nil
}

// Registry implements store.Engine.
func (e *Engine) Registry() store.Database { return e.registry }

// OpenHandles returns the number of portal databases that have connections.
func (e *Engine) OpenHandles() int { return e.handles.count() }

// Close implements store.Engine.
func (e *Engine) Close() error {
	var err error
	e.closing.Do(func() {
		err = e.handles.close()
		if e.registry != nil {
			err = errors.Join(err, e.registry.close())
		}
		err = errors.Join(err, e.server.close())
	})
	return err
}
