package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is the product as an operator runs it.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	url   string
	ready time.Duration // from exec to the first good answer of /readyz
}

// buildServer builds the command as it ships and returns its path.
func buildServer(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "portico")
	out, err := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", binary, "portico/cmd/portico").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return binary
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startServer starts a server on a folder and waits until it is ready.
func startServer(t *testing.T, binary, dir string) *process {
	t.Helper()
	public, ops := freePort(t), freePort(t)
	p := &process{t: t, cmd: exec.Command(binary, "serve"), url: "http://" + public}
	p.cmd.Env = append(os.Environ(), "PORTICO_DATA="+dir, "PORTICO_LISTEN="+public, "PORTICO_OPS_LISTEN="+ops)
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		response, err := client.Get("http://" + ops + "/readyz")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Since(began) > time.Minute {
			p.stop()
			t.Fatal("the server does not get ready")
		}
		wait(t, time.Millisecond)
	}
	p.ready = time.Since(began)
	return p
}

func wait(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	_ = p.cmd.Wait()
}

// memory returns a line of the process's status, in MB: VmRSS or VmHWM.
func (p *process) memory(line string) float64 {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), line+":")
	if !ok {
		p.t.Fatalf("the system does not tell %s", line)
	}
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return kib / 1000 * 1.024
}

// forgetPeak makes VmHWM begin anew.
func (p *process) forgetPeak() {
	p.t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0); err != nil {
		p.t.Fatal(err)
	}
}

// rest waits until the process has used no CPU to speak of for three seconds:
// the reconciler's first pass is over.
func (p *process) rest() {
	p.t.Helper()
	quiet := 0
	for last := p.ticks(); quiet < 3; {
		wait(p.t, time.Second)
		now := p.ticks()
		if quiet++; now-last > 2 {
			quiet = 0
		}
		last = now
	}
}

// ticks is the CPU time used, in hundredths of a second.
func (p *process) ticks() int {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		p.t.Fatal(err)
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		p.t.Fatal(err)
	}
	return user + system
}

const starts = 7

func measureStart(t *testing.T, r *report) {
	binary := buildServer(t)
	var ready, early, later []float64
	for range starts {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		p := startServer(t, binary, dir)
		ready = append(ready, p.ready.Seconds()*1000)
		early = append(early, p.memory("VmRSS"))
		p.rest()
		later = append(later, p.memory("VmRSS"))
		p.stop()
	}
	r.below("empty folder: ready after, ms", 100, ready)
	r.below("empty folder: RSS when ready, MB", 40, early)
	r.below("empty folder: RSS at rest, MB", 40, later)
}

// measureIdle starts servers on a folder with 10,000 portals that nobody uses.
func measureIdle(t *testing.T, r *report, dir string) {
	binary := buildServer(t)
	var ready, settled, peak []float64
	for range starts {
		p := startServer(t, binary, dir)
		ready = append(ready, p.ready.Seconds()*1000)
		p.rest()
		settled, peak = append(settled, p.memory("VmRSS")), append(peak, p.memory("VmHWM"))
		p.stop()
	}
	r.below("10,000 idle portals: ready after, ms", 500, ready)
	r.below("10,000 idle portals: RSS after the first reconciler's pass, MB", 150, settled)
	r.below("10,000 idle portals: peak RSS, that pass included, MB", 150, peak)
}

// measureStream lists a portal of 1,000 guests and one of 100,000, each time
// in a fresh process that has served the short list before.
func measureStream(t *testing.T, r *report) {
	dir, _, _, portals := newFolder(t, 1000, 100_000)
	token := func() string {
		p := openProduct(t, dir)
		defer p.node.Close()
		return p.accessToken()
	}()
	binary := buildServer(t)
	var short, long, more []float64
	for range starts {
		p := startServer(t, binary, dir)
		s := newService(t, p.url, token)
		peak := func(portal string) float64 {
			p.forgetPeak()
			for range 5 {
				if err := s.read(listCall(portal), io.Discard); err != nil {
					t.Fatal(err)
				}
			}
			return p.memory("VmHWM")
		}
		peak(portals[0])
		p.rest()
		a := peak(portals[0])
		b := peak(portals[1])
		short, long, more = append(short, a), append(long, b), append(more, b-a)
		p.stop()
	}
	r.plain("list 1,000 guests: peak RSS, MB", spreadOf(short).String())
	r.plain("list 100,000 guests: peak RSS, MB", spreadOf(long).String())
	r.below("list 100,000 guests: more memory than for 1,000, MB", 8, more)
}
