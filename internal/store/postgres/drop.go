package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"portico"
	"portico/internal/store"
)

// Drop implements store.Engine. Connections are refused first, on every node;
// the roles go last, for they own what is in the database.
func (e *Engine) Drop(ctx context.Context, at store.Place) error {
	if err := checkName(at.Name); err != nil {
		return err
	}
	e.handles.Retire(at)
	unclaim, err := e.handles.Claim(ctx, at)
	if err != nil {
		return err
	}
	defer unclaim()
	s, err := e.clusters.at(ctx, at.Cluster)
	if err != nil {
		return err
	}
	err = s.persist(ctx, dropLimit, func(a *session) error { return e.erase(ctx, a, at.Name) })
	if err == nil {
		e.handles.Gone(at)
	}
	return translate(err)
}

// erase drops a database and its role. The lock makes it wait for a CREATE of
// the same name with which the server goes on though nobody waits for it.
func (e *Engine) erase(ctx context.Context, a *session, name string) error {
	if err := a.lock(ctx, name); err != nil {
		return err
	}
	p, err := a.look(name)
	if err != nil {
		return err
	}
	if p.oid != 0 && !p.broken {
		if err := a.fence(name); err != nil {
			return err
		}
		if err := a.endPrepared(ctx, name); err != nil {
			return err
		}
		if err := a.checkPrepared(name); err != nil { // somebody else's
			return err
		}
	}
	if err := e.points.Hit(ctx, FailDropFenced); err != nil {
		return unavailable(err)
	}
	if p.oid != 0 {
		if err := a.exec(dropLimit, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)"); err != nil {
			return err
		}
	}
	if err := e.points.Hit(ctx, FailDropDatabase); err != nil {
		return unavailable(err)
	}
	if err := a.dropRole(ctx, appRole(name)); err != nil {
		return err
	}
	if err := a.gone(name, p.oid); err != nil {
		return err
	}
	return unavailableIf(e.points.Hit(ctx, FailDropDone))
}

// fence refuses every new connection to a database, and to its app everywhere.
func (a *session) fence(name string) error {
	statements := []string{"ALTER DATABASE " + quote(name) + " CONNECTION LIMIT 0"}
	role := appRole(name)
	exists, err := a.roleExists(role)
	if err != nil {
		return err
	}
	if exists {
		statements = append(statements, "ALTER ROLE "+quote(role)+" NOLOGIN")
	}
	return a.exec(statementLimit, statements...)
}

// endPrepared rolls back what a database's app has prepared to commit and left,
// wherever it did: it would keep the database, and the role, for ever.
func (a *session) endPrepared(ctx context.Context, name string) error {
	role := appRole(name)
	if err := a.cutOff(role); err != nil { // or it may prepare some more
		return err
	}
	places, err := a.column(`SELECT DISTINCT database::text FROM pg_prepared_xacts WHERE owner = $1`, role)
	if err != nil {
		return err
	}
	for _, place := range places {
		names, err := a.column(`SELECT gid FROM pg_prepared_xacts WHERE owner = $1 AND database = $2`, role, place)
		if err != nil {
			return err
		}
		if place == name { // for us alone: the role is not let in any more
			if err := a.exec(statementLimit, "ALTER DATABASE "+quote(name)+" CONNECTION LIMIT -1"); err != nil {
				return err
			}
		}
		other := a.server.in(place)
		err = a.meanwhile(func() error {
			return other.session(ctx, func(b *session) error {
				err := b.exec(statementLimit, "SET ROLE "+quote(role))
				for _, gid := range names {
					if err == nil {
						err = b.exec(dropLimit, "ROLLBACK PREPARED "+literal(gid))
					}
				}
				return err
			})
		})
		if err = errors.Join(err, other.close()); err != nil {
			return err
		}
	}
	if len(places) == 0 {
		return nil
	}
	return a.fence(name)
}

// heldByPrepared says that transactions which were prepared to commit, and left,
// keep a database from being dropped or renamed.
func heldByPrepared(name string, count int) string {
	return fmt.Sprintf("%d transactions that were prepared to commit keep it as it is; connected to it as a superuser, run ROLLBACK PREPARED (or COMMIT PREPARED) for each of: SELECT gid FROM pg_prepared_xacts WHERE database = %s",
		count, literal(name))
}

// checkPrepared refuses a database that nothing can be done with, before
// anything is: it would only be waited for in vain.
func (a *session) checkPrepared(name string) error {
	var count int
	err := a.query(`SELECT COUNT(*) FROM pg_prepared_xacts WHERE database = $1`, []any{name}, &count)
	if err == nil && count > 0 {
		err = portico.Errorf(portico.KindConflict, "The database %s: %s.", name, heldByPrepared(name, count))
	}
	return err
}

