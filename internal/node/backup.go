package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"portico"
	"portico/internal/store"
	"portico/internal/store/sqlite"
)

// Progress is told how far a long operation has come: steps of all, and bytes
// so far.
type Progress func(done, total int, bytes int64)

// backup is one backup being written.
type backup struct {
	core     *Core
	dir      string
	progress Progress
	manifest Manifest
	bytes    int64
}

// Backup writes a copy of registry and portals to a new folder while they are
// in use. The registry comes first: it says which portals the backup is of,
// and each of them is either in it or in the manifest's list of what is
// missing. The secret is never in it. What an error leaves is removed.
func (c *Core) Backup(ctx context.Context, dir, version string, progress Progress) (m Manifest, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return m, err
	}
	made, err := emptyFolder(dir)
	if err != nil {
		return m, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, discard(dir, made))
		}
	}()
	b := &backup{core: c, dir: dir, progress: progress, manifest: Manifest{
		Format: manifestFormat, Version: version, MadeAt: c.Store.Now(), Epoch: c.Store.Epoch(),
		Engine: engineOf(c.Config), Secret: c.Ring.Fingerprint(), Files: []BackupFile{}, Missing: []BackupMissing{},
	}}
	if err := b.run(ctx); err != nil {
		return m, err
	}
	raw, err := json.MarshalIndent(b.manifest, "", "  ") //nolint:gosec // a fingerprint, which tells nothing of the secret
	if err != nil {
		return m, err
	}
	return b.manifest, writeDurably(filepath.Join(dir, ManifestFile), append(raw, '\n'))
}

// emptyFolder makes a private folder, or takes one that is empty.
func emptyFolder(dir string) (made bool, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, errors.Join(os.MkdirAll(dir, 0o700), syncFolder(filepath.Dir(dir)))
	case err != nil:
		return false, err
	case len(entries) > 0:
		return false, portico.Errorf(portico.KindConflict, "The folder %s is not empty. Name one that is new.", dir)
	}
	return false, os.Chmod(dir, 0o700) //nolint:gosec // a folder needs its x bit
}

// discard removes what a backup that failed has written, and nothing else.
func discard(dir string, made bool) error {
	err := os.RemoveAll(filepath.Join(dir, backupPortals))
	for _, name := range []string{registryFile, registryFile + "-wal", registryFile + "-shm"} {
		if gone := os.Remove(filepath.Join(dir, name)); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	if made {
		err = errors.Join(err, os.Remove(dir))
	}
	return err
}

func (b *backup) run(ctx context.Context) error {
	rows, err := b.registry(ctx)
	if err != nil {
		return err
	}
	if err := b.add(registryFile, ""); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(b.dir, backupPortals), 0o700); err != nil {
		return err
	}
	b.report(1, len(rows))
	for i, row := range rows {
		if err := b.portal(ctx, row); err != nil {
			return err
		}
		b.report(i+2, len(rows))
	}
	return errors.Join(syncFolder(filepath.Join(b.dir, backupPortals)), syncFolder(b.dir))
}

func (b *backup) report(done, portals int) {
	if b.progress != nil {
		b.progress(done, portals+1, b.bytes)
	}
}

// registry copies the registry and returns the portals that the copy knows. A
// dump cannot be looked into: there it is those of right before and right after,
// and what was deleted in between is missing.
func (b *backup) registry(ctx context.Context) (rows []store.PortalRow, err error) {
	copied := func() error {
		return b.core.engine.Backup(ctx, store.Place{}, filepath.Join(b.dir, registryFile))
	}
	if b.manifest.Engine == "" {
		if err := copied(); err != nil {
			return nil, fmt.Errorf("copy the registry: %w", err)
		}
		rows, err := b.readSnapshot(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the copy of the registry: %w", err)
		}
		return rows, nil
	}
	before, err := b.count(ctx, b.core.Store)
	if err != nil {
		return nil, err
	}
	if err := copied(); err != nil {
		return nil, fmt.Errorf("copy the registry: %w", err)
	}
	if rows, err = b.count(ctx, b.core.Store); err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(rows))
	for _, row := range rows {
		known[row.ID] = true
	}
	for _, row := range before {
		if !known[row.ID] {
			b.miss(row.ID, "deleted while the backup ran", false)
		}
	}
	return rows, nil
}

