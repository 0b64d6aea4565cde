package storetest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"portico/internal/store"
)

func copyTests() []test {
	return []test{
		{"a backup is restored under a new identity", backupRestored},
		{"a backup beside writers is consistent", backupBesideWriters},
		{"a backup replaces no file", backupNewFile},
		{"a backup of what is not there", backupAbsent},
		{"a backup of the registry", backupRegistry},
		{"restore is repeated without harm", restoreRepeated},
		{"restore of what is no copy leaves nothing", restoreRefused},
	}
}

func (s *suite) backup(at store.Place) (path string) {
	s.Helper()
	path = filepath.Join(s.TempDir(), "copy")
	s.no(s.Backup(s.Context(), at, path))
	return path
}

func backupRestored(s *suite) {
	id := s.create()
	s.use(id, func(db store.Database) { s.no(set(db, "a", "1")) })
	path := s.backup(id.Place())
	s.use(id, func(db store.Database) { s.no(set(db, "a", "2")) })

	copied := store.Identity{PortalID: id.PortalID, Generation: 7, Epoch: s.ids.New("epoch_")}
	s.no(s.Restore(s.Context(), copied, path))
	elsewhere := s.newIdentity()
	s.no(s.Restore(s.Context(), elsewhere, path))
	for _, restored := range []store.Identity{copied, elsewhere} {
		s.no(s.Verify(s.Context(), restored))
		s.use(restored, func(db store.Database) {
			value, err := get(db, "a")
			s.no(err)
			equal(s, "the restored value", value, "1")
		})
		equal(s, "the listed identity", s.found()[name(restored)].Identity, restored)
	}
	s.use(id, func(db store.Database) {
		value, err := get(db, "a")
		s.no(err)
		equal(s, "the value", value, "2")
	})
	if _, err := os.Stat(path); err != nil {
		s.Errorf("restoring used the copy up: %v", err)
	}
}

// backupBesideWriters keeps two settings equal while it copies.
func backupBesideWriters(s *suite) {
	id := s.create()
	h := s.handle(id)
	defer h.Release()
	both := func(q store.SQL, value string) error {
		for _, name := range []string{"a", "z"} {
			_, err := q.Exec(`INSERT INTO settings (user_id, name, value) VALUES ('', $1, $2)
				ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value`, name, value)
			if err != nil {
				return err
			}
		}
		return nil
	}
	s.no(h.Update(s.Context(), func(q store.SQL) error { return both(q, "first") }))
	ctx, stop := context.WithCancel(s.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if err := h.Update(context.WithoutCancel(ctx), func(q store.SQL) error { return both(q, strconv.Itoa(i)) }); err != nil {
				s.Error(err)
			}
		}
	})
	paths := []string{s.backup(id.Place()), s.backup(id.Place()), s.backup(id.Place())}
	stop()
	wg.Wait()
	for i, path := range paths {
		restored := id
		restored.Generation = i + 2
		s.no(s.Restore(s.Context(), restored, path))
		s.use(restored, func(db store.Database) {
			a, err := get(db, "a")
			s.no(err)
			z, err := get(db, "z")
			s.no(err)
			equal(s, "one of two equal values", a, z)
		})
	}
}

func backupNewFile(s *suite) {
	id := s.create()
	path := s.backup(id.Place())
	info, err := os.Stat(path)
	s.no(err)
	equal(s, "the copy's permissions", info.Mode().Perm(), fs.FileMode(0o600))
	before, err := os.ReadFile(path)
	s.no(err)
	if s.Backup(s.Context(), id.Place(), path) == nil {
		s.Error("a backup replaced a file")
	}
	after, err := os.ReadFile(path)
	s.no(err)
	equal(s, "the file", string(after), string(before))
}

func backupAbsent(s *suite) {
	path := filepath.Join(s.TempDir(), "copy")
	s.is(s.Backup(s.Context(), s.newIdentity().Place(), path), store.ErrAbsent)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		s.Errorf("a backup that failed left a file: %v", err)
	}
}

func backupRegistry(s *suite) {
	s.no(s.update(func(q store.SQL) error { return put(q, "a", "1") }))
	info, err := os.Stat(s.backup(store.Place{}))
	s.no(err)
	if info.Size() == 0 {
		s.Error("the copy is empty")
	}
}

func restoreRepeated(s *suite) {
	id := s.create()
	s.use(id, func(db store.Database) { s.no(set(db, "a", "1")) })
	path := s.backup(id.Place())
	restored := id
	restored.Generation = 2
	s.no(s.Restore(s.Context(), restored, path))
	s.use(restored, func(db store.Database) { s.no(set(db, "a", "2")) })
	s.no(s.Restore(s.Context(), restored, path))
	s.use(restored, func(db store.Database) {
		value, err := get(db, "a")
		s.no(err)
		equal(s, "the value", value, "2")
	})
	restored.Epoch = s.ids.New("epoch_")
	s.is(s.Restore(s.Context(), restored, path), store.ErrIdentity)
	s.no(s.Drop(s.Context(), restored.Place()))
	s.is(s.Restore(s.Context(), restored, path), store.ErrRetired)
}

func restoreRefused(s *suite) {
	id := s.newIdentity()
	junk := filepath.Join(s.TempDir(), "junk")
	s.no(os.WriteFile(junk, []byte("this is no copy of a database"), 0o600))
	for _, path := range []string{junk, filepath.Join(s.TempDir(), "missing")} {
		if s.Restore(s.Context(), id, path) == nil {
			s.Errorf("%s was restored", path)
		}
		s.refused(id, store.ErrAbsent)
		if f, ok := s.found()[name(id)]; ok {
			s.Errorf("a restore that failed left %+v", f)
		}
	}
	s.no(s.Create(s.Context(), id))
}
