package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/failpoint"
	"portico/internal/store"
	"portico/internal/store/postgres/pgtest"
)

func newID(t testing.TB) store.Identity {
	t.Helper()
	ids := portico.NewIDSource(time.Now)
	return store.Identity{PortalID: ids.New(portico.PrefixPortal), Generation: 1, Epoch: ids.New("epoch_")}
}

func name(id store.Identity) string { return portico.DatabaseName(id.PortalID, id.Generation) }

// closing closes the engine when the test ends.
func closing(t *testing.T, e *Engine) *Engine {
	t.Helper()
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func listed(t *testing.T, e *Engine) map[string]store.Found {
	t.Helper()
	all := map[string]store.Found{}
	noError(t, e.List(t.Context(), "", func(f store.Found) error {
		all[f.Name] = f
		return nil
	}))
	return all
}

// remains returns what the server has of portals' databases.
func remains(t *testing.T, s *pgtest.Server) []string {
	t.Helper()
	left, err := s.Ask(t.Context(), "postgres", `SELECT 'database ' || datname FROM pg_database WHERE datname LIKE 'p\_%' OR datname LIKE 'q\_%'
		UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname LIKE 'p\_%' AND rolname NOT LIKE 'pg\_%' OR rolname LIKE 'q\_%'
		UNION ALL SELECT 'folder ' || f FROM pg_ls_dir('base') f WHERE f ~ '^[0-9]+$' AND f NOT IN (SELECT oid::text FROM pg_database)`)
	noError(t, err)
	return left
}

// TestEveryPoint fails each step of a creation and of a drop once, and repeats
// the call as the life cycle does, on an engine that knows nothing of it.
func TestEveryPoint(t *testing.T) {
	t.Parallel()
	steps := map[string]func(*Engine, store.Identity) error{
		"create": func(e *Engine, id store.Identity) error { return e.Create(context.Background(), id) },
		"drop":   func(e *Engine, id store.Identity) error { return e.Drop(context.Background(), id.Place()) },
	}
	for _, point := range FailPoints() {
		operation, _, _ := strings.Cut(strings.TrimPrefix(point, "postgres."), ".")
		step := steps[operation]
		if step == nil {
			continue
		}
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			points := failpoint.New()
			broken := errors.New("broken")
			first := openEngine(t, t.Name(), Config{Failpoints: points})
			id := newID(t)
			if operation == "drop" {
				noError(t, first.Create(t.Context(), id))
			}
			// It fails as often as it is tried, so that trying again does not hide it.
			ctx, cancel := context.WithCancel(t.Context())
			points.On(point, func(context.Context, failpoint.Point) error {
				cancel()
				return broken
			})
			var err error
			if operation == "create" {
				err = first.Create(ctx, id)
			} else {
				err = first.Drop(ctx, id.Place())
			}
			if !errors.Is(err, broken) {
				t.Fatalf("got %v", err)
			}
			noError(t, first.Close())

			second := closing(t, openEngine(t, t.Name(), Config{}))
			noError(t, step(second, id))
			if operation == "create" {
				if f := listed(t, second)[name(id)]; !f.Complete || f.Identity != id {
					t.Errorf("listed as %+v", f)
				}
				h, err := second.Open(t.Context(), id)
				noError(t, err)
				h.Release()
				noError(t, second.Drop(t.Context(), id.Place()))
			}
			if left := remains(t, servers.Server(t, t.Name())); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// TestUnfinished: a database is not opened before its creation came to its
// end, and what is there of it is listed as no database.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	for _, point := range []string{FailCreateDatabase, FailCreateGrants} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			points := failpoint.New()
			e := closing(t, openEngine(t, t.Name(), Config{Failpoints: points}))
			id := newID(t)
			ctx, cancel := context.WithCancel(t.Context())
			points.On(point, func(context.Context, failpoint.Point) error {
				cancel()
				return errors.New("broken")
			})
			if e.Create(ctx, id) == nil {
				t.Fatal("it did not fail")
			}
			if h, err := e.Open(t.Context(), id); err == nil {
				h.Release()
				t.Error("an unfinished database was opened")
			}
			if f, ok := listed(t, e)[name(id)]; !ok || f.Complete {
				t.Errorf("listed as %+v", f)
			}
		})
	}
}

