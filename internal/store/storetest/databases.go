package storetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"

	"portico/internal/store"
)

func databaseTests() []test {
	return []test{
		{"created with its identity at the newest version", createdWhole},
		{"create is repeated without harm", createRepeated},
		{"create of another identity changes nothing", createOther},
		{"creates at once are one", createTogether},
		{"open never creates", openNeverCreates},
		{"an identity that differs is never served", identityDiffers},
		{"generations are databases of their own", generations},
		{"names are checked", namesChecked},
		{"concurrent updates lose nothing", portalCounters},
		{"portals do not see each other", portalsApart},
		{"a size grows with what is kept", sizeGrows},
		{"list tells of every database", listTells},
		{"list ends with an error", listEnds},
		{"verify", verify},
		{"a storm of opens finds every database", openStorm},
	}
}

func createdWhole(s *suite) {
	id := s.create()
	s.use(id, func(db store.Database) {
		var have store.Identity
		var version int
		s.no(db.View(s.Context(), func(q store.SQL) error {
			return q.QueryRow(`SELECT portal_id, generation, epoch, schema_version FROM identity`).
				Scan(&have.PortalID, &have.Generation, &have.Epoch, &version)
		}))
		equal(s, "the identity", have, id)
		steps, err := store.PortalMigrations()
		s.no(err)
		equal(s, "the schema version", version, len(steps))
		s.no(set(db, "a", "1"))
	})
	s.reopen()
	s.use(id, func(db store.Database) {
		value, err := get(db, "a")
		s.no(err)
		equal(s, "the value after reopening", value, "1")
	})
}

func createRepeated(s *suite) {
	id := s.create()
	h := s.handle(id)
	s.no(set(h, "a", "1"))
	s.no(s.Create(s.Context(), id))
	h.Release()
	s.no(s.Create(s.Context(), id))
	s.reopen()
	s.no(s.Create(s.Context(), id))
	s.use(id, func(db store.Database) {
		value, err := get(db, "a")
		s.no(err)
		equal(s, "the value", value, "1")
	})
}

func createOther(s *suite) {
	id := s.create()
	other := id
	other.Epoch = s.ids.New("epoch_")
	s.is(s.Create(s.Context(), other), store.ErrIdentity)
	s.reopen()
	s.is(s.Create(s.Context(), other), store.ErrIdentity)
	s.handle(id).Release()
}

func createTogether(s *suite) {
	id := s.newIdentity()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := s.Create(s.Context(), id); err != nil {
				s.Error(err)
				return
			}
			h, err := s.Open(s.Context(), id)
			if err != nil {
				s.Error(err)
				return
			}
			defer h.Release()
			if err := set(h, "a", "1"); err != nil {
				s.Error(err)
			}
		})
	}
	wg.Wait()
	found := s.found()
	equal(s, "the number of things found", len(found), 1)
	equal(s, "it is complete", found[name(id)].Complete, true)
}

func openNeverCreates(s *suite) {
	id := s.newIdentity()
	for range 2 {
		s.refused(id, store.ErrAbsent)
		s.is(s.Verify(s.Context(), id), store.ErrAbsent)
		equal(s, "the number of things found", len(s.found()), 0)
	}
	s.no(s.Create(s.Context(), id))
	s.handle(id).Release()
}

func identityDiffers(s *suite) {
	id := s.create()
	other := id
	other.Epoch = s.ids.New("epoch_")
	s.refused(other, store.ErrIdentity)
	h := s.handle(id)
	s.refused(other, store.ErrIdentity)
	s.is(s.Verify(s.Context(), other), store.ErrIdentity)
	h.Release()
	s.refused(other, store.ErrIdentity)
	s.handle(id).Release()
}

func generations(s *suite) {
	first := s.create()
	second := first
	second.Generation = 2
	s.refused(second, store.ErrAbsent)
	s.no(s.Create(s.Context(), second))
	s.use(first, func(db store.Database) { s.no(set(db, "a", "first")) })
	s.use(second, func(db store.Database) {
		if _, err := get(db, "a"); err == nil {
			s.Error("a generation sees the other's rows")
		}
		s.no(set(db, "a", "second"))
	})
	s.no(s.Drop(s.Context(), first.Place()))
	s.use(second, func(db store.Database) {
		value, err := get(db, "a")
		s.no(err)
		equal(s, "the value", value, "second")
	})
}

func namesChecked(s *suite) {
	for _, bad := range []string{"", "..", "../registry", "registry", "template1", "p_", "p_x_g1", "p_../../../etc/passwd_g1"} {
		if s.Drop(s.Context(), store.Place{Name: bad}) == nil {
			s.Errorf("%q was dropped", bad)
		}
		if s.Quarantine(s.Context(), store.Place{Name: bad}) == nil {
			s.Errorf("%q was put in quarantine", bad)
		}
	}
	good := s.newIdentity()
	for _, bad := range []store.Identity{
		{}, {PortalID: "port_../../x", Generation: 1, Epoch: good.Epoch},
		{PortalID: good.PortalID, Generation: 0, Epoch: good.Epoch}, {PortalID: good.PortalID, Generation: -1, Epoch: good.Epoch},
	} {
		if s.Create(s.Context(), bad) == nil {
			s.Errorf("%+v was created", bad)
		}
		if h, err := s.Open(s.Context(), bad); err == nil {
			h.Release()
			s.Errorf("%+v was opened", bad)
		}
	}
	equal(s, "the number of things found", len(s.found()), 0)
}

