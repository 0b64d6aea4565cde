package store

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// carryPage is how many rows are carried, or compared, at once.
const carryPage = 500

// table is a table of one of our schemas, with the columns of its key.
type table struct {
	name string
	key  []string
}

// tablesOf returns the tables that a schema's steps make, but for some.
func tablesOf(steps []Migration, but ...string) ([]table, error) {
	made := regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\);`)
	keys := regexp.MustCompile(`(?m)PRIMARY KEY \(([^)]*)\)|^\s+(\w+)\s+\w+ PRIMARY KEY`)
	var all []table
	for _, step := range steps {
		for _, found := range made.FindAllStringSubmatch(step.SQL, -1) {
			key := keys.FindStringSubmatch(found[2])
			if key == nil {
				return nil, fmt.Errorf("store: the table %s has no primary key", found[1])
			}
			if !slices.Contains(but, found[1]) {
				all = append(all, table{found[1], strings.Split(key[1]+key[2], ", ")})
			}
		}
	}
	return all, nil
}

// rowsOf are rows of a table, in order of its key: what both engines return for
// the same content is the same.
type rowsOf struct {
	columns []string
	rows    [][]any
}

// span reads the rows with keys in (after, last], from the start or to the end
// where one is nil; limit 0 reads them all.
func (t table) span(q SQL, after, last []any, limit int) (found rowsOf, err error) {
	var bounds []string
	var args []any
	for _, bound := range []struct {
		operator string
		key      []any
	}{{`>`, after}, {`<=`, last}} {
		if bound.key == nil {
			continue
		}
		bounds = append(bounds, `(`+strings.Join(t.key, `, `)+`) `+bound.operator+` `+inList(len(args), len(bound.key)))
		args = append(args, bound.key...)
	}
	text := `SELECT * FROM ` + t.name //nolint:unqueryvet // every column is carried
	if len(bounds) > 0 {
		text += ` WHERE ` + strings.Join(bounds, ` AND `)
	}
	text += ` ORDER BY ` + strings.Join(t.key, `, `)
	if limit > 0 {
		text += ` LIMIT ` + strconv.Itoa(limit)
	}
	rows, err := q.Query(text, args...)
	if err != nil {
		return found, err
	}
	defer rows.Close()
	if found.columns, err = rows.Columns(); err != nil {
		return found, err
	}
	for rows.Next() {
		row, into := make([]any, len(found.columns)), make([]any, len(found.columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return found, err
		}
		for i, value := range row {
			if raw, ok := value.([]byte); ok {
				row[i] = string(raw)
			}
		}
		found.rows = append(found.rows, row)
	}
	return found, rows.Err()
}

// keyOf returns the key of the last row.
func (t table) keyOf(found rowsOf) []any {
	key := make([]any, len(t.key))
	for i, name := range t.key {
		key[i] = found.rows[len(found.rows)-1][slices.Index(found.columns, name)]
	}
	return key
}

// same reports whether two spans hold the same, whatever the columns' order is.
func (r rowsOf) same(other rowsOf) bool {
	at := make([]int, len(r.columns))
	for i, name := range r.columns {
		at[i] = slices.Index(other.columns, name)
	}
	return len(r.columns) == len(other.columns) && !slices.Contains(at, -1) &&
		slices.EqualFunc(r.rows, other.rows, func(a, b []any) bool {
			for i := range a {
				if a[i] != b[at[i]] {
					return false
				}
			}
			return true
		})
}

// pages calls fn with a table's rows, page by page: the key before the page and
// its last one, nil at the ends.
func (t table) pages(ctx context.Context, from Database, fn func(page rowsOf, after, last []any) error) error {
	for after, more := []any(nil), true; more; {
		var page rowsOf
		err := from.View(ctx, func(q SQL) (err error) {
			page, err = t.span(q, after, nil, carryPage)
			return err
		})
		if err != nil {
			return err
		}
		var last []any
		if more = len(page.rows) == carryPage; more {
			last = t.keyOf(page)
		}
		if err := fn(page, after, last); err != nil {
			return err
		}
		after = last
	}
	return nil
}

// carry brings a table's rows from one database, which nobody writes, to
// another, where some may be already. Each page is read back and compared in
// its transaction. carried is told how many rows went.
func (t table) carry(ctx context.Context, from, to Database, carried func(rows int)) error {
	return t.pages(ctx, from, func(page rowsOf, after, last []any) error {
		err := to.Update(ctx, func(q SQL) error {
			err := insertRows(q, `INSERT INTO `+t.name+` (`+strings.Join(page.columns, `, `)+`)`, `ON CONFLICT DO NOTHING`,
				len(page.columns), page.rows, func(args []any, row []any) []any { return append(args, row...) })
			if err != nil {
				return err
			}
			written, err := t.span(q, after, last, 0)
			if err == nil && !page.same(written) {
				err = fmt.Errorf("store: %d rows of %s were carried over, and %d others are there", len(page.rows), t.name, len(written.rows))
			}
			return err
		})
		if err == nil && carried != nil {
			carried(len(page.rows))
		}
		return err
	})
}

// identityTable says whose a portal's database is, so that each has its own.
const identityTable = "identity"

// CarryPortal brings what is ours in a portal's database, which nobody writes,
// to another one, and compares it.
func CarryPortal(ctx context.Context, from, to Database) error {
	steps, err := PortalMigrations()
	if err != nil {
		return err
	}
	tables, err := tablesOf(steps, identityTable)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := t.carry(ctx, from, to, nil); err != nil {
			return err
		}
	}
	return nil
}

// SameSettings reports whether two databases of a portal hold the same of what
// is in them alone. All else the registry says.
func SameSettings(ctx context.Context, one, other Database) (bool, error) {
	t := table{"settings", []string{"user_id", "name"}}
	same := true
	err := t.pages(ctx, one, func(page rowsOf, after, last []any) error {
		return other.View(ctx, func(q SQL) error {
			found, err := t.span(q, after, last, 0)
			same = same && page.same(found)
			return err
		})
	})
	return same, err
}

// The values of meta that a registry does not take over from another.
const (
	metaEpoch = "epoch"
	metaRing  = "keyring"
)

// CarryRegistry brings all rows of a registry, which nobody writes, to another
// one, which holds none but for those of an earlier attempt. What is of the
// engine stays: servers, and which schemas the portals' databases have. progress
// is told the rows that went, of how many.
func CarryRegistry(ctx context.Context, from, to *Store, progress func(done, total int)) (rows int, err error) {
	steps, err := RegistryMigrations()
	if err != nil {
		return 0, err
	}
	tables, err := tablesOf(steps, "meta", "clusters", "app_steps", "portal_schemas")
	if err != nil {
		return 0, err
	}
	source, target := from.engine.Registry(), to.engine.Registry()
	total := 0
	err = source.View(ctx, func(q SQL) error {
		for _, t := range tables {
			var n int
			if err := q.QueryRow(`SELECT COUNT(*) FROM ` + t.name).Scan(&n); err != nil {
				return err
			}
			total += n
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, t := range tables {
		err := t.carry(ctx, source, target, func(n int) {
			rows += n
			progress(rows, total)
		})
		if err != nil {
			return rows, err
		}
	}
	return rows, carryMeta(ctx, source, to)
}

func carryMeta(ctx context.Context, source Database, to *Store) error {
	var all rowsOf
	err := source.View(ctx, func(q SQL) (err error) {
		all, err = table{"meta", []string{"name"}}.span(q, nil, nil, 0)
		return err
	})
	if err != nil {
		return err
	}
	return to.Update(ctx, func(tx *Tx) error {
		for _, row := range all.rows {
			name, _ := row[0].(string)
			value, _ := row[1].(string)
			if name == metaEpoch || name == metaRing {
				continue
			}
			if err := tx.SetMeta(name, value); err != nil {
				return err
			}
		}
		return nil
	})
}
