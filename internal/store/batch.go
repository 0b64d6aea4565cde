package store

import (
	"strconv"
	"strings"

	"portico"
)

// batchSizes are how many rows one statement carries: few distinct texts, so
// that engines keep each of them prepared.
var batchSizes = [...]int{64, 16, 4, 1}

// lookupSizes are the same for values that are looked up, which cost less: as
// many as one call may name, first.
var lookupSizes = [...]int{portico.MaxRecipients, 64, 16, 4, 1}

// insertRows runs "insert VALUES (…), (…) suffix" for all rows, several to a
// statement. columns is the number of values that appendRow appends.
func insertRows[T any](q SQL, insert, suffix string, columns int, rows []T, appendRow func(args []any, row T) []any) error {
	args := make([]any, 0, min(len(rows), batchSizes[0])*columns)
	for _, size := range batchSizes {
		for len(rows) >= size {
			args = args[:0]
			for _, row := range rows[:size] {
				args = appendRow(args, row)
			}
			if _, err := q.Exec(insert+" VALUES "+placeholders(size, columns)+" "+suffix, args...); err != nil {
				return err
			}
			rows = rows[size:]
		}
	}
	return nil
}

// placeholders returns "($1,$2),($3,$4)" for so many rows and columns.
func placeholders(rows, columns int) string {
	var b strings.Builder
	n := 0
	for row := range rows {
		if row > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		for column := range columns {
			if column > 0 {
				b.WriteByte(',')
			}
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		}
		b.WriteByte(')')
	}
	return b.String()
}

// selectIn runs a query once for each batch of values. query returns the text
// for a list of placeholders that begins after fixed ones; scan reads one row.
func selectIn(q SQL, query func(list string) string, fixed []any, values []string, scan func(scanner) error) error {
	for _, size := range lookupSizes {
		for len(values) >= size {
			args := append([]any{}, fixed...)
			for _, value := range values[:size] {
				args = append(args, value)
			}
			if err := scanAll(q, query(inList(len(fixed), size)), args, scan); err != nil {
				return err
			}
			values = values[size:]
		}
	}
	return nil
}

// selectSet is selectIn for a query that ends in IN and returns the values that
// it finds.
func selectSet(q SQL, query string, fixed []any, values []string) (map[string]bool, error) {
	found := map[string]bool{}
	err := selectIn(q, func(list string) string { return query + list }, fixed, values, func(row scanner) error {
		var value string
		err := row.Scan(&value)
		found[value] = true
		return err
	})
	return found, err
}

func scanAll(q SQL, query string, args []any, scan func(scanner) error) error {
	rows, err := q.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// inList returns "($k,$k+1,…)" with size placeholders after the first fixed.
func inList(fixed, size int) string {
	var b strings.Builder
	b.WriteByte('(')
	for i := range size {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(fixed + i + 1))
	}
	b.WriteByte(')')
	return b.String()
}
