package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"portico"
	"portico/internal/store"
)

// List implements store.Engine. What is in quarantine is not listed.
func (e *Engine) List(ctx context.Context, _ string, fn func(store.Found) error) error {
	shelves, err := e.folder.names(portalsName)
	if err != nil {
		return unavailable(err)
	}
	for _, shelf := range shelves {
		rel := filepath.Join(portalsName, shelf)
		dirs, err := e.entries(rel)
		if err != nil {
			return unavailable(err)
		}
		if len(dirs) == 0 {
			err = e.stray(rel, fn)
		}
		for _, dir := range dirs {
			if err == nil {
				err = e.listFolder(ctx, filepath.Join(rel, dir), fn)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Size implements store.Handle: of the files in the portal's folder. One that
// goes meanwhile counts nothing.
func (h *handle) Size(context.Context) (size int64, err error) {
	folder, dir := h.engine.folder, filepath.Dir(h.rel)
	names, err := folder.names(dir)
	for _, name := range names {
		info, statErr := folder.root.Lstat(filepath.Join(dir, name))
		switch {
		case statErr == nil:
			size += info.Size()
		case !errors.Is(statErr, fs.ErrNotExist):
			err = errors.Join(err, statErr)
		}
	}
	return size, translateFile(err)
}

// entries returns the names in a folder; of something else, or of a folder
// that has just gone, none.
func (e *Engine) entries(rel string) ([]string, error) {
	info, err := e.folder.root.Lstat(rel)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return e.folder.names(rel)
}

func (e *Engine) listFolder(ctx context.Context, dir string, fn func(store.Found) error) error {
	if err := ctx.Err(); err != nil {
		return unavailable(context.Cause(ctx))
	}
	names, err := e.entries(dir)
	if err != nil {
		return unavailable(err)
	}
	if len(names) == 0 {
		return e.stray(dir, fn)
	}
	var apps []string             // the names of their apps' databases
	told := make(map[string]bool) // databases that fn heard of
	for _, file := range names {
		name, isDatabase := strings.CutSuffix(file, ".db")
		if rel, err := portalFile(name); !isDatabase || err != nil || rel != filepath.Join(dir, file) {
			continue
		}
		told[name] = true
		_, generation, _ := portico.ParseDatabaseName(name)
		apps = append(apps, appFile(generation))
		if err := e.listDatabase(ctx, name, filepath.Join(dir, file), fn); err != nil {
			return err
		}
	}
	for _, file := range names {
		if err := e.listOther(dir, file, apps, told, fn); err != nil {
			return err
		}
	}
	return nil
}

// listOther tells of what is no database: what a create or a drop of one left,
// under the database's name, and strangers, under their path.
func (e *Engine) listOther(dir, file string, apps []string, told map[string]bool, fn func(store.Found) error) error {
	name, rest, _ := strings.Cut(file, ".db")
	rel, err := portalFile(name)
	switch {
	case err != nil && slices.ContainsFunc(apps, func(app string) bool { return strings.HasPrefix(file, app) }):
		return nil
	case err != nil || filepath.Dir(rel) != dir:
		return e.stray(filepath.Join(dir, file), fn)
	case rest == "" && told[name], slices.Contains([]string{walSuffix, shmSuffix, journalSuffix}, rest) && told[name]:
		return nil
	case told[name]: // a temporary beside the finished database
		return e.stray(filepath.Join(dir, file), fn)
	}
	told[name] = true
	return e.tell(store.Found{Place: store.Place{Name: name}}, filepath.Join(dir, file), fn)
}

func (e *Engine) stray(rel string, fn func(store.Found) error) error {
	return e.tell(store.Found{Place: store.Place{Name: rel}}, rel, fn)
}

func (e *Engine) listDatabase(ctx context.Context, name, rel string, fn func(store.Found) error) error {
	found := store.Found{Place: store.Place{Name: name}, Complete: true}
	id, err := e.peek(ctx, name, rel)
	if errors.Is(err, errRaw) {
		id, err = e.ask(ctx, name)
	}
	if errors.Is(err, store.ErrAbsent) {
		return nil // gone since the folder was read
	}
	if err == nil {
		found.Identity, found.Marked = id, true
	}
	return e.tell(found, rel, fn)
}

func (e *Engine) tell(found store.Found, rel string, fn func(store.Found) error) error {
	info, err := e.folder.root.Lstat(rel)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unavailable(err)
	}
	found.ModTime, found.Size = info.ModTime(), info.Size()
	if !info.Mode().IsRegular() {
		found.Size, found.Complete = 0, false
	}
	return fn(found)
}

// peek reads the identity of a database without opening it by SQLite, which
// would be a hundred times the work. It never touches a file that SQLite has
// open in this process: closing it would end SQLite's locks.
func (e *Engine) peek(ctx context.Context, name, rel string) (id store.Identity, err error) {
	open, unclaim, err := e.handles.Peek(ctx, placed(name))
	if err != nil {
		return id, err
	}
	if unclaim == nil {
		return open.id, nil
	}
	defer unclaim()
	if _, err := e.folder.identify(rel); err != nil {
		return id, err
	}
	f, err := e.folder.root.Open(rel)
	if err != nil {
		return id, missing(err)
	}
	id, err = readRawIdentity(f)
	return id, errors.Join(err, f.Close())
}

// ask reads the identity of a database by SQLite.
func (e *Engine) ask(ctx context.Context, name string) (store.Identity, error) {
	entry, err := e.handles.Acquire(ctx, placed(name), false)
	if err != nil {
		return store.Identity{}, err
	}
	defer entry.Release()
	return entry.Database.id, nil
}

// ours reports whether an identity can be one that Create was given.
func ours(id store.Identity) bool {
	return portico.ValidID(id.PortalID, portico.PrefixPortal) && id.Generation > 0 && id.Epoch != ""
}
