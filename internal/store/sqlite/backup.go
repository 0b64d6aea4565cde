package sqlite

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"

	"portico/internal/store"
)

// backupStep is the number of pages that a backup copies before it looks
// whether it is still wanted.
const backupStep = 2048

// Verify implements store.Engine. The file is read on a connection of its
// own: what others have in their caches proves nothing.
func (e *Engine) Verify(ctx context.Context, id store.Identity) error {
	entry, err := e.acquire(ctx, id, false)
	if err != nil {
		return err
	}
	defer entry.Release()
	return entry.Database.check()
}

// Backup implements store.Engine by SQLite's online backup, within one
// snapshot: writers go on meanwhile.
func (e *Engine) Backup(ctx context.Context, at store.Place, path string) error {
	if at.Name == "" {
		return e.backupFile(ctx, path, func() (*conn, error) { return e.registry.dial(false) })
	}
	entry, err := e.handles.Acquire(ctx, placed(at.Name), false)
	if err != nil {
		return err
	}
	defer entry.Release()
	err = e.backupFile(ctx, path, func() (*conn, error) { return entry.Database.dial(false) })
	if err != nil {
		return err
	}
	app := filepath.Join(filepath.Dir(entry.Database.rel), appFile(entry.Database.id.Generation))
	if err := e.backupApp(ctx, app, path+store.AppCopy); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// backupFile writes a copy of a database to a new file.
func (e *Engine) backupFile(ctx context.Context, path string, dial func() (*conn, error)) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the operator names it
	if err != nil {
		return translateFile(err)
	}
	err = file.Close()
	if err == nil {
		err = copyDatabase(ctx, path, dial)
	}
	if err == nil {
		err = e.points.Hit(ctx, FailBackupWritten)
	}
	if err == nil {
		err = errors.Join(syncPath(path), syncPath(filepath.Dir(path)))
	}
	if err != nil {
		err = errors.Join(err, os.Remove(path))
	}
	return translateFile(err)
}

func copyDatabase(ctx context.Context, path string, dial func() (*conn, error)) error {
	c, err := dial()
	if err != nil {
		return err
	}
	err = c.link.run("BEGIN")
	if err == nil {
		var tables int // reading is what fixes the snapshot
		err = c.query("SELECT count(*) FROM sqlite_schema", &tables)
	}
	if err == nil {
		err = copyPages(ctx, c, path)
	}
	return errors.Join(err, c.close())
}

func copyPages(ctx context.Context, c *conn, path string) error {
	to := "file:" + (&url.URL{Path: path}).EscapedPath() + "?mode=rw&_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)"
	backup, err := c.link.inner.NewBackup(to)
	if err != nil {
		return translate(err)
	}
	for more := true; more && err == nil; {
		if err = ctx.Err(); err != nil {
			err = unavailable(context.Cause(ctx))
			break
		}
		more, err = backup.Step(backupStep)
		err = translate(err)
	}
	return errors.Join(err, translate(backup.Finish()))
}

func syncPath(path string) error {
	f, err := os.Open(path) //nolint:gosec // made by Backup
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
