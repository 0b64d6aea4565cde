package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Standby makes a second server that follows this one, which from then on
// commits nothing that the other has not written too.
func (s *Server) Standby(ctx context.Context) (*Server, error) {
	dir, err := os.MkdirTemp("", "portico-pg-")
	if err != nil {
		return nil, err
	}
	other := &Server{dir: dir, bin: s.bin, as: s.as}
	if err := other.follow(ctx, s); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	err = s.Run(ctx, "postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
	if err == nil {
		err = s.awaitSync(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, other.Stop())
	}
	return other, nil
}

func (s *Server) follow(ctx context.Context, primary *Server) error {
	if as := s.as.Credential; as != nil {
		if err := os.Chown(s.dir, int(as.Uid), int(as.Gid)); err != nil {
			return err
		}
	}
	out, err := s.command(ctx, "pg_basebackup", "-D", s.data(), "-h", primary.dir, "-U", Superuser, "-R", "-X", "stream",
		"--checkpoint=fast", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	conf, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = conf.WriteString("unix_socket_directories = '" + s.dir + "'\nmax_standby_streaming_delay = 0\n")
	if err = errors.Join(err, conf.Close()); err != nil {
		return err
	}
	return s.Launch(ctx)
}

func (s *Server) awaitSync(ctx context.Context) error {
	return s.awaitAnswer(ctx, "the standby does not follow", "SELECT sync_state FROM pg_stat_replication", "sync")
}

// awaitAnswer asks until the answer is the wanted one.
func (s *Server) awaitAnswer(ctx context.Context, otherwise, query, want string) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		have, err := s.Ask(ctx, "postgres", query)
		if err == nil && len(have) == 1 && have[0] == want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %q, %w", otherwise, have, errors.Join(err, context.Cause(ctx)))
		case <-ticker.C:
		}
	}
}

// Promote makes a standby the primary. The session that asks for it does not
// wait: its own snapshot could be in the way of what is still to be replayed.
func (s *Server) Promote(ctx context.Context) error {
	if err := s.Run(ctx, "postgres", "SELECT pg_promote(false)"); err != nil {
		return err
	}
	return s.awaitAnswer(ctx, "the standby is not promoted", "SELECT pg_is_in_recovery()", "f")
}

// Murder ends the server's first process as SIGKILL does. The others see it and
// end by themselves.
func (s *Server) Murder() error { return s.end(syscall.SIGKILL) }

// URLOfPrimary returns the address of a database on whichever of the servers
// takes writes.
func URLOfPrimary(role, database string, servers ...*Server) string {
	hosts := make([]string, len(servers))
	for i, s := range servers {
		hosts[i] = s.dir
	}
	u := url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + database, RawQuery: url.Values{
		"host": {strings.Join(hosts, ",")}, "sslmode": {"disable"}, "target_session_attrs": {"read-write"},
	}.Encode()}
	return u.String()
}
