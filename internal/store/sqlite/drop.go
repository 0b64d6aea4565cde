package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"portico"
	"portico/internal/store"
)

// appFile returns the name of the app's database that goes with a generation of
// a portal's. Only a restore makes another than the first.
func appFile(generation int) string {
	if generation == 1 {
		return "app.db"
	}
	return fmt.Sprintf("app_g%d.db", generation)
}

// Drop implements store.Engine. The database's file goes first: what is left
// when a crash comes between is no database any more.
func (e *Engine) Drop(ctx context.Context, at store.Place) error {
	name := at.Name
	rel, err := portalFile(name)
	if err != nil {
		return err
	}
	e.handles.Retire(placed(name))
	unclaim, err := e.handles.Claim(ctx, placed(name))
	if err != nil {
		return err
	}
	defer unclaim()
	if err := e.points.Hit(ctx, FailDropDrained); err != nil {
		return translateFile(err)
	}
	if err := e.erase(ctx, name, rel); err != nil {
		return translateFile(err)
	}
	e.handles.Gone(placed(name))
	return nil
}

func (e *Engine) erase(ctx context.Context, name, rel string) error {
	dir := filepath.Dir(rel)
	if err := e.folder.remove(rel); err != nil {
		return err
	}
	if err := e.points.Hit(ctx, FailDropDatabase); err != nil {
		return err
	}
	names, err := e.folder.names(dir)
	if err != nil {
		return err
	}
	for _, doomed := range belongings(name, names) {
		err = errors.Join(err, e.folder.remove(filepath.Join(dir, doomed)))
	}
	if err != nil {
		return err
	}
	if err := e.points.Hit(ctx, FailDropFiles); err != nil {
		return err
	}
	if err := e.prune(dir); err != nil {
		return err
	}
	left, err := e.folder.names(dir)
	if err != nil {
		return err
	}
	if rest := belongings(name, left); len(rest) > 0 {
		return fmt.Errorf("sqlite: dropping %s left %v", name, rest)
	}
	return e.points.Hit(ctx, FailDropDone)
}

// belongings returns those names of a portal's folder that go with a database:
// its own files and temporaries, and its app's.
func belongings(name string, names []string) []string {
	_, generation, _ := portico.ParseDatabaseName(name)
	app := appFile(generation)
	return slices.DeleteFunc(slices.Clone(names), func(file string) bool {
		return !strings.HasPrefix(file, name+".db") && !strings.HasPrefix(file, app)
	})
}

// prune removes a portal's folder and the one above it if they are empty, and
// makes that, or what was removed in them, durable.
func (e *Engine) prune(dir string) error {
	for ; dir != portalsName; dir = filepath.Dir(dir) {
		switch err := e.folder.root.Remove(dir); {
		case err == nil || errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist):
			return e.folder.syncIfThere(dir)
		default:
			return err
		}
	}
	return e.folder.syncIfThere(dir)
}

func (f *folder) syncIfThere(rel string) error {
	if err := f.sync(rel); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Quarantine implements store.Engine. The file goes first and its WAL second;
// repeated, it goes on where it was.
func (e *Engine) Quarantine(ctx context.Context, at store.Place) error {
	name := at.Name
	rel, err := portalFile(name)
	if err != nil {
		return err
	}
	done := e.handles.Move(placed(name))
	defer done()
	unclaim, err := e.handles.Claim(ctx, placed(name))
	if err != nil {
		return err
	}
	defer unclaim()
	return translateFile(e.setAside(ctx, name, rel))
}

func (e *Engine) setAside(ctx context.Context, name, rel string) error {
	if err := e.folder.mkdir(quarantineName); err != nil {
		return err
	}
	last, free := e.quarantined(name)
	_, err := e.folder.root.Lstat(rel)
	switch {
	case err == nil:
		if err := renameNew(e.folder.abs(rel), e.folder.abs(free)); err != nil {
			return err
		}
		last = free
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case last == "":
		return store.ErrAbsent
	}
	if err := e.points.Hit(ctx, FailQuarantineMoved); err != nil {
		return err
	}
	if err := e.folder.root.Rename(rel+walSuffix, last+walSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := e.folder.remove(rel + shmSuffix); err != nil {
		return err
	}
	return errors.Join(e.folder.sync(quarantineName), e.prune(filepath.Dir(rel)))
}

// quarantined returns the last path that a database of the name was set aside
// under, if any, and the next free one. Neither looks like a database's name.
func (e *Engine) quarantined(name string) (last, free string) {
	base := filepath.Join(quarantineName, "q_"+strings.TrimPrefix(name, "p_"))
	free = base + ".db"
	for n := 2; ; n++ {
		if _, err := e.folder.root.Lstat(free); err != nil {
			return last, free
		}
		last, free = free, fmt.Sprintf("%s-%d.db", base, n)
	}
}
