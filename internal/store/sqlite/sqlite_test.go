package sqlite

import (
	"testing"
	"time"

	"portico"
	"portico/internal/store"
)

func newID(t testing.TB) store.Identity {
	t.Helper()
	ids := portico.NewIDSource(time.Now)
	return store.Identity{PortalID: ids.New(portico.PrefixPortal), Generation: 1, Epoch: ids.New(prefixEpoch)}
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

func TestSmoke(t *testing.T) {
	e := openEngine(t, Config{Exclusive: true})
	ctx := t.Context()
	if err := e.Registry().Update(ctx, func(q store.SQL) error {
		_, err := q.Exec(`INSERT INTO meta (name, value) VALUES ($1, $1)`, "a")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	id := newID(t)
	for range 2 {
		if err := e.Create(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	h, err := e.Open(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Update(ctx, func(q store.SQL) error {
		_, err := q.Exec(`UPDATE identity SET writes = writes + 1`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	h.Release()
	if err := e.List(ctx, func(f store.Found) error { t.Logf("%+v", f); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := e.Verify(ctx, id); err != nil {
		t.Fatal(err)
	}
	name := portico.DatabaseName(id.PortalID, 1)
	dir := t.TempDir()
	if err := e.Backup(ctx, name, dir+"/b"); err != nil {
		t.Fatal(err)
	}
	if err := e.Backup(ctx, "", dir+"/r"); err != nil {
		t.Fatal(err)
	}
	if err := e.Drop(ctx, name); err != nil {
		t.Fatal(err)
	}
	id.Generation = 2
	if err := e.Restore(ctx, id, dir+"/b"); err != nil {
		t.Fatal(err)
	}
	if err := e.Verify(ctx, id); err != nil {
		t.Fatal(err)
	}
	if err := e.List(ctx, func(f store.Found) error { t.Logf("%+v", f); return nil }); err != nil {
		t.Fatal(err)
	}
}
