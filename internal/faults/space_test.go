package faults

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// memory mounts a small file system in memory over a folder.
func memory(t testing.TB, path, size string) *volume {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := run("mount", "-t", "tmpfs", "-o", "mode=0700,size="+size, "tmpfs", path); err != nil {
		needRoot(t, err)
	}
	v := &volume{t: t, path: path}
	t.Cleanup(v.unmount)
	return v
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	t.Run("F27 disk full on the registry's volume", registryFull)
	t.Run("F28 disk full on the portals' volume", portalsFull)
}

// refusedForSpace are the answers of a service without room.
func refusedForSpace(status int) bool {
	return status == http.StatusInsufficientStorage || status == http.StatusServiceUnavailable
}

// fillUp takes the room of a volume with a file.
func fillUp(t testing.TB, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "lost+found") // a name that the oracle passes over
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, chunk := range []int{4096, 512, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, chunk))
		}
	}
	return path
}

func registryFull(t *testing.T) {
	t.Parallel()
	v := memory(t, filepath.Join(t.TempDir(), "data"), "16m")
	w := worldIn(t, v.path)
	memory(t, filepath.Join(v.path, "portals"), "32m")
	s := start(t, w.config())
	kept, doomed := w.portal(s, 5), w.portal(s, 2)
	guest := kept.guest()
	w.holds(s)
	ballast := fillUp(t, v.path)

	var refused []*request
	for range 20 {
		_, r := w.create()
		switch status, body := w.send(s, r); {
		case status == r.want:
		case refusedForSpace(status):
			refused = append(refused, r)
		default:
			t.Fatalf("create without room: %d %s", status, body)
		}
	}
	for range 20 {
		r := w.invite(kept, 40)
		switch status, body := w.send(s, r); {
		case status == r.want:
		case refusedForSpace(status):
			refused = append(refused, r)
		default:
			t.Fatalf("invite without room: %d %s", status, body)
		}
	}
	if len(refused) == 0 {
		t.Fatal("nothing was refused: the volume was not full")
	}
	t.Logf("%d writes were refused", len(refused))
	for _, path := range []string{"/v1/portal", "/v1/portal/" + kept.id, "/v1/portal/" + kept.id + "/users"} {
		if a, err := s.send("GET", path, w.Token, nil); err != nil || a.Status != http.StatusOK {
			t.Errorf("GET %s without room: %v %d %s", path, err, a.Status, a.Body)
		}
	}
	w.finish(s, w.remove(doomed))
	w.finish(s, w.expel(kept, guest))

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for _, r := range refused {
		w.finish(s, r)
	}
	w.holds(s)
	s = s.restart()
	w.holds(s)
	s.kill()
}

func portalsFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := memory(t, filepath.Join(w.dir, "portals"), "2m")
	s := start(t, w.config())
	kept, doomed := w.portal(s, 5), w.portal(s, 2)
	w.holds(s)
	full, err := os.MkdirTemp(v.path, "zz") //nolint:usetesting // on the volume that is to be full
	if err != nil {
		t.Fatal(err)
	}
	ballast := fillUp(t, full)

	var refused []*request
	try := func(r *request) {
		switch status, body := w.send(s, r); {
		case status == r.want:
		case refusedForSpace(status):
			refused = append(refused, r)
		default:
			t.Fatalf("%s without room: %d %s", r.method, status, body)
		}
	}
	_, create := w.create()
	try(create)
	for range 3 {
		try(w.invite(kept, 200))
	}
	if len(refused) == 0 {
		t.Fatal("nothing was refused: the volume was not full")
	}
	t.Logf("%d writes were refused", len(refused))
	w.must(s, w.rename(kept)) // the registry has room
	if a, err := s.send("GET", "/v1/portal/"+kept.id+"/users", w.Token, nil); err != nil || a.Status != http.StatusOK {
		t.Errorf("users without room: %v %d %s", err, a.Status, a.Body)
	}
	w.finish(s, w.remove(doomed))

	if err := os.RemoveAll(filepath.Dir(ballast)); err != nil {
		t.Fatal(err)
	}
	for _, r := range refused {
		w.finish(s, r)
	}
	w.holds(s)
	s.kill()
}

// TestFewFiles runs more portals than there are file descriptors for.
func TestFewFiles(t *testing.T) {
	t.Parallel()
	t.Run("F31 few file descriptors and many portals", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		config := w.config()
		config.OpenFiles = 40
		if _, err := try(t, config); err == nil {
			t.Error("a limit of 40 open files is not refused")
		}
		config.OpenFiles = 128
		s := start(t, config)
		portals := make([]*portal, 0, 500)
		for range size(40, 120, 500) {
			portals = append(portals, w.portal(s, 1))
		}
		requests := make([]*request, 0, 48)
		answered := map[int]int{}
		for round := range 5 {
			requests = requests[:0]
			for i := range 48 {
				p := portals[(round*48+i)%len(portals)]
				requests = append(requests, &request{method: "GET", path: "/v1/portal/" + p.id + "/users", token: w.Token})
			}
			for _, a := range together(t, s, requests...) {
				answered[a.Status]++
				if a.Status != http.StatusOK && a.Status != http.StatusServiceUnavailable {
					t.Errorf("%d %s", a.Status, a.Body)
				}
			}
		}
		t.Log("128 open files, ", len(portals), " portals, answers by status: ", fmt.Sprint(answered))
		w.holds(s)
		r, err := s.ask("stats")
		if err != nil || r.Files > 128 {
			t.Errorf("%v, %s files", err, strconv.Itoa(r.Files))
		}
		s.stop()
		w.holdsClosed()
	})
}
