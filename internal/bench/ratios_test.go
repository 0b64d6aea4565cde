package bench

import (
	"bytes"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	ratios    = flag.Bool("ratios", false, "measure the product beside the floor, for up to an hour")
	write     = flag.Bool("write", false, "write what was measured to docs/benchmarks.md")
	only      = flag.String("only", "", "measure only the groups whose names begin with this")
	databases = flag.Int("databases", 1000, "portals of the larger installation in PostgreSQL")
	profiles  = flag.String("profiles", filepath.Join(os.TempDir(), "portico-profiles"), "where profiles of the product are kept")
)

// TestRatios measures every target and says which are met. A missed target is
// no failure: benchmarks are measured, not tested. What fails is a floor that
// does not do the same work.
func TestRatios(t *testing.T) { //nolint:paralleltest // nothing else may run beside it
	if !*ratios {
		t.Log("benchmarks run with -args -ratios (make bench)")
		return
	}
	if err := os.MkdirAll(*profiles, 0o700); err != nil {
		t.Fatal(err)
	}
	var r report
	for _, group := range []struct {
		name    string
		measure func(*testing.T, *report)
	}{
		{"list", measureList},
		{"invite", measureInvite},
		{"bulk", measureBulk},
		{"create", measureCreate},
		{"many", measureMany},
		{"start", measureStart},
		{"stream", measureStream},
		{"guests", measureGuests},
		{"move", measureMove},
		{"other", measureOther},
		{"postgres-list", measurePostgresList},
		{"postgres-create", measurePostgresCreate},
		{"postgres-many", measurePostgresMany},
	} {
		if !strings.HasPrefix(group.name, *only) {
			continue
		}
		t.Run(group.name, func(t *testing.T) { group.measure(t, &r) })
	}
	t.Log("\n" + r.table())
	if *write && !t.Failed() {
		if err := r.write(filepath.Join("..", "..", "docs", "benchmarks.md")); err != nil {
			t.Fatal(err)
		}
	}
}

func measureList(t *testing.T, r *report) {
	w := openWorld(t, 100)
	bare, err := w.bare.do(listCall(w.portals[0]))
	if err != nil {
		t.Fatal(err)
	}
	full, err := w.session.do(listCall(w.portals[0]))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bare, full) {
		t.Fatalf("product and floor answer differently:\n%.400s\n%.400s", full, bare)
	}
	load := workload{connections: 8, lasts: stretch, next: func(int64) call { return listCall(w.portals[0]) }}
	r.atLeast("list 100 guests, access token", "list-session", w.against("list-session", w.session, load))
	r.atLeast("list 100 guests, personal token", "list-personal", w.against("list-personal", w.personal, load))
}

func measureInvite(t *testing.T, r *report) {
	w := openWorld(t, 100)
	invite := func(n int64) call { return inviteCall(w.portals[0], n, 1, "one") }
	load := workload{connections: 16, lasts: stretch, next: invite}
	r.atLeast("invite one guest a call, 16 connections", "invite", w.against("invite", w.session, load))
	load.connections = 1
	r.info("invite one guest a call, 1 connection", w.against("invite-alone", w.session, load))
	w.sameWork(`accounts`, `invitations`, `events`, `outbox`, `portals`)
}

func measureBulk(t *testing.T, r *report) {
	w := openWorld(t, 100)
	invite := func(n int64) call { return inviteCall(w.portals[0], n*1000, 1000, "bulk") }
	c := w.against("bulk", w.session, workload{connections: 1, lasts: stretch, next: invite})
	r.atMost("1,000 invites in one call: time", "bulk", 2, c)
	w.sameWork(`accounts`, `invitations`, `events`, `outbox`, `portals`)
}

func measureCreate(t *testing.T, r *report) {
	w := openWorld(t, 100)
	create := func(n int64) call { return createCall(fmt.Sprintf("bench-%d", n)) }
	load := workload{connections: 8, lasts: stretch, next: create}
	r.atLeast("create a portal, 8 connections", "create", w.against("create", w.session, load))
	load.connections = 1
	r.info("create a portal, 1 connection", w.against("create-alone", w.session, load))
	w.sameWork(`organizations`, `portals`, `api_names`, `events`)
}

func measureOther(t *testing.T, r *report) {
	w := openWorld(t, 100)
	update := func(n int64) call { return updateCall(w.portals[0], n) }
	r.info("update a portal, 8 connections", w.against("update", w.session, workload{connections: 8, lasts: stretch, next: update}))
	load := workload{connections: 2, lasts: lastsLong, next: func(int64) call { return signInCall() }}
	r.plain("sign in, 2 connections", "p50 / p99 ms: "+quantiles(load.must(t, w.product.service("")).times))
}

// sameWork fails when the floor's rows are not as many for each call as the
// product's: the difference of a table's rows must be that of the calls.
func (w *world) sameWork(tables ...string) {
	w.t.Helper()
	product, floor := w.counts(filepath.Join(w.product.node.Config.Data, "registry.db"), tables),
		w.counts(filepath.Join(w.floor.dir, "registry.db"), tables)
	w.t.Logf("rows of the product %v, of the floor %v", product, floor)
	calls := float64(w.session.sent.Load()) / float64(w.bare.sent.Load())
	for i, table := range tables {
		if table == "portals" && product[i] == floor[i] {
			continue
		}
		if ratio := float64(product[i]) / float64(floor[i]); ratio < 0.9*calls || ratio > 1.1*calls {
			w.t.Errorf("%s: the product wrote %d rows, the floor %d, for %.2f times its calls", table, product[i], floor[i], calls)
		}
	}
}

func (w *world) counts(path string, tables []string) []int {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	counts := make([]int, len(tables))
	for i, table := range tables {
		if err := db.QueryRowContext(context.Background(), `SELECT COUNT(*) FROM `+table).Scan(&counts[i]); err != nil {
			w.t.Fatal(err)
		}
	}
	return counts
}

// measureMany compares creation in a full installation with one in a small one.
// What a window creates is deleted after it, so that both stay as large.
func measureMany(t *testing.T, r *report) {
	small, big := openMany(t, 100), openMany(t, 10_000)
	create := func(s *service) func() window {
		return func() window {
			var made []string
			load := workload{
				connections: 1, lasts: stretch, next: func(n int64) call { return createCall(fmt.Sprintf("more-%d", n)) },
				answered: func(body []byte) { made = append(made, idOf(t, body)) },
			}
			got := load.must(t, s)
			for _, id := range made {
				if _, err := s.do(call{method: "DELETE", path: "/v1/portal/" + id, status: 200}); err != nil {
					t.Fatal(err)
				}
			}
			// The median is what this target is about, not the mean.
			got.took = quantile(got.times, 0.5) * time.Duration(len(got.times))
			return got
		}
	}
	c := compare(t, pairs, create(big.service), create(small.service))
	r.atMostOf("create p50 with 10,000 portals beside 100", "", 1.3, c, "100 portals")
	big.node.Close()
	small.node.Close()
	measureConsole(t, r, big.dir)
	measureIdle(t, r, big.dir)
}
