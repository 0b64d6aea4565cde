package faults

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"portico"
	"portico/internal/store/postgres/pgtest"
)

// What installations in PostgreSQL have in common here.
const (
	registryName = "registry"
	secretKey    = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

// worldAt makes a world whose registry is on a server.
func worldAt(t testing.TB, server *pgtest.Server) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), server: server}
	who, err := fill(w.dir, w.config().setup)
	if err != nil {
		t.Fatal(err)
	}
	w.people = who
	return w
}

// newServer starts a server that is the test's own.
func newServer(t testing.TB, settings ...string) *pgtest.Server {
	t.Helper()
	server, err := pgtest.Start(context.Background(), settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// compareCatalog holds the registry's rows against the server's databases and
// roles, one to one. A folder that a crash in CREATE DATABASE left is counted,
// and is nobody's to remove.
func (o *oracle) compareCatalog(ctx context.Context) {
	databases := map[string]bool{"postgres": true, "template0": true, "template1": true, registryName: true}
	roles := map[string]bool{pgtest.Superuser: true, pgtest.Owner: true}
	for id, p := range o.portals {
		name := portico.DatabaseName(id, p.generation)
		databases[name], roles[name+"_app"] = true, true
	}
	o.matches(ctx, "database", databases, `SELECT datname FROM pg_database WHERE NOT starts_with(datname, 'portico_template')`)
	o.matches(ctx, "role", roles, `SELECT rolname FROM pg_roles WHERE NOT starts_with(rolname, 'pg_')`)
	folders, err := o.server.Ask(ctx, "postgres", `SELECT f FROM pg_ls_dir('base') f WHERE f ~ '^[0-9]+$' EXCEPT SELECT oid::text FROM pg_database`)
	if err != nil {
		o.sayf("the folders of the server: %v", err)
	}
	o.orphans = len(folders)
}

func (o *oracle) matches(ctx context.Context, what string, want map[string]bool, query string) {
	have, err := o.server.Ask(ctx, "postgres", query)
	if err != nil {
		o.sayf("the server's list: %v", err)
		return
	}
	for _, name := range have {
		if !want[strings.TrimSpace(name)] {
			o.sayf("stray %s: %s", what, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !slices.Contains(have, name) {
			o.sayf("missing %s: %s", what, name)
		}
	}
}
