package pgtest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
)

// Pool lends servers to tests, one test to a server at a time, and starts one
// only when none is free: as many as tests run side by side. They do not wait
// for the disk: a server that is killed loses nothing, only a machine would.
// Its zero value is ready. Close ends them all.
type Pool struct {
	mu   sync.Mutex
	free []*Server
	all  []*Server
	lent map[string]*Server
}

// Server returns a server without databases of ours, the test's own until it
// ends. A test that asks again under the same key is given the same one.
func (p *Pool) Server(t testing.TB, key string) *Server {
	t.Helper()
	s, fresh, err := p.take(key)
	if err != nil {
		t.Fatal(err)
	}
	if fresh {
		t.Cleanup(func() {
			if err := p.giveBack(context.Background(), key, s); err != nil {
				t.Error(err)
			}
		})
	}
	return s
}

func (p *Pool) take(key string) (s *Server, fresh bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.lent[key]; s != nil {
		return s, false, nil
	}
	if n := len(p.free); n > 0 {
		s, p.free = p.free[n-1], p.free[:n-1]
	} else {
		if s, err = Start(context.Background(), "fsync = off"); err != nil {
			return nil, false, err
		}
		p.all = append(p.all, s)
	}
	if p.lent == nil {
		p.lent = map[string]*Server{}
	}
	p.lent[key] = s
	return s, true, nil
}

// giveBack removes what the test left but for templates, which are the same
// for every test.
func (p *Pool) giveBack(ctx context.Context, key string, s *Server) error {
	err := s.clean(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lent, key)
	if err == nil {
		p.free = append(p.free, s)
	}
	return err
}

func (s *Server) clean(ctx context.Context) error {
	databases, err := s.Ask(ctx, "postgres", `SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database
		WHERE datname NOT IN ('postgres', 'template0', 'template1') AND NOT starts_with(datname, 'portico_template')`)
	if err != nil {
		return err
	}
	if err := s.Run(ctx, "postgres", databases...); err != nil {
		return err
	}
	roles, err := s.Ask(ctx, "postgres", `SELECT format('DROP ROLE %I', rolname) FROM pg_roles
		WHERE rolname NOT IN ('`+Superuser+`', '`+Owner+`') AND NOT starts_with(rolname, 'pg_')`)
	if err != nil || len(roles) == 0 {
		return err
	}
	return s.Run(ctx, "postgres", strings.Join(roles, "; "))
}

// Close ends every server of the pool.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	for _, s := range p.all {
		err = errors.Join(err, s.Stop())
	}
	p.all, p.free = nil, nil
	return err
}
