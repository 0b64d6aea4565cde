// Package postgres keeps the registry and the portal databases in PostgreSQL.
// It owns the connections and their transactions, and what CREATE and DROP
// DATABASE, roles and grants are about. It is the only package with the driver.
//
// It imports portico, failpoint, store, handles and transaction; never control,
// nor anything above. It knows no table but identity, and no rule.
//
// Start with Open in this file; then database.go (transactions), open.go
// (a portal's database), server.go (a session on a server), create.go and
// drop.go.
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
	"portico/internal/store/handles"
)

// Config says where an engine keeps its databases.
type Config struct {
	// URL is the registry's database: postgres://role@host/database. Its server
	// holds portals' databases too. The role needs CREATEDB and CREATEROLE. A
	// registry that does not exist is made, unless Existing is set.
	URL string

	// Existing refuses a registry that does not exist: KindNotFound.
	Existing bool

	// Clusters reads which servers there are besides: the registry's list. It is
	// asked when a cluster is met that is not known, and before each listing.
	// nil: there is no other.
	Clusters func(context.Context) ([]Cluster, error)

	// MaxHandles is the most portal databases with connections, 64 when zero.
	MaxHandles int

	// MaxConnections is the most connections to the portal databases of one
	// server, 80 when zero. Up to 8 more go to making databases on each, and 16
	// to the registry.
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

// Engine implements store.Engine over PostgreSQL servers. It is safe for
// concurrent use, also by several processes at once.
type Engine struct {
	clusters    *clusters
	connections int
	log         *slog.Logger
	now         func() time.Time
	points      *failpoint.Set
	portalSteps []store.Migration
	serverClock bool

	registry *database
	handles  *handles.Cache[*portal]
	closing  sync.Once
}

var _ store.Engine = (*Engine)(nil)

// Open connects to the server, looks whether all that it needs is there, and
// brings the registry to the newest schema version. It touches no portal's
// database.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	e, err := build(cfg)
	if err != nil {
		return nil, err
	}
	if err := e.start(ctx, cfg.Existing); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// build returns an engine that has not connected to anything.
func build(cfg Config) (*Engine, error) {
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
	e := &Engine{
		connections: cfg.MaxConnections, serverClock: serverClock, log: cfg.Log, now: cfg.Now, points: cfg.Failpoints,
		portalSteps: append(steps, cfg.MorePortalSteps...),
	}
	e.handles = handles.New(cfg.MaxHandles, patience, cfg.Log, e.load)
	own, err := e.newServer(Cluster{URL: cfg.URL})
	if err != nil {
		return nil, err
	}
	e.clusters = &clusters{own: own, list: cfg.Clusters, make: e.newServer, log: cfg.Log}
	return e, nil
}

func (e *Engine) start(ctx context.Context, existing bool) error {
	own := e.clusters.own
	if err := own.examineRegistry(ctx, existing); err != nil {
		return err
	}
	if err := own.refuseRestoring(ctx); err != nil {
		return err
	}
	if err := e.migrateRegistry(ctx, existing); err != nil {
		return fmt.Errorf("open the registry: %w", err)
	}
	e.registry = newDatabase(&connector{server: own, database: own.database, statements: registryStatements}, "meta", registryConnections, e.points)
	e.registry.clock = e.serverClock
	return nil
}

// Registry implements store.Engine.
func (e *Engine) Registry() store.Database { return e.registry }

// OpenHandles returns the number of portal databases that have connections.
func (e *Engine) OpenHandles() int { return e.handles.Count() }

// Close implements store.Engine.
func (e *Engine) Close() error {
	var err error
	e.closing.Do(func() {
		err = e.handles.Close()
		if e.registry != nil {
			err = errors.Join(err, e.registry.close())
		}
		err = errors.Join(err, e.clusters.close())
	})
	return err
}
