package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// compare holds the app's part of both databases against each other, table by
// table: how many rows it has, and the sum over their hashes. A materialized
// view is left out: it may be older than its tables, and the copy's never is.
// Both are read after the copying, so that what an operator wrote to the source
// meanwhile shows too. Two servers may hash differently: before a copy is said
// to differ, the text of its rows is compared.
func (m *move) compare(ctx context.Context) error {
	if m.quick {
		here, there, err := m.digests(ctx, tablesQuickly)
		if err != nil || slices.Equal(here, there) {
			return err
		}
	}
	here, there, err := m.digests(ctx, tablesByText)
	if err != nil || slices.Equal(here, there) {
		return err
	}
	return unavailable(fmt.Errorf("postgres: the copy of %s differs: it has %v, want %v", m.from, there, here))
}

// digests reads both databases at once.
func (m *move) digests(ctx context.Context, tables string) (here, there []string, err error) {
	var far error
	var both sync.WaitGroup
	both.Go(func() { there, far = digests(ctx, m.target, m.into, tables) })
	here, err = digests(ctx, m.source, m.from, tables)
	both.Wait()
	return here, there, errors.Join(err, far)
}

// sameText makes values read the same on every server, a policy that would hide
// rows from us an error, and no name in our statements one of the app's.
const sameText = "SET search_path = pg_catalog; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET bytea_output = 'hex'; SET extra_float_digits = 1; SET row_security = off"

// hashesRows is the first version with hash_record_extended.
const hashesRows = 140000

// What is read of the app's relations: a statement for each, which returns one
// line. A row is read by record_send and record_out: a cast to text may be the
// app's own, and would run as us.
const (
	tablesByText = `SELECT format('SELECT %L || COUNT(*) || '' '' || COALESCE(SUM((''x'' || LEFT(MD5(textin(record_out(t.*))), 15))::bit(60)::bigint), 0) FROM ` + appSchema + `.%I t',
		relname || ': ', relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = '` + appSchema + `'::regnamespace`

	// Text costs many times what a value's bytes do, and only they are hashed
	// where the bytes are the same on every server: in those of other types there
	// is the number of an enum, a domain or a table, which each server gives.
	tablesQuickly = `SELECT format('SELECT %L || COUNT(*) || '' '' || COALESCE(SUM(hash_record_extended(
			ROW(record_send(ROW(%s)), textin(record_out(ROW(%s))) COLLATE "C"), 0)), 0) FROM ` + appSchema + `.%I t', relname || ': ',
		string_agg('t.' || quote_ident(attname), ', ' ORDER BY attnum) FILTER (WHERE plain),
		string_agg('t.' || quote_ident(attname), ', ' ORDER BY attnum) FILTER (WHERE NOT plain), relname)
		FROM pg_class c LEFT JOIN (SELECT attrelid, attnum, attname, t.oid = ANY (types) OR typcategory = 'A' AND typelem = ANY (types) AS plain
			FROM pg_attribute JOIN pg_type t ON t.oid = atttypid
			CROSS JOIN (SELECT '{bool,int2,int4,int8,float4,float8,numeric,text,varchar,bpchar,bytea,uuid,json,jsonb,date,time,timetz,timestamp,timestamptz,interval}'::regtype[]::oid[] AS types) p
			WHERE attnum > 0 AND NOT attisdropped) a ON attrelid = c.oid
		WHERE relkind = 'r' AND relnamespace = '` + appSchema + `'::regnamespace GROUP BY relname`

	sequences = `SELECT format('SELECT %L || MAX(last_value) || '' '' || BOOL_OR(is_called) FROM ` + appSchema + `.%I', relname || ': ', relname)
		FROM pg_class WHERE relkind = 'S' AND relnamespace = '` + appSchema + `'::regnamespace`
)

// digests returns a line for each table and sequence of the app in a database.
func digests(ctx context.Context, s *server, name, tables string) (lines []string, err error) {
	err = s.inside(ctx, name, func(a *session) error {
		if err := a.exec(statementLimit, sameText); err != nil {
			return err
		}
		statements, err := a.column(tables + " UNION ALL " + sequences)
		if err != nil {
			return err
		}
		a.link.limit = stepLimit
		defer func() { a.link.limit = statementLimit }()
		for _, text := range statements {
			var line string
			if err := a.query(text, nil, &line); err != nil {
				return err
			}
			lines = append(lines, line)
		}
		return nil
	})
	slices.Sort(lines)
	return lines, err
}
