package postgres

import (
	"context"
	"os"
	"sort"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
	"portico/internal/store/postgres/pgtest"
)

func TestZZ(t *testing.T) {
	if os.Getenv("ZZ") == "" {
		t.Skip("x")
	}
	e := openEngine(t, "zz", Config{})
	defer e.Close()
	ids := portico.NewIDSource(time.Now)
	ep := ids.New("epoch_")
	sv := servers.Server(t, "zz")
	med := func(n string, d []time.Duration) {
		sort.Slice(d, func(i, j int) bool { return d[i] < d[j] })
		t.Logf("%s p50 %v max %v", n, d[len(d)/2], d[len(d)-1])
	}
	var c, o, w, dr, raw, rawd []time.Duration
	ctx := context.Background()
	e.Create(ctx, store.Identity{PortalID: ids.New("port_"), Generation: 1, Epoch: ep})
	_ = pgtest.Owner
	for i := 0; i < 30; i++ {
		id := store.Identity{PortalID: ids.New("port_"), Generation: 1, Epoch: ep}
		t0 := time.Now()
		if err := e.Create(ctx, id); err != nil {
			t.Fatal(err)
		}
		c = append(c, time.Since(t0))
		t0 = time.Now()
		h, err := e.Open(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		o = append(o, time.Since(t0))
		t0 = time.Now()
		h.Update(ctx, func(q store.SQL) error { _, err := q.Exec("UPDATE identity SET writes = writes+1"); return err })
		w = append(w, time.Since(t0))
		h.Release()
		t0 = time.Now()
		if err := e.Drop(ctx, portico.DatabaseName(id.PortalID, 1)); err != nil {
			t.Fatal(err)
		}
		dr = append(dr, time.Since(t0))
		err = e.server.session(ctx, func(a *session) error {
			t0 = time.Now()
			err := a.exec(createLimit, "CREATE DATABASE rawx TEMPLATE "+templateName(e.portalSteps)+" STRATEGY wal_log")
			raw = append(raw, time.Since(t0))
			if err != nil {
				return err
			}
			t0 = time.Now()
			err = a.exec(createLimit, "DROP DATABASE rawx")
			rawd = append(rawd, time.Since(t0))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = sv
	med("create", c)
	med("open", o)
	med("update", w)
	med("drop", dr)
	med("raw create", raw)
	med("raw drop", rawd)
}
