// Package sqlite keeps the registry and the portal databases in SQLite files
// of one folder. It owns the files and folders, the connections and their
// transactions, the lock that bars a second server, and the room kept back for
// the day when the storage is full. It is the only package with the driver.
//
// It imports portico, failpoint, store, handles and transaction; never control,
// nor anything above. It knows no table but identity, and no rule.
//
// Start with Open in this file; then database.go and writer.go (transactions),
// open.go (a portal's database), create.go and drop.go.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"portico/internal/failpoint"
	"portico/internal/store"
	"portico/internal/store/handles"
)

// oldestSQLite is the first version whose WAL reset does not corrupt.
const oldestSQLite = 3_051_003

// Config says where and how an engine keeps its files.
type Config struct {
	// Dir is the data folder. It is made when it does not exist.
	Dir string

	// Exclusive is for the server: a second one on the folder is refused.
	// Without it the engine is a command's, beside a server or alone.
	Exclusive bool

	// MaxHandles is the most portal databases kept open, 512 when zero. The
	// process's limit of open files may lower it.
	MaxHandles int

	Now        func() time.Time // time.Now when nil
	Log        *slog.Logger     // slog.Default when nil
	Failpoints *failpoint.Set

	// Synchronous is PRAGMA synchronous, FULL when empty. Anything less loses
	// acknowledged commits: it is there for the power-loss test only, which
	// must be able to show that.
	Synchronous string

	// MorePortalSteps follow the embedded steps of the portals' schema: for the
	// test of upgrades only.
	MorePortalSteps []store.Migration
}

// Engine implements store.Engine over files. It is safe for concurrent use.
type Engine struct {
	folder      *folder
	pool        *sql.DB
	log         *slog.Logger
	now         func() time.Time
	points      *failpoint.Set
	synchronous string
	portalSteps []store.Migration

	registry *database
	handles  *handles.Cache[*portal]
	reserve  *reserve

	closing  sync.Once
	template template
}

var _ store.Engine = (*Engine)(nil)

// Open opens the data folder and brings the registry to the newest schema
// version. It touches no portal's files.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	if err := checkVersion(sqlite3.SQLITE_VERSION_NUMBER); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Synchronous == "" {
		cfg.Synchronous = "FULL"
	}
	if cfg.MaxHandles == 0 {
		cfg.MaxHandles = 512
	}
	maxHandles, err := fitHandles(cfg.MaxHandles, cfg.Log)
	if err != nil {
		return nil, err
	}
	// What SQLite does wherever its build looks for it: a commit stays as
	// durable, without a journal entry for the file's times. Other systems have
	// no such call.
	_, _ = sqlite.Fdatasync(true)
	steps, err := store.PortalMigrations()
	if err != nil {
		return nil, err
	}
	f, err := openFolder(cfg.Dir)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		folder: f, pool: newPool(), log: cfg.Log, now: cfg.Now, points: cfg.Failpoints,
		synchronous: cfg.Synchronous, portalSteps: append(steps, cfg.MorePortalSteps...),
		reserve: &reserve{folder: f, log: cfg.Log, now: cfg.Now},
	}
	e.handles = handles.New(maxHandles, patience, cfg.Log, e.load)
	if err := e.start(ctx, cfg.Exclusive); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Engine) start(ctx context.Context, exclusive bool) error {
	if exclusive {
		if err := e.folder.takeLock(); err != nil {
			return err
		}
		if err := e.sweepTemplates(); err != nil {
			return err
		}
	}
	registry, err := e.openRegistry(ctx)
	if err != nil {
		return fmt.Errorf("open the registry: %w", err)
	}
	e.registry = registry
	if exclusive {
		e.reserve.keep()
	}
	return nil
}

func checkVersion(linked int) error {
	if linked < oldestSQLite {
		return fmt.Errorf("SQLite %d is linked, which can corrupt databases: build with %d or newer", linked, oldestSQLite)
	}
	return nil
}

// Registry implements store.Engine.
func (e *Engine) Registry() store.Database { return e.registry }

// LowSpace reports whether the storage is full, so that only what frees space
// is accepted. Asking may end that, at most once a second.
func (e *Engine) LowSpace() bool { return e.reserve.low() }

// OpenHandles returns the number of portal databases that are open.
func (e *Engine) OpenHandles() int { return e.handles.Count() }

// Close implements store.Engine.
func (e *Engine) Close() error {
	var err error
	e.closing.Do(func() {
		err = e.handles.Close()
		if e.registry != nil {
			err = errors.Join(err, e.registry.close())
		}
		err = errors.Join(err, e.pool.Close(), e.folder.close())
	})
	return err
}
