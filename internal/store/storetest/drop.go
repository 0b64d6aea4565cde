package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/store"
)

func dropTests() []test {
	return []test{
		{"a dropped database is gone", dropGone},
		{"what is not there is dropped too", dropAbsent},
		{"drops at once join", dropTogether},
		{"drop waits for handles", dropWaits},
		{"a drop that gave up goes on when repeated", dropGivesUp},
		{"open beside drop resurrects nothing", openBesideDrop},
		{"create beside drop resurrects nothing", createBesideDrop},
		{"quarantine", quarantine},
		{"quarantine waits for handles", quarantineWaits},
	}
}

func dropGone(s *suite) {
	id, other := s.create(), s.create()
	s.use(id, func(db store.Database) { s.no(set(db, "a", "1")) })
	for range 2 {
		s.no(s.Drop(s.Context(), id.Place()))
		s.refused(id, store.ErrRetired)
		s.is(s.Create(s.Context(), id), store.ErrRetired)
		s.is(s.Verify(s.Context(), id), store.ErrRetired)
		equal(s, "the number of things found", len(s.found()), 1)
	}
	s.handle(other).Release()
	s.reopen()
	h, err := s.Open(s.Context(), id)
	if err == nil {
		h.Release()
	}
	if !errors.Is(err, store.ErrAbsent) && !errors.Is(err, store.ErrRetired) {
		s.Errorf("after reopening, opening a dropped database gives %v", err)
	}
	equal(s, "the number of things found", len(s.found()), 1)
	s.no(s.Drop(s.Context(), id.Place()))
}

func dropAbsent(s *suite) {
	id := s.newIdentity()
	s.no(s.Drop(s.Context(), id.Place()))
	s.refused(id, store.ErrRetired)
	s.is(s.Create(s.Context(), id), store.ErrRetired)
	equal(s, "the number of things found", len(s.found()), 0)
}

func dropTogether(s *suite) {
	id := s.create()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := s.Drop(s.Context(), id.Place()); err != nil {
				s.Error(err)
			}
		})
	}
	wg.Wait()
	equal(s, "the number of things found", len(s.found()), 0)
}

func dropWaits(s *suite) {
	id := s.create()
	h := s.handle(id)
	dropped := make(chan error, 1)
	go func() { dropped <- s.Drop(s.Context(), id.Place()) }()
	for { // until the drop has begun, which nothing else shows
		other, err := s.Open(s.Context(), id)
		if err != nil {
			s.is(err, store.ErrRetired)
			break
		}
		other.Release()
	}
	s.no(set(h, "a", "1"))
	value, err := get(h, "a")
	s.no(err)
	equal(s, "the value under a handle", value, "1")
	select {
	case err := <-dropped:
		s.Fatalf("the drop did not wait: %v", err)
	default:
	}
	h.Release()
	s.no(<-dropped)
	equal(s, "the number of things found", len(s.found()), 0)
}

func dropGivesUp(s *suite) {
	id := s.create()
	h := s.handle(id)
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Millisecond)
	defer cancel()
	s.is(s.Drop(ctx, id.Place()), context.DeadlineExceeded)
	s.refused(id, store.ErrRetired)
	s.is(s.Create(s.Context(), id), store.ErrRetired)
	s.no(set(h, "a", "1"))
	h.Release()
	s.refused(id, store.ErrRetired)
	s.no(s.Drop(s.Context(), id.Place()))
	equal(s, "the number of things found", len(s.found()), 0)
}

func openBesideDrop(s *suite) {
	for range 5 {
		id := s.create()
		var gone atomic.Bool
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for {
					late := gone.Load()
					h, err := s.Open(s.Context(), id)
					if err != nil {
						if !errors.Is(err, store.ErrRetired) && !errors.Is(err, store.ErrAbsent) {
							s.Error(err)
						}
						return
					}
					if late {
						s.Error("opened after the drop")
					}
					if err := set(h, "a", "1"); err != nil {
						s.Error(err)
					}
					h.Release()
				}
			})
		}
		s.no(s.Drop(s.Context(), id.Place()))
		gone.Store(true)
		wg.Wait()
		equal(s, "the number of things found", len(s.found()), 0)
	}
}

func createBesideDrop(s *suite) {
	for range 10 {
		id := s.newIdentity()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := s.Create(s.Context(), id); err != nil && !errors.Is(err, store.ErrRetired) {
					s.Error(err)
				}
			})
		}
		s.no(s.Drop(s.Context(), id.Place()))
		wg.Wait()
		equal(s, "the number of things found", len(s.found()), 0)
	}
}

func quarantine(s *suite) {
	id := s.create()
	s.use(id, func(db store.Database) { s.no(set(db, "a", "1")) })
	s.no(s.Quarantine(s.Context(), id.Place()))
	for range 2 {
		s.refused(id, store.ErrAbsent)
		if f, ok := s.found()[name(id)]; ok {
			s.Errorf("a database in quarantine is listed: %+v", f)
		}
		s.no(s.Quarantine(s.Context(), id.Place()))
	}
	s.is(s.Quarantine(s.Context(), s.newIdentity().Place()), store.ErrAbsent)
}

func quarantineWaits(s *suite) {
	id := s.create()
	h := s.handle(id)
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Millisecond)
	defer cancel()
	s.is(s.Quarantine(ctx, id.Place()), context.DeadlineExceeded)
	s.no(set(h, "a", "1"))
	h.Release()
	s.handle(id).Release()
	s.no(s.Quarantine(s.Context(), id.Place()))
	s.refused(id, store.ErrAbsent)
}
