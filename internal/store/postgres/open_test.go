package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

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
