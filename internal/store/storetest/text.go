package storetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"portico/internal/store"
)

func textTests() []test {
	return []test{
		{"a parameter is used twice", parameterTwice},
		{"returning", returning},
		{"on conflict", onConflict},
		{"rows compare", rowsCompare},
		{"update from a sub-select", updateSubselect},
		{"five hundred parameters", manyParameters},
		{"like with an escape", likeEscape},
		{"nulls", nulls},
		{"integers of 64 bits", bigIntegers},
		{"any text", anyText},
		{"a refused value is said to be one", refusedValue},
		{"rows changed are counted", rowsCounted},
		{"text orders by its bytes", bytewise},
		{"many different statements", manyStatements},
	}
}

// scratch makes a table of the test's own and runs fn in one transaction.
func (s *suite) scratch(fn func(q store.SQL)) {
	s.Helper()
	s.no(s.update(func(q store.SQL) error {
		_, err := q.Exec(`CREATE TABLE scratch (id TEXT PRIMARY KEY, n BIGINT, t TEXT)`)
		return err
	}))
	s.no(s.update(func(q store.SQL) error {
		fn(q)
		return nil
	}))
}

func (s *suite) exec(q store.SQL, text string, args ...any) int64 {
	s.Helper()
	n, err := q.Exec(text, args...)
	s.no(err)
	return n
}

// strings returns the first column of a query.
func (s *suite) strings(q store.SQL, text string, args ...any) []string {
	s.Helper()
	rows, err := q.Query(text, args...)
	s.no(err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var one string
		s.no(rows.Scan(&one))
		all = append(all, one)
	}
	s.no(rows.Err())
	return all
}

func (s *suite) fill(q store.SQL, n int) {
	s.Helper()
	for i := range n {
		s.exec(q, `INSERT INTO scratch (id, n, t) VALUES ($1, $2, $3)`, fmt.Sprintf("r%d", i), i/2, "t")
	}
}

func same(s *suite, have []string, want ...string) {
	s.Helper()
	if !slices.Equal(have, want) {
		s.Fatalf("rows are %q, want %q", have, want)
	}
}

func parameterTwice(s *suite) {
	s.scratch(func(q store.SQL) {
		s.exec(q, `INSERT INTO scratch (id, n, t) VALUES ($2, $1, $2)`, 7, "x")
		same(s, s.strings(q, `SELECT t FROM scratch WHERE id = $1 AND t = $1 AND n = $2`, "x", 7), "x")
	})
}

func returning(s *suite) {
	s.scratch(func(q store.SQL) {
		s.fill(q, 4)
		got := s.strings(q, `UPDATE scratch SET t = $1 WHERE n = $2 RETURNING id`, "new", 1)
		slices.Sort(got)
		same(s, got, "r2", "r3")
		same(s, s.strings(q, `DELETE FROM scratch WHERE id = $1 RETURNING t`, "r2"), "new")
		var n int64
		s.no(q.QueryRow(`INSERT INTO scratch (id, n) VALUES ($1, $2) RETURNING n + 1`, "z", 4).Scan(&n))
		equal(s, "the returned value", n, 5)
	})
}

func onConflict(s *suite) {
	s.scratch(func(q store.SQL) {
		s.fill(q, 1)
		equal(s, "rows", s.exec(q, `INSERT INTO scratch (id, n) VALUES ($1, 9) ON CONFLICT (id) DO NOTHING`, "r0"), 0)
		equal(s, "rows", s.exec(q, `INSERT INTO scratch (id, n) VALUES ($1, $2)
			ON CONFLICT (id) DO UPDATE SET n = scratch.n + excluded.n WHERE scratch.n < $2`, "r0", 5), 1)
		same(s, s.strings(q, `SELECT id FROM scratch WHERE n = 5`), "r0")
	})
}

func rowsCompare(s *suite) {
	s.scratch(func(q store.SQL) {
		s.fill(q, 6)
		same(s, s.strings(q, `SELECT id FROM scratch WHERE (n, id) > ($1, $2) ORDER BY n, id LIMIT $3`, 0, "r1", 3), "r2", "r3", "r4")
		same(s, s.strings(q, `SELECT id FROM scratch WHERE (n, id) < ($1, $2) ORDER BY n DESC, id DESC LIMIT 2`, 1, "r3"), "r2", "r1")
	})
}

func updateSubselect(s *suite) {
	s.scratch(func(q store.SQL) {
		s.fill(q, 6)
		got := s.strings(q, `UPDATE scratch SET t = 'leased', n = n + $2 WHERE id IN
			(SELECT id FROM scratch WHERE n <= $1 ORDER BY n DESC, id LIMIT 2) RETURNING id`, 1, 100)
		slices.Sort(got)
		same(s, got, "r2", "r3")
		s.exec(q, `UPDATE scratch SET t = (SELECT max(id) FROM scratch) WHERE id = $1`, "r0")
		same(s, s.strings(q, `SELECT t FROM scratch WHERE id = 'r0'`), "r5")
	})
}

func manyParameters(s *suite) {
	s.scratch(func(q store.SQL) {
		const rows = 250
		var text strings.Builder
		args := make([]any, 0, 2*rows)
		for i := range rows {
			fmt.Fprintf(&text, ", ($%d, $%d)", 2*i+1, 2*i+2)
			args = append(args, fmt.Sprintf("k%03d", i), i)
		}
		n := s.exec(q, `INSERT INTO scratch (id, n) VALUES `+text.String()[2:], args...)
		equal(s, "rows", n, rows)
		same(s, s.strings(q, `SELECT id FROM scratch WHERE n = 249`), "k249")
	})
}

