package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/node"
	"portico/internal/store/postgres/pgtest"
)

// installation is a product whose registry and portals are on a PostgreSQL
// server of its own.
type installation struct {
	*product
	server *pgtest.Server
	dir    string
	secret string
	steps  string // folder of the steps of the app's schema
}

func install(t *testing.T) *installation {
	t.Helper()
	server, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	i := &installation{server: server, dir: t.TempDir(), secret: hex.EncodeToString(secret)}
	i.open(t)
	i.found()
	return i
}

// open starts the node; it is another one when there was one before.
func (i *installation) open(t *testing.T) {
	t.Helper()
	p := openProduct(t, i.dir, func(c *node.Config, _ *node.Options) {
		c.DatabaseURL, c.SecretKey = i.server.URL(pgtest.Owner, "registry"), i.secret
		c.OpenPortals, c.AppMigrations = 512, i.steps // as it ships
	})
	if i.product != nil {
		p.organization, p.account = i.organization, i.account
	}
	i.product = p
	t.Cleanup(p.node.Close)
}

// fill makes portals until there are so many.
func (i *installation) fill(t *testing.T, s *service, portals int) {
	t.Helper()
	load := workload{connections: 8, lasts: time.Hour, calls: portals, next: func(n int64) call { return createCall(fmt.Sprintf("filler-%d", n)) }}
	if got := load.must(t, s); len(got.times) != portals {
		t.Fatalf("%d portals of %d", len(got.times), portals)
	}
}

// database opens a pool as a plain program does.
func (i *installation) database(t *testing.T, name string, connections int) *sql.DB {
	t.Helper()
	u, err := url.Parse(i.server.URL(pgtest.Owner, name))
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("search_path", "portico, public")
	u.RawQuery = query.Encode()
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// bareList lists users with the product's two reads, on pools as large as the
// product's.
func (i *installation) bareList(t *testing.T, portal string) *service {
	t.Helper()
	registry := i.database(t, "registry", 16)
	users := i.database(t, portico.DatabaseName(portal, 1), 4)
	text := strings.Replace(readPortal, "?", "$1", 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := portalOf(portal, registry.QueryRowContext(context.Background(), text, portal))
		var body []byte
		if err == nil {
			var rows *sql.Rows
			if rows, err = users.QueryContext(context.Background(), readUsers); err == nil {
				_, body, err = listed(p, rows)
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	return newService(t, server.URL, "")
}

func measurePostgresList(t *testing.T, r *report) {
	i := install(t)
	personal := i.service(i.personalToken())
	portal := mustCreate(t, personal, "listed")
	if _, err := personal.do(inviteCall(portal, 0, 100, "listed")); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, product: i.product, bare: i.bareList(t, portal)}
	list := listCall(portal)
	full, err := personal.do(list)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := w.bare.do(list)
	if err != nil || !bytes.Equal(full, bare) {
		t.Fatalf("product and floor answer differently: %v\n%.400s\n%.400s", err, full, bare)
	}
	load := workload{connections: 8, lasts: stretch, next: func(int64) call { return list }}
	r.atLeast("PostgreSQL: list 100 guests, access token", "postgres-list-session", w.against("postgres-list-session", i.service(i.accessToken()), load))
	r.atLeast("PostgreSQL: list 100 guests, personal token", "postgres-list-personal", w.against("postgres-list-personal", personal, load))
}

// mostCreations ends a window early: to drop what it made takes longer.
const mostCreations = 12

// creations is a window of portals made one after the other, and deleted after
// it. Its time is its median's, many times.
func creations(t *testing.T, s *service) window {
	t.Helper()
	var made []string
	load := workload{
		connections: 1, lasts: stretch, calls: mostCreations, next: func(n int64) call { return createCall(fmt.Sprintf("more-%d", n)) },
		answered: func(body []byte) { made = append(made, idOf(t, body)) },
	}
	got := load.must(t, s)
	for _, id := range made {
		gone := call{method: "DELETE", path: "/v1/portal/" + id, status: http.StatusOK}
		_, err := s.do(gone)
		if err != nil { // a DROP waits for a checkpoint, longer than a request may take
			_, err = s.do(gone)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return got.byMedian()
}

func (w window) byMedian() window {
	w.took = quantile(w.times, 0.5) * time.Duration(len(w.times))
	return w
}

// bareCreations is creations without a product.
func bareCreations(t *testing.T, db *sql.DB, template string) window {
	t.Helper()
	exec := func(text string) {
		if _, err := db.ExecContext(context.Background(), text); err != nil {
			t.Fatal(err)
		}
	}
	var got window
	for began := time.Now(); time.Since(began) < stretch && len(got.times) < mostCreations; {
		at := time.Now()
		exec(fmt.Sprintf("CREATE DATABASE raw_%d TEMPLATE %s STRATEGY wal_log", len(got.times), template))
		got.times = append(got.times, time.Since(at))
	}
	for n := range got.times {
		exec(fmt.Sprintf("DROP DATABASE raw_%d", n))
	}
	return got.byMedian()
}

func measurePostgresCreate(t *testing.T, r *report) {
	i := install(t)
	s := i.service(i.personalToken())
	mustCreate(t, s, "first") // and with it the template
	names, err := i.server.Ask(t.Context(), "postgres", `SELECT quote_ident(datname) FROM pg_database WHERE starts_with(datname, 'portico_template')`)
	if err != nil || len(names) != 1 {
		t.Fatalf("templates: %q, %v", names, err)
	}
	db := i.database(t, "postgres", 1)
	c := compare(t, pairs,
		func() window { return creations(t, s) },
		func() window { return bareCreations(t, db, names[0]) })
	profiled(t, "postgres-create", func() { creations(t, s) })
	r.atMostOf("PostgreSQL: create a portal, p50", "postgres-create", 1.5, c, "CREATE DATABASE")
}

// fewDatabases is how many portals the smaller installation has.
const fewDatabases = 50

func measurePostgresMany(t *testing.T, r *report) {
	small, big := install(t), install(t)
	few, many := small.service(small.personalToken()), big.service(big.personalToken())
	small.fill(t, few, fewDatabases)
	big.fill(t, many, *databases)
	c := compare(t, pairs, func() window { return creations(t, many) }, func() window { return creations(t, few) })
	r.atMostOf(fmt.Sprintf("PostgreSQL: create p50 with %d portals beside %d", *databases, fewDatabases), "", 1.3, c, fmt.Sprint(fewDatabases, " portals"))
	small.node.Close()
	big.migrate(t, r)
}

// migrate takes every portal through steps of the app's schema, one a sweep.
func (i *installation) migrate(t *testing.T, r *report) {
	t.Helper()
	i.steps = t.TempDir()
	var perSecond []float64
	for step := range 3 {
		i.node.Close()
		text := fmt.Sprintf("CREATE TABLE notes_%d (id BIGINT PRIMARY KEY, body TEXT NOT NULL);", step+1)
		if err := os.WriteFile(filepath.Join(i.steps, fmt.Sprintf("%04d_notes.sql", step+1)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		i.open(t)
		began := time.Now()
		result, err := i.node.Lifecycle.MigrateFleet(t.Context(), nil)
		if err != nil || result.Failed+result.Postponed > 0 || result.Migrated == 0 {
			t.Fatalf("%+v, %v", result, err)
		}
		perSecond = append(perSecond, float64(result.Migrated)/time.Since(began).Seconds())
	}
	r.above(fmt.Sprintf("PostgreSQL: fleet migration of %d portals, portals a second", *databases), 30, perSecond)
}
