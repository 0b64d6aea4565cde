package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"

	"portico"
	"portico/internal/store"
)

// openRegistry opens the registry, which it makes in an empty folder, at the
// newest schema version. The version is kept as PRAGMA user_version.
func (e *Engine) openRegistry(ctx context.Context) (*database, error) {
	steps, err := store.RegistryMigrations()
	if err != nil {
		return nil, err
	}
	if err := e.makeRegistry(); err != nil {
		return nil, err
	}
	if _, err := e.folder.inspect(registryName); err != nil {
		return nil, err
	}
	d := newDatabase("registry", registryName, registryProfile, e)
	if e.folder.lock != nil {
		d.reserve = e.reserve
	}
	if err := e.migrateRegistry(ctx, d, steps); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// makeRegistry makes the registry's file, empty, in an empty folder.
func (e *Engine) makeRegistry() error {
	if _, err := e.folder.root.Lstat(registryName); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if portals, err := e.folder.names(portalsName); err != nil || len(portals) > 0 {
		return errors.Join(err, portico.Errorf(portico.KindUnavailable,
			"The data folder %s holds portals but no %s. Restore it from a backup.", e.folder.path, registryName))
	}
	file, err := e.folder.root.OpenFile(registryName, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), e.folder.sync("."))
}

func (e *Engine) migrateRegistry(ctx context.Context, d *database, steps []store.Migration) error {
	c, err := d.dial(true)
	if err != nil {
		return err
	}
	d.writer.conn = c // the first use: nothing else runs yet
	if err := c.link.script("PRAGMA journal_mode = WAL"); err != nil {
		return err
	}
	var version int
	if err := c.query("PRAGMA user_version", &version); err != nil {
		return err
	}
	if version > len(steps) {
		return store.TooNew("The registry", version, len(steps))
	}
	if version == len(steps) {
		return nil
	}
	if e.folder.lock == nil { // a command: the server beside it would not know the new schema
		if err := e.folder.takeLock(); err != nil {
			return portico.WrapError(portico.KindConflict, err,
				"The running server is of an older version. Restart it with this version first.")
		}
		defer e.folder.dropLock() //nolint:errcheck // closing a file that was not written to
	}
	for range steps {
		if err := e.migrateRegistryOnce(ctx, c, steps); err != nil {
			return err
		}
	}
	return nil
}

// migrateRegistryOnce takes the next step, if there is one, in a transaction.
func (e *Engine) migrateRegistryOnce(ctx context.Context, c *conn, steps []store.Migration) error {
	return c.exclusively(func() error {
		var version int
		if err := c.query("PRAGMA user_version", &version); err != nil || version >= len(steps) {
			return err
		}
		if err := c.link.script(steps[version].SQL); err != nil {
			return err
		}
		if err := e.points.Hit(ctx, FailMigrateStep); err != nil {
			return unavailable(err)
		}
		return c.link.script("PRAGMA user_version = " + strconv.Itoa(version+1))
	})
}

// migratePortal brings a portal's database from an older schema version to
// the newest, each step in a transaction of its own.
func (e *Engine) migratePortal(ctx context.Context, d *database) error {
	c, err := d.dial(true)
	if err != nil {
		return err
	}
	for range e.portalSteps {
		if err = e.migratePortalOnce(ctx, c); err != nil {
			break
		}
	}
	return errors.Join(err, c.close())
}

func (e *Engine) migratePortalOnce(ctx context.Context, c *conn) error {
	return c.exclusively(func() error {
		var version int
		if err := c.query("SELECT schema_version FROM identity", &version); err != nil || version >= len(e.portalSteps) {
			return err
		}
		if err := c.link.script(e.portalSteps[version].SQL); err != nil {
			return err
		}
		if err := e.points.Hit(ctx, FailMigrateStep); err != nil {
			return unavailable(err)
		}
		return c.transact(context.Background(), func(q store.SQL) error {
			_, err := q.Exec("UPDATE identity SET schema_version = $1", version+1)
			return err
		})
	})
}

// exclusively runs fn in a writing transaction of the connection.
func (c *conn) exclusively(fn func() error) error {
	if err := c.link.run("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := fn()
	if err == nil {
		err = c.link.run("COMMIT")
	}
	if err != nil {
		_ = c.link.run("ROLLBACK") // SQLite may have done it already
	}
	return err
}
