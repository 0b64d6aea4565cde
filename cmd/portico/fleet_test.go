package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico/client"
)

func TestFleetCommands(t *testing.T) {
	t.Parallel()
	w, env := service(t)
	steps := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(steps, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := cli(t, "fleet", "status", "--data", w.Dir, "-o", "json"); got.code != 0 || got.stdout != "[]\n" {
		t.Errorf("no portal: %+v", got)
	}
	id := w.Portal("Acme Customers")
	for name, want := range map[string]string{"notes.sql": "four digits", "0002_notes.sql": "0001"} {
		put(name, `CREATE TABLE notes (id BIGINT);`)
		if got := cli(t, "fleet", "migrate", "--data", w.Dir, "--app-migrations", steps); got.code != 7 || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %+v", name, got)
		}
		if err := os.Remove(filepath.Join(steps, name)); err != nil {
			t.Fatal(err)
		}
	}
	put("0001_notes.sql", `CREATE TABLE notes (id BIGINT);`)
	if got := cli(t, "fleet", "migrate", "--data", w.Dir, "--app-migrations", steps); got.code != 0 || !strings.Contains(got.stderr, "1 of 1 portals migrated") {
		t.Errorf("migrate: %+v", got)
	}
	put("0002_more.sql", `INSERT INTO nowhere VALUES (1);`)
	if got := cli(t, "fleet", "migrate", "--data", w.Dir, "--app-migrations", steps); got.code != exitPartial || !strings.Contains(got.stderr, "1 failed") {
		t.Errorf("a step that fails: %+v", got)
	}
	var rows []fleetRow
	got := cli(t, "fleet", "status", "--data", w.Dir, "-o", "json")
	if err := json.Unmarshal([]byte(got.stdout), &rows); err != nil || len(rows) != 1 {
		t.Fatalf("status: %v, %+v", err, got)
	}
	if r := rows[0]; r.ID != id || r.State != "unavailable" || r.App != 1 || r.Schema != 1 || r.Attempts != 1 || r.LookedAt == nil || !strings.Contains(r.Error, "0002_more.sql") {
		t.Errorf("status: %+v", r)
	}
	if got := cli(t, "fleet", "status", "--data", w.Dir, "-o", "csv"); !strings.HasPrefix(got.stdout, "id,name,state,schema,app,failed,looked at,error\n"+id+",Acme Customers,unavailable,1,1,1,") {
		t.Errorf("status as CSV: %s", got.stdout)
	}
	want(t, 10, "", env, "portal", "database", "acme-customers")

	put("0002_more.sql", `CREATE TABLE more (id BIGINT);`) // no portal has it
	if got := cli(t, "fleet", "migrate", "--data", w.Dir, "--app-migrations", steps); got.code != 0 {
		t.Errorf("mended: %+v", got)
	}
	var d client.Database
	for _, args := range [][]string{{}, {"--rotate"}} {
		got := want(t, 0, "", env, append([]string{"portal", "database", "acme-customers", "-o", "json"}, args...)...)
		if err := json.Unmarshal([]byte(got.stdout), &d); err != nil || d.Engine != "sqlite" || !strings.HasSuffix(d.Address(), "app.db") {
			t.Errorf("database: %v, %s", err, got.stdout)
		}
	}
}
