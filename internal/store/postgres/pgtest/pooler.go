package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Pooler is a PgBouncer in front of a server.
type Pooler struct {
	dir  string
	proc *exec.Cmd
}

// FindPooler returns the path of PgBouncer.
func FindPooler() (string, error) {
	for _, path := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", errors.New("PgBouncer is not installed: apt-get install pgbouncer")
}

// Pool starts PgBouncer in front of the server, for the role Owner. mode is its
// pool_mode.
func (s *Server) Pool(ctx context.Context, mode string) (*Pooler, error) {
	path, err := FindPooler()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.dir, "pool-")
	if err != nil {
		return nil, err
	}
	settings := fmt.Sprintf("[databases]\n* = host=%s\n[pgbouncer]\nlisten_port = 5432\nunix_socket_dir = %s\nauth_type = trust\nauth_file = %s\npool_mode = %s\nlogfile = %s\n",
		s.dir, dir, filepath.Join(dir, "users"), mode, filepath.Join(dir, "log"))
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "users"), []byte(`"`+Owner+`" ""`+"\n"), 0o644), //nolint:gosec // no secret
		os.WriteFile(filepath.Join(dir, "ini"), []byte(settings), 0o644),                //nolint:gosec // no secret
	)
	if as := s.as.Credential; as != nil {
		err = errors.Join(err, os.Chown(dir, int(as.Uid), int(as.Gid)))
	}
	if err != nil {
		return nil, err
	}
	//nolint:contextcheck // the pooler outlives the call
	proc := exec.CommandContext(context.Background(), path, "-q", filepath.Join(dir, "ini")) //nolint:gosec // tests only
	proc.Dir, proc.SysProcAttr = dir, s.as
	if err := proc.Start(); err != nil {
		return nil, err
	}
	p := &Pooler{dir: dir, proc: proc}
	if err := p.await(ctx); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

func (p *Pooler) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if _, err := os.Stat(filepath.Join(p.dir, ".s.PGSQL.5432")); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			text, err := os.ReadFile(filepath.Join(p.dir, "log"))
			return errors.Join(fmt.Errorf("PgBouncer does not start: %s", text), err)
		case <-ticker.C:
		}
	}
}

// URL returns the address of a database through the pooler, for Owner.
func (p *Pooler) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(Owner), Path: "/" + database,
		RawQuery: url.Values{"host": {p.dir}, "sslmode": {"disable"}}.Encode()}
	return u.String()
}

// Stop ends the pooler.
func (p *Pooler) Stop() error {
	err := p.proc.Process.Signal(syscall.SIGKILL)
	_ = p.proc.Wait() // killed
	return err
}
