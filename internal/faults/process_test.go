package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"portico/internal/control"
	"portico/internal/lifecycle"
	"portico/internal/store/sqlite"
)

func TestProcess(t *testing.T) {
	t.Parallel()
	t.Run("F29 fsync fails with EIO", failingSync)
	t.Run("F38 two processes on one data folder", twoProcesses)
	t.Run("F39 a newer schema is refused", newerSchema)
	t.Run("F39 killed while portals are migrated", migrationKilled)
	t.Run("F60 an audit record that cannot be written fails its effect", auditFails)
	t.Run("F61 an invitation of 1,000 killed at any point", bulkKilled)
	t.Run("I08 goroutines and files return to the base line", baseLine)
}

// failingSync lets every sync of a process fail for a while. What was not
// acknowledged counts as unknown; what is acknowledged after is there.
func failingSync(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		needRoot(t, err)
	}
	w := newWorld(t)
	s := start(t, w.config())
	p := w.portal(s, 2)
	w.holds(s)
	var unknown []*request
	for range size(1, 3, 20) {
		trace := exec.Command(strace, "-f", "-qq", "-o", filepath.Join(t.TempDir(), "trace"), "-p", strconv.Itoa(s.cmd.Process.Pid),
			"-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO")
		if err := trace.Start(); err != nil {
			needRoot(t, err)
		}
		refused := 0
		wrong := within(soon, func() []string { // until strace has every thread
			_, create := w.create()
			for _, r := range []*request{w.invite(p, 1), w.rename(p), create} {
				switch status, body := w.send(s, r); status {
				case r.want:
				case http.StatusServiceUnavailable:
					refused++
					unknown = append(unknown, r)
				default:
					return []string{fmt.Sprintf("%s: %d %s", r.method, status, body)}
				}
			}
			if refused < 3 {
				return []string{"no sync failed yet"}
			}
			return nil
		})
		_ = trace.Process.Signal(os.Interrupt)
		_ = trace.Wait()
		if len(wrong) > 0 {
			if refused == 0 {
				needRoot(t, errors.New("strace does not inject faults here"))
			}
			t.Fatal(wrong)
		}
		for _, r := range unknown {
			w.finish(s, r)
		}
		unknown = nil
		w.holds(s)
	}
	s = s.restart()
	w.holds(s)
	s.kill()
}

func twoProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := start(t, w.config())
	w.portal(s, 2)
	second, err := try(t, w.config())
	if err == nil {
		second.kill()
		t.Fatal("a second server runs on the same folder")
	}
	if !strings.Contains(err.Error(), "Another server uses the data folder") {
		t.Errorf("the second server says: %v", err)
	}
	w.holds(s)
	s = s.restart() // the lock went with its process
	w.holds(s)
	s.kill()
}

func newerSchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := start(t, w.config())
	p, other := w.portal(s, 2), w.portal(s, 2)
	w.holds(s)
	s.stop()
	portalSQL(t, w.dir, p.id, `UPDATE identity SET schema_version = schema_version + 1`)
	s = start(t, w.config())
	a := w.fetch(s, p.users())
	if a.Status != http.StatusServiceUnavailable {
		t.Errorf("users of a portal of a newer version: %d %s", a.Status, a.Body)
	}
	if status := w.status(s, other.users()); status != http.StatusOK {
		t.Errorf("the other portal: %d", status)
	}
	if _, err := s.ask("reconcile"); err != nil {
		t.Fatal(err)
	}
	s.stop()
	registrySQL(t, w.dir, `PRAGMA user_version = 1000`)
	if _, err := try(t, w.config()); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("a newer registry: %v, want a refusal", err)
	}
}

// migrationKilled starts a newer version that is killed again and again while
// it migrates the portals. Each goes on where the last one died; the older
// version then refuses what it does not know, and loses nothing.
func migrationKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := start(t, w.config())
	portals := make([]*portal, 0, 1000)
	for range size(6, 30, 1000) {
		portals = append(portals, w.portal(s, 2))
	}
	w.holds(s)
	s.stop()
	newer := w.config()
	newer.MoreSteps = true
	kills := 0
	for reads := func(s *server) bool {
		for _, p := range portals {
			if a, err := s.send("GET", p.users(), w.Token, nil); err != nil || a.Status != http.StatusOK {
				return false
			}
		}
		return true
	}; ; kills++ {
		s, err := try(t, newer, sqlite.FailMigrateStep+"=kill:7")
		if err == nil && reads(s) {
			s.kill()
			break
		}
		if err == nil {
			s.died()
		}
		if kills > len(portals) {
			t.Fatal("each start begins anew")
		}
	}
	t.Logf("%d portals, killed %d times", len(portals), kills)
	if kills == 0 {
		t.Error("the migration was never killed")
	}
	old := start(t, w.config())
	if a := w.fetch(old, portals[0].users()); a.Status != http.StatusServiceUnavailable {
		t.Errorf("the older version shows users of a newer one: %d %s", a.Status, a.Body)
	}
	old.kill()
	w.more = true
	s = start(t, newer)
	w.holds(s)
	s.kill()
}

func auditFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := start(t, w.config())
	p := w.portal(s, 3)
	w.holds(s)
	registrySQL(t, w.dir, `CREATE TRIGGER no_audit BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no audit'); END`)
	_, create := w.create()
	requests := []*request{w.rename(p), w.invite(p, 2), w.expel(p, p.guest()), w.remove(p), create}
	for _, r := range requests[:4] {
		if status, body := w.send(s, r); status < 500 {
			t.Errorf("%s %s without an audit record: %d %s", r.method, r.path, status, body)
		}
	}
	if wrong := w.violations(s); len(wrong) > 0 { // nothing of it happened
		t.Errorf("after failed audits: %s", strings.Join(wrong, "\n"))
	}
	if status, body := w.send(s, create); status < 500 {
		t.Errorf("create without an audit record: %d %s", status, body)
	}
	registrySQL(t, w.dir, `DROP TRIGGER no_audit`)
	for _, r := range requests {
		w.finish(s, r)
		w.holds(s)
	}
	s.kill()
}

// bulkKilled kills a large invitation at one of its steps or at a random
// moment; repeated without its key, it reaches the rest and nobody twice.
func bulkKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := start(t, w.config())
	random := rand.New(rand.NewPCG(61, 61))
	steps := []string{
		control.PointIntent, sqlite.FailCommitBefore, sqlite.FailCommitAfter, control.PointRecorded,
		lifecycle.PointProject, sqlite.FailCommitBefore + "=kill:2", sqlite.FailCommitAfter + "=kill:2", control.PointAnswering, "",
	}
	for range size(0, 4, 50) {
		steps = append(steps, "")
	}
	for _, step := range steps {
		p := w.portal(s, 0)
		emails := make([]string, 1000)
		for i := range emails {
			emails[i] = fmt.Sprintf("bulk%d@people.example.com", w.number())
		}
		first := w.inviteThese(p, emails...)
		if step != "" {
			s.arm(spec(step, "kill"))
		} else {
			time.AfterFunc(time.Duration(random.IntN(60))*time.Millisecond, func() { _ = s.cmd.Process.Kill() })
		}
		if status, body := w.send(s, first); status != 0 && step != "" {
			t.Fatalf("%s: %d %s", step, status, body)
		}
		s.died()
		s = s.restart()
		var counted struct{ Users []struct{ Status string } }
		again := w.inviteThese(p, emails...)
		note := again.done
		again.done = func(a answer) {
			_ = json.Unmarshal(a.Body, &counted)
			p.invited = 0 // whichever of the two did it
			note(a)
			p.invited = len(emails)
		}
		w.finish(s, again)
		states := map[string]int{}
		for _, u := range counted.Users {
			states[u.Status]++
		}
		if states["invited"] != 1000 && states["already_invited"] != 1000 {
			t.Errorf("%q: the repeat says %v: one transaction is all or nothing", step, states)
		}
		w.holds(s)
		w.must(s, w.remove(p))
		w.forget()
	}
	s.kill()
}

// slack is what pooled connections that come and go may add. A leak for each
// portal or request would be many times that.
const slack = 8

// baseLine works a server hard and looks at what it holds on to.
func baseLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := start(t, w.config())
	round := func() {
		portals := make([]*portal, 0, 20)
		for range 20 {
			p := w.portal(s, 5)
			w.must(s, w.rename(p))
			portals = append(portals, p)
		}
		requests := make([]*request, 0, 60)
		for i := range 60 {
			requests = append(requests, &request{method: "GET", path: portals[i%20].users(), token: w.Token})
		}
		together(t, s, requests...)
		for _, p := range portals {
			w.must(s, w.remove(p))
		}
		w.holds(s)
		s.client.CloseIdleConnections()
	}
	for range 3 {
		round()
	}
	measured := func() report {
		r, err := s.ask("stats")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	base := measured()
	for range size(1, 3, 50) {
		round()
	}
	eventually(t, "back to the base line", func() []string {
		if r := measured(); r.Goroutines > base.Goroutines+slack || r.Files > base.Files+slack {
			return []string{fmt.Sprintf("%d goroutines, %d files; before: %d, %d", r.Goroutines, r.Files, base.Goroutines, base.Files)}
		}
		return nil
	})
	s.stop() // goleak looks after the closing
	w.holdsClosed()
}
