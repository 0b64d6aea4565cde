package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"portico"
	"portico/internal/store"
)

// appProfile is for an app's database, which we use rarely and briefly.
var appProfile = profile{readers: 1, statements: 8, cacheKiB: 2048, checkpoint: 1000}

// app implements store.App: a file in the portal's folder. It is the
// app's, which opens it as it likes.
type app struct {
	engine *Engine
	rel    string
}

// App implements store.Handle.
func (h *handle) App() store.App {
	return &app{engine: h.engine, rel: filepath.Join(filepath.Dir(h.rel), appFile(h.id.Generation))}
}

// Admit implements store.App: who may read the folder may read the file.
func (a *app) Admit(context.Context, func() (string, error), bool) (store.AppAddress, error) {
	if err := a.make(); err != nil {
		return store.AppAddress{}, translateFile(err)
	}
	return store.AppAddress{Engine: "sqlite", Path: a.engine.folder.abs(a.rel)}, nil
}

// Bar implements store.App.
func (*app) Bar(context.Context) error { return nil }

// make makes the file, empty, where there is none. It never makes the folder:
// a portal that goes is not brought back.
func (a *app) make() error {
	f := a.engine.folder
	file, err := f.root.OpenFile(a.rel, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		_, err = f.identify(a.rel)
		return err
	}
	if err != nil {
		return missing(err)
	}
	return errors.Join(file.Close(), f.sync(filepath.Dir(a.rel)))
}

// Migrate implements store.App. The app may use the file meanwhile, as long as
// it waits for locks.
func (a *app) Migrate(ctx context.Context, _ string, steps []store.AppStep) (version int, err error) {
	if err := a.make(); err != nil {
		return 0, translateFile(err)
	}
	e := a.engine
	c, err := dial(e.pool, target{path: e.folder.abs(a.rel), profile: appProfile, write: true, synchronous: e.synchronous})
	if err != nil {
		return 0, err
	}
	version, err = store.MigrateApp(store.AppRun{
		Run: func(fn func(store.SQL) error) error {
			return c.exclusively(func() error { return c.transact(context.Background(), fn) })
		},
		Step: func(claim func(store.SQL) error, script string) error {
			return c.exclusively(func() error {
				if err := c.transact(context.Background(), claim); err != nil {
					return err
				}
				if err := e.points.Hit(ctx, FailMigrateStep); err != nil {
					return unavailable(err)
				}
				return c.link.script(script)
			})
		},
	}, steps)
	return version, errors.Join(err, c.close())
}

// backupApp copies the app's database beside a portal's, where there is one.
func (e *Engine) backupApp(ctx context.Context, rel, path string) error {
	if _, err := e.folder.identify(rel); err != nil {
		if errors.Is(err, store.ErrAbsent) {
			return nil
		}
		return err
	}
	return e.backupFile(ctx, path, func() (*conn, error) {
		return dial(e.pool, target{path: e.folder.abs(rel), profile: appProfile, synchronous: e.synchronous})
	})
}

// restoreApp puts a copy of an app's database in place, where there is one. It
// is durable with the portal's, which comes after it.
func (e *Engine) restoreApp(rel, path string) error {
	from, err := os.Open(path) //nolint:gosec // beside the one that the operator names
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errSource, err)
	}
	tmp, err := e.folder.copyNew(rel, from)
	if err = errors.Join(err, from.Close()); err == nil {
		err = e.folder.sync(tmp)
	}
	if err == nil {
		err = e.folder.root.Rename(tmp, rel) // over what an attempt left that was cut short
	}
	if err != nil && tmp != "" {
		err = errors.Join(err, e.folder.remove(tmp))
	}
	return err
}

// AppData reports whether the app keeps something beside a portal's database.
func (e *Engine) AppData(at store.Place) (bool, error) {
	portalID, generation, ok := portico.ParseDatabaseName(at.Name)
	if !ok {
		return false, fmt.Errorf("sqlite: %q is no database name", at.Name)
	}
	info, err := e.folder.root.Lstat(filepath.Join(portalFolder(portalID), appFile(generation)))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.Size() > 0, err
}
