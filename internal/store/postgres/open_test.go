package postgres

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
	"portico/internal/store/postgres/pgtest"
)

// openAdministration is an engine with a cluster whose database of
// administration lets everybody in, as a server's first one does.
func openAdministration(t *testing.T) (*pgtest.Server, *Engine) {
	t.Helper()
	server, _ := apps(t)
	e, err := Open(t.Context(), Config{
		URL: server.URL(pgtest.Owner, "registry"),
		Clusters: func(context.Context) ([]Cluster, error) {
			return []Cluster{{ID: "first", URL: server.URL(pgtest.Owner, "postgres")}}, nil
		},
	})
	noError(t, err)
	return server, closing(t, e)
}

// TestAppHoldsOurLock: an app that takes the locks by which we make and drop
// databases, and comes back for them, keeps us from neither.
func TestAppHoldsOurLock(t *testing.T) {
	t.Parallel()
	_, e := openAdministration(t)
	id := newID(t)
	id.Cluster = "first"
	address := in(t, admit(t, e, id, "secret", false), "postgres")
	take := fmt.Sprintf("SELECT pg_advisory_lock(%d)", lockKey(name(id)))
	c, err := outside(t, address)
	noError(t, err)
	_, err = c.Exec(t.Context(), take)
	noError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := make(chan struct{})
	go func() {
		defer close(again)
		for ctx.Err() == nil { // until it may not sign in any more
			c, err := outside(t, address)
			if err != nil {
				return
			}
			_, _ = c.Exec(ctx, take) // ends with its connection
		}
	}()
	noError(t, e.Drop(ctx, id.Place()))
	cancel()
	<-again
}

// TestPlantedOperator: what somebody made in a database that is open to all is
// not run with our rights.
func TestPlantedOperator(t *testing.T) {
	t.Parallel()
	server, e := openAdministration(t)
	noError(t, server.Run(t.Context(), "postgres", `CREATE FUNCTION public.spy(name, name) RETURNS text LANGUAGE plpgsql
		AS 'BEGIN RAISE EXCEPTION ''run as %'', current_user; END'; CREATE OPERATOR public.|| (FUNCTION = public.spy, LEFTARG = name, RIGHTARG = name)`))
	noError(t, server.Run(t.Context(), "postgres", `CREATE ROLE p_stray_app`)) // which the listing looks at
	err := e.List(t.Context(), "first", func(store.Found) error { return nil })
	noError(t, err)
}

// TestSecretInQuery: a password is nowhere shown, whichever part of the address
// it is in.
func TestSecretInQuery(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"postgres://u:s3cret@db.example:1/portico?sslmode=disable", "postgres://db.example:1/portico?password=s3cret&sslmode=disable&user=u"} {
		a, err := parseAddress(text)
		noError(t, err)
		dsn, environment := a.forPrograms("p")
		if a.base.Password != "s3cret" || !slices.Contains(environment, "PGPASSWORD=s3cret") {
			t.Errorf("%s: the password is lost", text)
		}
		if want := "postgres://u@db.example:1/p?sslmode=disable"; dsn != want {
			t.Errorf("%s: on a command line it is %s, want %s", text, dsn, want)
		}
		if shown := a.url.Redacted() + withoutPassword(errors.New(text), a.url); strings.Contains(shown, "s3cret") {
			t.Errorf("%s: shown as %s", text, shown)
		}
	}
	_, err := parseAddress("postgres://db.example:1/portico?password=s3cret&connect_timeout=s3cret")
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("an address that is wrong: %v", err)
	}
}

// TestCopyOfAnApp: no name of the app's keeps its database from being copied,
// and what a copy would lose does.
func TestCopyOfAnApp(t *testing.T) {
	t.Parallel()
	_, e := openAdministration(t)
	id := newID(t)
	c, err := outside(t, admit(t, e, id, "secret", false))
	noError(t, err)
	_, err = c.Exec(t.Context(), `CREATE TABLE t (t INT, n INT); INSERT INTO t VALUES (1, 2)`)
	noError(t, err)
	next := id
	next.Generation++
	noError(t, e.Copy(t.Context(), id.Place(), next, nil))
	_, err = c.Exec(t.Context(), `BEGIN; INSERT INTO t VALUES (3, 4); PREPARE TRANSACTION 'left'`)
	noError(t, err)
	next.Generation++
	if err := e.Copy(t.Context(), id.Place(), next, nil); portico.KindOf(err) != portico.KindConflict {
		t.Errorf("with a prepared transaction: %v", err)
	}
}

// TestBackupPastLock: an app that keeps a table locked does not keep a backup
// waiting for ever.
func TestBackupPastLock(t *testing.T) {
	t.Parallel()
	_, e := openAdministration(t)
	id := newID(t)
	c, err := outside(t, admit(t, e, id, "secret", false))
	noError(t, err)
	_, err = c.Exec(t.Context(), `CREATE TABLE held (id INT)`)
	noError(t, err)
	_, err = c.Exec(t.Context(), `BEGIN; LOCK TABLE held`)
	noError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err = e.Backup(ctx, id.Place(), filepath.Join(t.TempDir(), "copy"))
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "held") {
		t.Errorf("the backup ended with %v", err)
	}
}
