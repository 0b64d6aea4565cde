package postgres

import (
	"context"
	"database/sql"
	"errors"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"portico"
	"portico/internal/store"
)

// oldestServer is the first version with DROP DATABASE … WITH (FORCE).
const oldestServer = 130000

// How long the slow statements may take. A DROP waits for a checkpoint.
const (
	createLimit = 60 * time.Second
	dropLimit   = 30 * time.Second
)

// server is one PostgreSQL server (a cluster, in its own words): the database
// that administration connects to, and what we know of it.
type server struct {
	at   *address
	pool *sql.DB // for administration
	gate *gate   // of the connections to portal databases

	version   int
	looksInto bool // may read the data folder

	closed atomic.Bool

	mu       sync.Mutex
	template string // once it is known to be there
}

func newServer(at *address, g *gate) *server {
	s := &server{at: at, gate: g}
	s.pool = sql.OpenDB(&connector{config: at.config(at.database, portalStatements)})
	s.pool.SetMaxOpenConns(serverConnections)
	s.pool.SetMaxIdleConns(2)
	s.pool.SetConnMaxIdleTime(idleLife)
	return s
}

func (s *server) close() error {
	s.closed.Store(true)
	return s.pool.Close()
}

// session is a connection for administration, with the locks that it took.
// They are the server's: where our process dies in a CREATE DATABASE with
// which the server goes on, they last as long as that does.
type session struct {
	*conn
	server *server
	locked bool
}

// session runs fn on a connection of its own.
func (s *server) session(ctx context.Context, fn func(*session) error) error {
	c, err := dial(ctx, s.pool)
	if err != nil {
		return err
	}
	a := &session{conn: c, server: s}
	defer a.end()
	c.link.uses++
	return fn(a)
}

func (a *session) end() {
	if a.locked && a.link.idle() {
		if _, err := a.link.run("SELECT pg_advisory_unlock_all()"); err != nil {
			_ = a.link.inner.Close() // ends its locks too
		}
	}
	a.finish()
}

// persist is session for what may be run again, and is as long as it fails for
// a passing reason: a server that restarts, a neighbour in the way.
func (s *server) persist(ctx context.Context, limit time.Duration, fn func(*session) error) error {
	deadline := time.Now().Add(limit)
	for attempt := 0; ; attempt++ {
		err := s.session(ctx, fn)
		if err == nil || ctx.Err() != nil || s.closed.Load() || !passing(err) || !time.Now().Before(deadline) {
			return err
		}
		if waitErr := pause(ctx, attempt); waitErr != nil {
			return errors.Join(waitErr, err)
		}
	}
}

// pause waits longer each time, up to two seconds, and never as long as others
// that wait for the same thing.
func pause(ctx context.Context, attempt int) error {
	longest := min(20*time.Millisecond<<min(attempt, 10), 2*time.Second)
	timer := time.NewTimer(longest/2 + rand.N(longest/2)) //nolint:gosec // no secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return unavailable(context.Cause(ctx))
	}
}

// exec runs statements in one round trip, as one transaction where they allow
// it, for as long as limit.
func (a *session) exec(limit time.Duration, statements ...string) error {
	a.link.limit = limit
	defer func() { a.link.limit = statementLimit }()
	_, err := a.link.run(strings.Join(statements, "; "))
	return err
}

// lock waits until this session is the only one of all nodes that makes or
// drops the database of a name. The server holds it until the session ends.
func (a *session) lock(ctx context.Context, name string) error {
	key := lockKey(name)
	for attempt := 0; ; attempt++ {
		var taken bool
		if err := a.query(`SELECT pg_try_advisory_lock($1)`, []any{key}, &taken); err != nil {
			return err
		}
		if taken {
			a.locked = true
			return nil
		}
		if err := pause(ctx, min(attempt, 4)); err != nil {
			return err
		}
	}
}

func lockKey(name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("portico database " + name)) // never fails
	return int64(h.Sum64())
}

// presence is what the server's catalog says of a database.
type presence struct {
	oid    int64 // 0: there is none
	closed bool  // connections are not allowed
	broken bool  // a DROP of it was cut short
	marker string
}

