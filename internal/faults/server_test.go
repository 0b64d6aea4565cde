package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/internal/failpoint"
	"portico/internal/wiretest"
)

// server is a child process as its parent sees it.
type server struct {
	t      testing.TB
	config childConfig
	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  chan []byte
	ended  chan struct{} // closed when the process is gone
	client *http.Client
	asking sync.Mutex

	hello
}

// startPatience is how long a child may take to say that it serves.
const startPatience = time.Minute

// start runs a child that must come up.
func start(t testing.TB, config childConfig, spec ...string) *server {
	t.Helper()
	s, err := try(t, config, spec...)
	if err != nil {
		t.Fatalf("the server does not start: %v", err)
	}
	return s
}

// try runs a child and returns why it did not come up.
func try(t testing.TB, config childConfig, spec ...string) (*server, error) {
	t.Helper()
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{
		t: t, config: config, lines: make(chan []byte, 1), ended: make(chan struct{}),
		client: &http.Client{
			Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
			Timeout:   time.Minute,
		},
	}
	s.cmd = exec.CommandContext(context.Background(), os.Args[0])
	s.cmd.Env = append(os.Environ(), childEnv+"="+string(raw), failpoint.EnvVar+"="+strings.Join(spec, ";"))
	s.cmd.Stderr = os.Stderr
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go s.read(out)
	t.Cleanup(s.kill)
	if err := s.answer(&s.hello, startPatience); err != nil {
		s.kill()
		return nil, err
	}
	if s.Error != "" {
		<-s.ended
		return nil, errors.New(s.Error)
	}
	return s, nil
}

func (s *server) read(out io.Reader) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		s.lines <- line
	}
	_ = s.cmd.Wait()
	s.client.CloseIdleConnections()
	close(s.ended)
}

var errEnded = errors.New("the process is gone")

// answer waits for a child's next line.
func (s *server) answer(into any, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case line := <-s.lines:
		return json.Unmarshal(line, into)
	case <-s.ended:
		return errEnded
	case <-timer.C:
		return fmt.Errorf("no answer within %v", patience)
	}
}

// ask sends a line and returns the answer to it.
func (s *server) ask(line string) (report, error) {
	s.asking.Lock()
	defer s.asking.Unlock()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		return report{}, errEnded
	}
	var r report
	if err := s.answer(&r, startPatience); err != nil {
		return r, err
	}
	return r, r.err()
}

// arm arms failpoints from now on.
func (s *server) arm(spec ...string) {
	s.t.Helper()
	if _, err := s.ask("arm " + strings.Join(spec, ";")); err != nil {
		s.t.Fatal(err)
	}
}

// kill ends the process as SIGKILL does and waits for it. It may be gone.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	s.await()
}

// await returns when the process is gone.
func (s *server) await() {
	for {
		select {
		case <-s.ended:
			return
		case <-s.lines:
		}
	}
}

// died waits for the process to be killed by a failpoint.
func (s *server) died() {
	s.t.Helper()
	timer := time.NewTimer(startPatience)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
		s.kill()
		s.t.Fatal("the failpoint did not kill the server")
	}
}

// restart runs a new child on the same folder.
func (s *server) restart() *server {
	s.t.Helper()
	s.kill()
	config := s.config
	return start(s.t, config)
}

// stop closes the server in good order and says what it left running.
func (s *server) stop() {
	s.t.Helper()
	if _, err := s.ask("close"); err != nil {
		s.t.Errorf("closing: %v", err)
	}
	s.await()
}

// send sends a request.
func (s *server) send(method, path, token string, body any, headers ...string) (wiretest.Answer, error) {
	return wiretest.Send(s.client, s.URL, method, path, token, body, headers...)
}

// soon is within how long everything must hold again.
const soon = 10 * time.Second

// eventually polls until look finds nothing wrong, and reports what is still
// wrong after soon.
func eventually(t testing.TB, what string, look func() []string) {
	t.Helper()
	if wrong := within(soon, look); len(wrong) > 0 {
		t.Fatalf("%s: after %v:\n\t%s", what, soon, strings.Join(wrong, "\n\t"))
	}
}

// within polls until look finds nothing wrong. What it returns was seen by a
// look that began when the patience was over, however long a look takes.
func within(patience time.Duration, look func() []string) []string {
	deadline := time.Now().Add(patience)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		began := time.Now()
		wrong := look()
		if len(wrong) == 0 || began.After(deadline) {
			return wrong
		}
		<-ticker.C
	}
}
