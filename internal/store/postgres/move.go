package postgres

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"portico"
	"portico/internal/store"
)

var _ store.Mover = (*Engine)(nil)

// Copy implements store.Mover by pg_dump and pg_restore, the one's output the
// other's input: nothing is written between, and nothing passes through us.
// Where we die they go on: what they make has no identity and no marker of
// ours, and the drop by its tombstone ends them.
func (e *Engine) Copy(ctx context.Context, from store.Place, id store.Identity, progress func(done, total int64)) error {
	entry, err := e.handles.Acquire(ctx, from, false) // a drop waits for it
	if err != nil {
		return err
	}
	defer entry.Release()
	source, err := e.clusters.at(ctx, from.Cluster)
	if err != nil {
		return err
	}
	target, err := e.clusters.at(ctx, id.Cluster)
	if err != nil {
		return err
	}
	m := &move{
		from: from.Name, source: source, into: id.Place().Name, target: target,
		quick: min(source.facts.Load().version, target.facts.Load().version) >= hashesRows,
	}
	if err := m.look(ctx); err != nil {
		return translate(err)
	}
	if progress != nil {
		defer m.watch(ctx, progress)()
	}
	return e.makeFilled(ctx, id, func(ctx context.Context, into *address, database, schema string) error {
		if schema == appSchema {
			return m.pour(ctx, into, database, schema)
		}
		// The app's part is there, and is compared meanwhile. Ours changes all the
		// time, and is applied again.
		both, ctx := errgroup.WithContext(ctx)
		both.Go(func() error { return translate(m.compare(ctx)) })
		both.Go(func() error { return m.pour(ctx, into, database, schema) })
		return both.Wait()
	})
}

// move is a database being copied from one server to another.
type move struct {
	from, into     string // names of the databases
	source, target *server
	quick          bool  // both servers hash rows
	total          int64 // bytes of tables
}

// look reads how much there is, and refuses what a copy by schema leaves out.
func (m *move) look(ctx context.Context) error {
	return m.source.inside(ctx, m.from, func(a *session) error {
		var objects, outside, prepared int
		err := a.query(`SELECT (SELECT COUNT(*) FROM pg_largeobject_metadata),
			(SELECT COUNT(*) FROM pg_class WHERE relkind IN ('r', 'p', 'm') AND relnamespace = to_regnamespace('public')),
			(SELECT COUNT(*) FROM pg_prepared_xacts WHERE database = current_database()),
			(SELECT COALESCE(SUM(pg_table_size(oid)), 0)::bigint FROM pg_class WHERE relkind = 'r'
			AND relnamespace IN ('`+schemaName+`'::regnamespace, '`+appSchema+`'::regnamespace))`, nil, &objects, &outside, &prepared, &m.total)
		if err == nil && objects > 0 {
			err = portico.Errorf(portico.KindConflict,
				"The portal's app keeps %d large objects in its database, which cannot be moved. It has to keep them in tables of its schema.", objects)
		}
		if err == nil && outside > 0 {
			err = portico.Errorf(portico.KindConflict,
				"The portal's app keeps %d tables in schema public of its database, which cannot be moved. It has to keep them in schema %s.", outside, appSchema)
		}
		if err == nil && prepared > 0 { // neither their rows nor their locks can be copied
			err = portico.Errorf(portico.KindConflict,
				"The portal's app has prepared %d transactions to commit and left them open. It has to commit them, or roll them back, before the portal can be moved.", prepared)
		}
		return err
	})
}

// watchEvery is how often somebody who waits is told of the progress.
const watchEvery = 250 * time.Millisecond

// watch tells of the progress, which is by how much the new database grew, until
// stop is called.
func (m *move) watch(ctx context.Context, progress func(done, total int64)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		for empty := int64(0); ; {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			size, err := m.target.sizeOf(ctx, m.into)
			if err != nil { // the copy itself will say so
				continue
			}
			if empty == 0 {
				empty = size
			}
			progress(min(max(size-empty, 0), m.total), m.total)
		}
	})
	return func() {
		cancel()
		done.Wait()
	}
}

// sizeOf returns how many bytes a database has, none where it is not there.
func (s *server) sizeOf(ctx context.Context, name string) (size int64, err error) {
	err = s.session(ctx, func(a *session) error {
		return a.query(`SELECT COALESCE((SELECT pg_database_size(oid) FROM pg_database WHERE datname = $1), 0)`, []any{name}, &size)
	})
	return size, err
}

// pour copies a schema. When one of the programs fails the other is ended.
func (m *move) pour(ctx context.Context, into *address, database, schema string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dumped, out, err := os.Pipe()
	if err != nil {
		return err
	}
	read := make(chan error, 1)
	go func() {
		// Packing would take longer than the way is worth.
		err := runProgram(ctx, m.source.address(), nil, out, "pg_dump", m.from, "--format=custom", "--compress=0", "--lock-wait-timeout="+lockWait, "--schema="+schema)
		if err != nil {
			cancel(err)
		}
		_ = out.Close()
		read <- err
	}()
	written := into.restore(ctx, database, schema, dumped)
	if written != nil {
		cancel(written)
	}
	_ = dumped.Close() // who still writes into it is told
	dump := <-read
	if first := context.Cause(ctx); written == nil || dump != nil && errors.Is(first, dump) {
		return dump
	}
	return written
}
