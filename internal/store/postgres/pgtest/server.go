// Package pgtest owns the throwaway PostgreSQL servers that tests run on: it
// finds the programs, makes a cluster in a temporary folder, starts it on a
// socket there, and removes all of it at the end. The machine's own clusters
// are never touched.
//
// It imports the standard library only, and no driver: what a test asks of a
// server it asks by its own means.
//
// Start with Start in this file; pool.go lends servers to tests.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrMissing says that PostgreSQL is not installed here.
var ErrMissing = errors.New("PostgreSQL's server is not installed: apt-get install postgresql (or put initdb and postgres on the PATH)")

// startPatience bounds the wait for a server that starts.
const startPatience = 60 * time.Second

// The roles of every server. Owner is what the product is to be given: it may
// create databases and roles, and no more.
const (
	Superuser = "postgres"
	Owner     = "portico"
)

// Server is one throwaway cluster.
type Server struct {
	dir  string // of all that belongs to it
	bin  string
	as   *syscall.SysProcAttr
	proc *exec.Cmd
	done chan struct{} // closed when proc has ended
}

// FindBinaries returns the folder of PostgreSQL's newest programs.
func FindBinaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	slices.SortFunc(found, func(a, b string) int { return majorOf(a) - majorOf(b) })
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", ErrMissing
	}
	return filepath.Dir(path), nil
}

// majorOf returns the version in a path like /usr/lib/postgresql/15/bin/initdb.
func majorOf(path string) int {
	major, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0
	}
	return major
}

// Start makes a cluster and starts it. settings are lines of postgresql.conf
// that overrule the ones it has by itself.
func Start(ctx context.Context, settings ...string) (*Server, error) {
	bin, err := FindBinaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "portico-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, as: &syscall.SysProcAttr{}}
	if err := s.make(ctx, settings); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.Launch(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.Run(ctx, "postgres", "CREATE ROLE "+Owner+" LOGIN CREATEDB CREATEROLE"); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// make runs initdb. PostgreSQL refuses to run as root: root runs it as the
// user that Debian's package makes for it.
func (s *Server) make(ctx context.Context, settings []string) error {
	if os.Getuid() == 0 {
		who, err := user.Lookup("postgres")
		if err != nil {
			return fmt.Errorf("root cannot run PostgreSQL itself: %w", err)
		}
		uid, uidErr := strconv.ParseUint(who.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(who.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr, os.Chown(s.dir, int(uid), int(gid))); err != nil {
			return err
		}
		s.as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	out, err := s.command(ctx, "initdb", "-D", s.data(), "-U", Superuser, "-A", "trust",
		"-E", "UTF8", "--locale=C", "--no-instructions", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	conf := append([]string{
		"listen_addresses = ''",
		"unix_socket_directories = '" + s.dir + "'",
		"max_connections = 200",
		"recovery_init_sync_method = syncfs",
		"shared_buffers = 32MB",
		"logging_collector = off",
		"log_min_messages = warning",
		"log_min_error_statement = panic",
		"autovacuum_naptime = 1h", // each round visits each database
	}, settings...)
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("\n" + strings.Join(conf, "\n") + "\n")
	return errors.Join(err, f.Close())
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// LogPath is the file that the server's messages go to.
func (s *Server) LogPath() string { return filepath.Join(s.dir, "log") }

func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...) //nolint:gosec // tests only
	cmd.Dir = s.dir
	cmd.SysProcAttr = s.as
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+s.dir)
	return cmd
}

// Launch starts the server's process, also again after Kill, and waits until
// it answers.
func (s *Server) Launch(ctx context.Context) error {
	log, err := os.OpenFile(s.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the server has a handle of its own
	//nolint:contextcheck // the server outlives the call
	proc := s.command(context.Background(), "postgres", "-D", s.data())
	as := *s.as
	as.Pdeathsig = syscall.SIGQUIT // when the tests die, it must not stay
	proc.SysProcAttr = &as
	proc.Stdout, proc.Stderr = log, log
	started, done := make(chan error), make(chan struct{})
	go func() {
		// The signal comes when the thread ends that started the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- proc.Start()
		_ = proc.Wait()
		close(done)
	}()
	if err := <-started; err != nil {
		return err
	}
	s.proc, s.done = proc, done
	return s.await(ctx)
}

func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if s.command(ctx, "pg_isready", "-q", "-h", s.dir, "-d", "postgres").Run() == nil {
			return nil
		}
		select {
		case <-s.done:
			text, err := os.ReadFile(s.LogPath())
			return errors.Join(fmt.Errorf("the server ended: %s", text), err)
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// URL returns the address of a database for a role.
func (s *Server) URL(role, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + database,
		RawQuery: url.Values{"host": {s.dir}, "sslmode": {"disable"}}.Encode()}
	return u.String()
}

// RequirePasswords has every role but the two that the server begins with
// prove who it is.
func (s *Server) RequirePasswords(ctx context.Context) error {
	rules := "local all " + Superuser + "," + Owner + " trust\nlocal all all scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(s.data(), "pg_hba.conf"), []byte(rules), 0o600); err != nil { // keeps its owner
		return err
	}
	return s.Run(ctx, "postgres", "SELECT pg_reload_conf()")
}

// Run runs statements as the superuser, each in a transaction of its own.
func (s *Server) Run(ctx context.Context, database string, statements ...string) error {
	for _, statement := range statements {
		if _, err := s.Ask(ctx, database, statement); err != nil {
			return err
		}
	}
	return nil
}

// Ask runs a query as the superuser and returns its lines, columns parted by |.
func (s *Server) Ask(ctx context.Context, database, query string) ([]string, error) {
	return s.AskAs(ctx, Superuser, database, query)
}

// AskAs is Ask for another role.
func (s *Server) AskAs(ctx context.Context, role, database, query string) ([]string, error) {
	out, err := s.command(ctx, "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
		"-h", s.dir, "-U", role, "-d", database, "-c", query).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", query, err, out)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' }), nil
}

// Kill ends the server as a crash does: without a checkpoint.
func (s *Server) Kill() error { return s.end(syscall.SIGQUIT) }

// Pid is the process that the server's others are children of.
func (s *Server) Pid() int { return s.proc.Process.Pid }

// Signal sends a signal to one of the server's processes.
func (s *Server) Signal(pid string, signal syscall.Signal) error {
	n, err := strconv.Atoi(pid)
	if err != nil {
		return err
	}
	return syscall.Kill(n, signal)
}

// Orphan makes a folder as a crash in CREATE DATABASE leaves one, with a file
// of so many bytes in it.
func (s *Server) Orphan(oid string, size int64) error {
	dir := filepath.Join(s.data(), "base", oid)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	file := filepath.Join(dir, "1247")
	err := errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, size))
	if as := s.as.Credential; as != nil {
		err = errors.Join(err, os.Chown(dir, int(as.Uid), int(as.Gid)), os.Chown(file, int(as.Uid), int(as.Gid)))
	}
	return err
}

// Unorphan removes what Orphan made.
func (s *Server) Unorphan(oid string) error {
	return os.RemoveAll(filepath.Join(s.data(), "base", oid))
}

// Stop ends the server and removes its cluster.
func (s *Server) Stop() error { return errors.Join(s.end(syscall.SIGQUIT), os.RemoveAll(s.dir)) }

func (s *Server) end(signal syscall.Signal) error {
	select {
	case <-s.done:
		return nil
	default:
	}
	if err := s.proc.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.done
	return nil
}