// readSnapshot returns the portals of the copy, not those of now: a portal that
// came or went meanwhile is another matter.
func (b *backup) readSnapshot(ctx context.Context) (rows []store.PortalRow, err error) {
	engine, err := sqlite.Open(ctx, sqlite.Config{Dir: b.dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	snapshot, err := store.New(engine, time.Now, portico.NewIDSource(time.Now))
	if err != nil {
		return nil, err
	}
	return b.count(ctx, snapshot)
}

// count returns a registry's portals, and notes what else there is.
func (b *backup) count(ctx context.Context, s *store.Store) (rows []store.PortalRow, err error) {
	err = s.View(ctx, func(tx *store.Tx) error {
		organizations, err := tx.Organizations()
		if err != nil {
			return err
		}
		b.manifest.Organizations, b.manifest.Guests = len(organizations), 0
		for _, o := range organizations {
			n, err := tx.CountGuests(o.ID)
			if err != nil {
				return err
			}
			b.manifest.Guests += n
		}
		rows, err = allPortals(tx)
		return err
	})
	b.manifest.Portals = len(rows)
	return rows, err
}

const portalPage = 1000

func allPortals(tx *store.Tx) (rows []store.PortalRow, err error) {
	for after := ""; ; {
		page, err := tx.PortalsAfter(after, portalPage)
		if err != nil {
			return nil, err
		}
		rows = append(rows, page...)
		if len(page) < portalPage {
			return rows, nil
		}
		after = page[len(page)-1].ID
	}
}

// portal copies the database of a portal, or notes why there is none.
func (b *backup) portal(ctx context.Context, row store.PortalRow) error {
	if row.State != portico.PortalActive {
		b.miss(row.ID, string(row.State), row.State == portico.PortalUnavailable)
		return nil
	}
	name := filepath.Join(backupPortals, row.ID+".db")
	for {
		cause := b.core.engine.Backup(ctx, b.core.Store.Identity(row).Place(), filepath.Join(b.dir, name))
		if cause == nil {
			return b.addPortal(name, row.ID)
		}
		if ctx.Err() != nil || portico.KindOf(cause) == portico.KindStorageFull {
			return fmt.Errorf("copy portal %s: %w", row.ID, cause)
		}
		now, err := b.now(ctx, row.ID)
		switch {
		case err != nil:
			return err
		case !now.Found():
			b.miss(row.ID, "deleted while the backup ran", false)
			return nil
		case now.Generation == row.Generation:
			b.miss(row.ID, cause.Error(), true)
			return nil
		}
		row = now // replaced meanwhile
	}
}

// now returns the portal as it is, the zero row when it is no more.
func (b *backup) now(ctx context.Context, portalID string) (row store.PortalRow, err error) {
	err = b.core.Store.View(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.PortalByID(portalID)
		return err
	})
	if portico.KindOf(err) == portico.KindNotFound {
		err = nil
	}
	return row, err
}

func (b *backup) miss(portalID, reason string, lost bool) {
	b.manifest.Missing = append(b.manifest.Missing, BackupMissing{PortalID: portalID, Reason: reason, Lost: lost})
}

// addPortal puts a portal's copy into the manifest, with its app's.
func (b *backup) addPortal(name, portalID string) error {
	err := b.add(name, portalID)
	if app := name + store.AppCopy; err == nil && exists(filepath.Join(b.dir, app)) {
		err = b.add(app, portalID)
		b.manifest.Files[len(b.manifest.Files)-1].App = err == nil
	}
	return err
}

// add puts a file that was written into the manifest.
func (b *backup) add(name, portalID string) error {
	path := filepath.Join(b.dir, name)
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	size, sum, err := digest(path)
	if err != nil {
		return err
	}
	b.bytes += size
	b.manifest.Files = append(b.manifest.Files, BackupFile{Name: filepath.ToSlash(name), PortalID: portalID, Size: size, SHA256: sum})
	return nil
}

// Lost returns what should be in the backup and could not be copied.
func (m Manifest) Lost() []BackupMissing {
	return slices.DeleteFunc(slices.Clone(m.Missing), func(miss BackupMissing) bool { return !miss.Lost })
}
