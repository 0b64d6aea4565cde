package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"portico"
	"portico/internal/store"
)

var _ store.Mover = (*Engine)(nil)

// Copy implements store.Mover by pg_dump and pg_restore, the one's output the
// other's input: nothing is written between. Where we die both end with us, and
// pg_restore's transaction with it.
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
	m := &move{from: from.Name, source: source, progress: progress}
	if err := m.look(ctx); err != nil {
		return translate(err)
	}
	return e.makeFilled(ctx, id, func(ctx context.Context, into *address, database, schema string) error {
		if err := m.pour(ctx, into, database, schema); err != nil || schema != appSchema {
			return err // ours changes meanwhile, and is applied again
		}
		target, err := e.clusters.at(ctx, id.Cluster)
		if err == nil {
			err = m.compare(ctx, target, database)
		}
		return translate(err)
	})
}

// move is a database being copied from one server to another.
type move struct {
	from        string // name of the database
	source      *server
	total, done int64
	progress    func(done, total int64)
}

// look reads how much there is, and refuses what a copy by schema leaves out.
func (m *move) look(ctx context.Context) error {
	return m.source.inside(ctx, m.from, func(a *session) error {
		var objects, outside, prepared int
		err := a.query(`SELECT (SELECT COUNT(*) FROM pg_largeobject_metadata),
			(SELECT COUNT(*) FROM pg_class WHERE relkind IN ('r', 'p', 'm') AND relnamespace = to_regnamespace('public')),
			(SELECT COUNT(*) FROM pg_prepared_xacts WHERE database = current_database()),
			(SELECT COALESCE(SUM(pg_table_size(oid)), 0)::bigint FROM pg_class WHERE relkind IN ('r', 'm')
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

// Write counts what passes from the one program to the other.
func (m *move) Write(p []byte) (int, error) {
	m.done += int64(len(p))
	m.total = max(m.total, m.done)
	if m.progress != nil {
		m.progress(m.done, m.total)
	}
	return len(p), nil
}

// pour copies a schema. When one of the programs fails the other is ended.
func (m *move) pour(ctx context.Context, into *address, database, schema string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dumped, out := io.Pipe()
	read := make(chan error, 1)
	go func() {
		// Packing would take longer than the way is worth.
		err := runProgram(ctx, m.source.address(), nil, out, "pg_dump", m.from, "--format=custom", "--compress=0", "--lock-wait-timeout="+lockWait, "--schema="+schema)
		if err != nil {
			cancel(err)
		}
		out.CloseWithError(err) // always nil
		read <- err
	}()
	written := into.restore(ctx, database, schema, io.TeeReader(dumped, m))
	dumped.CloseWithError(errors.New("pg_restore ended")) // always nil
	dump := <-read
	if first := context.Cause(ctx); written == nil || dump != nil && errors.Is(first, dump) {
		return dump
	}
	return written
}

// compare holds the app's part of both databases against each other: each
// table's rows, by their number and a sum over their hashes.
func (m *move) compare(ctx context.Context, target *server, name string) error {
	type seen struct {
		tables []string
		err    error
	}
	at := make(chan seen, 1)
	go func() {
		tables, err := digests(ctx, m.source, m.from)
		at <- seen{tables, err}
	}()
	there, err := digests(ctx, target, name)
	here := <-at
	if err := errors.Join(here.err, err); err != nil {
		return err
	}
	if !slices.Equal(here.tables, there) {
		return unavailable(fmt.Errorf("postgres: the copy of %s differs: it has %v, want %v", m.from, there, here.tables))
	}
	return nil
}

// sameText makes values read the same on every server, a policy that would hide
// rows from us an error, and no name in our statements one of the app's.
const sameText = "SET search_path = pg_catalog; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET bytea_output = 'hex'; SET extra_float_digits = 1; SET row_security = off"

// digests returns a line for each table and sequence of the app in a database:
// its name, how many rows it has, and what they sum up to. A row is read by
// record_out: a cast to text may be the app's own, and would run as us.
func digests(ctx context.Context, s *server, name string) (lines []string, err error) {
	err = s.inside(ctx, name, func(a *session) error {
		if err := a.exec(statementLimit, sameText); err != nil {
			return err
		}
		a.link.limit = stepLimit
		defer func() { a.link.limit = statementLimit }()
		for kinds, text := range map[string]string{
			`'r', 'm'`: `COUNT(*)::text || ' ' || COALESCE(SUM(('x' || LEFT(MD5(textin(record_out(t.*))), 15))::bit(60)::bigint), 0)::text`,
			`'S'`:      `MAX(last_value)::text || ' ' || BOOL_OR(is_called)::text`,
		} {
			names, err := a.column(`SELECT relname::text FROM pg_class WHERE relkind IN (` + kinds + `)
				AND relnamespace = '` + appSchema + `'::regnamespace`)
			if err != nil {
				return err
			}
			for _, relation := range names {
				var sum string
				if err := a.query(`SELECT `+text+` FROM `+appSchema+`.`+quote(relation)+` t`, nil, &sum); err != nil {
					return err
				}
				lines = append(lines, relation+": "+sum)
			}
		}
		return nil
	})
	slices.Sort(lines)
	return lines, err
}
