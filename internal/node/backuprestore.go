package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"portico"
	"portico/internal/lifecycle"
	"portico/internal/store"
)

// RestorePortal gives a portal a new generation of its database from a backup,
// beside a running server too. Its guests are those that the registry has now.
func (c *Core) RestorePortal(ctx context.Context, dir, portalID string) error {
	m, err := ReadManifest(dir)
	if err != nil {
		return err
	}
	file, err := m.file(portalID)
	if err != nil {
		return err
	}
	if portalID == "" || m.Epoch != c.Store.Epoch() {
		return portico.Errorf(portico.KindConflict, "The backup %s is of another installation.", dir)
	}
	for _, f := range m.Files {
		if f.PortalID != portalID {
			continue
		}
		if err := f.verify(dir); err != nil {
			return err
		}
	}
	err = c.Lifecycle.Replace(ctx, portalID, file.path(dir), false)
	switch {
	case portico.KindOf(err) == portico.KindNotFound:
		err = portico.Errorf(portico.KindNotFound,
			"Portal %s was deleted. What is deleted comes back only with everything: restore into an empty folder.", portalID)
	case errors.Is(err, store.ErrLeaseHeld):
		err = portico.WrapError(portico.KindConflict, nil, "The portal is being worked on. Repeat the command in a moment.")
	}
	return err
}

// restore is everything being restored.
type restore struct {
	dir      string
	config   Config
	manifest Manifest
	progress Progress
	bytes    int64
}

// RestoreAll makes the data of a whole installation from a backup, in a folder
// that is absent or holds nothing but the secret. No server can start on the
// folder before the restore came to its end.
func RestoreAll(ctx context.Context, config Config, dir string, o Options, progress Progress) (Manifest, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return m, err
	}
	r := &restore{dir: dir, config: config, manifest: m, progress: progress}
	if err := r.check(ctx); err != nil {
		return m, err
	}
	if m.Engine == enginePostgres {
		return m, r.ontoServer(ctx, o)
	}
	marker := filepath.Join(config.Data, restoringFile)
	if err := r.copyRegistry(marker); err != nil {
		return m, fmt.Errorf("copy the registry: %w", err)
	}
	if err := r.fill(ctx, o); err != nil {
		return m, err
	}
	return m, errors.Join(os.Remove(marker), syncFolder(config.Data))
}

// check reads the whole backup before anything is written.
func (r *restore) check(ctx context.Context) error {
	if _, err := r.manifest.registry(); err != nil {
		return err
	}
	if r.manifest.Engine != engineOf(r.config) {
		return portico.Errorf(portico.KindConflict,
			"The backup %s is of the other engine: one of PostgreSQL goes into an empty registry (--database-url), one of SQLite into a folder (--data).", r.dir)
	}
	var entries []os.DirEntry
	var err error
	if r.config.DatabaseURL == "" {
		entries, err = os.ReadDir(r.config.Data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if entry.Name() != SecretFile {
			return portico.Errorf(portico.KindConflict,
				"The data folder %s is not empty (%s). Stop the server and name a new folder with --data; only %s may be in it.",
				r.config.Data, entry.Name(), SecretFile)
		}
	}
	if err := r.checkSecret(); err != nil {
		return err
	}
	for i, f := range r.manifest.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.verify(r.dir); err != nil {
			return err
		}
		r.report(i+1, f.Size)
	}
	return nil
}

// report counts files that were read, then those that were put in place.
func (r *restore) report(done int, size int64) {
	r.bytes += size
	if r.progress != nil {
		r.progress(done, 2*len(r.manifest.Files), r.bytes)
	}
}

// checkSecret refuses a secret that is there and is not the backup's. It may be
// put in place later.
func (r *restore) checkSecret() error {
	if r.config.SecretKey == "" && !exists(filepath.Join(r.config.Data, SecretFile)) {
		return nil
	}
	ring, err := haveRing(r.config)
	if err == nil && ring.Fingerprint() != r.manifest.Secret {
		err = portico.Errorf(portico.KindConflict, "The secret is %s, the backup was made with %s. Put the right one in place.",
			ring.Fingerprint(), r.manifest.Secret)
	}
	return err
}

func (r *restore) copyRegistry(marker string) error {
	if err := os.MkdirAll(r.config.Data, 0o700); err != nil {
		return err
	}
	if err := writeDurably(marker, []byte("from "+r.dir+"\n")); err != nil {
		return err
	}
	f, err := r.manifest.registry()
	if err != nil {
		return err
	}
	from, err := os.Open(f.path(r.dir))
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // it was only read
	to, err := os.OpenFile(filepath.Join(r.config.Data, registryFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Sync(), to.Close(), syncFolder(r.config.Data)); err == nil {
		r.report(len(r.manifest.Files)+1, f.Size)
	}
	return err
}

// fill makes the portals' databases under the registry that was put in place.
func (r *restore) fill(ctx context.Context, o Options) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Core{Config: r.config, Log: o.Log}
	defer c.Close()
	if err := c.openStorage(true, o, portico.NewIDSource(o.Now)); err != nil {
		return err
	}
	if c.Store.Epoch() != r.manifest.Epoch {
		return portico.Errorf(portico.KindInvalid, "The registry in the backup %s is not the one that its manifest tells of.", r.dir)
	}
	return r.portals(ctx, c)
}

// portals makes the portals' databases, and lets the reconciler judge what is
// not there.
func (r *restore) portals(ctx context.Context, c *Core) error {
	done := len(r.manifest.Files) + 1
	for _, f := range r.manifest.Files {
		if f.PortalID == "" {
			continue
		}
		if !f.App { // which the portal's brings along
			if err := r.portal(ctx, c, f); err != nil {
				return fmt.Errorf("restore portal %s: %w", f.PortalID, err)
			}
		}
		done++
		r.report(done, f.Size)
	}
	l := lifecycle.New(lifecycle.Config{Store: c.Store, Log: c.Log, SoleProcess: c.Config.DatabaseURL == ""})
	defer l.Stop()
	_, err := l.Reconcile(ctx, 0)
	return err
}

func (r *restore) portal(ctx context.Context, c *Core, f BackupFile) error {
	var row store.PortalRow
	err := c.Store.View(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.PortalByID(f.PortalID)
		return err
	})
	if portico.KindOf(err) == portico.KindNotFound {
		return nil // made while the backup ran, after its copy of the registry
	}
	if err != nil {
		return err
	}
	id := c.Store.Identity(row)
	if err := c.engine.Restore(ctx, id, f.path(r.dir)); err != nil {
		return err
	}
	handle, err := c.engine.Open(ctx, id)
	if err != nil {
		return err
	}
	defer handle.Release()
	return c.Store.ProjectAll(ctx, handle, row.ID)
}
