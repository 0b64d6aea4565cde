package postgres

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"portico/internal/store"
	"portico/internal/store/postgres/pgtest"
)

// apps is a server that asks apps for their passwords, with an engine.
func apps(t *testing.T) (*pgtest.Server, *Engine) {
	t.Helper()
	server, err := pgtest.Start(t.Context(), "fsync = off", "max_prepared_transactions = 10")
	noError(t, err)
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	noError(t, server.RequirePasswords(t.Context()))
	// The registry's database as an operator makes it: open to everybody.
	noError(t, server.Run(t.Context(), "postgres", "CREATE DATABASE registry OWNER "+pgtest.Owner+
		" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"))
	e, err := Open(t.Context(), Config{URL: server.URL(pgtest.Owner, "registry")})
	noError(t, err)
	return server, closing(t, e)
}

// admit makes a portal's database, where there is none, and lets its app in.
func admit(t *testing.T, e *Engine, id store.Identity, password string, alone bool) string {
	t.Helper()
	noError(t, e.Create(t.Context(), id))
	h, err := e.Open(t.Context(), id)
	noError(t, err)
	defer h.Release()
	at, err := h.App().Admit(t.Context(), func() (string, error) { return password, nil }, alone)
	noError(t, err)
	if at.Engine != "postgres" || at.Path != "" || strings.Contains(at.String(), password) {
		t.Errorf("the address is %v", at)
	}
	return at.URL
}

// outside connects as a program that knows nothing but an address.
func outside(t *testing.T, url string) (*pgx.Conn, error) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err == nil {
		t.Cleanup(func() { _ = c.Close(context.Background()) }) // the server may have done it
	}
	return c, err
}

// in returns an address with another database in it.
func in(t *testing.T, address, database string) string {
	t.Helper()
	u, err := url.Parse(address)
	noError(t, err)
	u.Path = "/" + database
	return u.String()
}

// TestAppConnections: an app that never closes a connection takes so many, and
// leaves the server to the others.
func TestAppConnections(t *testing.T) {
	t.Parallel()
	e := closing(t, openEngine(t, t.Name(), Config{}))
	id := newID(t)
	noError(t, e.Create(t.Context(), id))
	url := admit(t, e, id, "secret", false)
	for range appConnections {
		_, err := outside(t, url)
		noError(t, err)
	}
	if _, err := outside(t, url); codeOf(err) != codeTooManyClients {
		t.Errorf("one too many: %v", err)
	}
}

// TestAppIsAlone: an outside program with the address of one portal's database
// has its own tables there, sees none of ours, and reaches nothing else.
func TestAppIsAlone(t *testing.T) {
	t.Parallel()
	_, e := apps(t)
	a, b := newID(t), newID(t)
	address, other := admit(t, e, a, "the first one", false), admit(t, e, b, "the other one", false)
	c, err := outside(t, address)
	noError(t, err)
	_, err = c.Exec(t.Context(), `CREATE TABLE notes (id BIGINT PRIMARY KEY, text TEXT);
		INSERT INTO notes VALUES (1, 'x'); UPDATE notes SET text = 'y'; CREATE INDEX ON notes (text);
		CREATE FUNCTION f() RETURNS INT LANGUAGE sql AS 'SELECT 1'; CREATE TEMPORARY TABLE t (id INT)`)
	noError(t, err)
	var text, schema string
	noError(t, c.QueryRow(t.Context(), `SELECT text, current_schema() FROM app.notes`).Scan(&text, &schema))
	if text != "y" || schema != appSchema {
		t.Errorf("read %q in schema %q", text, schema)
	}
	var ours int
	noError(t, c.QueryRow(t.Context(), `SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'portico'`).Scan(&ours))
	if ours != 0 {
		t.Errorf("it sees %d tables of ours", ours)
	}
	for _, text := range []string{
		`SELECT * FROM portico.identity`, `DELETE FROM portico.users`, `CREATE TABLE portico.mine (id INT)`,
		`CREATE SCHEMA more`, `SET ROLE ` + pgtest.Owner, `ALTER ROLE CURRENT_USER CREATEROLE`, `ALTER ROLE CURRENT_USER SUPERUSER`,
		`ALTER DATABASE ` + quote(name(a)) + ` RENAME TO mine`, `DROP DATABASE ` + quote(name(b)), `DROP SCHEMA portico CASCADE`,
		`GRANT CONNECT ON DATABASE ` + quote(name(b)) + ` TO CURRENT_USER`, `CREATE DATABASE mine`, `CREATE ROLE mine`,
		`CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()`, `CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p`,
		`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '` + pgtest.Owner + `'`, `SELECT * FROM pg_authid`,
		`COPY notes TO PROGRAM 'true'`, `SELECT pg_read_file('PG_VERSION')`, `ALTER SYSTEM SET fsync = off`,
	} {
		if tag, err := c.Exec(t.Context(), text); err == nil {
			t.Errorf("%s: %v", text, tag)
		}
	}
	for _, place := range []string{name(b), "registry", templateName(e.portalSteps)} {
		if _, err := outside(t, in(t, address, place)); err == nil {
			t.Errorf("it connects to %s", place)
		}
	}
	swapped := strings.Replace(other, "other", "first", 1)
	if _, err := outside(t, swapped); err == nil || swapped == other {
		t.Error("one portal's password opens another")
	}
	_, err = outside(t, other)
	noError(t, err)
}

