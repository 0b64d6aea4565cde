package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"portico"
	"portico/internal/failpoint"
	"portico/internal/store"
)

// failOnce makes a point fail at its first hit.
func failOnce(points *failpoint.Set, point string) {
	points.On(point, func(_ context.Context, p failpoint.Point) error {
		if p.Hits == 1 {
			return errors.New("failed on purpose")
		}
		return nil
	})
}

// TestEachStepFails lets every step of every operation fail once. The call
// says so, and repeated it ends as if nothing had been.
func TestEachStepFails(t *testing.T) {
	t.Parallel()
	for _, point := range FailPoints() {
		if strings.HasPrefix(point, "sqlite.commit.") || strings.HasPrefix(point, "sqlite.migrate.") {
			continue // in writer_test.go and schema_test.go
		}
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			points := failpoint.New()
			e := openEngine(t, Config{Failpoints: points})
			failOnce(points, point)
			id, moved := newID(t), newID(t)
			failed := 0
			twice := func(do func() error) {
				t.Helper()
				err := do()
				if err != nil {
					failed++
					if portico.KindOf(err) != portico.KindUnavailable {
						t.Errorf("the error is %v", err)
					}
					err = do()
				}
				if err != nil {
					t.Fatalf("repeated, it fails: %v", err)
				}
			}
			ctx := t.Context()
			copied := filepath.Join(t.TempDir(), "copy")
			twice(func() error { return e.Create(ctx, id) })
			h := openHandle(t, e, id)
			write(t, h)
			h.Release()
			twice(func() error { return e.Backup(ctx, id.Place(), copied) })
			twice(func() error { return e.Restore(ctx, moved, copied) })
			if n := len(listed(t, e)); n != 2 {
				t.Errorf("%d things are listed, want 2", n)
			}
			twice(func() error { return e.Quarantine(ctx, moved.Place()) })
			twice(func() error { return e.Drop(ctx, id.Place()) })
			if failed != 1 {
				t.Errorf("%d calls failed, want 1", failed)
			}
			if left, err := e.folder.names(portalsName); len(left) > 0 || err != nil {
				t.Errorf("left in the folder: %v, %v", left, err)
			}
			if left, err := e.folder.names(quarantineName); !slices.Equal(left, []string{"q_" + nameFor(moved)[2:] + ".db"}) {
				t.Errorf("in quarantine: %v, %v", left, err)
			}
		})
	}
}