func likeEscape(s *suite) {
	s.scratch(func(q store.SQL) {
		for _, id := range []string{"a%b", "axb", "a_b", `a\b`} {
			s.exec(q, `INSERT INTO scratch (id) VALUES ($1)`, id)
		}
		like := `SELECT id FROM scratch WHERE id LIKE $1 ESCAPE '\'`
		same(s, s.strings(q, like, `a\%%`), "a%b")
		same(s, s.strings(q, like, `a\_b`), "a_b")
		same(s, s.strings(q, like, `a\\b`), `a\b`)
		equal(s, "rows", len(s.strings(q, like, `a_b`)), 4)
	})
}

func nulls(s *suite) {
	s.scratch(func(q store.SQL) {
		var none *string
		some := "x"
		s.exec(q, `INSERT INTO scratch (id, t) VALUES ('a', $1), ('b', $2)`, none, &some)
		var t *string
		var n *int64
		s.no(q.QueryRow(`SELECT t, n FROM scratch WHERE id = 'a'`).Scan(&t, &n))
		if t != nil || n != nil {
			s.Error("NULL was read as a value")
		}
		s.no(q.QueryRow(`SELECT t FROM scratch WHERE id = 'b'`).Scan(&t))
		if t == nil || *t != some {
			s.Error("a value was read as NULL")
		}
		same(s, s.strings(q, `SELECT id FROM scratch WHERE t IS NULL`), "a")
		same(s, s.strings(q, `SELECT coalesce(t, '-') FROM scratch ORDER BY id`), "-", "x")
	})
}

func bigIntegers(s *suite) {
	s.scratch(func(q store.SQL) {
		for _, want := range []int64{math.MinInt64, -1, 0, 1, 1 << 53, 1<<53 + 1, math.MaxInt64} {
			s.exec(q, `INSERT INTO scratch (id, n) VALUES ('n', $1)
				ON CONFLICT (id) DO UPDATE SET n = excluded.n`, want)
			var have int64
			s.no(q.QueryRow(`SELECT n FROM scratch WHERE id = 'n'`).Scan(&have))
			equal(s, "the integer", have, want)
		}
	})
}

func anyText(s *suite) {
	s.scratch(func(q store.SQL) {
		texts := []string{
			"", " ", "'", `"; DROP TABLE scratch; --`, `\`, "$1", "?", "\n\r\t\x01\x7f",
			"äöü ß", "日本語", "👩‍👩‍👧", "e\u0301", "\u202e\u200b\ufeff", "\u0430dmin", "2024-01-02 03:04:05", "0123", "1e5",
			strings.Repeat("long ", 20_000),
		}
		for i, want := range texts {
			id := strconv.Itoa(i)
			s.exec(q, `INSERT INTO scratch (id, t) VALUES ($1, $2)`, id, want)
			var have string
			s.no(q.QueryRow(`SELECT t FROM scratch WHERE id = $1 AND t = $2`, id, want).Scan(&have))
			equal(s, "the text", have, want)
			var anything any
			s.no(q.QueryRow(`SELECT t FROM scratch WHERE id = $1`, id).Scan(&anything))
			equal(s, "the text's type", fmt.Sprintf("%T", anything), "string")
		}
	})
}

// refusedValue: an engine may take text with NUL in it, but where it does not,
// it does not pass for damage.
func refusedValue(s *suite) {
	err := s.update(func(q store.SQL) error {
		var have string
		return q.QueryRow(`SELECT lower($1)`, "a\x00b").Scan(&have)
	})
	if err != nil && !errors.Is(err, store.ErrValue) {
		s.Errorf("a text with NUL: %v", err)
	}
}

func rowsCounted(s *suite) {
	s.scratch(func(q store.SQL) {
		s.fill(q, 5)
		equal(s, "rows", s.exec(q, `UPDATE scratch SET t = 'u' WHERE n >= $1`, 1), 3)
		equal(s, "rows", s.exec(q, `UPDATE scratch SET t = 'u' WHERE n > $1`, 99), 0)
		equal(s, "rows", s.exec(q, `DELETE FROM scratch WHERE n = $1`, 0), 2)
	})
}

func bytewise(s *suite) {
	s.scratch(func(q store.SQL) {
		for _, id := range []string{"b", "B", "a", "_", "A1", "A0", "Z", "ä"} {
			s.exec(q, `INSERT INTO scratch (id) VALUES ($1)`, id)
		}
		same(s, s.strings(q, `SELECT id FROM scratch ORDER BY id`), "A0", "A1", "B", "Z", "_", "a", "b", "ä")
		same(s, s.strings(q, `SELECT id FROM scratch WHERE id > $1 AND id < $2 ORDER BY id`, "B", "b"), "Z", "_", "a")
	})
}

// manyStatements has more texts than any engine keeps compiled.
func manyStatements(s *suite) {
	s.scratch(func(q store.SQL) {
		s.fill(q, 1)
		for range 2 {
			for i := range 400 {
				same(s, s.strings(q, fmt.Sprintf(`SELECT id FROM scratch WHERE n < %d`, i+1)), "r0")
			}
			equal(s, "rows", s.exec(q, `UPDATE scratch SET n = 0`), 1)
		}
	})
}
