package faults

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portico/internal/wiretest"
)

// TestOlder puts an older copy of one of the two worlds in place of the newer.
func TestOlder(t *testing.T) {
	t.Parallel()
	t.Run("F36 an older registry than the portals", olderRegistry)
	t.Run("F37 an older portal than the registry", olderPortal)
}

// registryFiles are the registry's files, of a folder that nobody serves.
func (w *world) registryFiles() []string {
	return []string{filepath.Join(w.dir, "registry.db"), filepath.Join(w.dir, "registry.db-wal"), filepath.Join(w.dir, "registry.db-shm")}
}

// keepRegistry copies the registry and returns what puts the copy in place.
func (w *world) keepRegistry() (put func()) {
	w.t.Helper()
	kept := w.t.TempDir()
	for _, path := range w.registryFiles() {
		if err := copyFile(path, filepath.Join(kept, filepath.Base(path)), 0o600); err != nil && !os.IsNotExist(err) {
			w.t.Fatal(err)
		}
	}
	return func() {
		for _, path := range w.registryFiles() {
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				w.t.Fatal(err)
			}
			if err := copyFile(filepath.Join(kept, filepath.Base(path)), path, 0o600); err != nil && !os.IsNotExist(err) {
				w.t.Fatal(err)
			}
		}
	}
}

// olderRegistry starts the service on a registry that knows nothing of the
// portals that came later, long enough ago that nobody is making them. It shows
// them, drops none and sets none aside. With the newer registry back, all is as
// it was.
func olderRegistry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := start(t, w.config())
	known := w.portal(s, 3)
	w.holds(s)
	s.stop()
	putOlder := w.keepRegistry()
	s = start(t, w.config())
	newer := make([]*portal, 12)
	for i := range newer {
		newer[i] = w.portal(s, 2)
	}
	w.must(s, w.invite(known, 2))
	w.holds(s)
	s.stop()
	putNewer := w.keepRegistry()

	putOlder()
	yesterday := time.Now().Add(-25 * time.Hour)
	for _, p := range newer {
		if err := os.Chtimes(w.file(p), yesterday, yesterday); err != nil {
			t.Fatal(err)
		}
	}
	s = start(t, w.config())
	if _, err := s.ask("reconcile"); err != nil {
		t.Fatal(err)
	}
	for _, p := range newer {
		if _, err := os.Lstat(w.file(p)); err != nil {
			t.Errorf("a database that the registry does not know: %v", err)
		}
		if status := w.status(s, "/v1/portal/"+p.id); status != http.StatusNotFound {
			t.Errorf("a portal that the registry does not know: %d", status)
		}
	}
	// The one that both know follows the registry, older or not.
	if users := usersOf(t, w, s, known); len(users) != 3 {
		t.Errorf("%d users after the registry of then", len(users))
	}
	metrics, err := wiretest.Send(s.client, s.Ops, "GET", "/metrics", "", nil)
	if err != nil || !strings.Contains(string(metrics.Body), "portico_findings{remedy=\"quarantine\"} 12\n") {
		t.Errorf("the metrics do not tell of it (%v)", err)
	}
	s.stop()

	putNewer()
	s = start(t, w.config())
	w.holds(s)
	s.kill()
}

// olderPortal puts an older file of a portal in place, at rest and beside the
// running service. The portal follows the registry: who was removed does not
// come back, and who came is there.
func olderPortal(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{false, true} {
		w := newWorld(t)
		s := start(t, w.config())
		p := w.portal(s, 3)
		w.holds(s)
		s.stop()
		older, err := os.ReadFile(w.file(p))
		if err != nil {
			t.Fatal(err)
		}
		s = start(t, w.config())
		w.must(s, w.expel(p, p.guest()))
		w.must(s, w.invite(p, 2))
		w.holds(s)
		if !running {
			s.stop()
		}
		replace(t, w.file(p), older)
		if !running {
			s = start(t, w.config())
		}
		if _, err := s.ask("reconcile"); err != nil {
			t.Fatal(err)
		}
		w.holds(s)
		s.kill()
	}
}
