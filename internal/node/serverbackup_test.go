package node_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"portico"
	"portico/internal/failpoint"
	"portico/internal/node"
	"portico/internal/store/postgres"
	"portico/internal/store/postgres/pgtest"
	"portico/internal/wiretest"
)

// TestServerBackup backs an installation on two PostgreSQL servers up, restores
// one portal, and then everything onto a third server.
func TestServerBackup(t *testing.T) {
	t.Parallel()
	three := servers(t, 3)
	w := wiretest.Start(t, onServer(three[0]))
	core := beside(t, w)
	if _, err := core.Control.AddCluster(t.Context(), "eu-2", three[1].URL(pgtest.Owner, "postgres")); err != nil {
		t.Fatal(err)
	}
	first, second := w.Portal("First"), w.Portal("Second") // one on each
	invite(t, w, first, "ada@example.com", "grace@example.com")
	invite(t, w, second, "alan@example.com")
	on := map[string]*pgtest.Server{first: three[0], second: three[1]}
	if len(databases(t, three[0])) == 0 || len(databases(t, three[1])) == 0 {
		t.Fatal("both portals are on one server")
	}
	role, database := appOf(t, w, first)
	if !slices.Contains(databases(t, three[0]), database) {
		on[first], on[second] = three[1], three[0]
	}
	if _, err := on[first].AskAs(t.Context(), role, database, `CREATE TABLE notes AS SELECT 7 AS n`); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "backup")
	m, err := core.Backup(t.Context(), dir, "test", nil)
	if err != nil || len(m.Files) != 3 || len(m.Missing) != 0 || m.Portals != 2 || m.Guests != 3 {
		t.Fatalf("backup: %v, %+v", err, m)
	}
	private(t, dir)
	notes := func(server *pgtest.Server) {
		t.Helper()
		role, database := appOf(t, w, first)
		if got, err := server.AskAs(t.Context(), role, database, `SELECT n FROM notes`); err != nil || !slices.Equal(got, []string{"7"}) {
			t.Errorf("what the app had: %v %v", got, err)
		}
	}

	invite(t, w, first, "late@example.com")
	if _, err := on[first].AskAs(t.Context(), role, database, `DROP TABLE notes`); err != nil {
		t.Fatal(err)
	}
	if err := core.RestorePortal(t.Context(), dir, first); err != nil {
		t.Fatal(err)
	}
	if got := emails(t, w, first); !slices.Equal(got, []string{"ada@example.com", "grace@example.com", "late@example.com"}) {
		t.Errorf("after restoring one portal: %v", got)
	}
	notes(on[first])

	config := w.Node.Config
	if _, err := node.RestoreAll(t.Context(), config, dir, node.Options{}, nil); portico.KindOf(err) != portico.KindConflict {
		t.Errorf("a restore over data: %v", err)
	}
	folder := config
	folder.DatabaseURL, folder.Data = "", filepath.Join(t.TempDir(), "new")
	if _, err := node.RestoreAll(t.Context(), folder, dir, node.Options{}, nil); err == nil || !strings.Contains(err.Error(), "other engine") {
		t.Errorf("a restore onto the other engine: %v", err)
	}
	config.DatabaseURL = three[2].URL(pgtest.Owner, "registry")
	refusedHalfway(t, config, dir, three[2])
	steps := 0
	if _, err := node.RestoreAll(t.Context(), config, dir, node.Options{}, func(done, total int, _ int64) {
		if steps++; done != steps || total != 6 {
			t.Errorf("progress: %d of %d", done, total)
		}
	}); err != nil || steps != 6 {
		t.Fatalf("restore: %v, %d steps", err, steps)
	}
	w.Restart(onServer(three[2]))
	if got := emails(t, w, first); !slices.Equal(got, []string{"ada@example.com", "grace@example.com"}) {
		t.Errorf("after restoring everything: %v", got)
	}
	if got := emails(t, w, second); !slices.Equal(got, []string{"alan@example.com"}) {
		t.Errorf("after restoring everything: %v", got)
	}
	notes(three[2])
	if a := w.Do("DELETE", "/v1/portal/"+second, w.Admin.Token, nil); a.Status != http.StatusOK {
		t.Errorf("delete: %d %s", a.Status, a.Body)
	}
	if left, err := w.Node.Lifecycle.Reconcile(t.Context(), -1); err != nil || len(left) > 0 {
		t.Errorf("left: %+v, %v", left, err)
	}
}

// refusedHalfway: a restore that ends where the registry is filled and nothing
// says yet that the portals are not leaves a registry that no server starts on.
// The server is as before afterwards.
func refusedHalfway(t *testing.T, config node.Config, dir string, server *pgtest.Server) {
	t.Helper()
	points := failpoint.New()
	killed := errors.New("killed")
	points.On(postgres.FailRestoreFilled, func(context.Context, failpoint.Point) error { return killed })
	if _, err := node.RestoreAll(t.Context(), config, dir, node.Options{Failpoints: points}, nil); !errors.Is(err, killed) {
		t.Errorf("the restore that is cut short: %v", err)
	}
	config.Listen, config.OpsListen = "127.0.0.1:0", "127.0.0.1:0"
	if _, err := node.Open(config, node.Options{Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "did not come to its end") {
		t.Errorf("a server on half a restore: %v", err)
	}
	if _, err := server.Ask(t.Context(), "postgres", "DROP DATABASE registry"); err != nil {
		t.Fatal(err)
	}
}
