package postgres

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
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

// createPatience is how long a creation is tried again for a passing reason.
// Then it is the life cycle's to say what next: another cluster, perhaps.
const createPatience = 5 * time.Second

// server is one PostgreSQL server (a cluster, in its own words): the database
// that administration connects to, and what we know of it.
type server struct {
	cluster  string // its id; empty for the registry's own
	addr     *atomic.Pointer[address]
	database string   // of administration
	pool     *sql.DB  // for administration
	gate     *gate    // of the connections to portal databases
	breaker  *breaker // of all connections
	log      *slog.Logger
	facts    *atomic.Pointer[facts] // nil until ready has looked
	closed   atomic.Bool

	mu       sync.Mutex
	template string // once it is known to be there
}

// facts are what a server tells of itself once.
type facts struct {
	version   int
	looksInto bool   // our role may read the data folder
	serverID  string // by which a server and its standbys are told from all others
}

func (e *Engine) newServer(c Cluster) (*server, error) {
	at, err := parseAddress(c.URL)
	if err != nil {
		return nil, err
	}
	at.serverID = c.ServerID
	s := &server{
		cluster: c.ID, addr: new(atomic.Pointer[address]), facts: new(atomic.Pointer[facts]),
		database: at.database, breaker: new(breaker), log: e.log,
	}
	s.addr.Store(at)
	s.gate = newGate(e.connections, func() bool { return e.handles.Reclaim(func(p *portal) bool { return p.server.gate == s.gate }) })
	return s.in(at.database), nil
}

// in returns the same server with another database for administration.
func (s *server) in(database string) *server { return s.as(database, "", "") }

// as is in for another role than our own.
func (s *server) as(database, role, password string) *server {
	other := &server{
		cluster: s.cluster, addr: s.addr, database: database, gate: s.gate, breaker: s.breaker,
		log: s.log, facts: s.facts,
	}
	other.pool = sql.OpenDB(&connector{server: s, database: database, role: role, password: password, statements: portalStatements})
	other.pool.SetMaxOpenConns(serverConnections)
	other.pool.SetMaxIdleConns(2)
	other.pool.SetConnMaxIdleTime(idleLife)
	return other
}

func (s *server) address() *address { return s.addr.Load() }

// move gives a server the address that the registry has for it now. The next
// connections are made to it.
func (s *server) move(c Cluster) error {
	if now := s.address(); now.text == c.URL && now.serverID == c.ServerID {
		return nil
	}
	at, err := parseAddress(c.URL)
	if err != nil {
		return err
	}
	at.serverID = c.ServerID
	s.addr.Store(at)
	s.facts.Store(nil)
	return nil
}

