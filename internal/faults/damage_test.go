package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fetch returns the answer to a read.
func (w *world) fetch(s *server, path string) answer {
	w.t.Helper()
	a, err := s.send("GET", path, w.Token, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// status is fetch, for the status alone.
func (w *world) status(s *server, path string) int {
	w.t.Helper()
	return w.fetch(s, path).Status
}

func (p *portal) users() string { return "/v1/portal/" + p.id + "/users" }

func TestDamage(t *testing.T) {
	t.Parallel()
	t.Run("F34 flipped bytes in a portal's file", flippedBytes)
	t.Run("F35 a portal's file deleted by hand", deletedByHand)
	t.Run("F33 permission lost at run time and at start", permissionLost)
}

// flippedBytes damages one portal's file, a byte at a time, and puts the file
// back after each: no damage crashes the service, shows a row of another
// portal, or touches another portal; what quick_check finds ends the portal's
// service until the file is whole again.
func flippedBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := start(t, w.config())
	victim, other := w.portal(s, 60), w.portal(s, 20)
	w.holds(s)
	s.stop()
	whole, err := os.ReadFile(w.file(victim))
	if err != nil {
		t.Fatal(err)
	}
	foreign := make([]string, 0, len(other.guests))
	for email := range other.guests {
		foreign = append(foreign, email)
	}
	random := rand.New(rand.NewPCG(34, 34))
	found, served := 0, 0
	s = start(t, w.config())
	offsets := []int{ // where quick_check sees nothing and our statements fail
		bytes.Index(whole, []byte("CREATE TABLE users")) + len("CREATE TABLE u"),
		bytes.Index(whole, []byte("first_name")) + 3,
	}
	for range size(20, 100, 1000) {
		offsets = append(offsets, random.IntN(len(whole)))
	}
	for _, at := range offsets {
		damaged := append([]byte(nil), whole...)
		damaged[at] ^= byte(1 + random.IntN(255))
		replace(t, w.file(victim), damaged)
		if _, err := s.ask("reconcile"); err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		a := w.fetch(s, victim.users())
		switch a.Status {
		case http.StatusOK:
			served++
		case http.StatusServiceUnavailable:
			found++
		default:
			t.Fatalf("byte %d: %d %s", at, a.Status, a.Body)
		}
		for _, email := range foreign {
			if strings.Contains(string(a.Body), `"`+email+`"`) {
				t.Fatalf("byte %d: a guest of another portal is shown", at)
			}
		}
		if got := other.checkGuests(s, w.Token); len(got) > 0 {
			t.Fatalf("byte %d: the other portal: %v", at, got)
		}
		replace(t, w.file(victim), whole)
		eventually(t, fmt.Sprintf("byte %d: recovery", at), func() []string {
			if _, err := s.ask("reconcile"); err != nil {
				return []string{err.Error()}
			}
			return victim.checkGuests(s, w.Token)
		})
	}
	t.Logf("%d flips made the portal unavailable, %d were harmless or mended", found, served)
	w.holds(s)
	s.kill()
}

// replace puts another file of the same name in place, as a restore by hand
// does; what SQLite kept beside the old one goes.
func replace(t testing.TB, path string, content []byte) {
	t.Helper()
	for _, beside := range []string{"-wal", "-shm"} {
		_ = os.Remove(path + beside)
	}
	fresh := filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(path)))), "..", "fresh")
	if err := os.WriteFile(fresh, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, path); err != nil {
		t.Fatal(err)
	}
}

