package storetest

import (
	"context"
	"errors"
	"sync"

	"portico"
	"portico/internal/store"
)

func appTests() []test {
	return []test{
		{"the app's steps are taken once, in order", appSteps},
		{"a step that fails leaves nothing", appStepFails},
		{"a step that was changed is refused", appStepChanged},
		{"a database that is ahead stays as it is", appAhead},
		{"steps are taken once by many at once", appStepsAtOnce},
		{"the app's database is in a backup", appRestored},
		{"an app that is barred comes in again when it is admitted", appBarred},
		{"a copy elsewhere has what the database has", appMoved},
		{"the app's database outlives a reopening and goes with the portal", appGoes},
	}
}

const secret = "a-password-of-the-app"

func password() (string, error) { return secret, nil }

// step returns a step of the app's schema. Its hash is its text: all that
// matters is that another text has another.
func step(version int, text string) store.AppStep {
	return store.AppStep{Version: version, Name: "step", Hash: text, SQL: text}
}

// app admits a portal's app and takes steps.
func (s *suite) app(id store.Identity, steps ...store.AppStep) (int, error) {
	s.Helper()
	h := s.handle(id)
	defer h.Release()
	at, err := h.App().Admit(s.Context(), password, false)
	s.no(err)
	if (at.URL == "") == (at.Path == "") || at.Engine == "" {
		s.Errorf("the address is %q, %q, %q", at.Engine, at.URL, at.Path)
	}
	return h.App().Migrate(s.Context(), secret, steps)
}

func appSteps(s *suite) {
	id := s.create()
	one := step(1, `CREATE TABLE notes (id BIGINT PRIMARY KEY)`)
	two := step(2, `INSERT INTO notes VALUES (1); INSERT INTO notes VALUES (2)`)
	for _, steps := range [][]store.AppStep{nil, {one}, {one}, {one, two}, {one, two}, {one, two, step(3, `INSERT INTO notes VALUES (3)`)}} {
		version, err := s.app(id, steps...)
		s.no(err)
		equal(s, "the version", version, len(steps))
	}
}

func appStepFails(s *suite) {
	id := s.create()
	one := step(1, `CREATE TABLE notes (id BIGINT PRIMARY KEY)`)
	version, err := s.app(id, one, step(2, `CREATE TABLE more (id BIGINT); INSERT INTO notes VALUES (1); INSERT INTO nowhere VALUES (1)`))
	if _, ok := errors.AsType[*store.StepError](err); !ok || portico.KindOf(err) != portico.KindInternal {
		s.Fatalf("error is %v, want one of the step", err)
	}
	equal(s, "the version", version, 1)
	version, err = s.app(id, one, step(2, `CREATE TABLE more (id BIGINT); INSERT INTO notes VALUES (1)`))
	s.no(err)
	equal(s, "the version", version, 2)
}

func appStepChanged(s *suite) {
	id := s.create()
	_, err := s.app(id, step(1, `CREATE TABLE notes (id BIGINT)`))
	s.no(err)
	version, err := s.app(id, step(1, `CREATE TABLE notes (id TEXT)`), step(2, `CREATE TABLE more (id TEXT)`))
	equal(s, "the kind of error", portico.KindOf(err), portico.KindConflict)
	equal(s, "the version", version, 1)
}

func appAhead(s *suite) {
	id := s.create()
	one := step(1, `CREATE TABLE notes (id BIGINT)`)
	_, err := s.app(id, one, step(2, `CREATE TABLE more (id BIGINT)`))
	s.no(err)
	version, err := s.app(id, one)
	s.no(err)
	equal(s, "the version", version, 2)
}

func appStepsAtOnce(s *suite) {
	id := s.create()
	h := s.handle(id)
	defer h.Release()
	_, err := h.App().Admit(s.Context(), password, false)
	s.no(err)
	steps := []store.AppStep{
		step(1, `CREATE TABLE notes (id BIGINT PRIMARY KEY)`), step(2, `INSERT INTO notes VALUES (1)`), step(3, `INSERT INTO notes VALUES (2)`),
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for { // another may be in the way for longer than an engine waits
				version, err := h.App().Migrate(context.Background(), secret, steps)
				if portico.KindOf(err) == portico.KindUnavailable {
					continue
				}
				if err != nil || version != len(steps) {
					s.Errorf("version %d, %v", version, err)
				}
				return
			}
		})
	}
	wg.Wait()
}

func appGoes(s *suite) {
	id := s.create()
	steps := []store.AppStep{step(1, `CREATE TABLE notes (id BIGINT)`), step(2, `INSERT INTO notes VALUES (1)`)}
	_, err := s.app(id, steps...)
	s.no(err)
	s.reopen()
	version, err := s.app(id, steps...)
	s.no(err)
	equal(s, "the version", version, 2)
	s.no(s.Drop(s.Context(), id.Place()))
	for what, f := range s.found() {
		s.Errorf("left: %s, %+v", what, f)
	}
}

func appRestored(s *suite) {
	id := s.create()
	one, two := step(1, `CREATE TABLE notes (id BIGINT PRIMARY KEY)`), step(2, `INSERT INTO notes VALUES (1)`)
	_, err := s.app(id, one)
	s.no(err)
	path := s.backup(id.Place())
	_, err = s.app(id, one, two)
	s.no(err)
	copied := id
	copied.Generation = 2
	s.no(s.Restore(s.Context(), copied, path))
	s.no(s.Drop(s.Context(), id.Place()))
	version, err := s.app(copied)
	s.no(err)
	equal(s, "the version in the copy", version, 1)
	version, err = s.app(copied, one, two, step(3, `INSERT INTO notes VALUES (2)`))
	s.no(err)
	equal(s, "the version", version, 3)
	equal(s, "the number of databases", len(s.found()), 1)
	s.no(s.Drop(s.Context(), copied.Place()))
	equal(s, "what is left", len(s.found()), 0)
}

func appBarred(s *suite) {
	id := s.create()
	one := step(1, `CREATE TABLE notes (id BIGINT PRIMARY KEY)`)
	_, err := s.app(id, one)
	s.no(err)
	h := s.handle(id)
	for range 2 { // also an app that is out already
		s.no(h.App().Bar(s.Context()))
	}
	h.Release()
	version, err := s.app(id, one, step(2, `INSERT INTO notes VALUES (1)`))
	s.no(err)
	equal(s, "the version after it was barred", version, 2)
}

// appMoved is about engines with more than one place for a database.
func appMoved(s *suite) {
	mover, ok := s.Engine.(store.Mover)
	if !ok {
		return
	}
	id := s.create()
	s.use(id, func(db store.Database) { s.no(set(db, "a", "1")) })
	one := step(1, `CREATE TABLE notes (id BIGINT PRIMARY KEY)`)
	_, err := s.app(id, one)
	s.no(err)
	h := s.handle(id)
	s.no(h.App().Bar(s.Context()))
	h.Release()
	moved := id
	moved.Generation++
	for range 2 { // repeated, it finds what it made
		s.no(mover.Copy(s.Context(), id.Place(), moved, nil))
	}
	s.is(mover.Copy(s.Context(), s.newIdentity().Place(), s.newIdentity(), nil), store.ErrAbsent)
	s.use(moved, func(db store.Database) {
		a, err := get(db, "a")
		s.no(err)
		equal(s, "a value in the copy", a, "1")
	})
	version, err := s.app(moved, one)
	s.no(err)
	equal(s, "the app's version in the copy", version, 1)
	s.no(s.Drop(s.Context(), id.Place()))
	s.handle(moved).Release()
}
