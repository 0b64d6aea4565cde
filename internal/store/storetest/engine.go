package storetest

import (
	"errors"
	"runtime"

	"portico/internal/store"
)

func engineTests() []test {
	return []test{
		{"the registry survives reopening", registrySurvives},
		{"close waits for transactions", closeWaits},
		{"after close nothing runs", afterClose},
	}
}

func registrySurvives(s *suite) {
	s.no(s.update(func(q store.SQL) error { return put(q, "a", "1") }))
	s.reopen()
	equal(s, "the value", s.stored("a"), "1")
	s.reopen()
	equal(s, "the value", s.stored("a"), "1")
}

func closeWaits(s *suite) {
	id := s.create()
	h := s.handle(id)
	end, done := make(chan struct{}), make(chan error, 2)
	databases := []store.Database{s.Registry(), h}
	for _, db := range databases {
		began := make(chan struct{})
		go func() {
			done <- db.Update(s.Context(), func(q store.SQL) error {
				close(began)
				<-end
				_, err := q.Exec(`CREATE TABLE late (n BIGINT)`)
				return err
			})
		}()
		<-began
	}
	engine, closed := s.Engine, make(chan error, 1)
	s.Engine = nil
	go func() { closed <- engine.Close() }()
	for s.opens(engine, id) { // until closing has begun, which nothing else shows
		runtime.Gosched()
	}
	select {
	case err := <-closed:
		s.Errorf("close did not wait: %v", err)
	default:
	}
	close(end)
	for range databases {
		s.no(<-done)
	}
	s.no(<-closed)
	h.Release()
	s.Engine = s.open(s.T, s.dir)
	s.no(s.update(func(q store.SQL) error {
		_, err := q.Exec(`DROP TABLE late`)
		return err
	}))
}

// opens reports whether a database can be opened.
func (s *suite) opens(engine store.Engine, id store.Identity) bool {
	h, err := engine.Open(s.Context(), id)
	if err == nil {
		h.Release()
	}
	return err == nil
}

func afterClose(s *suite) {
	id := s.create()
	h := s.handle(id)
	engine, registry := s.Engine, s.Registry()
	s.Engine = nil
	s.no(engine.Close())
	fn := func(store.SQL) error { return errors.New("it ran") }
	s.unavailable(registry.View(s.Context(), fn))
	s.unavailable(registry.Update(s.Context(), fn))
	s.unavailable(h.View(s.Context(), fn))
	s.unavailable(h.Update(s.Context(), fn))
	h.Release()
	_, err := engine.Open(s.Context(), id)
	s.unavailable(err)
	s.unavailable(engine.Create(s.Context(), id))
	s.unavailable(engine.Drop(s.Context(), id.Place()))
	s.no(engine.Close())
}
