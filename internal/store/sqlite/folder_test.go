package sqlite

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"portico"
	"portico/internal/store"
)

// childEnv makes the test binary a second server on the folder that it names.
const childEnv = "PORTICO_SQLITE_CHILD"

// child tries to serve the folder and says how that went.
func child(dir string) int {
	e, err := Open(newContext(), Config{Dir: dir, Exclusive: true})
	if err != nil {
		fmt.Fprint(os.Stderr, err)
		return 3
	}
	e.Close()
	return 0
}

// snapshot returns what is in a folder, down to the times of change.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		all.WriteString(path + " " + info.Mode().String() + " " + info.ModTime().String() + "\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func TestSecondServerIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	serve := func() (string, int) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	e := openEngine(t, Config{Dir: dir, Exclusive: true})
	createPortal(t, e)
	before := snapshot(t, dir)
	out, code := serve()
	if code != 3 || !strings.Contains(out, "Another server uses the data folder "+dir) {
		t.Errorf("the second server ends with %d: %s", code, out)
	}
	if after := snapshot(t, dir); after != before {
		t.Errorf("the second server wrote:\n%s\nbefore:\n%s", after, before)
	}
	if _, err := Open(t.Context(), Config{Dir: dir, Exclusive: true}); portico.KindOf(err) != portico.KindConflict {
		t.Errorf("a second server in the same process: %v", err)
	}
	command := openEngine(t, Config{Dir: dir})
	if err := command.Registry().Update(t.Context(), func(q store.SQL) error {
		_, err := q.Exec(`INSERT INTO meta (name, value) VALUES ('command', '')`)
		return err
	}); err != nil {
		t.Errorf("a command beside the server: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if out, code := serve(); code != 0 {
		t.Errorf("after the first server ended, the second ends with %d: %s", code, out)
	}
}

func TestFolderIsRefused(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, dir string) string{
		"can be written by others": func(t *testing.T, dir string) string {
			return dir + chmod(t, dir, 0o770)
		},
		"is a symbolic link": func(t *testing.T, dir string) string {
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(dir, link); err != nil {
				t.Fatal(err)
			}
			return link
		},
		"is not a folder": func(t *testing.T, dir string) string {
			file := filepath.Join(dir, "file")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return file
		},
		"belongs to another user": func(t *testing.T, dir string) string {
			if err := os.Chown(dir, 12345, -1); err != nil {
				t.Skip(err) // only root can give a folder away
			}
			return dir
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := prepare(t, dir)
			before := snapshot(t, dir)
			e, err := Open(t.Context(), Config{Dir: path, Exclusive: true})
			if err == nil {
				e.Close()
			}
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("opening gives %v", err)
			}
			if snapshot(t, dir) != before {
				t.Error("the refused folder was written to")
			}
		})
	}
}

func chmod(t *testing.T, path string, mode fs.FileMode) string {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return ""
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "here")
	e := openEngine(t, Config{Dir: dir, Exclusive: true})
	h := openHandle(t, e, createPortal(t, e))
	defer h.Release()
	write(t, h)
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = fs.ModeDir | 0o700
		} else {
			files++
		}
		if info.Mode() != want {
			t.Errorf("%s is %v, want %v", path, info.Mode(), want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 8 { // registry and portal with -wal and -shm, lock, reserve
		t.Errorf("only %d files", files)
	}
	if info, err := os.Stat(filepath.Join(dir, reserveName)); err != nil || info.Sys().(*syscall.Stat_t).Blocks*512 < reserveSize {
		t.Errorf("the reserve is not really allocated: %v", err)
	}
}

func TestRegistryIsNotMadeBesidePortals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := openEngine(t, Config{Dir: dir, Exclusive: true})
	createPortal(t, e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, registryName)); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Config{Dir: dir, Exclusive: true})
	if err == nil || !strings.Contains(err.Error(), "Restore it from a backup") {
		t.Errorf("opening portals without a registry gives %v", err)
	}
}

func TestHandlesFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		files      uint64
		want, have int
	}{{63, 512, 0}, {64, 512, 4}, {256, 512, 18}, {1024, 512, 109}, {20000, 512, 512}, {20000, 1, 1}, {1 << 62, 512, 512}} {
		have, err := handlesFor(c.files, c.want)
		if have != c.have || (err == nil) != (c.have > 0) {
			t.Errorf("handlesFor(%d, %d) = %d, %v; want %d", c.files, c.want, have, err, c.have)
		}
	}
	if n, err := fitHandles(1, slog.New(slog.DiscardHandler)); n != 1 || err != nil {
		t.Errorf("one handle does not fit: %v", err)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for version, ok := range map[int]bool{3_051_002: false, 3_051_003: true, 3_054_001: true, 3_045_000: false} {
		if err := checkVersion(version); (err == nil) != ok {
			t.Errorf("SQLite %d: %v", version, err)
		}
	}
}
