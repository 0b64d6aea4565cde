package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// bareFile is one database of the floor: a writing connection behind a mutex,
// and a small pool of reading ones.
type bareFile struct {
	mu     sync.Mutex
	pools  []*sql.DB
	writes map[string]*sql.Stmt
	reads  map[string]*sql.Stmt
}

const (
	begin  = "BEGIN IMMEDIATE"
	commit = "COMMIT"
	undo   = "ROLLBACK"
)

// limits are what differs between registry and portals, as in the product.
type limits struct{ readers, cacheKiB, checkpoint int }

var (
	registryLimits = limits{readers: 4, cacheKiB: 4096, checkpoint: 1000}
	portalLimits   = limits{readers: 2, cacheKiB: 128, checkpoint: 256}
)

func openBare(path string, l limits, writes, reads []string) (*bareFile, error) {
	f := &bareFile{writes: map[string]*sql.Stmt{}, reads: map[string]*sql.Stmt{}}
	if err := f.prepare(f.writes, path, l, 1, "", append(writes, begin, commit, undo)); err != nil {
		return nil, errors.Join(err, f.close())
	}
	if err := f.prepare(f.reads, path, l, l.readers, ";PRAGMA query_only(1)", reads); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *bareFile) prepare(into map[string]*sql.Stmt, path string, l limits, connections int, more string, texts []string) error {
	pragmas := fmt.Sprintf(`busy_timeout(5000);PRAGMA synchronous(FULL);PRAGMA foreign_keys(0);PRAGMA temp_store(2);`+
		`PRAGMA trusted_schema(0);PRAGMA cell_size_check(1);PRAGMA mmap_size(0);PRAGMA cache_size(-%d);`+
		`PRAGMA wal_autocheckpoint(%d);PRAGMA journal_size_limit(%d)`, l.cacheKiB, l.checkpoint, l.checkpoint*4096)
	db, err := sql.Open("sqlite", "file:"+path+"?mode=rw&_pragma="+url.QueryEscape(pragmas+more))
	if err != nil {
		return err
	}
	f.pools = append(f.pools, db)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	for _, text := range texts {
		if into[text], err = db.PrepareContext(context.Background(), text); err != nil { //nolint:sqlclosecheck // close closes all
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// runner runs a prepared statement in the transaction of an update.
type runner func(text string, args ...any) error

func (f *bareFile) update(fn func(runner) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	run := func(text string, args ...any) error {
		_, err := f.writes[text].ExecContext(context.Background(), args...)
		return err
	}
	if err := run(begin); err != nil {
		return err
	}
	err := fn(run)
	if err == nil {
		err = run(commit)
	}
	if err != nil {
		_ = run(undo)
	}
	return err
}

func (f *bareFile) close() error {
	var err error
	for _, stmts := range []map[string]*sql.Stmt{f.writes, f.reads} {
		for _, s := range stmts {
			if s != nil {
				err = errors.Join(err, s.Close())
			}
		}
	}
	for _, db := range slices.Backward(f.pools) {
		err = errors.Join(err, db.Close())
	}
	return err
}

// rowsAtOnce are how many rows one statement of many carries.
var rowsAtOnce = []int{64, 8, 1}

// table is an INSERT that takes any number of rows.
type table struct {
	texts   map[int]string // by number of rows
	columns int
}

func insert(into string) table {
	columns := strings.Count(into, ",") + 1
	row := "(?" + strings.Repeat(",?", columns-1) + ")"
	t := table{texts: map[int]string{}, columns: columns}
	for _, n := range rowsAtOnce {
		t.texts[n] = "INSERT INTO " + into + " VALUES " + row + strings.Repeat(","+row, n-1)
	}
	return t
}

func (t table) all() []string {
	var texts []string
	for _, n := range rowsAtOnce {
		texts = append(texts, t.texts[n])
	}
	return texts
}

// put inserts rows, whose values stand one after the other.
func (t table) put(run runner, values []any) error {
	for _, n := range rowsAtOnce {
		for size := n * t.columns; len(values) >= size; values = values[size:] {
			if err := run(t.texts[n], values[:size]...); err != nil {
				return err
			}
		}
	}
	return nil
}
