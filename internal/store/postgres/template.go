package postgres

import (
	"context"
	"fmt"
	"hash/fnv"

	"portico/internal/store"
)

// appSchema is the schema of the app that runs in a portal. It belongs to the
// app's role.
const appSchema = "app"

// templateName returns the name of the database that portals' are copied from.
// It changes with the schema, so that a template is never changed.
func templateName(steps []store.Migration) string {
	h := fnv.New32a()
	for _, step := range steps {
		_, _ = h.Write([]byte(step.SQL)) // never fails
	}
	return fmt.Sprintf("portico_template_v%d_%08x", len(steps), h.Sum32())
}

// template returns the name of the server's template, which it makes when it
// is not there. One that takes no connections is finished.
func (e *Engine) template(ctx context.Context, a *session) (string, error) {
	s := a.server
	s.mu.Lock()
	known := s.template
	s.mu.Unlock()
	if known != "" {
		return known, nil
	}
	name := templateName(e.portalSteps)
	// A session of its own: its lock is not to be held during the copying.
	err := s.session(ctx, func(b *session) error {
		if err := b.lock(ctx, name); err != nil {
			return err
		}
		p, err := b.look(name)
		if err != nil || p.oid != 0 && p.closed {
			return err
		}
		return e.makeTemplate(ctx, b, name, p.oid != 0)
	})
	if err != nil {
		return "", fmt.Errorf("make the template: %w", err)
	}
	s.setTemplate(name)
	return name, nil
}

func (s *server) setTemplate(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.template = name
}

func (e *Engine) makeTemplate(ctx context.Context, a *session, name string, begun bool) error {
	s := a.server
	if begun { // by someone who came to no end
		if err := a.exec(dropLimit, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)"); err != nil {
			return err
		}
	}
	err := a.exec(createLimit, "CREATE DATABASE "+quote(name)+" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"+s.strategy()+" CONNECTION LIMIT 0")
	if err != nil {
		return err
	}
	if err := a.exec(statementLimit, "REVOKE ALL ON DATABASE "+quote(name)+" FROM PUBLIC",
		"ALTER DATABASE "+quote(name)+" CONNECTION LIMIT -1"); err != nil {
		return err
	}
	inside := s.in(name)
	err = a.meanwhile(func() error { return inside.session(ctx, e.furnishTemplate) })
	if err := inside.close(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	// A pooler keeps the connection that we gave up, and nothing can be copied then.
	return a.exec(statementLimit, "ALTER DATABASE "+quote(name)+" ALLOW_CONNECTIONS false",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "+literal(name))
}

// furnishTemplate gives the template our schema, and the app its empty one.
func (e *Engine) furnishTemplate(a *session) error {
	if err := a.closePublic(); err != nil {
		return err
	}
	if err := a.exec(statementLimit, "CREATE SCHEMA "+schemaName, "CREATE SCHEMA "+appSchema); err != nil {
		return err
	}
	for _, step := range e.portalSteps {
		if err := e.migrateOnce(context.Background(), a.conn, step.SQL, "SELECT 1"); err != nil {
			return err
		}
	}
	return nil
}

// publicClosed is the first version whose schema public is the database owner's,
// and that nobody else may make anything in.
const publicClosed = 150000

// closePublic drops the schema that everybody could make tables in, where it is
// ours to drop. Before version 15 it is the
// superuser's.
func (a *session) closePublic() error {
	var ours bool
	err := a.query(`SELECT COALESCE(BOOL_OR(pg_has_role(nspowner, 'USAGE')), false) FROM pg_namespace WHERE nspname = 'public'`, nil, &ours)
	if err != nil || !ours {
		return err
	}
	return a.exec(statementLimit, "DROP SCHEMA public")
}

// strategy makes the copying of a database a matter of its size, without a
// checkpoint that everybody waits for.
func (s *server) strategy() string {
	if s.facts.Load().version < 150000 {
		return ""
	}
	return " STRATEGY wal_log"
}
