package postgres

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"time"
)

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
	if c.link.uses == 1 {
		// Others may make things in the schemas of some databases, an operator
		// above all: none of them is to be taken for the server's own.
		if err := a.exec(statementLimit, "SET search_path = pg_catalog"); err != nil {
			return err
		}
	}
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
		if !taken && attempt > 1 { // who has it is no neighbour in passing, then
			var err error
			if taken, err = a.seize(key, standstill); err != nil {
				return err
			}
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

// standstill is how long a session of ours that holds a lock may do nothing
// before it is taken for one whose process was stopped. That is longer than a
// lease lasts, so that its process has nothing more to do there.
const standstill = 10 * time.Second

// inTheWay are the connections that keep a lock of ours from us though they are
// no neighbours at work: those of apps, which hold it or wait for it (a lock
// needs no rights, but that of connecting to the database of administration,
// which everybody has in some), and ours whose process stands still.
const inTheWay = ` FROM pg_locks l JOIN pg_stat_activity s USING (pid)
	WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND (l.classid::bigint << 32) | l.objid::bigint = %d
	AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
	AND (s.usename LIKE 'p\_%%\_app' AND pg_has_role(s.usesysid, 'USAGE')
	OR l.granted AND s.usename = current_user AND s.state LIKE 'idle%%' AND s.state_change <= clock_timestamp() - %d * interval '1 microsecond')`

// seize takes a lock that is kept from us: the connections in the way end, and
// we are next in line. still is how long one of ours may do nothing. It reports
// false when nobody but neighbours at work is there.
func (a *session) seize(key int64, still time.Duration) (bool, error) {
	others := fmt.Sprintf(inTheWay, key, still.Microseconds())
	var n int
	if err := a.query(`SELECT COUNT(*)`+others, nil, &n); err != nil || n == 0 {
		return false, err
	}
	err := a.within("BEGIN; SET LOCAL lock_timeout = '1s'", func() error {
		return a.exec(statementLimit, `SELECT pg_terminate_backend(pid)`+others, fmt.Sprintf("SELECT pg_advisory_lock(%d)", key))
	})
	if codeOf(err) == codeLockNotAvailable { // a neighbour had it before us
		return false, nil
	}
	return err == nil, err
}

// meanwhile runs fn while this session waits with its locks, and has it say now
// and then that it is there. One that is lost shows with its next statement.
func (a *session) meanwhile(fn func() error) error {
	over := make(chan struct{})
	var alive sync.WaitGroup
	alive.Go(func() {
		tick := time.NewTicker(standstill / 5)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = a.exec(statementLimit, "SELECT 1")
			case <-over:
				return
			}
		}
	})
	defer alive.Wait()
	defer close(over)
	return fn()
}

func lockKey(name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("portico database " + name)) // never fails
	return int64(h.Sum64())
}
