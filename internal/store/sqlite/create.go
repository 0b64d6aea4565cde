package sqlite

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"portico"
	"portico/internal/store"
)

// Create implements store.Engine: a copy of the template, which has the
// identity in it before it gets its name.
func (e *Engine) Create(ctx context.Context, id store.Identity) error {
	return e.make(ctx, id, func(rel string) (string, error) {
		content, stamped, err := e.portalContent(id)
		if err != nil {
			return "", err
		}
		tmp, err := e.folder.writeNew(rel, content)
		if err == nil && !stamped {
			err = e.stamp(tmp, id)
		}
		store.StagesOf(ctx).Done(portico.StageDatabase)
		return tmp, err
	})
}

// Restore implements store.Engine.
func (e *Engine) Restore(ctx context.Context, id store.Identity, path string) error {
	return e.make(ctx, id, func(rel string) (string, error) {
		app := filepath.Join(filepath.Dir(rel), appFile(id.Generation))
		if err := e.restoreApp(app, path+store.AppCopy); err != nil {
			return "", err
		}
		from, err := os.Open(path) //nolint:gosec // the operator names it
		if err != nil {
			return "", fmt.Errorf("%w: %w", errSource, err)
		}
		tmp, err := e.folder.copyNew(rel, from)
		if err = errors.Join(err, from.Close()); err != nil {
			return tmp, err
		}
		return tmp, e.stamp(tmp, id)
	})
}

// make brings the database of id into being from the temporary file that
// write makes beside it, unless it is there already.
func (e *Engine) make(ctx context.Context, id store.Identity, write func(rel string) (tmp string, err error)) error {
	name, err := nameOf(id)
	if err != nil {
		return err
	}
	rel, err := portalFile(name)
	if err != nil {
		return err
	}
	if err := e.present(ctx, id, rel); !errors.Is(err, store.ErrAbsent) {
		return err
	}
	unclaim, err := e.handles.Claim(ctx, placed(name))
	if err != nil {
		return err
	}
	err = e.makeClaimed(ctx, name, rel, write)
	unclaim()
	if errors.Is(err, fs.ErrExist) { // another was quicker
		return e.present(ctx, id, rel)
	}
	return err
}

// present reports whether the database is there with the identity, durably: it
// may be there because a creation was cut short after the rename.
func (e *Engine) present(ctx context.Context, id store.Identity, rel string) error {
	if _, err := e.folder.root.Lstat(rel); errors.Is(err, fs.ErrNotExist) {
		if err := e.handles.Refused(placed(filepath.Base(strings.TrimSuffix(rel, ".db")))); err != nil {
			return err
		}
		return store.ErrAbsent
	}
	entry, err := e.acquire(ctx, id, true)
	if err != nil {
		return err
	}
	entry.Release()
	return translateFile(e.folder.syncUp(rel))
}

func (e *Engine) makeClaimed(ctx context.Context, name, rel string, write func(rel string) (string, error)) error {
	if e.handles.Retired(placed(name)) {
		return store.ErrRetired
	}
	var err error
	for range 8 { // a Drop beside us removes folders that it finds empty
		if err = e.makeOnce(ctx, rel, write); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, errSource) {
			break
		}
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return translateFile(err)
	}
	return err
}

func (e *Engine) makeOnce(ctx context.Context, rel string, write func(rel string) (string, error)) error {
	if err := e.makeFolder(rel); err != nil {
		return err
	}
	if _, err := e.folder.root.Lstat(rel); err == nil {
		return fs.ErrExist
	}
	if err := e.points.Hit(ctx, FailCreateFolder); err != nil {
		return err
	}
	tmp, err := write(rel)
	if err == nil {
		err = e.settle(ctx, tmp, rel)
	}
	if err != nil && tmp != "" {
		err = errors.Join(err, e.folder.removeDatabase(tmp))
	}
	return err
}

// makeFolder makes the portal's folder, not durably yet. In one that was there already, it
// removes what an earlier attempt left, or a WAL whose database is gone, which
// a new one must never pick up.
func (e *Engine) makeFolder(rel string) error {
	dir := filepath.Dir(rel)
	if err := e.folder.mkdir(portalsName); err != nil {
		return err
	}
	err := e.folder.root.Mkdir(filepath.Dir(dir), 0o700)
	if err == nil || errors.Is(err, fs.ErrExist) {
		err = e.folder.root.Mkdir(dir, 0o700)
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := e.folder.root.Lstat(rel); err == nil {
		return nil
	}
	names, err := e.folder.names(dir)
	for _, name := range names {
		if strings.HasPrefix(name, filepath.Base(rel)) {
			err = errors.Join(err, e.folder.remove(filepath.Join(dir, name)))
		}
	}
	return err
}

// settle makes the temporary file durable, gives it its name and makes that
// durable too.
func (e *Engine) settle(ctx context.Context, tmp, rel string) error {
	if err := e.points.Hit(ctx, FailCreateWritten); err != nil {
		return err
	}
	if err := e.folder.sync(tmp); err != nil {
		return err
	}
	if err := e.points.Hit(ctx, FailCreateSynced); err != nil {
		return err
	}
	if err := renameNew(e.folder.abs(tmp), e.folder.abs(rel)); err != nil {
		return err
	}
	if err := e.points.Hit(ctx, FailCreateRenamed); err != nil {
		return err
	}
	if err := e.folder.syncUp(rel); err != nil {
		return err
	}
	store.StagesOf(ctx).Done(portico.StageDurable)
	return e.points.Hit(ctx, FailCreateDone)
}

// syncUp makes the names of a portal's file and of the folders above it
// durable. All of them last: where the file system has one journal, the first
// sync writes it and the others find nothing to do.
func (f *folder) syncUp(rel string) error {
	for dir := filepath.Dir(rel); dir != "."; dir = filepath.Dir(dir) {
		if err := f.sync(dir); err != nil {
			return err
		}
	}
	return nil
}

// writeNew writes a temporary file beside rel and returns its name, also with
// an error when there is something to remove.
func (f *folder) writeNew(rel string, content []byte) (tmp string, err error) {
	return f.makeNew(rel, func(file *os.File) error {
		_, err := file.Write(content)
		return err
	})
}

func (f *folder) copyNew(rel string, from io.Reader) (tmp string, err error) {
	return f.makeNew(rel, func(file *os.File) error {
		_, err := io.Copy(file, from)
		return err
	})
}

func (f *folder) makeNew(rel string, write func(*os.File) error) (tmp string, err error) {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	tmp = strings.TrimSuffix(rel, ".db") + temporaryMark + hex.EncodeToString(random[:])
	file, err := f.root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	return tmp, errors.Join(write(file), file.Close())
}

// removeDatabase removes a file with all that SQLite keeps beside it.
func (f *folder) removeDatabase(rel string) error {
	return errors.Join(f.remove(rel), f.remove(rel+walSuffix), f.remove(rel+shmSuffix), f.remove(rel+journalSuffix))
}

// names returns the names in a folder, none when it does not exist.
func (f *folder) names(rel string) ([]string, error) {
	d, err := f.root.Open(rel)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	return names, errors.Join(err, d.Close())
}