// touch makes an empty file in a portal's folder.
func touch(t *testing.T, e *Engine, id store.Identity, name string) string {
	t.Helper()
	rel := filepath.Join(portalFolder(id.PortalID), name)
	if err := os.MkdirAll(filepath.Dir(e.folder.abs(rel)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(e.folder.abs(rel), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return rel
}

func TestLeavings(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Config{})
	whole, cut, walOnly := createPortal(t, e), newID(t), newID(t)
	temporary := touch(t, e, whole, nameFor(whole)+temporaryMark+"0123")
	touch(t, e, whole, appFile(1))
	touch(t, e, cut, nameFor(cut)+temporaryMark+"4567")
	touch(t, e, walOnly, nameFor(walOnly)+".db"+walSuffix)
	note := touch(t, e, walOnly, "note.txt")
	misplaced := touch(t, e, walOnly, nameFor(cut)+".db")
	app := touch(t, e, newID(t), appFile(1))
	bare := filepath.Dir(touch(t, e, newID(t), "x"))
	if err := os.Remove(e.folder.abs(filepath.Join(bare, "x"))); err != nil {
		t.Fatal(err)
	}
	found := listed(t, e)
	for name, complete := range map[string]bool{
		nameFor(whole): true, nameFor(cut): false, nameFor(walOnly): false,
		temporary: false, note: false, misplaced: false, app: false, bare: false,
	} {
		f, ok := found[name]
		if !ok || f.Complete != complete || f.Marked != complete {
			t.Errorf("%s is listed as %+v", name, f)
		}
		delete(found, name)
	}
	if len(found) > 0 {
		t.Errorf("also listed: %v", found)
	}
	for _, id := range []store.Identity{whole, cut, walOnly} {
		if err := e.Drop(t.Context(), id.Place()); err != nil {
			t.Error(err)
		}
	}
	left := listed(t, e)
	if len(left) != 4 { // what is not ours stays
		t.Errorf("after dropping: %v", left)
	}
	for _, name := range []string{note, misplaced, app, bare} {
		if _, ok := left[name]; !ok {
			t.Errorf("%s is gone", name)
		}
	}
}

// TestOldWALIsNotPickedUp leaves a WAL where a database is made.
func TestOldWALIsNotPickedUp(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Config{})
	id := newID(t)
	for _, suffix := range []string{walSuffix, shmSuffix, journalSuffix, temporaryMark[3:] + "99"} {
		touch(t, e, id, nameFor(id)+".db"+suffix)
	}
	if err := e.Create(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	names, err := e.folder.names(portalFolder(id.PortalID))
	if err != nil || !slices.Equal(names, []string{nameFor(id) + ".db"}) {
		t.Errorf("beside the new database: %v, %v", names, err)
	}
}

// TestAppDatabaseGoesWithItsGeneration: each generation has its app's database,
// and no other one's goes with it.
func TestAppDatabaseGoesWithItsGeneration(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Config{})
	first := createPortal(t, e)
	second := first
	second.Generation = 2
	if err := e.Create(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	app := e.folder.abs(touch(t, e, first, appFile(2)))
	for _, name := range []string{appFile(1), appFile(1) + walSuffix, appFile(2) + walSuffix} {
		touch(t, e, first, name)
	}
	if found := listed(t, e); len(found) != 2 {
		t.Errorf("listed: %v", found)
	}
	if err := e.Drop(t.Context(), first.Place()); err != nil {
		t.Fatal(err)
	}
	names, err := e.folder.names(portalFolder(first.PortalID))
	if err != nil || len(names) != 3 {
		t.Errorf("left with the second generation: %v, %v", names, err)
	}
	if _, err := os.Stat(app); err != nil {
		t.Errorf("the app's database went too early: %v", err)
	}
	if err := e.Drop(t.Context(), second.Place()); err != nil {
		t.Fatal(err)
	}
	if left, err := e.folder.names(portalsName); len(left) > 0 || err != nil {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestTemplateIsExact(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Config{})
	createPortal(t, e)
	if !e.template.exact {
		t.Error("identities are not written over the template's")
	}
	odd := newID(t)
	odd.Epoch = "of another length"
	if err := e.Create(t.Context(), odd); err != nil {
		t.Fatal(err)
	}
	if err := e.Verify(t.Context(), odd); err != nil {
		t.Error(err)
	}
	if left, err := e.folder.names(templateName); len(left) > 0 || err != nil {
		t.Errorf("left in the template's folder: %v, %v", left, err)
	}
}

func TestHandlesAreBounded(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Config{MaxHandles: 3})
	ids := make([]store.Identity, 8)
	for i := range ids {
		ids[i] = createPortal(t, e)
	}
	for _, id := range ids {
		h := openHandle(t, e, id)
		write(t, h)
		h.Release()
		if n := e.OpenHandles(); n > 3 {
			t.Errorf("%d databases are open", n)
		}
	}
	var held []store.Handle
	for _, id := range ids[:3] {
		held = append(held, openHandle(t, e, id))
	}
	if err := e.Verify(t.Context(), ids[5]); err != nil { // has no part in the limit
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Open(ctx, ids[4]); portico.KindOf(err) != portico.KindUnavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("with all handles in use, Open gives %v", err)
	}
	for _, h := range held {
		h.Release()
		h.Release() // once too often does no harm
	}
	openHandle(t, e, ids[4]).Release()
}

// TestFilesReturnToTheBaseLine counts what the process has open.
//
//nolint:paralleltest // it counts the process's files
func TestFilesReturnToTheBaseLine(t *testing.T) {
	open := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err) // only Linux shows them there
		}
		return len(names)
	}
	before := open()
	e := openEngine(t, Config{Exclusive: true, MaxHandles: 2})
	idle := open()
	for range 6 {
		id := createPortal(t, e)
		h := openHandle(t, e, id)
		write(t, h)
		writes(t, h)
		h.Release()
		if err := e.Drop(t.Context(), id.Place()); err != nil {
			t.Fatal(err)
		}
	}
	if n := open(); n > idle+2 { // the registry's connections open when first used
		t.Errorf("%d files are open, %d at start", n, idle)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if n := open(); n != before {
		t.Errorf("%d files are open after closing, %d before", n, before)
	}
}

func FuzzReadRawIdentity(f *testing.F) {
	e := openEngine(f, Config{})
	content, _, err := e.portalContent(newID(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content[:8192])
	f.Add(content[:4096])
	f.Add([]byte("SQLite format 3\x00\x10\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if id, err := readRawIdentity(strings.NewReader(string(content))); err == nil && !ours(id) {
			t.Errorf("read %+v", id)
		}
	})
}