// TestAppRotates: another password voids the one before, and ends what was
// connected with it.
func TestAppRotates(t *testing.T) {
	t.Parallel()
	_, e := apps(t)
	id := newID(t)
	first := admit(t, e, id, "the first", false)
	c, err := outside(t, first)
	noError(t, err)
	if again := admit(t, e, id, "the first", false); again != first {
		t.Errorf("asked again: %s", again)
	}
	noError(t, c.Ping(t.Context()))
	second := admit(t, e, id, "the second", true)
	if c.Ping(t.Context()) == nil {
		t.Error("a connection outlives its password")
	}
	if _, err := outside(t, first); err == nil {
		t.Error("the first password is still good")
	}
	_, err = outside(t, second)
	noError(t, err)
}

// TestAppCannotStay: whatever an app leaves behind, its portal goes to zero.
func TestAppCannotStay(t *testing.T) {
	t.Parallel()
	server, e := apps(t)
	for what, left := range map[string]struct{ inside, elsewhere []string }{
		"connections in transactions": {[]string{`CREATE TABLE busy (id INT)`, `BEGIN; LOCK TABLE busy`}, []string{`BEGIN; SELECT 1`}},
		"a prepared transaction":      {[]string{`BEGIN; CREATE TABLE half (id INT); PREPARE TRANSACTION 'it''s \ here'`}, nil},
		"one in another database":     {nil, []string{`BEGIN; SELECT lo_create(0); PREPARE TRANSACTION 'there'`}},
		"large objects":               {[]string{`SELECT lo_create(0)`}, []string{`SELECT lo_create(0)`}},
		"default privileges": {[]string{`ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO ` + pgtest.Owner},
			[]string{`ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO ` + pgtest.Owner}},
		"grants and settings": {[]string{`CREATE TABLE mine (id INT)`, `GRANT ALL ON mine TO ` + pgtest.Owner + ` WITH GRANT OPTION`,
			`ALTER ROLE CURRENT_USER SET search_path = pg_temp`, `ALTER ROLE CURRENT_USER PASSWORD 'mine'`}, nil},
	} {
		id := newID(t)
		address := admit(t, e, id, "the app's", false)
		for at, statements := range map[string][]string{address: left.inside, in(t, address, "postgres"): left.elsewhere} {
			if len(statements) == 0 {
				continue
			}
			c, err := outside(t, at)
			noError(t, err)
			for _, text := range statements {
				_, err := c.PgConn().Exec(t.Context(), text).ReadAll()
				if text, prepared := strings.CutPrefix(text, "BEGIN; "); err != nil && prepared {
					err = inTransaction(t, c, text)
				}
				if err != nil {
					t.Errorf("%s: %s: %v", what, text, err)
				}
			}
		}
		if err := e.Drop(t.Context(), id.Place()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if left := remains(t, server); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	prepared, err := server.Ask(t.Context(), "postgres", `SELECT gid, owner FROM pg_prepared_xacts`)
	noError(t, err)
	if len(prepared) > 0 {
		t.Errorf("prepared transactions are left: %q", prepared)
	}
}

func inTransaction(t *testing.T, c *pgx.Conn, script string) error {
	t.Helper()
	for _, text := range append([]string{"ROLLBACK", "BEGIN"}, strings.Split(script, "; ")...) {
		if _, err := c.Exec(t.Context(), text); err != nil {
			return err
		}
	}
	return nil
}

// TestAppMigratesAsItself: a step has the rights of the app and no more, also
// where the app has left a trap for it.
func TestAppMigratesAsItself(t *testing.T) {
	t.Parallel()
	_, e := apps(t)
	id := newID(t)
	address := admit(t, e, id, "the app's", false)
	h, err := e.Open(t.Context(), id)
	noError(t, err)
	defer h.Release()
	take := func(steps ...string) error {
		all := make([]store.AppStep, len(steps))
		for i, text := range steps {
			all[i] = store.AppStep{Version: i + 1, Name: "step", Hash: text, SQL: text}
		}
		_, err := h.App().Migrate(t.Context(), "the app's", all)
		return err
	}
	const table = `CREATE TABLE notes (id INT)`
	noError(t, take(table))
	c, err := outside(t, address)
	noError(t, err)
	_, err = c.Exec(t.Context(), `CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
			RESET ROLE; RESET SESSION AUTHORIZATION; INSERT INTO who VALUES (current_user); RETURN NEW; END$$;
		CREATE TABLE who (name TEXT); CREATE TRIGGER trap BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION trap();
		ALTER ROLE CURRENT_USER SET search_path = pg_temp`)
	noError(t, err)
	const fill = `INSERT INTO notes VALUES (1)`
	noError(t, take(table, fill))
	var who string
	noError(t, c.QueryRow(t.Context(), `SELECT name FROM who`).Scan(&who))
	if who != appRole(name(id)) {
		t.Errorf("the step ran as %s", who)
	}
	for _, text := range []string{`DELETE FROM portico.users`, `CREATE ROLE more`, `COMMIT; CREATE TABLE half (id INT)`} {
		if take(table, fill, text) == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

// TestAppIsRestoredAsItself: a copy is put back with the rights of the app and
// no more, also where the app has left a trap in it.
func TestAppIsRestoredAsItself(t *testing.T) {
	t.Parallel()
	server, e := apps(t)
	id := newID(t)
	c, err := outside(t, admit(t, e, id, "the app's", false))
	noError(t, err)
	_, err = c.Exec(t.Context(), `CREATE FUNCTION trap(INT) RETURNS BOOLEAN IMMUTABLE LANGUAGE plpgsql AS $$BEGIN
			RESET ROLE; RESET SESSION AUTHORIZATION; CREATE ROLE trapped; RETURN TRUE;
			EXCEPTION WHEN OTHERS THEN RETURN TRUE; END$$;
		CREATE TABLE notes (id INT CHECK (trap(id))); INSERT INTO notes VALUES (1)`)
	noError(t, err)
	path := filepath.Join(t.TempDir(), "copy")
	noError(t, e.Backup(t.Context(), id.Place(), path))
	id.Generation = 2
	noError(t, e.Restore(t.Context(), id, path))
	got, err := server.Ask(t.Context(), "postgres", `SELECT rolname FROM pg_roles WHERE rolname = 'trapped'
		UNION ALL SELECT rolname FROM pg_authid WHERE rolname = '`+appRole(name(id))+`' AND (rolcanlogin OR rolpassword IS NOT NULL)`)
	noError(t, err)
	if len(got) > 0 {
		t.Errorf("there is %q", got)
	}
	c, err = outside(t, admit(t, e, id, "the app's", false))
	noError(t, err)
	var n int
	noError(t, c.QueryRow(t.Context(), `SELECT id FROM notes`).Scan(&n))
}
