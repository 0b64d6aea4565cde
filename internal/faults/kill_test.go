package faults

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"portico/internal/control"
	"portico/internal/lifecycle"
	"portico/internal/store/sqlite"
)

// TestKills kills the server at named points of an operation. The request has
// no answer then; repeated with its key it has its one effect.
func TestKills(t *testing.T) {
	t.Parallel()
	create := func(w *world, _ *portal) *request { _, r := w.create(); return r }
	remove := func(w *world, p *portal) *request { return w.remove(p) }
	for _, tt := range []struct {
		name      string
		operation func(*world, *portal) *request
		points    []string
		check     func(t *testing.T, w *world, p *portal, s *server) // right after the restart
		plant     func(t *testing.T, w *world, p *portal)            // before the restart
	}{
		{"F01 kill before the intent row commits", create, []string{control.PointIntent, sqlite.FailCommitBefore}, nothingListed, nil},
		{"F02 kill after the intent row, before the database is made", create, []string{sqlite.FailCommitAfter, control.PointRecorded, lifecycle.PointCreateDatabase}, nil, nil},
		{"F06 kill while a new portal's schema is written", create, []string{sqlite.FailCreateFolder, sqlite.FailCreateWritten, sqlite.FailCreateSynced}, nil, nil},
		{"F07 kill after migration, before the active commit", create, []string{sqlite.FailCreateRenamed, sqlite.FailCreateDone, lifecycle.PointCreateActivate, sqlite.FailCommitBefore + "=kill:2"}, nil, nil},
		{"F08 kill after the active commit, before the response", create, []string{sqlite.FailCommitAfter + "=kill:2", lifecycle.PointCreated, control.PointAnswering}, nil, nil},
		{"F11 kill before the tombstone", remove, []string{control.PointIntent, sqlite.FailCommitBefore}, stillAlive, nil},
		{"F12 kill after the tombstone, before connections are cut", remove, []string{sqlite.FailCommitAfter, control.PointRecorded, lifecycle.PointDeleteDatabase}, goneAtOnce, nil},
		{"F13 kill during the drop", remove, []string{sqlite.FailDropDrained, sqlite.FailDropFiles}, goneAtOnce, nil},
		{"F14 kill after the drop, before domain and row are released", remove, []string{sqlite.FailDropDone, lifecycle.PointDeleteRelease, sqlite.FailCommitBefore + "=kill:2"}, goneAtOnce, nil},
		{"F15 kill after the last step, before the response", remove, []string{sqlite.FailCommitAfter + "=kill:2", lifecycle.PointDeleted, control.PointAnswering}, goneAtOnce, nil},
		{"F16 kill between the unlinking of database and WAL", remove, []string{sqlite.FailDropDatabase}, goneAtOnce, remains},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := start(t, w.config())
			for _, point := range tt.points {
				p := w.portal(s, 2)
				w.holds(s)
				r := tt.operation(w, p)
				s.arm(spec(point, "kill"))
				if status, body := w.send(s, r); status != 0 {
					t.Fatalf("%s: answered %d %s", point, status, body)
				}
				s.died()
				if tt.plant != nil {
					tt.plant(t, w, p)
				}
				s = s.restart()
				if tt.check != nil {
					tt.check(t, w, p, s)
				}
				eventually(t, "the reconciler, without a repeat", func() []string { return (&oracle{dir: w.dir}).look() })
				w.finish(s, r)
				w.holds(s)
				if r.method == http.MethodDelete {
					goneForGood(t, w, p, s)
				}
			}
		})
	}
}

// remains puts the files beside a database whose own file is unlinked already.
func remains(t *testing.T, w *world, p *portal) {
	t.Helper()
	for _, name := range []string{w.file(p) + "-wal", w.file(p) + "-shm", filepath.Join(filepath.Dir(w.file(p)), "app.db")} {
		if err := os.WriteFile(name, []byte("left"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// spec arms a point that may name its own action.
func spec(point, action string) string {
	for _, c := range point {
		if c == '=' {
			return point
		}
	}
	return point + "=" + action
}

// nothingListed: a create that came to nothing left no trace.
func nothingListed(t *testing.T, w *world, _ *portal, s *server) {
	t.Helper()
	w.holds(s)
}

// stillAlive: a delete that came to nothing changed nothing.
func stillAlive(t *testing.T, w *world, _ *portal, s *server) {
	t.Helper()
	w.holds(s)
}

// goneAtOnce: from the tombstone on the portal is found nowhere.
func goneAtOnce(t *testing.T, w *world, p *portal, s *server) {
	t.Helper()
	for _, path := range []string{"/v1/portal/" + p.id, "/v1/portal/" + p.id + "/users"} {
		if a, err := s.send("GET", path, w.Token, nil); err != nil || a.Status != http.StatusNotFound {
			t.Errorf("GET %s: %v %d, want 404", path, err, a.Status)
		}
	}
}

// goneForGood: without the key a repeat of the delete finds nothing.
func goneForGood(t *testing.T, w *world, p *portal, s *server) {
	t.Helper()
	a, err := s.send("DELETE", "/v1/portal/"+p.id, w.Token, nil)
	if err != nil || a.Status != http.StatusNotFound {
		t.Errorf("DELETE again: %v %d, want 404", err, a.Status)
	}
}

// TestEveryStep lets every single step of every operation fail, and kills the
// server at every single step.
func TestEveryStep(t *testing.T) {
	t.Parallel()
	operations := map[string]func(*world, *portal) *request{
		"create": func(w *world, _ *portal) *request { _, r := w.create(); return r },
		"update": func(w *world, p *portal) *request { return w.rename(p) },
		"delete": func(w *world, p *portal) *request { return w.remove(p) },
		"invite": func(w *world, p *portal) *request { return w.invite(p, 3) },
		"remove": func(w *world, p *portal) *request { return w.expel(p, p.guest()) },
	}
	for name, operation := range operations {
		t.Run("F30 every step fails: "+name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := start(t, w.config())
			steps := everyStep(t, w, &s, operation, "error")
			t.Logf("%d steps", steps)
		})
		t.Run("F30 every step kills: "+name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := start(t, w.config())
			steps := everyStep(t, w, &s, operation, "kill")
			t.Logf("%d steps", steps)
		})
	}
}

// reached reports whether the n-th step was reached since the arming, by work
// too that goes on after the answer.
func (s *server) reached(n int) bool {
	quiet := 0
	wrong := within(soon, func() []string {
		hits, err := s.ask("hits")
		if err != nil || hits.Hits >= n {
			return nil
		}
		if quiet++; quiet > 15 {
			return nil
		}
		return []string{"not yet"}
	})
	if len(wrong) > 0 {
		s.t.Fatal("the steps of the operation do not end")
	}
	return quiet <= 15
}

// everyStep runs an operation with its first step failing, then with its
// second, until one runs through, and returns how many there were.
func everyStep(t *testing.T, w *world, s **server, operation func(*world, *portal) *request, action string) int {
	t.Helper()
	for n := 1; ; n++ {
		p := w.portal(*s, 2)
		w.holds(*s)
		r := operation(w, p)
		(*s).arm(fmt.Sprintf("#%d=%s", n, action))
		status, body := w.send(*s, r)
		switch status {
		case 0, r.want, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusInsufficientStorage:
		default:
			t.Fatalf("step %d: %d %s", n, status, body)
		}
		fired := (*s).reached(n)
		if fired && action == "kill" {
			(*s).died()
			*s = (*s).restart()
		} else {
			(*s).arm("")
		}
		w.finish(*s, r)
		w.holds(*s)
		if !fired {
			return n - 1
		}
	}
}
