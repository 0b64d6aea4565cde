package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"portico"
	"portico/internal/failpoint"
	"portico/internal/store"
)

// ahead makes an engine's portal schema one version newer.
func ahead(e *Engine, sql string) {
	e.portalSteps = append(slices.Clip(e.portalSteps),
		store.Migration{Version: len(e.portalSteps) + 1, SQL: sql})
}

func TestPortalIsMigratedOnOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	points := failpoint.New()
	e := openEngine(t, Config{Dir: dir, Failpoints: points})
	old := createPortal(t, e)
	h := openHandle(t, e, old)
	write(t, h)
	h.Release()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = openEngine(t, Config{Dir: dir, Failpoints: points})
	ahead(e, `CREATE TABLE added (n BIGINT); INSERT INTO added VALUES (7);`)
	failing := true
	points.On(FailMigrateStep, func(context.Context, failpoint.Point) error {
		if failing {
			return errors.New("failed on purpose")
		}
		return nil
	})
	if _, err := e.Open(t.Context(), old); portico.KindOf(err) != portico.KindUnavailable {
		t.Errorf("a migration that fails gives %v", err)
	}
	failing = false
	fresh := createPortal(t, e)
	for _, id := range []store.Identity{old, fresh} {
		h := openHandle(t, e, id)
		var n, version int
		if err := h.View(t.Context(), func(q store.SQL) error {
			return q.QueryRow(`SELECT n, schema_version FROM added, identity`).Scan(&n, &version)
		}); err != nil || n != 7 || version != len(e.portalSteps) {
			t.Errorf("n = %d, version %d, %v", n, version, err)
		}
		h.Release()
	}

	older := openEngine(t, Config{Dir: dir}) // the version before, beside it
	_, err := older.Open(t.Context(), old)
	if portico.KindOf(err) != portico.KindUnavailable || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("a newer schema gives %v", err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := e.Backup(t.Context(), old.Place(), copied); err != nil {
		t.Fatal(err)
	}
	if err := older.Restore(t.Context(), newID(t), copied); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("restoring a newer schema gives %v", err)
	}
}

func TestRegistryOfANewerVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := openEngine(t, Config{Dir: dir})
	c, err := e.registry.dial(true)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.link.script(`PRAGMA user_version = 999`), c.close(), e.Close()); err != nil {
		t.Fatal(err)
	}
	for _, exclusive := range []bool{true, false} {
		_, err := Open(t.Context(), Config{Dir: dir, Exclusive: exclusive})
		if err == nil || !strings.Contains(err.Error(), "Install that version again") {
			t.Errorf("exclusive %v: opening gives %v", exclusive, err)
		}
	}
}

func TestRegistryMigrationIsRepeated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	points := failpoint.New()
	failOnce(points, FailMigrateStep)
	if _, err := Open(t.Context(), Config{Dir: dir, Exclusive: true, Failpoints: points}); portico.KindOf(err) != portico.KindUnavailable {
		t.Fatalf("a migration that fails gives %v", err)
	}
	e := openEngine(t, Config{Dir: dir, Exclusive: true, Failpoints: points})
	if n := countMeta(t, e); n != 0 {
		t.Errorf("%d rows", n)
	}
}

// TestCommandDoesNotMigrateBesideAServer: the server would not know the schema.
func TestCommandDoesNotMigrateBesideAServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := openEngine(t, Config{Dir: dir, Exclusive: true})
	c, err := e.registry.dial(true)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.link.script(`PRAGMA user_version = 0`), c.close()); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), Config{Dir: dir})
	if portico.KindOf(err) != portico.KindConflict || !strings.Contains(err.Error(), "Restart it") {
		t.Errorf("a newer command beside a server: %v", err)
	}
}
