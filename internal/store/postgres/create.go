package postgres

import (
	"context"
	"errors"
	"fmt"

	"portico"
	"portico/internal/store"
)

// Create implements store.Engine: a copy of the template, closed to others
// before anyone can connect, then its identity, its marker last. Each step
// finds what an earlier attempt did, so that it goes on where that ended.
func (e *Engine) Create(ctx context.Context, id store.Identity) error {
	return e.make(ctx, id, func(ctx context.Context, s *server, name string) error {
		return s.inside(ctx, name, func(a *session) error { return e.furnish(a, id) })
	})
}

// filler gives a copy of the template its content, its identity included.
type filler func(ctx context.Context, s *server, name string) error

// make brings the database of id into being, unless it is there already.
func (e *Engine) make(ctx context.Context, id store.Identity, fill filler) error {
	at, err := placeOf(id)
	if err != nil {
		return err
	}
	if e.handles.Retired(at) {
		return store.ErrRetired
	}
	s, err := e.clusters.at(ctx, at.Cluster)
	if err != nil {
		return err
	}
	if there, err := e.present(ctx, s, id); there || err != nil {
		return err
	}
	unclaim, err := e.handles.Claim(ctx, at)
	if err != nil {
		return err
	}
	finished := false
	err = s.persist(ctx, createPatience, func(a *session) (err error) {
		finished, err = e.makeClaimed(ctx, a, id, at, fill)
		return err
	})
	unclaim()
	if err == nil && !finished { // another was quicker
		_, err = e.present(ctx, s, id)
	}
	return translate(err)
}

// present reports whether a finished database of the name is there. One with
// another identity is ErrIdentity.
func (e *Engine) present(ctx context.Context, s *server, id store.Identity) (bool, error) {
	var p presence
	err := s.persist(ctx, createPatience, func(a *session) (err error) {
		p, err = a.look(id.Place().Name)
		return err
	})
	if err != nil || !p.finished() {
		return false, err
	}
	entry, err := e.acquire(ctx, id, true)
	if err != nil {
		return true, err
	}
	entry.Release()
	return true, nil
}

// finished reports whether the database got its marker, the last step of its
// creation.
func (p presence) finished() bool {
	_, _, marked := parseMarker(p.marker)
	return p.oid != 0 && !p.broken && !p.closed && marked
}

// makeClaimed takes the steps of a creation. It reports false when a finished
// database is there already.
func (e *Engine) makeClaimed(ctx context.Context, a *session, id store.Identity, at store.Place, fill filler) (bool, error) {
	if e.handles.Retired(at) {
		return true, store.ErrRetired
	}
	name := at.Name
	if err := a.lock(ctx, name); err != nil {
		return true, err
	}
	p, err := a.look(name)
	if err != nil || p.finished() {
		return false, err
	}
	if p.broken { // left by a drop that nobody finished: nothing can be in it
		if err := a.exec(dropLimit, "DROP DATABASE IF EXISTS "+quote(name)); err != nil {
			return true, err
		}
		p = presence{}
	}
	if p.oid == 0 {
		if err := e.copyTemplate(ctx, a, name); err != nil {
			return true, err
		}
	}
	stages := store.StagesOf(ctx)
	stages.Done(portico.StageDatabase)
	if err := e.points.Hit(ctx, FailCreateDatabase); err != nil {
		return true, unavailable(err)
	}
	if err := a.shut(name); err != nil {
		return true, err
	}
	stages.Done(portico.StageRights)
	if err := e.points.Hit(ctx, FailCreateGrants); err != nil {
		return true, unavailable(err)
	}
	if err := a.meanwhile(func() error { return fill(ctx, a.server, name) }); err != nil {
		return true, err
	}
	stages.Done(portico.StageIdentity)
	if err := e.points.Hit(ctx, FailCreateIdentity); err != nil {
		return true, unavailable(err)
	}
	if err := a.exec(statementLimit, "COMMENT ON DATABASE "+quote(name)+" IS "+literal(marker(id, e.now()))); err != nil {
		return true, err
	}
	stages.Done(portico.StageMarker)
	return true, unavailableIf(e.points.Hit(ctx, FailCreateDone))
}

func unavailableIf(err error) error {
	if err == nil {
		return nil
	}
	return unavailable(err)
}

// copyTemplate makes the database. Until shut has run it takes no connections:
// the template's rights are not copied, and by default everybody may connect.
func (e *Engine) copyTemplate(ctx context.Context, a *session, name string) error {
	template, err := e.template(ctx, a)
	if err != nil {
		return err
	}
	err = a.exec(createLimit, "CREATE DATABASE "+quote(name)+" TEMPLATE "+quote(template)+a.server.strategy()+" CONNECTION LIMIT 0")
	switch codeOf(err) {
	case codeDuplicateDatabase:
		return nil
	case codeUndefinedDatabase: // somebody dropped the template
		a.server.setTemplate("")
		return unavailable(errors.New(err.Error()))
	}
	return err
}

// appConnections is the most connections of a portal's app. Without a limit one
// app could take all that its server has, and every other portal with it; two
// pools of ten, on two machines, are what one of them is known to need.
const appConnections = 20

// unsynced begins a transaction of a creation that a later one makes durable:
// the marker's, which the server does not write to its log without all that
// stands there before it. Where the server dies in between, the creation is at
// an earlier step again.
const unsynced = "SET LOCAL synchronous_commit = off"

// shut closes the database to everybody but us and its app's role, which it
// makes; then it takes connections. All in one transaction.
func (a *session) shut(name string) error {
	role := appRole(name)
	exists, err := a.roleExists(role)
	if err != nil {
		return err
	}
	statements := []string{unsynced}
	if !exists {
		statements = append(statements, fmt.Sprintf("CREATE ROLE %s NOLOGIN CONNECTION LIMIT %d", quote(role), appConnections))
	}
	return a.exec(statementLimit, append(statements,
		"ALTER ROLE "+quote(role)+" SET search_path = "+appSchema,
		"GRANT "+quote(role)+" TO CURRENT_USER",
		"REVOKE ALL ON DATABASE "+quote(name)+" FROM PUBLIC",
		"GRANT CONNECT, TEMPORARY ON DATABASE "+quote(name)+" TO "+quote(role),
		lookInto(name),
		"ALTER DATABASE "+quote(name)+" CONNECTION LIMIT -1")...)
}

// inside runs fn on a connection to a database that is being made.
func (s *server) inside(ctx context.Context, name string, fn func(*session) error) error {
	inside := s.in(name)
	return errors.Join(inside.session(ctx, fn), inside.close())
}

// furnish gives a copy of the template its identity, and the app's role its
// schema.
func (e *Engine) furnish(a *session, id store.Identity) error {
	want := fmt.Sprintf("%s %d %s", id.PortalID, id.Generation, id.Epoch)
	// The connection is new: a prepared statement would be used once.
	_, have, err := a.link.ask("SELECT portal_id || ' ' || generation || ' ' || epoch FROM " + schemaName + ".identity")
	if err != nil || have == want {
		return err
	}
	if have != "" {
		return fmt.Errorf("%w: it says %s, want %s", store.ErrIdentity, have, want)
	}
	return a.exec(statementLimit, unsynced,
		"ALTER SCHEMA "+appSchema+" OWNER TO "+quote(appRole(id.Place().Name)),
		fmt.Sprintf("INSERT INTO %s.identity (portal_id, generation, epoch, schema_version, writes) VALUES (%s, %d, %s, %d, 0)",
			schemaName, literal(id.PortalID), id.Generation, literal(id.Epoch), len(e.portalSteps)))
}