func (s *server) close() error {
	s.closed.Store(true)
	return s.pool.Close()
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

// ready looks, once, whether the server is one that we can use.
func (s *server) ready(ctx context.Context) error {
	if s.facts.Load() != nil {
		return nil
	}
	err := s.session(ctx, func(a *session) error {
		var version, user, durable string
		var databases, roles, standby bool
		var found facts
		err := a.query(`SELECT current_setting('server_version_num'), current_user, rolcreatedb OR rolsuper, rolcreaterole OR rolsuper,
			current_setting('fsync') || current_setting('synchronous_commit') || current_setting('full_page_writes'),
			pg_is_in_recovery(), (SELECT system_identifier::text FROM pg_control_system()),
			has_function_privilege('pg_ls_dir(text)', 'EXECUTE') AND has_function_privilege('pg_stat_file(text, boolean)', 'EXECUTE')
			FROM pg_roles WHERE rolname = current_user`, nil, &version, &user, &databases, &roles, &durable, &standby,
			&found.serverID, &found.looksInto)
		if err != nil {
			return err
		}
		if found.version, err = strconv.Atoi(version); err != nil {
			return err
		}
		if strings.Contains(durable, "off") {
			s.log.Warn("PostgreSQL is set up so that a power loss takes committed data with it: fsync, synchronous_commit and full_page_writes must be on",
				"host", s.address().base.Host, "port", s.address().base.Port)
		}
		if err := s.suits(found, user, databases, roles, standby); err != nil {
			return err
		}
		if err := s.checkPooler(ctx, a); err != nil {
			return err
		}
		s.facts.Store(&found)
		return nil
	})
	if code := codeOf(err); code == codeDuplicateStatement || code == codeUnknownStatement {
		err = s.pooled()
	}
	return s.unreachable(err)
}

// checkPooler refuses a pooler that lends a server's connection out for one
// transaction at a time: the one that was just used then goes to another. The
// locks by which databases are made and dropped are a session's.
func (s *server) checkPooler(ctx context.Context, a *session) error {
	const who = `SELECT pg_backend_pid()`
	var mine, other int64
	if err := a.query(who, nil, &mine); err != nil {
		return err
	}
	err := s.session(ctx, func(b *session) error {
		return b.within("BEGIN", func() error { return b.query(who, nil, &other) })
	})
	if err != nil || mine != other {
		return err
	}
	return s.pooled()
}

func (s *server) pooled() error {
	return portico.Errorf(portico.KindUnavailable,
		"A pooler stands at %s that lends connections for a transaction at a time, and locks do not hold there. Name the server itself, or a pool with pool_mode = session.",
		s.address().url.Redacted())
}

// suits says what is missing, and how it is put right.
func (s *server) suits(found facts, user string, databases, roles, standby bool) error {
	at := s.address()
	where := at.url.Redacted()
	switch {
	case found.version < oldestServer:
		return portico.Errorf(portico.KindUnavailable, "The server at %s is PostgreSQL %d; portico needs 13 or newer.", where, found.version/10000)
	case standby:
		return portico.Errorf(portico.KindUnavailable, "The server at %s is a standby. Name the primary, or an address that always leads to it.", where)
	case at.serverID != "" && at.serverID != found.serverID:
		return portico.Errorf(portico.KindUnavailable,
			"The server at %s is not the one that was added. Mend the address; where it took the other's place with all databases, say so: portico cluster set NAME --url URL.", where)
	case !databases:
		return portico.Errorf(portico.KindUnavailable, "The role %s may not create databases at %s. Run there as a superuser: ALTER ROLE %s CREATEDB;", user, where, quote(user))
	case !roles:
		return portico.Errorf(portico.KindUnavailable, "The role %s may not create roles at %s. Run there as a superuser: ALTER ROLE %s CREATEROLE;", user, where, quote(user))
	}
	return nil
}

// examineRegistry makes the registry's database when there is none and it need
// not be an existing one, and looks whether the server and that database are
// ones that we can use.
func (s *server) examineRegistry(ctx context.Context, existing bool) error {
	err := s.session(ctx, func(*session) error { return nil })
	if absent := errors.Is(err, store.ErrAbsent); absent && existing {
		return s.noRegistry()
	} else if absent {
		err = s.makeRegistry(ctx)
	}
	if err != nil {
		return s.unreachable(err)
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.session(ctx, func(a *session) error {
		var collation string
		err := a.query(`SELECT datcollate FROM pg_database WHERE datname = current_database()`, nil, &collation)
		if err != nil || collation == "C" || collation == "POSIX" {
			return err
		}
		return portico.Errorf(portico.KindUnavailable,
			"The database %s sorts text as %s; the registry needs the order of bytes. Name a database that does not exist, and it is made; or make one: CREATE DATABASE %s OWNER %s TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';",
			s.database, collation, quote(s.database), quote(s.address().base.User))
	})
}

func (s *server) noRegistry() error {
	return portico.Errorf(portico.KindNotFound,
		"There is no registry %s at %s. Mend the address, or begin with 'portico serve', which makes it.", s.database, s.address().url.Redacted())
}

func (s *server) unreachable(cause error) error {
	if portico.KindOf(cause) != portico.KindUnavailable || codeOf(cause) == "" && !outage(cause) {
		return cause
	}
	for e, ok := errors.AsType[*portico.Error](cause); ok && e.Msg == store.NotNow && e.Unwrap() != nil; e, ok = errors.AsType[*portico.Error](cause) {
		cause = e.Unwrap() // what lies below, once
	}
	at := s.address().url
	tried := strings.Split(withoutPassword(cause, at), "\n") // a line an attempt, with TLS and without
	for i := range tried {
		tried[i] = strings.TrimSpace(tried[i])
	}
	return portico.WrapError(portico.KindUnavailable, errors.New(strings.Join(slices.Compact(tried), " ")),
		"PostgreSQL at %s does not let us in. Check that it runs, and the role and password in the address.", at.Redacted())
}

// makeRegistry makes the registry's database, on a server that we can use:
// UTF-8, ordered by bytes, open to nobody else. Another node may do so at the
// same time.
func (s *server) makeRegistry(ctx context.Context) error {
	other := s.in("postgres")
	defer other.close() //nolint:errcheck // nothing is left to lose
	if err := other.ready(ctx); err != nil {
		return err
	}
	return other.session(ctx, func(a *session) error {
		name := quote(s.database)
		err := a.exec(createLimit, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
		if code := codeOf(err); code == codeDuplicateDatabase || code == codeUniqueViolation {
			return nil
		}
		if err != nil {
			return portico.WrapError(portico.KindUnavailable, errors.New(err.Error()), "The registry's database %s does not exist and cannot be made.", s.database)
		}
		return a.exec(statementLimit, "REVOKE ALL ON DATABASE "+name+" FROM PUBLIC")
	})
}
