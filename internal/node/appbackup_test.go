package node_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico/internal/node"
	"portico/internal/store"
	"portico/internal/wiretest"
)

// TestBackupHoldsTheApps: what the platform's app keeps beside a portal's
// database is in a backup, and comes back with the portal, or with everything.
func TestBackupHoldsTheApps(t *testing.T) {
	t.Parallel()
	steps := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(steps, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("0001_notes.sql", `CREATE TABLE notes (id BIGINT);`)
	w := wiretest.Start(t, func(c *node.Config, _ *node.Options) { c.AppMigrations = steps })
	portal := w.Portal("App")
	core := beside(t, w)
	dir := filepath.Join(t.TempDir(), "backup")
	m, err := core.Backup(t.Context(), dir, "test", nil)
	if err != nil || len(m.Files) != 3 || m.Copied() != 1 || !m.Files[2].App || m.Files[2].PortalID != portal {
		t.Fatalf("backup: %v, %+v", err, m)
	}
	private(t, dir)

	// The portal's copy has one step; a command that knows two takes the other.
	put("0002_more.sql", `CREATE TABLE more (id BIGINT);`)
	if err := beside(t, w).RestorePortal(t.Context(), dir, portal); err != nil {
		t.Fatal(err)
	}
	var database struct{ Path string }
	w.Do("GET", "/v1/portal/"+portal+"/database", w.Admin.Token, nil).JSON(t, &database)
	info, err := os.Stat(database.Path)
	if err != nil || !strings.HasSuffix(database.Path, "app_g2.db") || info.Size() == 0 {
		t.Errorf("%s: %v", database.Path, err)
	}
	err = core.Lifecycle.Fleet(t.Context(), func(r store.FleetRow) {
		if r.Generation != 2 || r.Schema.AppVersion != 2 {
			t.Errorf("the restored portal: generation %d, %+v", r.Generation, r.Schema)
		}
	})
	if err != nil {
		t.Error(err)
	}

	all := w.Node.Config
	all.Data = filepath.Join(t.TempDir(), "all")
	if _, err := node.RestoreAll(t.Context(), all, dir, node.Options{}, nil); err != nil {
		t.Fatal(err)
	}
	if apps, err := fs.Glob(os.DirFS(all.Data), "portals/*/*/app.db"); err != nil || len(apps) != 1 {
		t.Errorf("restored: %q, %v", apps, err)
	}
	m.Files[2].SHA256 = m.Files[1].SHA256
	raw, err := json.Marshal(m)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, node.ManifestFile), raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := core.RestorePortal(t.Context(), dir, portal); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("a damaged copy of the app's: %v", err)
	}
}
