package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"

	"portico/internal/store"
)

// Open implements store.Engine.
func (e *Engine) Open(ctx context.Context, id store.Identity) (store.Handle, error) {
	entry, err := e.acquire(ctx, id, true)
	if err != nil {
		return nil, err
	}
	return &handle{database: entry.db, entry: entry, handles: e.handles}, nil
}

// acquire returns the entry of a database that has the identity and whose
// file is still the one that was opened.
func (e *Engine) acquire(ctx context.Context, id store.Identity, keep bool) (*entry, error) {
	name, err := nameOf(id)
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		entry, err := e.handles.acquire(ctx, name, keep)
		if err != nil {
			return nil, err
		}
		there, err := e.folder.identify(entry.db.rel)
		if err == nil && there == entry.file {
			if entry.id == id {
				return entry, nil
			}
			e.handles.release(entry)
			return nil, fmt.Errorf("%w: %s says %+v, want %+v", store.ErrIdentity, name, entry.id, id)
		}
		// Someone removed or replaced the file behind our back. What we have
		// open is no part of the folder any more and must not be written to.
		e.handles.release(entry)
		if err != nil {
			return nil, err
		}
		if try > 0 {
			return nil, unavailable(fmt.Errorf("sqlite: %s was replaced while it is in use", name))
		}
		e.handles.forget(entry)
	}
}

// load opens the database of an entry: it must be there, ours, and at a
// schema version that is known; an older one is migrated.
func (e *Engine) load(entry *entry) error {
	rel, err := portalFile(entry.name)
	if err != nil {
		return err
	}
	if entry.file, err = e.folder.inspect(rel); err != nil {
		return err
	}
	d := newDatabase(entry.name, rel, portalProfile, e)
	version, err := e.readIdentity(d, &entry.id)
	if err == nil && version < len(e.portalSteps) {
		err = e.migratePortal(context.Background(), d)
	}
	if err == nil && version > len(e.portalSteps) {
		err = tooNew("A portal's database", version, len(e.portalSteps))
	}
	if err != nil {
		return errors.Join(err, d.close())
	}
	entry.db = d
	return nil
}

// readIdentity reads the identity row. A database without one is damaged: we
// make none without.
func (e *Engine) readIdentity(d *database, id *store.Identity) (version int, err error) {
	err = d.View(context.Background(), func(q store.SQL) error {
		return q.QueryRow(`SELECT portal_id, generation, epoch, schema_version FROM identity`).
			Scan(&id.PortalID, &id.Generation, &id.Epoch, &version)
	})
	if errors.Is(err, sql.ErrNoRows) || codeOf(err) == sqlite3.SQLITE_ERROR {
		err = fmt.Errorf("%w: %s has no identity: %w", store.ErrDamaged, d.name, err)
	}
	return version, err
}
