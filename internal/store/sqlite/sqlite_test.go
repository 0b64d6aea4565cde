package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
)

func newContext() context.Context { return context.Background() }

func newID(t testing.TB) store.Identity {
	t.Helper()
	ids := portico.NewIDSource(time.Now)
	return store.Identity{PortalID: ids.New(portico.PrefixPortal), Generation: 1, Epoch: ids.New(prefixEpoch)}
}

func nameFor(id store.Identity) string { return portico.DatabaseName(id.PortalID, id.Generation) }

// pathOf returns where a portal's database is.
func pathOf(e *Engine, id store.Identity) string {
	return filepath.Join(e.folder.path, portalFolder(id.PortalID), nameFor(id)+".db")
}

func openEngine(t testing.TB, cfg Config) *Engine {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	e, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func createPortal(t testing.TB, e *Engine) store.Identity {
	t.Helper()
	id := newID(t)
	if err := e.Create(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	return id
}

func openHandle(t testing.TB, e *Engine, id store.Identity) store.Handle {
	t.Helper()
	h, err := e.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// write changes one row of a portal's database.
func write(t testing.TB, db store.Database) {
	t.Helper()
	if err := db.Update(t.Context(), addWrite); err != nil {
		t.Fatal(err)
	}
}

func addWrite(q store.SQL) error {
	_, err := q.Exec(`UPDATE identity SET writes = writes + 1`)
	return err
}

// writes returns how often write changed it.
func writes(t testing.TB, db store.Database) (n int) {
	t.Helper()
	if err := db.View(t.Context(), func(q store.SQL) error {
		return q.QueryRow(`SELECT writes FROM identity`).Scan(&n)
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func done(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused fails the test unless neither Open nor Verify succeeds.
func refused(t *testing.T, e *Engine, id store.Identity, target error) {
	t.Helper()
	h, err := e.Open(t.Context(), id)
	if err == nil {
		h.Release()
	}
	if !errors.Is(err, target) {
		t.Errorf("open gives %v, want %v", err, target)
	}
	if err := e.Verify(t.Context(), id); !errors.Is(err, target) {
		t.Errorf("verify gives %v, want %v", err, target)
	}
}

func listed(t *testing.T, e *Engine) map[string]store.Found {
	t.Helper()
	all := make(map[string]store.Found)
	if err := e.List(t.Context(), "", func(f store.Found) error {
		all[f.Name] = f
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestFilesThatAreNotServed changes the file behind the engine's back.
func TestFilesThatAreNotServed(t *testing.T) {
	t.Parallel()
	truncate := func(size int64) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			if err := os.Truncate(path, size); err != nil {
				t.Fatal(err)
			}
		}
	}
	overwrite := func(at int64, with string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt([]byte(with), at); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		change func(t *testing.T, path string)
		want   error
	}{
		"gone":             {func(_ *testing.T, path string) { os.Remove(path) }, store.ErrAbsent},
		"folder gone":      {func(_ *testing.T, path string) { os.RemoveAll(filepath.Dir(path)) }, store.ErrAbsent},
		"empty":            {truncate(0), store.ErrDamaged},
		"cut short":        {truncate(5000), store.ErrDamaged},
		"header destroyed": {overwrite(0, "not a database at all"), store.ErrDamaged},
		"schema destroyed": {overwrite(100, "\xff\xff\xff\xff\xff\xff\xff\xff"), store.ErrDamaged},
		"table destroyed":  {overwrite(4096, "\xff\xff\xff\xff\xff\xff\xff\xff"), store.ErrDamaged},
		"writable by all":  {func(t *testing.T, path string) { chmod(t, path, 0o666) }, store.ErrDamaged},
		"second name":      {func(t *testing.T, path string) { done(t, os.Link(path, path+".other")) }, store.ErrDamaged},
		"symbolic link": {func(t *testing.T, path string) {
			done(t, os.Rename(path, path+".real"))
			done(t, os.Symlink(path+".real", path))
		}, store.ErrDamaged},
		"WAL is a link": {func(t *testing.T, path string) { done(t, os.Symlink("/dev/null", path+walSuffix)) }, store.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := openEngine(t, Config{MaxHandles: 1})
			id, other := createPortal(t, e), createPortal(t, e)
			openHandle(t, e, other).Release() // so that the changed one is not open
			c.change(t, pathOf(e, id))
			refused(t, e, id, c.want)
			openHandle(t, e, other).Release()
			listed(t, e)
			if err := e.Drop(t.Context(), id.Place()); err != nil {
				t.Errorf("drop: %v", err)
			}
		})
	}
}

func TestFileGoneWhileOpen(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Config{})
	id := createPortal(t, e)
	h := openHandle(t, e, id)
	write(t, h)
	path := pathOf(e, id)
	content := path + ".aside"
	if err := os.Rename(path, content); err != nil {
		t.Fatal(err)
	}
	refused(t, e, id, store.ErrAbsent) // in use
	h.Release()
	refused(t, e, id, store.ErrAbsent) // idle
	if err := e.Backup(t.Context(), store.Place{}, filepath.Join(t.TempDir(), "registry")); err != nil {
		t.Error(err)
	}
	if err := os.Rename(content, path); err != nil {
		t.Fatal(err)
	}
	again := openHandle(t, e, id)
	defer again.Release()
	if n := writes(t, again); n != 1 {
		t.Errorf("%d writes are left of 1", n)
	}
}

func TestFileReplacedWhileOpen(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Config{})
	id := createPortal(t, e)
	h := openHandle(t, e, id)
	write(t, h)
	h.Release()
	copied := filepath.Join(e.folder.path, "copy")
	if err := e.Backup(t.Context(), id.Place(), copied); err != nil {
		t.Fatal(err)
	}
	h = openHandle(t, e, id)
	write(t, h)
	if err := os.Rename(copied, pathOf(e, id)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Open(t.Context(), id); portico.KindOf(err) != portico.KindUnavailable {
		t.Errorf("opening a file that was replaced under a handle gives %v", err)
	}
	h.Release()
	openHandle(t, e, id).Release()
}

func TestFlippedBytes(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Config{MaxHandles: 1})
	id, other := createPortal(t, e), createPortal(t, e)
	h := openHandle(t, e, id)
	write(t, h)
	h.Release()
	openHandle(t, e, other).Release()
	path := pathOf(e, id)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for at := 0; at < len(whole); at += 389 {
		whole[at] ^= 0xff
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		if e.Verify(t.Context(), id) != nil {
			found++
		}
		if h, err := e.Open(t.Context(), id); err == nil {
			_ = h.View(t.Context(), readOne)
			h.Release()
		}
		h := openHandle(t, e, other)
		writes(t, h)
		h.Release()
		whole[at] ^= 0xff
	}
	if found == 0 {
		t.Error("no damage was found")
	}
	t.Logf("found %d of %d", found, len(whole)/389)
}
