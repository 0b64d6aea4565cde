package postgres

import (
	"strings"
	"testing"

	"portico"
	"portico/internal/store/postgres/pgtest"
)

// TestRefused: what the registry's role lacks is said with how it is put right.
func TestRefused(t *testing.T) {
	t.Parallel()
	server := servers.Server(t, t.Name())
	noError(t, server.Run(t.Context(), "postgres",
		"CREATE ROLE poor LOGIN", "CREATE ROLE half LOGIN CREATEDB", "CREATE DATABASE sorted TEMPLATE template0 LOCALE 'C.UTF-8'",
		`CREATE DATABASE "foreign"`, "CREATE DATABASE lent"))
	noError(t, server.Run(t.Context(), "foreign", "CREATE TABLE theirs ()"))
	for url, want := range map[string]string{
		server.URL("poor", "postgres"):            "ALTER ROLE \"poor\" CREATEDB",
		server.URL("half", "postgres"):            "ALTER ROLE \"half\" CREATEROLE",
		server.URL("poor", "missing"):             "ALTER ROLE \"poor\" CREATEDB",
		server.URL("half", "missing"):             "ALTER ROLE \"half\" CREATEROLE",
		server.URL(pgtest.Owner, "sorted"):        "LC_COLLATE 'C'",
		server.URL(pgtest.Owner, "foreign"):       "holds 1 tables and views of something else",
		server.URL(pgtest.Owner, "lent"):          `ALTER DATABASE "lent" OWNER TO "portico"`,
		server.URL("nobody", "postgres"):          "does not let us in",
		"postgres://u:s3cret@127.0.0.1:1/portico": "does not let us in",
		"postgres://u:s3cret@[::1/portico":        "must read",
		"mysql://host/portico":                    "must read",
		"postgres://host":                         "name of the registry's database",
	} {
		e, err := Open(t.Context(), Config{URL: url})
		if err == nil {
			t.Errorf("%s: opened", url)
			noError(t, e.Close())
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") || portico.KindOf(err) == portico.KindInternal {
			t.Errorf("%s: %v", url, err)
		}
	}
	if err := server.Run(t.Context(), "missing", "SELECT 1"); err == nil {
		t.Error("who lacks a right made a database")
	}
	if _, err := Open(t.Context(), Config{URL: server.URL(pgtest.Owner, "typo"), Existing: true}); portico.KindOf(err) != portico.KindNotFound {
		t.Errorf("a registry that must exist: %v", err)
	}
	if err := server.Run(t.Context(), "typo", "SELECT 1"); err == nil {
		t.Error("looking for a registry made one")
	}
	noError(t, server.Run(t.Context(), "postgres", "CREATE DATABASE empty OWNER "+pgtest.Owner))
	if _, err := Open(t.Context(), Config{URL: server.URL(pgtest.Owner, "empty"), Existing: true}); portico.KindOf(err) != portico.KindNotFound {
		t.Errorf("a registry that must exist, in an empty database: %v", err)
	}
	e := openEngine(t, t.Name(), Config{})
	noError(t, e.Close())
	noError(t, server.Run(t.Context(), "registry", "UPDATE portico.schema_version SET version = 99"))
	if _, err := Open(t.Context(), Config{URL: server.URL(pgtest.Owner, "registry")}); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("a newer registry: %v", err)
	}
}
