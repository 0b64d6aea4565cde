package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"portico/internal/store"
)

func transactionTests() []test {
	return []test{
		{"update is seen by a later view", updateSeen},
		{"an error takes everything back", updateRollsBack},
		{"a panic takes everything back and comes out", updatePanics},
		{"a view is one snapshot", viewSnapshot},
		{"a view cannot write", viewReadOnly},
		{"a look sees what was committed", lookSees},
		{"a look is one SELECT", lookIsOne},
		{"a unique constraint is told apart", uniqueTold},
		{"nothing follows a statement that failed", failedIsFinal},
		{"a failed statement cannot be hidden", failedNotHidden},
		{"rows are closed before the next statement", rowsOpen},
		{"rows left open do no harm", rowsLeft},
		{"a statement after the end fails", usedAfterEnd},
		{"a cancelled context begins nothing", cancelledBefore},
		{"a cancelled context ends a view", cancelledView},
		{"a cancelled context stops no update", cancelledUpdate},
		{"concurrent updates lose nothing", countersExact},
		{"of two updates that read each other's rows one sees the other", oneStays},
		{"what was counted is so at the commit", seatsTaken},
		{"what was looked for and not found is still not there", firstComes},
		{"a failing neighbour does no harm", neighbours},
	}
}

// meta is the registry's table of named values, as far as the suite uses it.
func put(q store.SQL, name, value string) error {
	_, err := q.Exec(`INSERT INTO meta (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}

func take(q store.SQL, name string) (value string, err error) {
	err = q.QueryRow(`SELECT value FROM meta WHERE name = $1`, name).Scan(&value)
	return value, err
}

// stored returns a named value as a fresh view sees it; empty when missing.
func (s *suite) stored(name string) (value string) {
	s.Helper()
	s.no(s.Registry().View(s.Context(), func(q store.SQL) error {
		var err error
		if value, err = take(q, name); errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return err
	}))
	return value
}

func (s *suite) update(fn func(store.SQL) error) error {
	return s.Registry().Update(s.Context(), fn)
}

func updateSeen(s *suite) {
	s.no(s.update(func(q store.SQL) error {
		if err := put(q, "a", "1"); err != nil {
			return err
		}
		own, err := take(q, "a")
		equal(s, "the value in its own transaction", own, "1")
		return err
	}))
	equal(s, "the value", s.stored("a"), "1")
}

func updateRollsBack(s *suite) {
	sentinel := errors.New("no")
	err := s.update(func(q store.SQL) error {
		return errors.Join(put(q, "a", "1"), sentinel)
	})
	s.is(err, sentinel)
	equal(s, "the value", s.stored("a"), "")
}

func updatePanics(s *suite) {
	var out any
	func() {
		defer func() { out = recover() }()
		_ = s.update(func(q store.SQL) error {
			_ = put(q, "a", "1")
			panic("out")
		})
	}()
	equal(s, "the panic", out, any("out"))
	func() {
		defer func() { out = recover() }()
		_ = s.Registry().View(s.Context(), func(store.SQL) error { panic("view") })
	}()
	equal(s, "the panic", out, any("view"))
	equal(s, "the value", s.stored("a"), "")
	s.no(s.update(func(q store.SQL) error { return put(q, "a", "2") }))
	equal(s, "the value", s.stored("a"), "2")
}

func viewSnapshot(s *suite) {
	s.no(s.update(func(q store.SQL) error { return put(q, "a", "1") }))
	s.no(s.Registry().View(s.Context(), func(q store.SQL) error {
		before, err := take(q, "a")
		s.no(err)
		s.no(s.update(func(q store.SQL) error { return errors.Join(put(q, "a", "2"), put(q, "b", "2")) }))
		after, err := take(q, "a")
		s.no(err)
		equal(s, "the value in the snapshot", after, before)
		_, err = take(q, "b")
		s.is(err, sql.ErrNoRows)
		return nil
	}))
	equal(s, "the value", s.stored("a"), "2")
}

func viewReadOnly(s *suite) {
	if err := s.Registry().View(s.Context(), func(q store.SQL) error { return put(q, "a", "1") }); err == nil {
		s.Error("a view wrote")
	}
	equal(s, "the value", s.stored("a"), "")
}

func lookSees(s *suite) {
	for _, want := range []string{"1", "2"} {
		s.no(s.update(func(q store.SQL) error { return put(q, "a", want) }))
		var have string
		s.no(s.Registry().Look(s.Context(), func(q store.SQL) (err error) {
			have, err = take(q, "a")
			return err
		}))
		equal(s, "the value", have, want)
	}
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	s.unavailable(s.Registry().Look(ctx, func(store.SQL) error { return errors.New("begun") }))
}

func lookIsOne(s *suite) {
	s.no(s.update(func(q store.SQL) error { return put(q, "a", "1") }))
	for what, fn := range map[string]func(store.SQL) error{
		"a write": func(q store.SQL) error { return put(q, "a", "2") },
		"a write that returns": func(q store.SQL) error {
			var name string
			return q.QueryRow(`DELETE FROM meta WHERE name = 'a' RETURNING name`).Scan(&name)
		},
		"a second statement": func(q store.SQL) error {
			_, first := take(q, "a")
			_, second := take(q, "a")
			return errors.Join(first, second)
		},
		"a hidden second one": func(q store.SQL) error {
			_, _ = take(q, "a")
			_, _ = take(q, "a")
			return nil
		},
	} {
		if err := s.Registry().Look(s.Context(), fn); err == nil {
			s.Errorf("%s: a look let it pass", what)
		}
	}
	equal(s, "the value", s.stored("a"), "1")
}

func insert(q store.SQL, name string) error {
	_, err := q.Exec(`INSERT INTO meta (name, value) VALUES ($1, '')`, name)
	return err
}

func uniqueTold(s *suite) {
	s.no(s.update(func(q store.SQL) error { return insert(q, "a") }))
	s.is(s.update(func(q store.SQL) error { return insert(q, "a") }), store.ErrUnique)
	err := s.update(func(q store.SQL) error {
		var name string
		return q.QueryRow(`INSERT INTO meta (name, value) VALUES ($1, '') RETURNING name`, "a").Scan(&name)
	})
	s.is(err, store.ErrUnique)
	err = s.update(func(q store.SQL) error {
		_, err := q.Exec(`INSERT INTO meta (name, value) VALUES ('n', NULL)`)
		return err
	})
	if err == nil || errors.Is(err, store.ErrUnique) {
		s.Errorf("a NOT NULL constraint gives %v", err)
	}
}

func failedIsFinal(s *suite) {
	s.no(s.update(func(q store.SQL) error { return insert(q, "a") }))
	err := s.update(func(q store.SQL) error {
		s.is(insert(q, "a"), store.ErrUnique)
		if insert(q, "b") == nil {
			s.Error("a statement ran after one that failed")
		}
		return errors.New("give up")
	})
	if err == nil {
		s.Error("no error")
	}
}

func failedNotHidden(s *suite) {
	s.no(s.update(func(q store.SQL) error { return insert(q, "a") }))
	err := s.update(func(q store.SQL) error {
		s.no(insert(q, "b"))
		_ = insert(q, "a")
		return nil
	})
	if err == nil {
		s.Error("an update with a failed statement came out well")
	}
	s.no(s.update(func(q store.SQL) error { return insert(q, "b") }))
}

func rowsOpen(s *suite) {
	_ = s.Registry().View(s.Context(), func(q store.SQL) error {
		rows, err := q.Query(`SELECT 1 UNION ALL SELECT 2`)
		s.no(err)
		defer rows.Close()
		if !rows.Next() {
			s.Error("no row")
		}
		if _, err := take(q, "a"); err == nil || errors.Is(err, sql.ErrNoRows) {
			s.Errorf("a statement with rows open gives %v", err)
		}
		return errors.Join(rows.Close(), rows.Err())
	})
}

func rowsLeft(s *suite) {
	for range 8 { // more than any pool has connections
		err := s.update(func(q store.SQL) error {
			rows, err := q.Query(`SELECT 1 UNION ALL SELECT 2`) //nolint:sqlclosecheck,rowserrcheck // left open on purpose
			if err == nil && !rows.Next() {
				err = errors.New("no row")
			}
			return err
		})
		if err == nil {
			s.Error("an update that left rows open came out well")
		}
		_ = s.Registry().View(s.Context(), func(q store.SQL) error {
			q.QueryRow(`SELECT 1`)
			return nil
		})
	}
	s.no(s.update(func(q store.SQL) error { return put(q, "a", "1") }))
	equal(s, "the value", s.stored("a"), "1")
}

func usedAfterEnd(s *suite) {
	var leaked store.SQL
	s.no(s.update(func(q store.SQL) error {
		leaked = q
		return nil
	}))
	if err := put(leaked, "a", "1"); err == nil {
		s.Error("a statement ran after its transaction")
	}
	if _, err := take(leaked, "a"); err == nil || errors.Is(err, sql.ErrNoRows) {
		s.Error("a query ran after its transaction")
	}
	equal(s, "the value", s.stored("a"), "")
}

func cancelledBefore(s *suite) {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	fn := func(store.SQL) error {
		s.Error("it ran")
		return nil
	}
	s.is(s.Registry().Update(ctx, fn), context.Canceled)
	s.is(s.Registry().View(ctx, fn), context.Canceled)
	_, err := s.Open(ctx, s.create())
	if err != nil {
		s.is(err, context.Canceled)
	}
}

func cancelledView(s *suite) {
	ctx, cancel := context.WithCancel(s.Context())
	err := s.Registry().View(ctx, func(q store.SQL) error {
		if _, err := take(q, "a"); !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		cancel()
		_, err := take(q, "a")
		return err
	})
	s.is(err, context.Canceled)
}

func cancelledUpdate(s *suite) {
	ctx, cancel := context.WithCancel(s.Context())
	s.no(s.Registry().Update(ctx, func(q store.SQL) error {
		cancel()
		return put(q, "a", "1")
	}))
	equal(s, "the value", s.stored("a"), "1")
}

// countersExact is read, add one, write, from many goroutines, on counters
// that all share and counters of their own.
func countersExact(s *suite) {
	const workers, rounds = 32, 20
	s.no(s.update(func(q store.SQL) error { return put(q, "n", "0") }))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range rounds {
				if err := s.update(func(q store.SQL) error {
					return errors.Join(addOne(q, "n"), addOne(q, "own"+strconv.Itoa(w)))
				}); err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	equal(s, "the counter", s.stored("n"), strconv.Itoa(workers*rounds))
	for w := range workers {
		equal(s, "a counter", s.stored("own"+strconv.Itoa(w)), strconv.Itoa(rounds))
	}
}

func addOne(q store.SQL, name string) error {
	value, err := take(q, name)
	if errors.Is(err, sql.ErrNoRows) {
		value, err = "0", nil
	}
	n, convErr := strconv.Atoi(value)
	if err = errors.Join(err, convErr); err != nil {
		return err
	}
	return put(q, name, strconv.Itoa(n+1))
}

// oneStays has two on duty, of whom each goes off only while the other is on.
// Both try at once, and one stays.
func oneStays(s *suite) {
	for range 10 {
		s.no(s.update(func(q store.SQL) error { return errors.Join(put(q, "a", "on"), put(q, "b", "on")) }))
		atOnce(2, func(i int) {
			own, other := string(rune('a'+i)), string(rune('b'-i))
			s.noError(s.update(func(q store.SQL) error {
				if state, err := take(q, other); err != nil || state != "on" {
					return err
				}
				return put(q, own, "off")
			}))
		})
		if s.stored("a") == s.stored("b") {
			s.Fatalf("both are %s", s.stored("a"))
		}
	}
}

// seatsTaken has many take a seat as long as there are some.
func seatsTaken(s *suite) {
	const seats = 3
	count := func(q store.SQL) (n int, err error) {
		err = q.QueryRow(`SELECT COUNT(*) FROM meta WHERE name LIKE 'seat%'`).Scan(&n)
		return n, err
	}
	atOnce(8, func(i int) {
		s.noError(s.update(func(q store.SQL) error {
			if n, err := count(q); err != nil || n >= seats {
				return err
			}
			return insert(q, "seat"+strconv.Itoa(i))
		}))
	})
	s.no(s.Registry().View(s.Context(), func(q store.SQL) error {
		n, err := count(q)
		equal(s, "the number of seats taken", n, seats)
		return err
	}))
}

// firstComes has many write a row that is to be there once. Whoever finds it
// leaves it; who did not find it and comes second is refused by the constraint,
// if the engine does not run it again itself.
func firstComes(s *suite) {
	atOnce(8, func(i int) {
		err := s.update(func(q store.SQL) error {
			if _, err := take(q, "first"); !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			_, err := q.Exec(`INSERT INTO meta (name, value) VALUES ('first', $1)`, strconv.Itoa(i))
			return err
		})
		if err != nil && !errors.Is(err, store.ErrUnique) {
			s.Error(err)
		}
	})
	if s.stored("first") == "" {
		s.Error("nobody came first")
	}
}

// atOnce runs fn so many times at once.
func atOnce(times int, fn func(i int)) {
	var wg sync.WaitGroup
	for i := range times {
		wg.Go(func() { fn(i) })
	}
	wg.Wait()
}

// noError is no for a goroutine of the test's.
func (s *suite) noError(err error) {
	s.Helper()
	if err != nil {
		s.Errorf("unexpected error: %v", err)
	}
}

// neighbours mixes updates that fail, panic and break constraints with ones
// that do not, which must all be kept.
func neighbours(s *suite) {
	s.no(s.update(func(q store.SQL) error { return insert(q, "taken") }))
	const workers, rounds = 16, 20
	sentinel := errors.New("no")
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			defer func() { _ = recover() }()
			for r := range rounds {
				key := fmt.Sprintf("%d.%d", w, r)
				err := s.update(func(q store.SQL) error {
					if err := put(q, key, "1"); err != nil || w%4 == 0 {
						return err
					}
					switch w % 4 {
					case 1:
						return sentinel
					case 2:
						return insert(q, "taken")
					}
					if r == rounds-1 {
						panic("neighbour")
					}
					return sentinel
				})
				want := map[int]error{1: sentinel, 2: store.ErrUnique, 3: sentinel}[w%4]
				if !errors.Is(err, want) || want == nil && err != nil {
					s.Errorf("worker %d: %v, want %v", w, err, want)
				}
			}
		})
	}
	wg.Wait()
	for w := range workers {
		for r := range rounds {
			want := ""
			if w%4 == 0 {
				want = "1"
			}
			equal(s, "a value", s.stored(fmt.Sprintf("%d.%d", w, r)), want)
		}
	}
}
