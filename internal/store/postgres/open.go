package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

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

// portal is a portal's database with connections, as it is kept open.
type portal struct {
	*database
	server *server
	id     store.Identity // Cluster is not read
}

// Close implements io.Closer.
func (p *portal) Close() error { return p.close() }

// handle is one user of a portal's database. It implements store.Handle.
type handle struct {
	*portal
	handles.Lease[*portal]
	engine *Engine
}

// acquire returns the entry of a database that has the identity.
func (e *Engine) acquire(ctx context.Context, id store.Identity, keep bool) (*handles.Entry[*portal], error) {
	at, err := placeOf(id)
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		entry, err := e.handles.Acquire(ctx, at, keep)
		if err != nil {
			return nil, err
		}
		p := entry.Database
		if !p.gone.Load() || try > 0 {
			if p.id.Same(id) {
				return entry, nil
			}
			entry.Release()
			return nil, fmt.Errorf("%w: %s says %+v, want %+v", store.ErrIdentity, at.Name, p.id, id)
		}
		// Another node dropped it, or set it aside: look again.
		entry.Release()
		entry.Forget()
	}
}

// load connects to a portal's database: it must be there, ours, and at a schema
// version that is known; an older one is migrated.
func (e *Engine) load(ctx context.Context, at store.Place) (*portal, error) {
	s, err := e.clusters.at(ctx, at.Cluster)
	if err != nil {
		return nil, err
	}
	d := newDatabase(&connector{server: s, database: at.Name, statements: portalStatements, counted: true}, "identity", portalConnections, e.points)
	id, version, err := readIdentity(d)
	if err == nil && version < len(e.portalSteps) {
		err = e.migratePortal(context.Background(), d)
	}
	if err == nil && version > len(e.portalSteps) {
		err = store.TooNew("A portal's database", version, len(e.portalSteps))
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return &portal{database: d, server: s, id: id}, nil
}

// readIdentity reads the identity row. A database without one is not finished,
// or damaged: either way it must not be used.
func readIdentity(d *database) (id store.Identity, version int, err error) {
	err = d.View(context.Background(), func(q store.SQL) error {
		return q.QueryRow(`SELECT portal_id, generation, epoch, schema_version FROM identity`).
			Scan(&id.PortalID, &id.Generation, &id.Epoch, &version)
	})
	if errors.Is(err, sql.ErrNoRows) || codeOf(err) == codeUndefinedTable {
		err = fmt.Errorf("%w: %s has no identity: %w", store.ErrDamaged, d.name, err)
	}
	return id, version, err
}

// Verify implements store.Engine. Every table of ours is read through, the
// parts that are kept apart from their rows included; the server compares its
// pages' checksums where it keeps them.
func (e *Engine) Verify(ctx context.Context, id store.Identity) error {
	entry, err := e.acquire(ctx, id, false)
	if err != nil {
		return err
	}
	defer entry.Release()
	return entry.Database.View(ctx, func(q store.SQL) error {
		tables, err := tablesOf(q)
		if err != nil {
			return err
		}
		for _, table := range tables {
			var read int64
			text := `SELECT COALESCE(SUM(LENGTH(t::text)), 0)::bigint FROM ` + quote(table) + ` t`
			if err := q.QueryRow(text).Scan(&read); err != nil {
				return err
			}
		}
		return nil
	})
}

func tablesOf(q store.SQL) ([]string, error) {
	rows, err := q.Query(`SELECT relname::text FROM pg_class WHERE relnamespace = '` + schemaName + `'::regnamespace AND relkind = 'r'`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return nil, err
		}
		tables = append(tables, table)
	}
	return tables, rows.Err()
}
