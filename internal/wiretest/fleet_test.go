package wiretest

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"portico"
	"portico/internal/lifecycle"
	"portico/internal/node"
	"portico/internal/store"
)

// steps is a folder with the steps of an app's schema.
type steps string

func newSteps(t *testing.T) steps { return steps(t.TempDir()) }

func (s steps) put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(string(s), name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s steps) Setup(c *node.Config, _ *node.Options) { c.AppMigrations = string(s) }

// fleet returns what is known of every portal, by id.
func (w *World) fleet() map[string]store.FleetRow {
	w.T.Helper()
	rows := map[string]store.FleetRow{}
	err := w.Node.Lifecycle.Fleet(context.Background(), func(r store.FleetRow) { rows[r.ID] = r })
	if err != nil {
		w.T.Fatal(err)
	}
	return rows
}

// take has an app's database take a step in the place of the one of the folder,
// under that one's name and hash.
func (s steps) take(t *testing.T, w *World, portal string, version int, text string) {
	t.Helper()
	all, err := store.ReadAppSteps(os.DirFS(string(s)))
	if err != nil {
		t.Fatal(err)
	}
	all = all[:version]
	all[version-1].SQL = text
	row := w.fleet()[portal].PortalRow
	h, err := w.Node.Lifecycle.Open(t.Context(), row)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	if _, err := h.App().Admit(t.Context(), func() (string, error) { return "the test's", nil }, false); err != nil {
		t.Fatal(err)
	}
	if got, err := h.App().Migrate(t.Context(), "the test's", all); err != nil || got != version {
		t.Fatalf("version %d, %v", got, err)
	}
}

// TestAppSchema: a new portal has the app's schema before it is active, or it
// is not created at all; and what was applied must not change.
func TestAppSchema(t *testing.T) {
	t.Parallel()
	s := newSteps(t)
	s.put(t, "0001_notes.sql", `CREATE TABLE notes (id BIGINT PRIMARY KEY); INSERT INTO notes VALUES (1);`)
	w := Start(t, s.Setup)
	first := w.Portal("First")
	if r := w.fleet()[first]; r.Schema.AppVersion != 1 || r.Schema.Version < 1 {
		t.Errorf("a new portal: %+v", r.Schema)
	}
	s.put(t, "0002_more.sql", `CREATE TABLE more (id BIGINT); INSERT INTO nowhere VALUES (1);`)
	w.Restart(s.Setup)
	a := w.Do("POST", "/v1/portal", w.Admin.Token, `{"name":"Second"}`)
	if a.Status != http.StatusServiceUnavailable || !strings.Contains(string(a.Body), "0002_more.sql") ||
		strings.Contains(string(a.Body), "nowhere") || a.Header.Get("Retry-After") == "" {
		t.Errorf("a failing step: %d %s", a.Status, a.Body)
	}
	if left := w.findings(); len(left) > 0 || len(w.fleet()) != 1 {
		t.Errorf("left: %+v, %d portals", left, len(w.fleet()))
	}

	s.put(t, "0002_more.sql", `CREATE TABLE more (id BIGINT);`) // no portal has it: it may be mended
	w.Restart(s.Setup)
	second := w.Portal("Second")
	if r := w.fleet(); r[second].Schema.AppVersion != 2 || r[first].Schema.AppVersion != 1 {
		t.Errorf("mended: %+v, the one before %+v", r[second].Schema, r[first].Schema)
	}
	w.Node.Close()
	s.put(t, "0002_more.sql", `CREATE TABLE more (id BIGINT); `)
	if n, err := Open(w.Dir, s.Setup); err == nil || !strings.Contains(err.Error(), "0002_more.sql was changed since it was applied") {
		if err == nil {
			n.Close()
		}
		t.Errorf("a changed step: %v", err)
	}
	if err := os.Remove(filepath.Join(string(s), "0002_more.sql")); err != nil {
		t.Fatal(err)
	}
	w.Restart(s.Setup) // a node that is older than the others
	if id := w.Portal("Third"); w.fleet()[id].Schema.AppVersion != 1 {
		t.Errorf("a portal of an older node: %+v", w.fleet()[id].Schema)
	}
}

// findings returns what the reconciler finds, but for the databases of other
// tests on the same server.
func (w *World) findings() []lifecycle.Finding {
	w.T.Helper()
	all, err := w.Node.Lifecycle.Survey(context.Background(), -1)
	if err != nil {
		w.T.Fatal(err)
	}
	return slices.DeleteFunc(all, func(f lifecycle.Finding) bool { return f.Text == "the registry knows nothing of it" })
}

// migrate sweeps over the fleet, and ends that after some portals.
func (w *World) migrate(after int) lifecycle.FleetResult {
	w.T.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	result, err := w.Node.Lifecycle.MigrateFleet(ctx, func(done, _ int) {
		if done == after {
			cancel()
		}
	})
	if err != nil && after == 0 {
		w.T.Fatal(err)
	}
	return result
}

