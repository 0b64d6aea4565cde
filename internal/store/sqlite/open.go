package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"

	"portico/internal/store"
	"portico/internal/store/handles"
)

// Open implements store.Engine.
func (e *Engine) Open(ctx context.Context, id store.Identity) (store.Handle, error) {
	entry, err := e.acquire(ctx, id, true)
	if err != nil {
		return nil, err
	}
	return &handle{portal: entry.Database, engine: e, Lease: handles.Lease[*portal]{Entry: entry}}, nil
}

// portal is a portal's open database, as it is kept.
type portal struct {
	*database
	id   store.Identity
	file fileID // that was opened
}

// Close implements io.Closer.
func (p *portal) Close() error { return p.close() }

// handle is one user of a portal's database. It implements store.Handle.
type handle struct {
	*portal
	handles.Lease[*portal]
	engine *Engine
}

// placed is the place of a name. There is one cluster.
func placed(name string) store.Place { return store.Place{Name: name} }

// acquire returns the entry of a database that has the identity and whose
// file is still the one that was opened.
func (e *Engine) acquire(ctx context.Context, id store.Identity, keep bool) (*handles.Entry[*portal], error) {
	name, err := nameOf(id)
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		entry, err := e.handles.Acquire(ctx, placed(name), keep)
		if err != nil {
			return nil, err
		}
		p := entry.Database
		there, err := e.folder.identify(p.rel)
		if err == nil && there == p.file {
			if p.id == id {
				return entry, nil
			}
			entry.Release()
			return nil, fmt.Errorf("%w: %s says %+v, want %+v", store.ErrIdentity, name, p.id, id)
		}
		// Someone removed or replaced the file behind our back. What we have
		// open is no part of the folder any more and must not be written to.
		entry.Release()
		if err != nil {
			return nil, err
		}
		if try > 0 {
			return nil, unavailable(fmt.Errorf("sqlite: %s was replaced while it is in use", name))
		}
		entry.Forget()
	}
}

// load opens a portal's database: it must be there, ours, and at a schema
// version that is known; an older one is migrated.
func (e *Engine) load(_ context.Context, at store.Place) (*portal, error) {
	rel, err := portalFile(at.Name)
	if err != nil {
		return nil, err
	}
	file, err := e.folder.inspect(rel)
	if err != nil {
		return nil, err
	}
	d := newDatabase(at.Name, rel, portalProfile, e)
	id, version, err := e.readIdentity(d)
	if err == nil && version < len(e.portalSteps) {
		err = e.migratePortal(context.Background(), d)
	}
	if err == nil && version > len(e.portalSteps) {
		err = store.TooNew("A portal's database", version, len(e.portalSteps))
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return &portal{database: d, id: id, file: file}, nil
}

// readIdentity reads the identity row. A database without one is damaged: we
// make none without.
func (e *Engine) readIdentity(d *database) (id store.Identity, version int, err error) {
	err = d.View(context.Background(), func(q store.SQL) error {
		return q.QueryRow(`SELECT portal_id, generation, epoch, schema_version FROM identity`).
			Scan(&id.PortalID, &id.Generation, &id.Epoch, &version)
	})
	if errors.Is(err, sql.ErrNoRows) || codeOf(err) == sqlite3.SQLITE_ERROR {
		err = fmt.Errorf("%w: %s has no identity: %w", store.ErrDamaged, d.name, err)
	}
	return id, version, err
}