// TestLateCreate cuts the connection on which a database is being made: the
// server goes on, and whoever comes next waits for it (F03).
func TestLateCreate(t *testing.T) {
	t.Parallel()
	e := closing(t, openEngine(t, t.Name(), Config{}))
	server := servers.Server(t, t.Name())
	noError(t, e.Create(t.Context(), newID(t))) // makes the template
	for _, after := range []string{"create", "drop"} {
		id := newID(t)
		text := "CREATE DATABASE " + quote(name(id)) + " TEMPLATE " + quote(templateName(e.portalSteps)) + " STRATEGY wal_log CONNECTION LIMIT 0"
		noError(t, e.clusters.own.session(t.Context(), func(a *session) error {
			noError(t, a.lock(t.Context(), name(id)))
			// The statement is sent, and the process is as good as dead.
			frontend := a.link.inner.Conn().PgConn().Conn()
			query := append([]byte{'Q', 0, 0, byte((len(text) + 5) >> 8), byte(len(text) + 5)}, text...)
			_, err := frontend.Write(append(query, 0))
			return errors.Join(err, frontend.Close())
		}))
		switch after {
		case "create":
			noError(t, e.Create(t.Context(), id))
			h, err := e.Open(t.Context(), id)
			noError(t, err)
			h.Release()
		case "drop":
			noError(t, e.Drop(t.Context(), id.Place()))
			left, err := server.Ask(t.Context(), "postgres", "SELECT datname FROM pg_database WHERE datname = '"+name(id)+"'")
			noError(t, err)
			if len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		}
	}
}

