package bench

import (
	"flag"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"portico"
	"portico/internal/control"
	"portico/internal/node"
	"portico/internal/store/postgres/pgtest"
	"portico/internal/wiretest"
)

var moveMiB = flag.Int("move", 130, "size of the portal that is moved, in MiB")

// measureMove moves a portal between two servers, there and back, beside the
// two programs alone.
func measureMove(t *testing.T, r *report) {
	t.Helper()
	no := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var servers [2]*pgtest.Server
	for i := range servers {
		s, err := pgtest.Start(t.Context())
		no(err)
		t.Cleanup(func() { no(s.Stop()) })
		servers[i] = s
	}
	w := wiretest.Start(t, func(c *node.Config, _ *node.Options) {
		c.DatabaseURL, c.SecretKey = servers[0].URL(pgtest.Owner, "registry"), "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	})
	portal := w.Portal("Moves")
	most := 10
	_, err := w.Node.Control.AddCluster(t.Context(), "second", servers[1].URL(pgtest.Owner, "postgres"))
	no(err)
	_, err = w.Node.Control.SetCluster(t.Context(), "second", control.ClusterChange{Cap: &most})
	no(err)
	no(servers[0].Run(t.Context(), w.Place(portal).Name, fmt.Sprintf(
		`CREATE TABLE app.notes AS SELECT n, repeat(md5(n::text), 31) AS body FROM generate_series(1, %d) n`, *moveMiB<<10),
		`ALTER TABLE app.notes OWNER TO "`+w.Place(portal).Name+`_app"`))
	var ratios []float64
	for i := range 8 {
		from, to := servers[i%2], servers[(i+1)%2]
		no(to.Run(t.Context(), "postgres", "CREATE DATABASE raw OWNER "+pgtest.Owner))
		began := time.Now()
		out, err := exec.CommandContext(t.Context(), "sh", "-c", `pg_dump -Fc -d "$1" -n app | pg_restore --single-transaction --no-owner -d "$2"`, "sh",
			from.URL(pgtest.Superuser, w.Place(portal).Name), to.URL(pgtest.Superuser, "raw")).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		raw := time.Since(began)
		no(to.Run(t.Context(), "postgres", "DROP DATABASE raw"))
		began = time.Now()
		no(w.Node.Lifecycle.Move(t.Context(), portal, []string{"second", portico.FirstCluster}[i%2], nil))
		ratios = append(ratios, time.Since(began).Seconds()/raw.Seconds())
		t.Logf("move %v, pg_dump | pg_restore %v", time.Since(began), raw)
		_, err = w.Node.Lifecycle.Reconcile(t.Context(), 0)
		no(err)
	}
	r.below(fmt.Sprintf("move of %d MiB / pg_dump \\| pg_restore alone", *moveMiB), 1.5, ratios)
}
