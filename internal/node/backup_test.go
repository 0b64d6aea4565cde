package node_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"portico"
	"portico/internal/node"
	"portico/internal/wiretest"
)

// beside opens the data of a running server as a command does.
func beside(t *testing.T, w *wiretest.World) *node.Core {
	t.Helper()
	core, err := node.OpenCore(w.Node.Config, false, node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(core.Close)
	return core
}

func emails(t *testing.T, w *wiretest.World, portal string) []string {
	t.Helper()
	a := w.Do("GET", "/v1/portal/"+portal+"/users", w.Admin.Token, nil)
	if a.Status != http.StatusOK {
		t.Fatalf("list %s: %d %s", portal, a.Status, a.Body)
	}
	var users []struct{ Email string }
	a.JSON(t, &users)
	var all []string
	for _, u := range users {
		all = append(all, u.Email)
	}
	slices.Sort(all)
	return all
}

func invite(t *testing.T, w *wiretest.World, portal string, users ...string) {
	t.Helper()
	a := w.Do("POST", "/v1/portal/"+portal+"/users", w.Admin.Token, map[string]any{"users": users})
	if a.Status != http.StatusCreated {
		t.Fatalf("invite: %d %s", a.Status, a.Body)
	}
}

// TestBackupRestore backs a running server up, restores one portal whose file
// is lost, and then everything into another folder.
func TestBackupRestore(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	first, second := w.Portal("First"), w.Portal("Second")
	invite(t, w, first, "ada@example.com", "grace@example.com")
	invite(t, w, second, "alan@example.com")
	core := beside(t, w)
	dir := filepath.Join(t.TempDir(), "backup")
	steps := 0
	m, err := core.Backup(t.Context(), dir, "test", func(done, total int, _ int64) {
		if steps++; done != steps || total != 3 {
			t.Errorf("progress: %d of %d", done, total)
		}
	})
	if err != nil || steps != 3 || len(m.Files) != 3 || len(m.Missing) != 0 || m.Portals != 2 || m.Guests != 3 {
		t.Fatalf("backup: %v, %d steps, %+v", err, steps, m)
	}
	private(t, dir)
	if _, err := core.Backup(t.Context(), dir, "test", nil); portico.KindOf(err) != portico.KindConflict {
		t.Errorf("a backup into a folder in use: %v", err)
	}

	// Somebody leaves and somebody comes after the backup: a restored portal
	// follows the registry of now.
	for _, p := range []string{first, second} {
		invite(t, w, p, "late@example.com")
	}
	lose(t, w, first)
	if a := w.Do("GET", "/v1/portal/"+first+"/users", w.Admin.Token, nil); a.Status != http.StatusServiceUnavailable {
		t.Fatalf("a portal without its file: %d %s", a.Status, a.Body)
	}
	if err := core.RestorePortal(t.Context(), dir, first); err != nil {
		t.Fatal(err)
	}
	if got := emails(t, w, first); !slices.Equal(got, []string{"ada@example.com", "grace@example.com", "late@example.com"}) {
		t.Errorf("after restoring one portal: %v", got)
	}
	for id, want := range map[string]portico.Kind{"": portico.KindConflict, "port_nope": portico.KindNotFound} {
		if err := core.RestorePortal(t.Context(), dir, id); portico.KindOf(err) != want {
			t.Errorf("restore portal %q: %v", id, err)
		}
	}

	// Everything, elsewhere.
	config := w.Node.Config
	config.Data = filepath.Join(t.TempDir(), "new")
	if _, err := node.RestoreAll(t.Context(), config, dir, node.Options{}, nil); err != nil {
		t.Fatal(err)
	}
	private(t, config.Data)
	if _, err := node.OpenCore(config, true, node.Options{}); err == nil || !strings.Contains(err.Error(), node.SecretFile) {
		t.Fatalf("without the secret: %v", err)
	}
	secret, err := os.ReadFile(filepath.Join(w.Dir, node.SecretFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(config.Data, node.SecretFile), secret, 0o600); err != nil {
		t.Fatal(err)
	}
	w.Dir = config.Data
	w.Restart()
	if got := emails(t, w, first); !slices.Equal(got, []string{"ada@example.com", "grace@example.com"}) {
		t.Errorf("after restoring everything: %v", got)
	}
	if got := emails(t, w, second); !slices.Equal(got, []string{"alan@example.com"}) {
		t.Errorf("after restoring everything: %v", got)
	}
	if _, err := node.RestoreAll(t.Context(), config, dir, node.Options{}, nil); portico.KindOf(err) != portico.KindConflict {
		t.Errorf("a restore over data: %v", err)
	}
}

// TestRestoreRefuses: what is damaged, cut short or misled is refused before
// anything is written.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	w.Portal("One")
	core := beside(t, w)
	for name, spoil := range map[string]func(dir string, m *node.Manifest){
		"a flipped bit": func(dir string, m *node.Manifest) { flip(t, filepath.Join(dir, m.Files[1].Name)) },
		"no manifest":   func(dir string, _ *node.Manifest) { remove(t, filepath.Join(dir, node.ManifestFile)) },
		"a lost file":   func(dir string, m *node.Manifest) { remove(t, filepath.Join(dir, m.Files[0].Name)) },
		"a way out":     func(_ string, m *node.Manifest) { m.Files[1].Name = "../" + m.Files[1].Name },
		"a new format":  func(_ string, m *node.Manifest) { m.Format++ },
		"a secret of others": func(_ string, m *node.Manifest) {
			m.Secret = "0123456789abcdef"
		},
	} {
		dir := filepath.Join(t.TempDir(), "backup")
		m, err := core.Backup(t.Context(), dir, "test", nil)
		if err != nil {
			t.Fatal(err)
		}
		spoil(dir, &m)
		if raw, err := json.Marshal(m); err == nil && name != "no manifest" {
			if err := os.WriteFile(filepath.Join(dir, node.ManifestFile), raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		config := w.Node.Config
		config.Data = filepath.Join(t.TempDir(), "new")
		config.SecretKey = readSecret(t, w.Dir)
		if _, err := node.RestoreAll(t.Context(), config, dir, node.Options{}, nil); err == nil {
			t.Errorf("%s is accepted", name)
		}
		if _, err := os.Stat(config.Data); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the data folder was made: %v", name, err)
		}
	}
}

// TestExamine: a healthy installation, then one thing after the other.
func TestExamine(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	portal := w.Portal("One")
	invite(t, w, portal, "ada@example.com")
	failing := func() []string {
		var names []string
		for _, c := range node.Examine(t.Context(), w.Node.Config, node.Options{}) {
			if c.Status == node.CheckFail {
				names = append(names, c.Name)
			}
		}
		return names
	}
	if bad := failing(); bad != nil {
		t.Fatalf("a healthy installation fails: %v", bad)
	}
	before := files(t, w.Dir)
	if err := os.Chmod(filepath.Join(w.Dir, "portals"), 0o750); err != nil {
		t.Fatal(err)
	}
	if bad := failing(); !slices.Equal(bad, []string{"modes"}) {
		t.Errorf("a loose folder: %v", bad)
	}
	if err := os.Chmod(filepath.Join(w.Dir, "portals"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.Node.Close()
	lose(t, w, portal)
	if bad := failing(); !slices.Equal(bad, []string{"portals"}) {
		t.Errorf("a lost portal: %v", bad)
	}
	remove(t, filepath.Join(w.Dir, node.SecretFile))
	if bad := failing(); !slices.Equal(bad, []string{"secret"}) {
		t.Errorf("a lost secret: %v", bad)
	}
	if _, err := os.Stat(filepath.Join(w.Dir, node.SecretFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a secret was made")
	}
	if after := files(t, w.Dir); len(after) > len(before) {
		t.Errorf("files came: %v, before %v", after, before)
	}
}

// lose removes the files of a portal's database.
func lose(t *testing.T, w *wiretest.World, portal string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(w.Dir, "portals", "*", strings.TrimPrefix(portal, portico.PrefixPortal), "p_*"))
	if err != nil || len(names) == 0 {
		t.Fatalf("the database of %s: %v %v", portal, names, err)
	}
	for _, name := range names {
		remove(t, name)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func flip(t *testing.T, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readSecret(t *testing.T, dir string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, node.SecretFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// files returns every file and folder below one.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// private fails the test for what others may read or write, and for a secret.
func private(t *testing.T, dir string) {
	t.Helper()
	for _, path := range files(t, dir) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 || info.Name() == node.SecretFile {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
	}
}
