package postgres

import (
	"testing"
	"time"

	"portico/internal/store/postgres/pgtest"
)

// TestSeize: the lock of a session that does nothing goes to another, that of
// one which does something meanwhile does not.
func TestSeize(t *testing.T) {
	t.Parallel()
	e := closing(t, openEngine(t, t.Name(), Config{}))
	own := e.clusters.own
	const name = "frozen"
	try := func(still time.Duration) (taken bool) {
		noError(t, own.session(t.Context(), func(b *session) (err error) {
			taken, err = b.seize(lockKey(name), still)
			return err
		}))
		return taken
	}
	idleSince := func() string {
		lines, err := servers.Server(t, t.Name()).Ask(t.Context(), "postgres",
			"SELECT state_change FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE locktype = 'advisory'")
		noError(t, err)
		if len(lines) != 1 {
			t.Fatalf("the lock is held by %v", lines)
		}
		return lines[0]
	}
	err := own.session(t.Context(), func(a *session) error {
		noError(t, a.lock(t.Context(), name))
		noError(t, a.meanwhile(func() error {
			for began := idleSince(); idleSince() == began; {
			}
			return nil
		}))
		if try(time.Hour) {
			t.Error("it was taken from a neighbour at work")
		}
		if !try(0) {
			t.Error("it was not taken from who stands still")
		}
		return a.exec(statementLimit, "SELECT 1")
	})
	if err == nil {
		t.Error("who stood still goes on")
	}
}

// TestPublic: on a server whose schema public is everybody's, as before version
// 15, no app can make anything in its own, where our role may close it.
func TestPublic(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start(t.Context(), "fsync = off") // of its own, for its template0 is changed
	noError(t, err)
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	noError(t, server.Run(t.Context(), "postgres", "ALTER DATABASE template0 ALLOW_CONNECTIONS true"))
	noError(t, server.Run(t.Context(), "template0", "ALTER SCHEMA public OWNER TO "+pgtest.Superuser, "GRANT ALL ON SCHEMA public TO PUBLIC"))
	noError(t, server.Run(t.Context(), "postgres", "ALTER DATABASE template0 ALLOW_CONNECTIONS false"))
	for role, open := range map[string]bool{pgtest.Superuser: false, pgtest.Owner: true} {
		e, err := Open(t.Context(), Config{URL: server.URL(role, "registry_of_"+role)})
		noError(t, err)
		id := newID(t)
		noError(t, e.Create(t.Context(), id))
		app := appRole(name(id))
		noError(t, server.Run(t.Context(), "postgres", "ALTER ROLE "+quote(app)+" LOGIN"))
		_, err = server.AskAs(t.Context(), app, name(id), "CREATE TABLE public.mine ()")
		if (err == nil) != open {
			t.Errorf("by %s: %v", role, err)
		}
		noError(t, e.Close())
		noError(t, server.Run(t.Context(), "postgres", "DROP DATABASE "+quote(templateName(e.portalSteps))))
	}
}
