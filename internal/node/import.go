package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"portico"
	"portico/internal/keyring"
	"portico/internal/store"
	"portico/internal/store/sqlite"
)

// importMeta is the registry's value that says that an import into it did not
// come to its end: the epoch of the registry that it is from, with importedRows
// once all rows are there and the portals follow.
const (
	importMeta   = "importing"
	importedRows = " rows"
)

// Imported says what an import brought over.
type Imported struct {
	Rows    int
	Portals int
	AppData int // portals whose app.db stayed behind
}

// importing is an installation on SQLite that becomes one on PostgreSQL.
type importing struct {
	core     *Core // of the target
	from     *sqlite.Engine
	source   *store.Store
	progress Progress
	rowsDone bool // by an earlier attempt
	done     Imported
}

// Import brings the installation in a SQLite data folder into the empty
// registry that is configured: its rows, then each portal's database, by the
// life cycle's move. Each piece is compared with where it comes from. Repeated
// after a crash it goes on; until it has come to its end no server starts on
// the registry. The source is only read, and no server may run on it.
//
// What apps keep in app.db is in the dialect of SQLite and cannot be carried
// over: leaveApps says that it is to stay behind.
func Import(ctx context.Context, config Config, dir string, leaveApps bool, o Options, progress Progress) (done Imported, err error) {
	if config.DatabaseURL == "" {
		return done, portico.Errorf(portico.KindInvalid, "An import goes into PostgreSQL. Name the new registry with --database-url or PORTICO_DATABASE_URL.")
	}
	if err := CheckData(Config{Data: dir}); err != nil {
		return done, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	from, err := sqlite.Open(ctx, sqlite.Config{Dir: dir, Exclusive: true, Log: o.Log})
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	ids := portico.NewIDSource(o.clock())
	source, err := store.New(from, o.clock(), ids)
	if err != nil {
		return done, err
	}
	i := &importing{core: &Core{Config: config, Log: o.Log}, from: from, source: source, progress: progress}
	defer i.core.Close()
	if err := i.checkSource(ctx, dir, leaveApps); err != nil {
		return done, err
	}
	if err := i.core.openStorage(true, o, ids); err != nil {
		return done, err
	}
	if err := i.begin(ctx); err != nil {
		return done, err
	}
	if err := i.core.openRing(); err != nil {
		return done, err
	}
	if err := i.core.openLifecycle(false, o); err != nil {
		return done, err
	}
	return i.done, i.run(ctx)
}

// checkSource refuses, before anything is written, what cannot be carried over
// whole.
func (i *importing) checkSource(ctx context.Context, dir string, leaveApps bool) error {
	var secret string
	var rows []store.PortalRow
	err := i.source.View(ctx, func(tx *store.Tx) (err error) {
		if secret, err = tx.Meta(ringMeta); err == nil {
			rows, err = allPortals(tx)
		}
		return err
	})
	if err != nil {
		return err
	}
	ring, err := keyring.Parse(i.core.Config.SecretKey)
	if err != nil {
		return portico.WrapError(portico.KindInvalid, err, "Set PORTICO_SECRET_KEY or PORTICO_SECRET_KEY_FILE to the secret of the installation (%s).", filepath.Join(dir, SecretFile))
	}
	if secret != "" && ring.Fingerprint() != secret {
		return portico.Errorf(portico.KindConflict,
			"The secret is %s, the installation was made with %s: everything signed or sealed would be worthless. Set PORTICO_SECRET_KEY_FILE=%s.",
			ring.Fingerprint(), secret, filepath.Join(dir, SecretFile))
	}
	for _, row := range rows {
		if row.State != portico.PortalActive {
			return portico.Errorf(portico.KindConflict,
				"The portal %s is %s. Start the server on the folder until 'portico doctor' finds nothing, restore or delete what is unavailable, and import then.", row.ID, row.State)
		}
		kept, err := i.from.AppData(i.source.Identity(row).Place())
		if err != nil {
			return err
		}
		if kept {
			i.done.AppData++
		}
	}
	if i.done.AppData > 0 && !leaveApps {
		return portico.Errorf(portico.KindConflict,
			"The app keeps data of %d portals in files app.db, which are SQLite's and cannot become a schema of PostgreSQL by themselves. "+
				"With --leave-app-data they stay in %s, the portals get the schema of PORTICO_APP_MIGRATIONS, and the app brings its own data over.", i.done.AppData, dir)
	}
	return nil
}

// begin marks the registry as one that is being imported into. One that holds
// something else is refused.
func (i *importing) begin(ctx context.Context) error {
	return i.core.Store.Update(ctx, func(tx *store.Tx) error {
		mark, err := tx.Meta(importMeta)
		i.rowsDone = mark == i.source.Epoch()+importedRows
		if err != nil || i.rowsDone || mark == i.source.Epoch() {
			return err
		}
		organizations, err := tx.Organizations()
		if err != nil {
			return err
		}
		if mark != "" || len(organizations) > 0 {
			return portico.Errorf(portico.KindConflict, "The registry at %s is not empty. Name a database that does not exist; it is made.", RedactURL(i.core.Config.DatabaseURL))
		}
		return tx.SetMeta(importMeta, i.source.Epoch())
	})
}

func (i *importing) run(ctx context.Context) error {
	var portals []store.PortalRow
	err := i.source.View(ctx, func(tx *store.Tx) (err error) {
		portals, err = allPortals(tx)
		return err
	})
	if err != nil {
		return err
	}
	total := len(portals)
	if !i.rowsDone {
		i.done.Rows, err = store.CarryRegistry(ctx, i.source, i.core.Store, func(done, rows int) {
			total = rows + len(portals)
			i.report(done, total)
		})
		if err == nil {
			err = i.core.Store.Update(ctx, func(tx *store.Tx) error { return tx.SetMeta(importMeta, i.source.Epoch()+importedRows) })
		}
		if err != nil {
			return fmt.Errorf("carry the registry over: %w", err)
		}
	}
	for _, row := range portals {
		err := i.core.Lifecycle.Adopt(ctx, row.ID, func(ctx context.Context, id store.Identity) error { return i.fill(ctx, row, id) })
		if err != nil {
			return fmt.Errorf("carry portal %s over: %w", row.ID, err)
		}
		i.done.Portals++
		i.report(i.done.Rows+i.done.Portals, total)
	}
	if _, err := i.core.Lifecycle.Reconcile(ctx, 0); err != nil { // what earlier attempts left
		return err
	}
	return i.core.Store.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.TakeMeta(importMeta, i.source.Epoch()+importedRows)
		return err
	})
}

func (i *importing) report(done, total int) {
	if i.progress != nil {
		i.progress(done, total, 0)
	}
}

// fill makes a portal's database and brings over what is in the one of the
// source.
func (i *importing) fill(ctx context.Context, row store.PortalRow, id store.Identity) error {
	if err := i.core.engine.Create(ctx, id); err != nil {
		return err
	}
	to, err := i.core.engine.Open(ctx, id)
	if err != nil {
		return err
	}
	defer to.Release()
	from, err := i.from.Open(ctx, i.source.Identity(row))
	if err != nil {
		return fmt.Errorf("open the database in the folder: %w", err)
	}
	defer from.Release()
	return store.CarryPortal(ctx, from, to)
}

// checkImported refuses a registry whose import did not come to its end.
func (c *Core) checkImported() error {
	var mark string
	err := c.Store.View(context.Background(), func(tx *store.Tx) (err error) {
		mark, err = tx.Meta(importMeta)
		return err
	})
	if err == nil && mark == restoringMark {
		return store.RestoreUnfinished()
	}
	if err == nil && mark != "" {
		err = portico.Errorf(portico.KindConflict, "An import into this registry did not come to its end. Run 'portico import' again; it goes on where it was.")
	}
	return err
}
