package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"portico"
	"portico/internal/store"
)

// mountSmall mounts a small file system in memory on a folder.
func mountSmall(t *testing.T, dir, size string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("portico-test", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		t.Skipf("cannot mount: %v", err) // only root can, and not in every container
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill takes what room there is, and returns the file that has it.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); err != nil {
			return path
		}
	}
}

func bulk(name string) func(store.SQL) error {
	return func(q store.SQL) error {
		_, err := q.Exec(`INSERT INTO meta (name, value) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, strings.Repeat("x", 60<<10))
		return err
	}
}

func TestRegistryVolumeFull(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	mountSmall(t, dir, "4m")
	var now atomic.Int64
	e := openEngine(t, Config{Dir: dir, Exclusive: true, Now: func() time.Time { return time.Unix(now.Load(), 0) }})
	ctx := t.Context()
	if err := e.Registry().Update(ctx, putMeta("before")); err != nil {
		t.Fatal(err)
	}
	ballast := fill(t, dir)

	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = e.Registry().Update(ctx, bulk(string(rune('a'+i%26))))
	}
	if portico.KindOf(err) != portico.KindStorageFull || !e.LowSpace() {
		t.Fatalf("writing to a full volume gives %v, low space is %v", err, e.LowSpace())
	}
	if _, err := os.Stat(filepath.Join(dir, reserveName)); err == nil {
		t.Error("the reserve is still there")
	}
	if n := countMeta(t, e); n < 1 {
		t.Error("reading stopped")
	}
	ran := false
	err = e.Registry().Update(ctx, func(store.SQL) error { ran = true; return nil })
	if portico.KindOf(err) != portico.KindStorageFull || ran {
		t.Errorf("in low-space mode an update gives %v, ran: %v", err, ran)
	}
	if err := e.Registry().Update(store.WithReserve(ctx), func(q store.SQL) error {
		_, err := q.Exec(`DELETE FROM meta WHERE name = 'before'`)
		return err
	}); err != nil {
		t.Errorf("what frees space gives %v", err)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := e.Registry().Update(ctx, putMeta("early")); portico.KindOf(err) != portico.KindStorageFull {
		t.Errorf("room was looked for again within a second: %v", err)
	}
	now.Add(1)
	if err := e.Registry().Update(ctx, putMeta("after")); err != nil || e.LowSpace() {
		t.Errorf("with room again an update gives %v, low space is %v", err, e.LowSpace())
	}
	if info, err := os.Stat(filepath.Join(dir, reserveName)); err != nil || info.Size() != reserveSize {
		t.Errorf("the reserve is not back: %v", err)
	}
}

func TestPortalVolumeFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mountSmall(t, filepath.Join(dir, portalsName), "1m")
	e := openEngine(t, Config{Dir: dir, Exclusive: true})
	id := createPortal(t, e)
	h := openHandle(t, e, id)
	defer h.Release()
	write(t, h)
	ballast := fill(t, filepath.Join(dir, portalsName))

	big := func(q store.SQL) error {
		_, err := q.Exec(`INSERT INTO settings (user_id, name, value) VALUES ('', 'big', $1)
			ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value`, strings.Repeat("x", 200<<10))
		return err
	}
	if err := h.Update(t.Context(), big); portico.KindOf(err) != portico.KindStorageFull {
		t.Errorf("writing to a full volume gives %v", err)
	}
	if n := writes(t, h); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
	other := newID(t)
	if err := e.Create(t.Context(), other); portico.KindOf(err) != portico.KindStorageFull {
		t.Errorf("creating on a full volume gives %v", err)
	}
	if err := e.Drop(t.Context(), other.Place()); err != nil {
		t.Errorf("dropping what could not be created gives %v", err)
	}
	if e.LowSpace() {
		t.Error("the registry counts as low on space")
	}
	if err := e.Registry().Update(t.Context(), putMeta("a")); err != nil {
		t.Error(err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := h.Update(t.Context(), big); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := e.Verify(t.Context(), id); err != nil {
		t.Error(err)
	}
}
