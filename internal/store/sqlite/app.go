package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"portico/internal/store"
)

// appProfile is for an app's database, which we use rarely and briefly.
var appProfile = profile{readers: 1, statements: 8, cacheKiB: 2048, checkpoint: 1000}

// app implements store.App: the file app.db in the portal's folder. It is the
// app's, which opens it as it likes.
type app struct {
	engine *Engine
	rel    string
}

// App implements store.Handle.
func (h *handle) App() store.App {
	return &app{engine: h.handles.engine, rel: filepath.Join(filepath.Dir(h.rel), appName)}
}

// Admit implements store.App: who may read the folder may read the file.
func (a *app) Admit(context.Context, func() (string, error), bool) (store.AppAddress, error) {
	if err := a.make(); err != nil {
		return store.AppAddress{}, translateFile(err)
	}
	return store.AppAddress{Engine: "sqlite", Path: a.engine.folder.abs(a.rel)}, nil
}

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