// dropRole drops a role with what it may have made in databases that are not
// its own: everybody may connect to some, and keep large objects there.
func (a *session) dropRole(ctx context.Context, role string) error {
	exists, err := a.roleExists(role)
	if err != nil || !exists {
		return err
	}
	err = a.exec(statementLimit, "DROP ROLE "+quote(role))
	if codeOf(err) != codeDependentObjects {
		return err
	}
	places, err := a.column(`SELECT DISTINCT d.datname::text FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid
		JOIN pg_roles r ON r.oid = s.refobjid AND s.refclassid = 'pg_authid'::regclass WHERE r.rolname = $1`, role)
	if err != nil {
		return err
	}
	for _, place := range places {
		other := a.server.in(place)
		err := a.meanwhile(func() error {
			return other.session(ctx, func(b *session) error { return b.exec(dropLimit, "DROP OWNED BY "+quote(role)+" CASCADE") })
		})
		if err = errors.Join(err, other.close()); err != nil {
			return err
		}
	}
	return a.exec(statementLimit, "DROP OWNED BY "+quote(role)+" CASCADE", "DROP ROLE "+quote(role))
}

// column returns the first column of a query.
func (a *session) column(text string, args ...any) (all []string, err error) {
	err = a.transact(context.Background(), func(q store.SQL) error {
		rows, err := q.Query(text, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var one string
			if err := rows.Scan(&one); err != nil {
				return err
			}
			all = append(all, one)
		}
		return rows.Err()
	})
	return all, err
}

// gone looks whether anything is left of a database, outside the catalog too
// where the role may look.
func (a *session) gone(name string, oid int64) error {
	p, err := a.look(name)
	if err != nil {
		return err
	}
	exists, err := a.roleExists(appRole(name))
	if err != nil {
		return err
	}
	if p.oid != 0 || exists {
		return unavailable(fmt.Errorf("postgres: dropping %s left it or its role", name))
	}
	if oid == 0 || !a.server.facts.Load().looksInto {
		return nil
	}
	var folder bool
	err = a.query(`SELECT (pg_stat_file('base/' || $1::bigint, true)).isdir IS NOT NULL`, []any{oid}, &folder)
	if err == nil && folder {
		err = unavailable(fmt.Errorf("postgres: dropping %s left the folder base/%d", name, oid))
	}
	return err
}

// Quarantine implements store.Engine: the database and its role are renamed,
// and nobody may connect. Repeated, it goes on where it was.
func (e *Engine) Quarantine(ctx context.Context, at store.Place) error {
	if err := checkName(at.Name); err != nil {
		return err
	}
	done := e.handles.Move(at)
	defer done()
	unclaim, err := e.handles.Claim(ctx, at)
	if err != nil {
		return err
	}
	defer unclaim()
	s, err := e.clusters.at(ctx, at.Cluster)
	if err != nil {
		return err
	}
	return translate(s.persist(ctx, dropLimit, func(a *session) error { return e.setAside(ctx, a, at.Name) }))
}

func (e *Engine) setAside(ctx context.Context, a *session, name string) error {
	if err := a.lock(ctx, name); err != nil {
		return err
	}
	last, free, err := a.quarantined(name)
	if err != nil {
		return err
	}
	p, err := a.look(name)
	if err != nil {
		return err
	}
	switch {
	case p.oid != 0:
		if err := a.checkPrepared(name); err != nil {
			return err
		}
		if err := a.fence(name); err != nil {
			return err
		}
		err := a.exec(dropLimit, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "+literal(name),
			"ALTER DATABASE "+quote(name)+" RENAME TO "+quote(free))
		if err != nil {
			return err
		}
		last = free
	case last == "":
		return store.ErrAbsent
	}
	if err := e.points.Hit(ctx, FailQuarantineMoved); err != nil {
		return unavailable(err)
	}
	exists, err := a.roleExists(appRole(name))
	if err != nil {
		return err
	}
	if exists {
		if err := a.exec(statementLimit, "ALTER ROLE "+quote(appRole(name))+" RENAME TO "+quote(appRole(last))); err != nil {
			return err
		}
	}
	return a.exec(statementLimit, "ALTER DATABASE "+quote(last)+" ALLOW_CONNECTIONS false")
}

// quarantined returns the last name that a database was set aside under, if
// any, and the next free one. Neither is one of a portal's database.
func (a *session) quarantined(name string) (last, free string, err error) {
	base := "q_" + strings.TrimPrefix(name, "p_")
	free = base
	for n := 2; ; n++ {
		p, err := a.look(free)
		if err != nil || p.oid == 0 {
			return last, free, err
		}
		last, free = free, fmt.Sprintf("%s_%d", base, n)
	}
}