func portalCounters(s *suite) {
	id := s.create()
	const workers, rounds = 16, 10
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				h, err := s.Open(s.Context(), id)
				if err != nil {
					s.Error(err)
					return
				}
				err = h.Update(s.Context(), func(q store.SQL) error {
					_, err := q.Exec(`UPDATE identity SET writes = writes + 1 WHERE portal_id = $1`, id.PortalID)
					return err
				})
				if err != nil {
					s.Error(err)
				}
				h.Release()
			}
		})
	}
	wg.Wait()
	s.use(id, func(db store.Database) {
		var writes int
		s.no(db.View(s.Context(), func(q store.SQL) error {
			return q.QueryRow(`SELECT writes FROM identity`).Scan(&writes)
		}))
		equal(s, "the counter", writes, workers*rounds)
	})
}

func portalsApart(s *suite) {
	a, b := s.create(), s.create()
	s.use(a, func(db store.Database) { s.no(set(db, "secret", "a")) })
	s.use(b, func(db store.Database) {
		if value, err := get(db, "secret"); err == nil {
			s.Errorf("one portal reads %q of another", value)
		}
	})
}

func listTells(s *suite) {
	equal(s, "the number of things found", len(s.found()), 0)
	ids := make([]store.Identity, 5)
	for i := range ids {
		ids[i] = s.create()
	}
	ids[1].Generation = 3
	s.no(s.Create(s.Context(), ids[1]))
	ids[1].Generation = 1
	open := s.handle(ids[0])
	defer open.Release()
	for range 2 {
		found := s.found()
		equal(s, "the number of things found", len(found), len(ids)+1)
		for _, id := range ids {
			f := found[name(id)]
			if !f.Complete || !f.Marked || f.Identity != id || f.ModTime.IsZero() {
				s.Errorf("list tells %+v of %+v", f, id)
			}
		}
	}
}

func listEnds(s *suite) {
	for range 3 {
		s.create()
	}
	sentinel := errors.New("enough")
	calls := 0
	s.is(s.List(s.Context(), "", func(store.Found) error {
		calls++
		return sentinel
	}), sentinel)
	equal(s, "the number of calls", calls, 1)
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	if err := s.List(ctx, "", func(store.Found) error { return nil }); err == nil {
		s.Error("a listing that was cancelled passes for a whole one")
	}
}

func verify(s *suite) {
	id := s.create()
	s.no(s.Verify(s.Context(), id))
	s.use(id, func(db store.Database) {
		for i := range 50 {
			s.no(set(db, strconv.Itoa(i), "value"))
		}
		s.no(s.Verify(s.Context(), id))
	})
	s.no(s.Verify(s.Context(), id))
	s.no(s.Drop(s.Context(), id.Place()))
	if err := s.Verify(s.Context(), id); !errors.Is(err, store.ErrRetired) && !errors.Is(err, store.ErrAbsent) {
		s.Errorf("verifying a dropped database gives %v", err)
	}
}

// openStorm opens more databases at once than an engine with a small limit
// keeps: being pushed out of a cache is never being absent.
func openStorm(s *suite) {
	ids := make([]store.Identity, 12)
	for i := range ids {
		ids[i] = s.create()
	}
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for range 30 {
				id := ids[random.IntN(len(ids))]
				h, err := s.Open(s.Context(), id)
				if err != nil {
					s.Error(err)
					return
				}
				if random.IntN(3) == 0 {
					err = set(h, "a", "1")
				} else {
					err = h.View(s.Context(), func(q store.SQL) error {
						var portal string
						if err := q.QueryRow(`SELECT portal_id FROM identity`).Scan(&portal); err != nil {
							return err
						}
						equalInStorm(s, portal, id.PortalID)
						return nil
					})
				}
				if err != nil {
					s.Error(err)
				}
				h.Release()
			}
		})
	}
	wg.Wait()
	equal(s, "the number of things found", len(s.found()), len(ids))
}

func equalInStorm(s *suite, have, want string) {
	if have != want {
		s.Errorf("the database of %s says it is %s", want, have)
	}
}

func sizeGrows(s *suite) {
	h := s.handle(s.create())
	defer h.Release()
	before, err := h.Size(s.Context())
	s.no(err)
	if before <= 0 {
		s.Errorf("a database takes %d bytes", before)
	}
	var content strings.Builder // what cannot be packed
	for range 1 << 14 {
		content.WriteString(strconv.FormatUint(rand.Uint64(), 36))
	}
	s.no(set(h, "grown", content.String()))
	after, err := h.Size(s.Context())
	s.no(err)
	if after <= before {
		s.Errorf("it took %d bytes, and takes %d with more in it", before, after)
	}
}
