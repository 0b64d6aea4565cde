package node_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"portico"
	"portico/internal/failpoint"
	"portico/internal/lifecycle"
	"portico/internal/node"
	"portico/internal/store/postgres/pgtest"
	"portico/internal/wiretest"
)

// TestImport brings an installation on SQLite into PostgreSQL. It is cut short
// twice on the way, refused where something would be lost, and everything is
// there at the end.
func TestImport(t *testing.T) {
	t.Parallel()
	server := servers(t, 1)[0]
	w := wiretest.Start(t)
	first, second := w.Portal("First"), w.Portal("Second")
	invite(t, w, first, "ada@example.com", "grace@example.com")
	invite(t, w, second, "alan@example.com")
	if a := w.Do("GET", "/v1/portal/"+first+"/database", w.Admin.Token, nil); a.Status != 200 {
		t.Fatalf("the app's address: %d %s", a.Status, a.Body)
	}
	config := w.Node.Config
	config.DatabaseURL, config.SecretKey = server.URL(pgtest.Owner, "registry"), readSecret(t, w.Dir)
	run := func(change func(*node.Config), leave bool, points *failpoint.Set) (node.Imported, error) {
		c := config
		if change != nil {
			change(&c)
		}
		last, ended := 0, 0
		done, err := node.Import(t.Context(), c, w.Dir, leave, node.Options{Failpoints: points}, func(done, total int, _ int64) {
			if done < last {
				t.Errorf("progress goes back from %d to %d", last, done)
			}
			last, ended = done, total
		})
		if err == nil && last != ended {
			t.Errorf("progress ended at %d of %d", last, ended)
		}
		return done, err
	}
	if _, err := run(nil, false, nil); err == nil {
		t.Error("an import beside a running server")
	}
	w.Node.Close()
	kept, err := filepath.Glob(filepath.Join(w.Dir, "portals", "*", "*", "app*.db"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("the app's files: %v %v", kept, err)
	}
	if err := os.WriteFile(kept[0], []byte("the app's"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*node.Config)
		leave  bool
		says   string
	}{
		"no server":      {func(c *node.Config) { c.DatabaseURL = "" }, true, "--database-url"},
		"another secret": {func(c *node.Config) { c.SecretKey = testSecret }, true, "was made with"},
		"no secret":      {func(c *node.Config) { c.SecretKey = "" }, true, node.SecretFile},
		"data of an app": {nil, false, "--leave-app-data"},
	} {
		if _, err := run(tt.change, tt.leave, nil); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	rows := 0
	for _, point := range []string{lifecycle.PointReplaceFilled, lifecycle.PointReplaced} {
		points := failpoint.New()
		points.On(point, func(context.Context, failpoint.Point) error {
			return portico.Errorf(portico.KindUnavailable, "cut short")
		})
		done, err := run(nil, true, points)
		rows += done.Rows
		if err == nil {
			t.Errorf("%s: the import was not cut short", point)
		}
		if _, err := node.OpenCore(config, true, node.Options{}); err == nil || !strings.Contains(err.Error(), "portico import") {
			t.Errorf("a server on half an import: %v", err)
		}
	}
	done, err := run(nil, true, nil)
	if err != nil || done.Portals != 2 || done.AppData != 1 || rows < 20 {
		t.Fatalf("import: %+v, %v", done, err)
	}
	if _, err := run(nil, true, nil); portico.KindOf(err) != portico.KindConflict {
		t.Errorf("an import over data: %v", err)
	}
	w.Restart(func(c *node.Config, _ *node.Options) {
		c.DatabaseURL, c.SecretKey = config.DatabaseURL, config.SecretKey
	})
	if got := emails(t, w, first); !slices.Equal(got, []string{"ada@example.com", "grace@example.com"}) {
		t.Errorf("after the import: %v", got)
	}
	invite(t, w, second, "late@example.com")
	if got := emails(t, w, second); !slices.Equal(got, []string{"alan@example.com", "late@example.com"}) {
		t.Errorf("after the import: %v", got)
	}
	appOf(t, w, first)
	if left, err := w.Node.Lifecycle.Reconcile(t.Context(), -1); err != nil || len(left) > 0 {
		t.Errorf("left: %+v, %v", left, err)
	}
}