// serving fails the test unless all portals but some are served at a version,
// also after the reconciler looked at them.
func (w *World) serving(portals []string, version int, but ...string) {
	w.T.Helper()
	if _, err := w.Node.Lifecycle.Reconcile(context.Background(), -1); err != nil {
		w.T.Fatal(err)
	}
	rows := w.fleet()
	for _, id := range portals {
		want, state := http.StatusOK, portico.PortalActive
		r := rows[id]
		for _, other := range but {
			if id == other {
				want, state = http.StatusServiceUnavailable, portico.PortalUnavailable
			}
		}
		bad := state == portico.PortalUnavailable
		a := w.Do("GET", "/v1/portal/"+id+"/users", w.Admin.Token, nil)
		if a.Status != want || r.State != state || (r.Schema.Error != "") != bad || (r.Schema.Attempts > 0) != bad || (r.Schema.AppVersion == version) == bad {
			w.T.Errorf("%s: %d, %s, %+v", id, a.Status, r.State, r.Schema)
		}
	}
}

// TestFleet: a sweep that was ended goes on where it was, and the one portal
// whose step fails is the only one that is not served.
func TestFleet(t *testing.T) {
	t.Parallel()
	s := newSteps(t)
	w := Start(t)
	var portals []string
	for range 14 {
		portals = append(portals, w.Portal("Fleet"))
	}
	poisoned := portals[9]
	const notes = `CREATE TABLE notes (id BIGINT);`
	s.put(t, "0001_notes.sql", notes)
	s.take(t, w, poisoned, 1, notes+`CREATE TABLE more (id BIGINT);`)
	s.put(t, "0002_more.sql", `CREATE TABLE more (id BIGINT);`)
	w.Restart(s.Setup)
	w.serving(portals, 0) // at the schema that they have

	first := w.migrate(3)
	if first.Due != len(portals) || first.Migrated < 3 || first.Migrated > 10 || first.Failed != 0 {
		t.Errorf("the sweep that was ended: %+v", first)
	}
	rest := w.migrate(0)
	if rest.Due != len(portals)-first.Migrated || rest.Migrated != rest.Due-1 || rest.Failed != 1 || rest.Stopped || rest.Postponed != 0 {
		t.Errorf("the sweep that went on: %+v after %+v", rest, first)
	}
	w.serving(portals, 2, poisoned)
	if again := w.migrate(0); again != (lifecycle.FleetResult{Due: 1, Failed: 1}) || w.fleet()[poisoned].Schema.Attempts != 2 {
		t.Errorf("again: %+v, %+v", again, w.fleet()[poisoned].Schema)
	}
	found := w.findings()
	if len(found) != 1 || found[0].PortalID != poisoned || found[0].Remedy != lifecycle.RemedyReport || !strings.Contains(found[0].Text, "0002_more.sql") {
		t.Errorf("found %+v", found)
	}

	s.take(t, w, poisoned, 2, `DROP TABLE more; CREATE TABLE more (id BIGINT);`)
	if mended := w.migrate(0); mended != (lifecycle.FleetResult{Due: 1, Migrated: 1}) {
		t.Errorf("mended: %+v", mended)
	}
	w.serving(portals, 2)
	if none := w.migrate(0); none != (lifecycle.FleetResult{}) {
		t.Errorf("when all is done: %+v", none)
	}
	w.Do("DELETE", "/v1/portal/"+poisoned, w.Admin.Token, nil)
	if _, there := w.fleet()[poisoned]; there {
		t.Error("a deleted portal is in the fleet")
	}
}

// TestFleetCanary: when the first portal fails, no other is touched; the next
// sweep begins with another, and comes to the end.
func TestFleetCanary(t *testing.T) {
	t.Parallel()
	s := newSteps(t)
	w := Start(t)
	var portals []string
	for range 8 {
		portals = append(portals, w.Portal("Canary"))
	}
	s.put(t, "0001_notes.sql", `CREATE TABLE notes (id BIGINT);`)
	s.take(t, w, portals[0], 1, `CREATE TABLE more (id BIGINT);`)
	s.put(t, "0002_more.sql", `CREATE TABLE more (id BIGINT);`)
	w.Restart(s.Setup)
	if first := w.migrate(0); first != (lifecycle.FleetResult{Due: 8, Failed: 1, Stopped: true}) {
		t.Errorf("the canary: %+v", first)
	}
	w.serving(portals, 0, portals[0])
	if second := w.migrate(0); second != (lifecycle.FleetResult{Due: 8, Migrated: 7, Failed: 1}) {
		t.Errorf("the next sweep: %+v", second)
	}
	w.serving(portals, 2, portals[0])
}
