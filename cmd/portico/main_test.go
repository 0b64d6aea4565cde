package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"portico/internal/node"
)

// asProgram makes the test's binary be the program: what main is given is what
// a user types.
const asProgram = "PORTICO_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// result is what a command line that ended has left.
type result struct {
	code           int
	stdout, stderr string
}

// cli runs a command line in this process, with nothing on standard input.
func cli(t *testing.T, args ...string) result {
	t.Helper()
	return cliWith(t, "", nil, args...)
}

func cliWith(t *testing.T, stdin string, env map[string]string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p := &program{
		stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr, version: "test",
		getenv: func(name string) string { return env[name] },
	}
	code := p.run(t.Context(), args)
	return result{code, stdout.String(), stderr.String()}
}

// server is the program, serving in a process of its own.
type server struct {
	t      *testing.T
	cmd    *exec.Cmd
	first  string // line of the stream that tells that it is ready
	stderr *bytes.Buffer
}

// start starts a server and waits for its first line: on standard output for
// demo, on standard error for serve.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	args = append(args, "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")
	s := &server{t: t, cmd: exec.Command(os.Args[0], args...), stderr: new(bytes.Buffer)}
	s.cmd.Env = append(os.Environ(), asProgram+"=1")
	var pipe io.ReadCloser
	var err error
	if args[0] == "demo" {
		s.cmd.Stderr = s.stderr
		pipe, err = s.cmd.StdoutPipe()
	} else {
		pipe, err = s.cmd.StderrPipe()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // ended already, most often
	lines := bufio.NewReader(pipe)
	s.first, err = lines.ReadString('\n')
	if err != nil {
		_ = s.cmd.Wait()
		t.Fatalf("%v: %v, %s %s", args, err, s.first, s.stderr)
	}
	return s
}

// stop asks the server to end and returns its exit code.
func (s *server) stop() int {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	_ = s.cmd.Wait() // the exit code says it
	return s.cmd.ProcessState.ExitCode()
}

// get sends a request with a token and decodes the answer.
func get(t *testing.T, url, token string, into any) int {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		t.Fatalf("%s: %d %v", url, answer.StatusCode, err)
	}
	return answer.StatusCode
}

// demoOf reads the first line of demo --json.
func demoOf(t *testing.T, s *server) node.Demo {
	t.Helper()
	var d node.Demo
	decoder := json.NewDecoder(strings.NewReader(s.first))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		t.Fatalf("%v: %s", err, s.first)
	}
	return d
}
