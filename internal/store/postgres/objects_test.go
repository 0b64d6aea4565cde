package postgres

import (
	"path/filepath"
	"testing"
)

// TestLargeObjects: what an app keeps as large objects is in a backup, and the
// app has it again after a restore.
func TestLargeObjects(t *testing.T) {
	t.Parallel()
	_, e := apps(t)
	id := newID(t)
	app, err := outside(t, admit(t, e, id, "secret", false))
	noError(t, err)
	var object uint32
	noError(t, app.QueryRow(t.Context(), `SELECT lo_from_bytea(0, 'kept')`).Scan(&object))
	path := filepath.Join(t.TempDir(), "copy")
	noError(t, e.Backup(t.Context(), id.Place(), path))
	restored := id
	restored.Generation++
	noError(t, e.Restore(t.Context(), restored, path))
	app, err = outside(t, admit(t, e, restored, "secret", false))
	noError(t, err)
	var text string
	noError(t, app.QueryRow(t.Context(), `SELECT convert_from(lo_get($1), 'UTF8')`, object).Scan(&text))
	if text != "kept" {
		t.Errorf("it reads %q", text)
	}
	noError(t, app.QueryRow(t.Context(), `SELECT lo_unlink($1)::text`, object).Scan(&text))
	noError(t, e.Drop(t.Context(), id.Place()))
	noError(t, e.Drop(t.Context(), restored.Place()))
}
