// Package storetest owns the conformance suite of engines: what every
// implementation of store.Engine must do, said in tests. It knows the contract
// only; what is particular to one engine is tested beside that engine.
//
// It imports portico and store, never an engine. An engine joins in a few
// lines:
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, func(t *testing.T, dir string) store.Engine {
//			e, err := Open(t.Context(), Config{Dir: dir})
//			if err != nil {
//				t.Fatal(err)
//			}
//			return e
//		})
//	}
//
// Start with Run.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
)

// Run runs the suite. open opens an engine whose state belongs to dir: a
// second call with the same dir, after Close, finds what the first one left.
func Run(t *testing.T, open func(t *testing.T, dir string) store.Engine) {
	t.Helper()
	groups := []struct {
		name  string
		tests []test
	}{
		{"transactions", transactionTests()},
		{"text", textTests()},
		{"databases", databaseTests()},
		{"drop", dropTests()},
		{"copies", copyTests()},
		{"app", appTests()},
		{"engine", engineTests()},
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					s := &suite{T: t, open: open, dir: t.TempDir(), ids: portico.NewIDSource(time.Now)}
					s.epoch = s.ids.New("epoch_")
					s.Engine = open(t, s.dir)
					t.Cleanup(s.shut)
					test.run(s)
				})
			}
		})
	}
}

// test is one requirement.
type test struct {
	name string
	run  func(*suite)
}

// suite is one test's engine with what the test needs around it.
type suite struct {
	*testing.T
	store.Engine
	open  func(t *testing.T, dir string) store.Engine
	dir   string
	ids   *portico.IDSource
	epoch string
}

func (s *suite) shut() {
	if s.Engine != nil {
		s.no(s.Close())
	}
}

// reopen closes the engine and opens it again.
func (s *suite) reopen() {
	s.Helper()
	s.no(s.Close())
	s.Engine = nil
	s.Engine = s.open(s.T, s.dir)
}

// no fails the test for any error.
func (s *suite) no(err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("unexpected error: %v", err)
	}
}

// is fails the test unless err is target.
func (s *suite) is(err, target error) {
	s.Helper()
	if !errors.Is(err, target) {
		s.Fatalf("error is %v, want %v", err, target)
	}
}

// unavailable fails the test unless err is of that kind.
func (s *suite) unavailable(err error) {
	s.Helper()
	if portico.KindOf(err) != portico.KindUnavailable {
		s.Fatalf("error is %v, want one of kind %v", err, portico.KindUnavailable)
	}
}

func equal[T comparable](s *suite, what string, have, want T) {
	s.Helper()
	if have != want {
		s.Fatalf("%s is %v, want %v", what, have, want)
	}
}

func (s *suite) newIdentity() store.Identity {
	return store.Identity{PortalID: s.ids.New(portico.PrefixPortal), Generation: 1, Epoch: s.epoch}
}

// create makes a portal's database.
func (s *suite) create() store.Identity {
	s.Helper()
	id := s.newIdentity()
	s.no(s.Create(s.Context(), id))
	return id
}

func name(id store.Identity) string { return portico.DatabaseName(id.PortalID, id.Generation) }

// handle opens a database for the rest of the test.
func (s *suite) handle(id store.Identity) store.Handle {
	s.Helper()
	h, err := s.Open(s.Context(), id)
	s.no(err)
	return h
}

// refused fails the test unless Open gives the error.
func (s *suite) refused(id store.Identity, target error) {
	s.Helper()
	h, err := s.Open(s.Context(), id)
	if err == nil {
		h.Release()
	}
	s.is(err, target)
}

// use runs fn on an open database and gives the handle back.
func (s *suite) use(id store.Identity, fn func(store.Database)) {
	s.Helper()
	h := s.handle(id)
	defer h.Release()
	fn(h)
}

// set writes one setting, which is what the suite keeps data in.
func set(db store.Database, name, value string) error {
	return db.Update(context.Background(), func(q store.SQL) error {
		_, err := q.Exec(`INSERT INTO settings (user_id, name, value) VALUES ('', $1, $2)
			ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value`, name, value)
		return err
	})
}

// get reads one setting.
func get(db store.Database, name string) (value string, err error) {
	err = db.View(context.Background(), func(q store.SQL) error {
		return q.QueryRow(`SELECT value FROM settings WHERE user_id = '' AND name = $1`, name).Scan(&value)
	})
	return value, err
}

// found returns what List tells, by name.
func (s *suite) found() map[string]store.Found {
	s.Helper()
	all := make(map[string]store.Found)
	s.no(s.List(s.Context(), "", func(f store.Found) error {
		all[f.Name] = f
		return nil
	}))
	return all
}
