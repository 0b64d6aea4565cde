package faults

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"portico/internal/store/sqlite"
)

// volume is a file system of its own, which a case can fill or cut off.
type volume struct {
	t     testing.TB
	path  string
	image string // of a disk; empty: in memory
}

// run runs a command of the system and returns why it failed.
func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// needRoot skips a case that mounts file systems where that is not allowed. In
// CI, as root, it must run.
func needRoot(t testing.TB, err error) {
	t.Helper()
	if os.Geteuid() == 0 && os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	// A machine without loop devices, or a user that may not mount, cannot show this.
	t.Skipf("skipped: %v", err)
}

// disk makes a small ext4 file system on a loop device.
func disk(t testing.TB, size string) *volume {
	t.Helper()
	if os.Geteuid() != 0 {
		needRoot(t, errors.New("a file system can be mounted as root only"))
	}
	v := &volume{t: t, path: filepath.Join(t.TempDir(), "mnt"), image: filepath.Join(t.TempDir(), "image")}
	err := errors.Join(os.Mkdir(v.path, 0o700), run("truncate", "-s", size, v.image))
	if err == nil {
		err = run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0", v.image)
	}
	if err == nil {
		err = v.mount()
	}
	if err != nil {
		needRoot(t, err)
	}
	t.Cleanup(v.unmount)
	return v
}

func (v *volume) mount() error { return run("mount", "-o", "loop", v.image, v.path) }

func (v *volume) unmount() { _ = exec.Command("umount", "-l", v.path).Run() }

// cut ends the file system as a power failure does: what is not on the disk by
// now, the journal included, never gets there.
func (v *volume) cut() {
	v.t.Helper()
	const shutdown, noLogFlush = 0x8004587d, 2
	f, err := os.Open(v.path)
	if err != nil {
		v.t.Fatal(err)
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), shutdown, noLogFlush); err != nil {
		v.t.Fatalf("shut the file system down: %v", err)
	}
}

// back mounts what the disk kept.
func (v *volume) back() {
	v.t.Helper()
	if err := run("umount", v.path); err != nil {
		v.t.Fatal(err)
	}
	if err := v.mount(); err != nil {
		v.t.Fatal(err)
	}
}

// TestPowerLoss cuts the power. A plain kill cannot show what was not synced:
// the kernel still writes it.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	t.Run("F09 power loss between file creation and folder fsync", powerLossInCreate)
	t.Run("F10 power loss under mixed load", func(t *testing.T) {
		t.Parallel()
		w := worldOn(t, disk(t, "96M"))
		n := size(2, 10, 200)
		sent := 0
		m := newStorm(w.world, 6, 10)
		s := start(t, w.config())
		random := rand.New(rand.NewPCG(10, uint64(n)))
		for range n {
			sent = w.blackout(m, s, random)
			s = start(t, w.config())
			m.calm(s)
			w.holds(s)
			w.forget()
		}
		s.kill()
		t.Logf("%d power losses, %d requests answered 2xx, 0 lost", n, sent)
	})
	t.Run("F10 the same with synchronous=NORMAL shows loss", func(t *testing.T) {
		t.Parallel()
		w := worldOn(t, disk(t, "96M"))
		config := w.config()
		config.Synchronous = "NORMAL"
		random := rand.New(rand.NewPCG(11, 11))
		for n := 1; n <= 10; n++ {
			s := start(t, config)
			w.blackout(newStorm(w.world, 6, uint64(n)), s, random)
			s, err := try(t, config)
			if err != nil {
				t.Logf("power loss %d: the server does not even start: %v", n, err)
				return
			}
			wrong := w.check(s, w.Token)
			s.kill()
			if len(wrong) > 0 {
				t.Logf("power loss %d: %d promises broken, such as: %s", n, len(wrong), wrong[0])
				return
			}
		}
		t.Error("no acknowledged effect was lost with synchronous=NORMAL: the harness cannot see loss")
	})
}

// diskWorld is a world on a volume.
type diskWorld struct {
	*world
	volume *volume
}

func worldOn(t testing.TB, v *volume) diskWorld {
	t.Helper()
	w := diskWorld{worldIn(t, filepath.Join(v.path, "data")), v}
	if err := run("sync", "-f", v.path); err != nil {
		t.Fatal(err)
	}
	return w
}

// blackout lets a storm rage, cuts the power at a random moment, and brings the
// disk back.
func (w diskWorld) blackout(m *storm, s *server, random *rand.Rand) (sent int) {
	w.t.Helper()
	cut := make(chan struct{})
	timer := time.AfterFunc(time.Duration(20+random.IntN(400))*time.Millisecond, func() {
		defer close(cut)
		w.volume.cut()
		_ = s.cmd.Process.Kill()
	})
	sent = m.rage(s)
	<-cut
	timer.Stop()
	s.kill()
	w.volume.back()
	return sent
}

func powerLossInCreate(t *testing.T) {
	t.Parallel()
	w := worldOn(t, disk(t, "64M"))
	s := start(t, w.config())
	for _, point := range []string{
		sqlite.FailCreateFolder, sqlite.FailCreateWritten, sqlite.FailCreateSynced, sqlite.FailCreateRenamed, sqlite.FailCreateDone,
	} {
		w.portal(s, 1)
		w.holds(s)
		marker := filepath.Join(t.TempDir(), "reached")
		s.arm(point + "=hold:" + s.heldBy(marker))
		_, r := w.create()
		done := make(chan int)
		go func() {
			status, _ := w.send(s, r)
			done <- status
		}()
		if !s.reachedPoint(point) {
			t.Fatalf("%s was not reached", point)
		}
		w.volume.cut()
		s.kill()
		if status := <-done; status != 0 {
			t.Fatalf("%s: answered %d", point, status)
		}
		w.volume.back()
		s = start(t, w.config())
		w.finish(s, r)
		w.holds(s)
	}
	s.kill()
}

// heldBy makes the file that a hold waits for to go.
func (s *server) heldBy(path string) string {
	s.t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// reachedPoint waits until a point was hit since the arming.
func (s *server) reachedPoint(name string) bool {
	return len(within(soon, func() []string {
		hits, err := s.ask("hits")
		if err != nil {
			return []string{err.Error()}
		}
		for _, p := range hits.Points {
			if p.Name == name {
				return nil
			}
		}
		return []string{"not there yet"}
	})) == 0
}
