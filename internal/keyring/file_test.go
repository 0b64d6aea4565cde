package keyring_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"portico/internal/keyring"
)

func TestLoadOrCreate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "secret.key")
	first, err := keyring.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	second, err := keyring.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	if first.Fingerprint() != second.Fingerprint() {
		t.Error("the second start has another secret")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if _, err := keyring.LoadOrCreate(filepath.Join(dir, "none", "secret.key")); err == nil {
		t.Error("made a file in a folder that does not exist")
	}
}

func TestLoadOrCreateAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret.key")
	prints := make([]string, 16)
	var wg sync.WaitGroup
	for i := range prints {
		wg.Go(func() {
			ring, err := keyring.LoadOrCreate(path)
			if err != nil {
				t.Error(err)
				return
			}
			prints[i] = ring.Fingerprint()
		})
	}
	wg.Wait()
	for _, p := range prints {
		if p != prints[0] {
			t.Fatalf("different secrets: %v", prints)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	write := func(text string, mode os.FileMode) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(text), mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, mode); err != nil { // whatever the umask
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		make       func(t *testing.T, path string)
		own, given string // part of the refusal; empty when accepted
	}{
		"good":           {write(secretHex+"\n", 0o600), "", ""},
		"read only":      {write(secretHex, 0o400), "", ""},
		"group readable": {write(secretHex, 0o640), "open to others (mode 0640); run: chmod 600", ""},
		"world readable": {write(secretHex, 0o444), "open to others (mode 0444)", ""},
		"world writable": {write(secretHex, 0o602), "open to others", "open to others (mode 0602); run: chmod go-w"},
		"empty":          {write("", 0o600), "empty", "empty"},
		"too short":      {write(secretHex[:60], 0o600), "openssl rand", "openssl rand"},
		"too long":       {write(strings.Repeat(" ", 2000)+secretHex, 0o600), "too long", "too long"},
		"folder": {func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file", "not a regular file"},
		"link": {func(t *testing.T, path string) {
			write(secretHex, 0o600)(t, path+".target")
			if err := os.Symlink(path+".target", path); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file", ""},
		"dangling link": {func(t *testing.T, path string) {
			if err := os.Symlink(path+".none", path); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file", "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "secret.key")
			c.make(t, path)
			_, own := keyring.LoadOrCreate(path)
			checkRefusal(t, "LoadOrCreate", own, c.own)
			_, given := keyring.ReadFile(path)
			checkRefusal(t, "ReadFile", given, c.given)
		})
	}
	if _, err := keyring.ReadFile(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("ReadFile made a file")
	}
}

func checkRefusal(t *testing.T, what string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case want != "" && err == nil:
		t.Errorf("%s: accepted", what)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("%s: %q does not say %q", what, err, want)
	case err != nil && strings.Contains(err.Error(), secretHex[:20]):
		t.Errorf("%s: %q shows the secret", what, err)
	}
}