// TestBrokenDrop: what a drop that was cut short leaves in the catalog is
// listed as no database, opened by nobody, and dropped again (F13).
func TestBrokenDrop(t *testing.T) {
	t.Parallel()
	e := closing(t, openEngine(t, t.Name(), Config{}))
	server := servers.Server(t, t.Name())
	id, again := newID(t), newID(t)
	for _, id := range []store.Identity{id, again} {
		noError(t, e.Create(t.Context(), id))
		noError(t, server.Run(t.Context(), "postgres", "UPDATE pg_database SET datconnlimit = -2 WHERE datname = '"+name(id)+"'"))
	}
	if f := listed(t, e)[name(id)]; f.Complete || f.Identity != id {
		t.Errorf("listed as %+v", f)
	}
	if h, err := e.Open(t.Context(), id); err == nil {
		h.Release()
		t.Error("it was opened")
	}
	noError(t, e.Drop(t.Context(), id.Place()))
	noError(t, e.Create(t.Context(), again)) // as after an aborted creation of the same name
	h, err := e.Open(t.Context(), again)
	noError(t, err)
	h.Release()
	noError(t, e.Drop(t.Context(), again.Place()))
	if left := remains(t, server); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestBackendKilled kills the server's process in the middle of CREATE
// DATABASE: the server restarts, and calls that meet it are tried again.
func TestBackendKilled(t *testing.T) {
	t.Parallel()
	t.Run("F04 the server's process dies in CREATE DATABASE", backendKilled)
}

func backendKilled(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start(t.Context()) // of its own, for what is left stays
	noError(t, err)
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	e, err := Open(t.Context(), Config{URL: server.URL(pgtest.Superuser, "registry")})
	noError(t, err)
	closing(t, e)
	noError(t, e.Create(t.Context(), newID(t)))
	id := newID(t)
	created := make(chan error, 1)
	go func() { created <- e.Create(context.Background(), id) }()
	for ctx := t.Context(); ; { // until the server is at it
		pids, err := server.Ask(ctx, "postgres", `SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'CREATE DATABASE%'`)
		noError(t, err)
		if len(pids) > 0 {
			noError(t, server.Signal(pids[0], 9))
			break
		}
		select {
		case err := <-created:
			noError(t, err)
			id = newID(t)
			go func() { created <- e.Create(context.Background(), id) }()
		default:
		}
	}
	noError(t, <-created)
	h, err := e.Open(t.Context(), id)
	noError(t, err)
	h.Release()
	for what, f := range listed(t, e) {
		if strings.HasPrefix(what, "base/") && (f.Size == 0 || f.ModTime.IsZero() || f.Marked) {
			t.Errorf("an orphan folder is listed as %+v", f)
		}
	}
}

// TestOrphanFolder: a folder that no database has is listed with its size.
func TestOrphanFolder(t *testing.T) {
	t.Parallel()
	server := servers.Server(t, t.Name())
	noError(t, server.Orphan("4294967000", 12345))
	for role, want := range map[string]int{pgtest.Superuser: 1, pgtest.Owner: 0} {
		e := openEngine(t, t.Name(), Config{URL: server.URL(role, "registry_of_"+role)})
		found := listed(t, e)
		f := found["base/4294967000"]
		if len(found) != want || want == 1 && (f.Size != 12345 || f.ModTime.IsZero() || f.Complete) {
			t.Errorf("%s is told %+v", role, found)
		}
		noError(t, e.Close())
	}
	noError(t, server.Unorphan("4294967000"))
}

// TestApart: roles see what is theirs and no more.
func TestApart(t *testing.T) {
	t.Parallel()
	server := servers.Server(t, t.Name())
	e := closing(t, openEngine(t, t.Name(), Config{}))
	a, b := newID(t), newID(t)
	noError(t, e.Create(t.Context(), a))
	noError(t, e.Create(t.Context(), b))
	noError(t, server.Run(t.Context(), "postgres", "CREATE ROLE stranger LOGIN",
		"ALTER ROLE "+quote(appRole(name(a)))+" LOGIN"))
	app := appRole(name(a))
	try := func(role, database, text string, want bool) {
		t.Helper()
		out, err := server.AskAs(t.Context(), role, database, text)
		if (err == nil) != want {
			t.Errorf("%s in %s: %s: %q, %v", role, database, text, out, err)
		}
	}
	for _, database := range []string{"registry", name(a), name(b), templateName(e.portalSteps)} {
		try("stranger", database, "SELECT 1", false)
		try(app, database, "SELECT 1", database == name(a))
	}
	try(app, name(a), "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('x'); SELECT text FROM app.notes", true)
	try(app, name(a), "SELECT epoch FROM portico.identity", false)
	try(app, name(a), "DELETE FROM portico.users", false)
	try(app, name(a), "CREATE SCHEMA more", false)
	try(app, name(a), "DROP DATABASE "+quote(name(b)), false)
	try(app, name(a), "ALTER ROLE CURRENT_USER CREATEDB", false)
	// What it leaves elsewhere does not keep its portal from being dropped.
	try(app, "postgres", "SELECT lo_create(0)", true)
	noError(t, e.Drop(t.Context(), a.Place()))
	noError(t, e.Drop(t.Context(), b.Place()))
	if left := remains(t, server); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestOutage: while the server is away everything is unavailable, and comes
// back with it.
func TestOutage(t *testing.T) {
	t.Parallel()
	server := servers.Server(t, t.Name())
	e := closing(t, openEngine(t, t.Name(), Config{}))
	id := newID(t)
	noError(t, e.Create(t.Context(), id))
	h, err := e.Open(t.Context(), id)
	noError(t, err)
	defer h.Release()
	one := func(q store.SQL) error {
		var n int
		return q.QueryRow(`SELECT 1`).Scan(&n)
	}
	noError(t, h.View(t.Context(), one))
	noError(t, server.Kill())
	for what, err := range map[string]error{
		"view": h.View(t.Context(), one), "update": h.Update(t.Context(), one), "registry": e.Registry().View(t.Context(), one),
		"look": h.Look(t.Context(), one), "list": e.List(t.Context(), "", func(store.Found) error { return nil }),
	} {
		if portico.KindOf(err) != portico.KindUnavailable {
			t.Errorf("%s: %v", what, err)
		}
	}
	noError(t, server.Launch(t.Context()))
	noError(t, h.Update(t.Context(), one))
	noError(t, e.Registry().View(t.Context(), one))
	noError(t, e.Verify(t.Context(), id))
	noError(t, server.Run(t.Context(), "postgres", `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '`+pgtest.Owner+`'`))
	noError(t, h.Look(t.Context(), one))
	noError(t, e.Registry().Look(t.Context(), one))
}

// TestStandingStill: the server ends a transaction of ours that nobody goes on
// with, in the registry and in a portal's database, so that its locks go.
func TestStandingStill(t *testing.T) {
	t.Parallel()
	e := closing(t, openEngine(t, t.Name(), Config{}))
	id := newID(t)
	noError(t, e.Create(t.Context(), id))
	h, err := e.Open(t.Context(), id)
	noError(t, err)
	defer h.Release()
	for what, d := range map[string]store.Database{"registry": e.Registry(), "portal": h} {
		noError(t, d.Update(t.Context(), func(q store.SQL) error {
			var limit string
			err := q.QueryRow(`SELECT current_setting('idle_in_transaction_session_timeout')`).Scan(&limit)
			if err == nil && limit != "10s" {
				t.Errorf("%s: %s", what, limit)
			}
			return err
		}))
	}
}

// TestTwoNodes: what one node drops the other does not go on with.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	a := closing(t, openEngine(t, t.Name(), Config{}))
	b := closing(t, openEngine(t, t.Name(), Config{}))
	id := newID(t)
	noError(t, a.Create(t.Context(), id))
	noError(t, b.Create(t.Context(), id))
	h, err := b.Open(t.Context(), id)
	noError(t, err)
	noError(t, a.Drop(t.Context(), id.Place()))
	err = h.View(t.Context(), func(store.SQL) error { return nil })
	if portico.KindOf(err) != portico.KindUnavailable {
		t.Errorf("under a handle: %v", err)
	}
	h.Release()
	_, err = b.Open(t.Context(), id)
	if !errors.Is(err, store.ErrAbsent) {
		t.Errorf("opening what another node dropped: %v", err)
	}
	if found := listed(t, b); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}

// TestMarker: nothing but what marker wrote is read as one.
func TestMarker(t *testing.T) {
	t.Parallel()
	id := newID(t)
	made := time.Date(2026, 6, 29, 14, 41, 35, 0, time.UTC)
	text := marker(id, made)
	if got, at, ok := parseMarker(text); !ok || got != id || !at.Equal(made) {
		t.Errorf("%q reads as %+v, %v, %v", text, got, at, ok)
	}
	for _, other := range []string{"", "x", text + " ", text + "x", strings.Replace(text, "generation=1", "generation=01", 1),
		strings.Replace(text, "generation=1", "generation=0", 1), fmt.Sprintf("portico portal=%s", id.PortalID)} {
		if _, _, ok := parseMarker(other); ok {
			t.Errorf("%q is taken for a marker", other)
		}
	}
}

// TestServerClock: transactions of the registry carry the server's time, and a
// test's clock where it has one.
func TestServerClock(t *testing.T) {
	t.Parallel()
	fixed := time.Date(2026, 6, 29, 14, 41, 35, 355000000, time.UTC)
	for _, cfg := range []Config{{}, {Now: func() time.Time { return fixed }}} {
		e := openEngine(t, t.Name(), cfg)
		s, err := store.New(e, func() time.Time { return fixed }, portico.NewIDSource(time.Now))
		noError(t, err)
		look := func(tx *store.Tx) error {
			if off := time.Since(tx.Now).Abs(); cfg.Now == nil && off > time.Minute || cfg.Now != nil && !tx.Now.Equal(fixed) {
				t.Errorf("the time is %v", tx.Now)
			}
			return nil
		}
		noError(t, s.View(t.Context(), look))
		noError(t, s.Update(t.Context(), look))
		noError(t, e.Close())
	}
}

// TestTooManyConnections: a server that lets no more in is unavailable, and a
// creation that meets it goes on when it can (F46).
func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	server := servers.Server(t, t.Name())
	e := closing(t, openEngine(t, t.Name(), Config{}))
	noError(t, server.Run(t.Context(), "postgres", "ALTER ROLE "+pgtest.Owner+" CONNECTION LIMIT 0"))
	noError(t, server.Kill()) // the connections that there were
	noError(t, server.Launch(t.Context()))
	err := e.Registry().View(t.Context(), func(store.SQL) error { return nil })
	if portico.KindOf(err) != portico.KindUnavailable || codeOf(err) != codeTooManyClients {
		t.Errorf("got %v", err)
	}
	id := newID(t)
	created := make(chan error, 1)
	go func() { created <- e.Create(context.Background(), id) }()
	select {
	case err := <-created:
		t.Fatalf("the creation did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	noError(t, server.Run(t.Context(), "postgres", "ALTER ROLE "+pgtest.Owner+" CONNECTION LIMIT -1"))
	noError(t, <-created)
	h, err := e.Open(t.Context(), id)
	noError(t, err)
	h.Release()
}

// TestFewConnections: more databases are kept open than there may be
// connections, under the name that the registry's list has for its own server
// too. One that nobody uses gives its connections up at once.
func TestFewConnections(t *testing.T) {
	t.Parallel()
	for _, cluster := range []string{"", "listed"} {
		e := openEngine(t, t.Name(), Config{
			MaxConnections: 2, MaxHandles: 64,
			Clusters: func(context.Context) ([]Cluster, error) { return []Cluster{{ID: "listed"}}, nil },
		})
		for range 5 {
			id := newID(t)
			id.Cluster = cluster
			noError(t, e.Create(t.Context(), id))
			h, err := e.Open(t.Context(), id)
			noError(t, err)
			noError(t, h.View(t.Context(), func(store.SQL) error { return nil }))
			h.Release()
		}
		noError(t, e.Close())
	}
}