// look reads a database's entry in the catalog.
func (a *session) look(name string) (presence, error) {
	var p presence
	err := a.query(`SELECT oid::bigint, NOT datallowconn, datconnlimit = -2, COALESCE(shobj_description(oid, 'pg_database'), '')
		FROM pg_database WHERE datname = $1`, []any{name}, &p.oid, &p.closed, &p.broken, &p.marker)
	if errors.Is(err, sql.ErrNoRows) {
		return presence{}, nil
	}
	return p, err
}

func (a *session) roleExists(role string) (bool, error) {
	var n int
	err := a.query(`SELECT COUNT(*) FROM pg_roles WHERE rolname = $1`, []any{role}, &n)
	return n > 0, err
}

// examine looks whether the server is one that we can use, and makes the
// registry's database when there is none.
func (s *server) examine(ctx context.Context, log *slog.Logger) error {
	err := s.session(ctx, func(a *session) error { return nil })
	if errors.Is(err, store.ErrAbsent) {
		err = s.makeRegistry(ctx)
	}
	if err != nil {
		return s.unreachable(err)
	}
	return s.session(ctx, func(a *session) error {
		var version, user, collation, durable string
		var databases, roles bool
		err := a.query(`SELECT current_setting('server_version_num'), current_user, rolcreatedb OR rolsuper, rolcreaterole OR rolsuper,
			(SELECT datcollate FROM pg_database WHERE datname = current_database()),
			current_setting('fsync') || current_setting('synchronous_commit') || current_setting('full_page_writes'),
			has_function_privilege('pg_ls_dir(text)', 'EXECUTE') AND has_function_privilege('pg_stat_file(text, boolean)', 'EXECUTE')
			FROM pg_roles WHERE rolname = current_user`, nil, &version, &user, &databases, &roles, &collation, &durable, &s.looksInto)
		if err != nil {
			return err
		}
		if s.version, err = strconv.Atoi(version); err != nil {
			return err
		}
		if strings.Contains(durable, "off") {
			log.Warn("PostgreSQL is set up so that a power loss takes committed data with it: fsync, synchronous_commit and full_page_writes must be on")
		}
		return s.suits(user, databases, roles, collation)
	})
}

// suits says what is missing, and how it is put right.
func (s *server) suits(user string, databases, roles bool, collation string) error {
	switch {
	case s.version < oldestServer:
		return portico.Errorf(portico.KindUnavailable, "The server is PostgreSQL %d; portico needs 13 or newer.", s.version/10000)
	case !databases:
		return portico.Errorf(portico.KindUnavailable, "The role %s may not create databases. Run as a superuser: ALTER ROLE %s CREATEDB;", user, quote(user))
	case !roles:
		return portico.Errorf(portico.KindUnavailable, "The role %s may not create roles. Run as a superuser: ALTER ROLE %s CREATEROLE;", user, quote(user))
	case collation != "C" && collation != "POSIX":
		return portico.Errorf(portico.KindUnavailable,
			"The database %s sorts text as %s; the registry needs the order of bytes. Name a database that does not exist, and it is made; or make one: CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';",
			s.at.database, collation, quote(s.at.database))
	}
	return nil
}

func (s *server) unreachable(cause error) error {
	if portico.KindOf(cause) != portico.KindUnavailable || codeOf(cause) == "" && !outage(cause) {
		return cause
	}
	return portico.WrapError(portico.KindUnavailable, errors.New(withoutPassword(cause, s.at.url)),
		"PostgreSQL at %s does not let us in. Check that it runs, and the role and password in the address.", s.at.url.Redacted())
}

// makeRegistry makes the registry's database: UTF-8, ordered by bytes, open to
// nobody else. Another node may do so at the same time.
func (s *server) makeRegistry(ctx context.Context) error {
	other := newServer(s.at.in("postgres"), s.gate)
	defer other.close() //nolint:errcheck // nothing is left to lose
	return other.session(ctx, func(a *session) error {
		name := quote(s.at.database)
		err := a.exec(createLimit, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
		if code := codeOf(err); code == codeDuplicateDatabase || code == codeUniqueViolation {
			return nil
		}
		if err != nil {
			return portico.WrapError(portico.KindUnavailable, err, "The registry's database %s does not exist and cannot be made.", s.at.database)
		}
		return a.exec(statementLimit, "REVOKE ALL ON DATABASE "+name+" FROM PUBLIC")
	})
}