func deletedByHand(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{true, false} {
		w := newWorld(t)
		s := start(t, w.config())
		p, other := w.portal(s, 3), w.portal(s, 3)
		w.holds(s)
		if !running {
			s.stop()
		}
		aside := map[string]string{}
		for i, suffix := range []string{"", "-wal", "-shm"} {
			path := w.file(p) + suffix
			if suffix != "-shm" {
				aside[path] = filepath.Join(t.TempDir(), strconv.Itoa(i))
				if err := copyFile(path, aside[path], 0o600); err != nil {
					delete(aside, path)
				}
			}
			_ = os.Remove(path)
		}
		if !running {
			s = start(t, w.config())
		}
		p.broken = true
		eventually(t, "unavailable", func() []string {
			if status := w.status(s, p.users()); status != http.StatusServiceUnavailable {
				return []string{strconv.Itoa(status)}
			}
			return nil
		})
		var shown struct {
			Active bool `json:"is_active"`
		}
		if err := json.Unmarshal(w.fetch(s, "/v1/portal/"+p.id).Body, &shown); err != nil || shown.Active {
			t.Errorf("a portal without its database is shown as active (%v)", err)
		}
		if status, body := w.send(s, w.invite(p, 1)); status != http.StatusServiceUnavailable {
			t.Errorf("invite: %d %s", status, body)
		}
		if status := w.status(s, other.users()); status != http.StatusOK {
			t.Errorf("the other portal: %d", status)
		}
		if _, err := os.Lstat(w.file(p)); err == nil {
			t.Error("the database was made again")
		}
		w.holds(s)
		if running { // put back, it serves again
			for path, copied := range aside {
				if err := copyFile(copied, path, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p.broken = false
			if _, err := s.ask("reconcile"); err != nil {
				t.Fatal(err)
			}
		} else { // it can be deleted all the same
			w.must(s, w.remove(p))
		}
		w.holds(s)
		s.kill()
	}
}

func permissionLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := start(t, w.config())
	p, other := w.portal(s, 3), w.portal(s, 3)
	w.holds(s)
	s.stop()
	immutable(t, w.file(p), true)
	s = start(t, w.config())
	for range 3 {
		if status, body := w.send(s, w.invite(p, 1)); status != http.StatusServiceUnavailable {
			t.Errorf("invite with a file that cannot be written: %d %s", status, body)
		}
	}
	w.must(s, w.rename(p)) // the registry can be written
	w.must(s, w.invite(other, 1))
	immutable(t, w.file(p), false)
	eventually(t, "writing again", func() []string {
		status, body := w.send(s, w.invite(p, 1))
		if status != http.StatusCreated {
			return []string{fmt.Sprint(status, body)}
		}
		return nil
	})
	// What was answered 503 was recorded, and is finished.
	eventually(t, "the projection", func() []string { return (&oracle{dir: w.dir}).look() })
	p.guests = usersOf(t, w, s, p)
	p.invited = len(p.guests)
	w.holds(s)
	s.stop()

	registry := filepath.Join(w.dir, "registry.db")
	immutable(t, registry, true)
	refused(t, w, "a registry that cannot be written")
	immutable(t, registry, false)
	for path, mode := range map[string]os.FileMode{w.dir: 0o777, registry: 0o666} {
		info, err := os.Stat(path)
		if err == nil {
			err = os.Chmod(path, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
		refused(t, w, filepath.Base(path)+" that others can write")
		if err := os.Chmod(path, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	v := memory(t, filepath.Join(t.TempDir(), "data"), "32m")
	sealed := worldIn(t, v.path)
	if err := unix.Mount("", v.path, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	refused(t, sealed, "a read-only file system")
	s = start(t, w.config())
	w.holds(s)
	s.kill()
}

// refused expects a start to fail, and to say why.
func refused(t testing.TB, w *world, what string) {
	t.Helper()
	s, err := try(t, w.config())
	if err == nil {
		s.kill()
		t.Errorf("%s: the server starts", what)
		return
	}
	t.Logf("%s: %v", what, err)
}

// flagImmutable is FS_IMMUTABLE_FL of linux/fs.h.
const flagImmutable = 0x10

// immutable lets nobody change a file, root included.
func immutable(t testing.TB, path string, so bool) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil {
		flags &^= flagImmutable
		if so {
			flags |= flagImmutable
			t.Cleanup(func() { immutable(t, path, false) })
		}
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags)
	}
	if err != nil {
		needRoot(t, err)
	}
}

// usersOf returns the guests that a portal shows, by address.
func usersOf(t testing.TB, w *world, s *server, p *portal) map[string]string {
	t.Helper()
	var users []struct{ ID, Email string }
	if err := json.Unmarshal(w.fetch(s, p.users()).Body, &users); err != nil {
		t.Fatal(err)
	}
	guests := map[string]string{}
	for _, u := range users {
		guests[u.Email] = u.ID
	}
	return guests
}
