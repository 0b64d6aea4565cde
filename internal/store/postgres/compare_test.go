package postgres

import (
	"context"
	"slices"
	"strings"
	"testing"

	"portico"
	"portico/internal/store/postgres/pgtest"
)

// twoServers returns an engine with two clusters, clus_own and clus_other.
func twoServers(t *testing.T) (e *Engine, own, other *pgtest.Server) {
	t.Helper()
	own, other = servers.Server(t, t.Name()), servers.Server(t, t.Name()+" other")
	all := []Cluster{{ID: "clus_own"}, {ID: "clus_other", URL: other.URL(pgtest.Owner, "postgres")}}
	e = closing(t, openEngine(t, t.Name(), Config{
		URL:      own.URL(pgtest.Owner, "registry"),
		Clusters: func(context.Context) ([]Cluster, error) { return all, nil },
	}))
	return e, own, other
}

// everyKind is an app with tables of every kind of type that a row is read by.
// Types are made in another order on the target than on the source, so that
// their numbers differ.
const everyKind = `CREATE TABLE dropped (id INT); DROP TABLE dropped; CREATE TYPE unused AS ENUM ('a'); DROP TYPE unused;
	CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE DOMAIN short AS TEXT CHECK (length(VALUE) < 9); CREATE TYPE pair AS (a INT, b TEXT);
	CREATE TABLE plain (id SERIAL PRIMARY KEY, gone INT, a TEXT, b TEXT, n NUMERIC, f FLOAT8, raw BYTEA, at TIMESTAMPTZ DEFAULT now(),
		took INTERVAL, doc JSON, bin JSONB, many INT[], u UUID, fixed CHAR(3), twice INT GENERATED ALWAYS AS (id * 2) STORED);
	ALTER TABLE plain DROP gone;
	INSERT INTO plain (a, b, n, f, raw, took, doc, bin, many, u, fixed) SELECT 'x' || n, 'y' || n, n / 4.0, n / 3.0, decode(md5(n::text), 'hex'),
		n * interval '1 hour', '{"k":1}', '{"k":1}', ARRAY[n, n + 1], md5(n::text)::uuid, 'é' FROM generate_series(1, 20) n;
	CREATE TABLE "Odd % $1 ""name""" (feels mood, word short, both_ pair, moods mood[], here INET, tab REGCLASS, "Odd ""column""" TEXT);
	INSERT INTO "Odd % $1 ""name""" SELECT 'good', 'word', ROW(n, 'it'::text)::pair, '{good,bad}', '::1', 'plain', NULL FROM generate_series(1, 3) n;
	CREATE TABLE bag (v TEXT); INSERT INTO bag VALUES ('one'), ('one'), ('two'), (NULL), ('');
	CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES;
	CREATE TABLE parts (id INT, v TEXT) PARTITION BY LIST (id); CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);
	CREATE TABLE part_2 PARTITION OF parts FOR VALUES IN (2); INSERT INTO parts VALUES (1, 'a'), (2, 'b');
	CREATE MATERIALIZED VIEW stale AS SELECT COUNT(*) AS bags FROM bag; INSERT INTO bag VALUES ('since');
	CREATE TABLE empty (id BIGINT); CREATE SEQUENCE unused; CREATE VIEW seen AS SELECT * FROM plain`

// TestCopyDiffers: what is not the same in a copy is noticed, by either way of
// reading it, and nothing else is.
func TestCopyDiffers(t *testing.T) {
	t.Parallel()
	e, own, other := twoServers(t)
	from := newID(t)
	from.Cluster = "clus_own"
	noError(t, e.Create(t.Context(), from))
	noError(t, own.Run(t.Context(), name(from), "SET ROLE "+quote(appRole(name(from)))+"; SET search_path = app; "+everyKind))
	to := from
	to.Cluster, to.Generation = "clus_other", 2
	noError(t, e.Copy(t.Context(), from.Place(), to, nil))
	source, err := e.clusters.at(t.Context(), from.Cluster)
	noError(t, err)
	target, err := e.clusters.at(t.Context(), to.Cluster)
	noError(t, err)
	m := &move{from: name(from), source: source, into: name(to), target: target, quick: true}
	ways := map[string]string{"quick": tablesQuickly, "by text": tablesByText}
	same := func(what string, want bool) {
		t.Helper()
		for way, tables := range ways {
			here, there, err := m.digests(t.Context(), tables)
			noError(t, err)
			if slices.Equal(here, there) != want {
				t.Errorf("%s, %s:\n%s\n%s", what, way, strings.Join(here, "\n"), strings.Join(there, "\n"))
			}
		}
		if err := m.compare(t.Context()); (err == nil) != want || err != nil && portico.KindOf(err) != portico.KindUnavailable {
			t.Errorf("%s: %v", what, err)
		}
	}
	same("a copy", true)
	for what, text := range differences {
		noError(t, other.Run(t.Context(), name(to), "SET search_path = app; "+text[0]))
		same(what, false)
		noError(t, other.Run(t.Context(), name(to), "SET search_path = app; "+text[1]))
	}
	same("the copy put right", true)
	noError(t, own.Run(t.Context(), name(from), "INSERT INTO app.bag VALUES ('late')"))
	same("written to the source meanwhile", false)
}

// TestCopyRefused: what a copy would leave out is refused before one is made.
func TestCopyRefused(t *testing.T) {
	t.Parallel()
	e, own, other := twoServers(t)
	id := newID(t)
	id.Cluster = "clus_own"
	noError(t, e.Create(t.Context(), id))
	to := id
	to.Cluster, to.Generation = "clus_other", 2
	for text, undo := range map[string]string{
		`SELECT lo_create(4711)`: `SELECT lo_unlink(4711)`,
		`CREATE SCHEMA IF NOT EXISTS public; CREATE TABLE public.notes (id INT)`: `DROP TABLE public.notes`,
	} {
		noError(t, own.Run(t.Context(), name(id), text))
		if err := e.Copy(t.Context(), id.Place(), to, nil); portico.KindOf(err) != portico.KindConflict {
			t.Errorf("%s: %v", text, err)
		}
		noError(t, own.Run(t.Context(), name(id), undo))
	}
	if left := remains(t, other); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	noError(t, e.Copy(t.Context(), id.Place(), to, nil))
}

// differences are statements that make a copy differ, and put it right again.
var differences = map[string][2]string{
	"a changed text":           {`UPDATE plain SET a = 'X1' WHERE id = 1`, `UPDATE plain SET a = 'x1' WHERE id = 1`},
	"NULL for empty":           {`UPDATE bag SET v = NULL WHERE v = ''`, `UPDATE bag SET v = '' WHERE ctid = (SELECT MAX(ctid) FROM bag WHERE v IS NULL)`},
	"two columns swapped":      {`UPDATE plain SET a = b, b = a WHERE id = 2`, `UPDATE plain SET a = b, b = a WHERE id = 2`},
	"text in the next column":  {`UPDATE plain SET a = 'x3y', b = '3' WHERE id = 3`, `UPDATE plain SET a = 'x3', b = 'y3' WHERE id = 3`},
	"two rows' values swapped": {`UPDATE plain SET a = 'x' || (9 - id) WHERE id IN (4, 5)`, `UPDATE plain SET a = 'x' || id WHERE id IN (4, 5)`},
	"a row lost":               {`DELETE FROM bag WHERE v = 'two'`, `INSERT INTO bag VALUES ('two')`},
	"a row more":               {`INSERT INTO nothing DEFAULT VALUES`, `DELETE FROM nothing WHERE ctid = (SELECT MAX(ctid) FROM nothing)`},
	"the other row twice": {`UPDATE bag SET v = 'two' WHERE ctid = (SELECT MAX(ctid) FROM bag WHERE v = 'one')`,
		`UPDATE bag SET v = 'one' WHERE ctid = (SELECT MAX(ctid) FROM bag WHERE v = 'two')`},
	"another scale":           {`UPDATE plain SET n = 1.000 WHERE id = 4`, `UPDATE plain SET n = 4 / 4.0 WHERE id = 4`},
	"the last bit":            {`UPDATE plain SET f = f + 1e-16 WHERE id = 1`, `UPDATE plain SET f = 1 / 3.0 WHERE id = 1`},
	"bytes":                   {`UPDATE plain SET raw = '\x00' WHERE id = 1`, `UPDATE plain SET raw = decode(md5('1'), 'hex') WHERE id = 1`},
	"a day for 24 hours":      {`UPDATE plain SET took = '1 day' WHERE id = 20`, `UPDATE plain SET took = '20 hours' WHERE id = 20`},
	"a blank in JSON":         {`UPDATE plain SET doc = '{"k": 1}' WHERE id = 1`, `UPDATE plain SET doc = '{"k":1}' WHERE id = 1`},
	"a number in JSONB":       {`UPDATE plain SET bin = '{"k":1.0}' WHERE id = 1`, `UPDATE plain SET bin = '{"k":1}' WHERE id = 1`},
	"an array's bounds":       {`UPDATE plain SET many = '[0:1]={1,2}' WHERE id = 1`, `UPDATE plain SET many = '{1,2}' WHERE id = 1`},
	"an enum":                 {`UPDATE "Odd % $1 ""name""" SET feels = 'bad' WHERE (both_).a = 1`, `UPDATE "Odd % $1 ""name""" SET feels = 'good' WHERE (both_).a = 1`},
	"an array of enums":       {`UPDATE "Odd % $1 ""name""" SET moods = '{bad,good}'`, `UPDATE "Odd % $1 ""name""" SET moods = '{good,bad}'`},
	"a domain's case":         {`UPDATE "Odd % $1 ""name""" SET word = 'Word'`, `UPDATE "Odd % $1 ""name""" SET word = 'word'`},
	"inside a composite":      {`UPDATE "Odd % $1 ""name""" SET both_.b = 'It' WHERE (both_).a = 2`, `UPDATE "Odd % $1 ""name""" SET both_.b = 'it' WHERE (both_).a = 2`},
	"a table's name":          {`UPDATE "Odd % $1 ""name""" SET tab = 'bag'`, `UPDATE "Odd % $1 ""name""" SET tab = 'plain'`},
	"empty for NULL":          {`UPDATE "Odd % $1 ""name""" SET "Odd ""column""" = ''`, `UPDATE "Odd % $1 ""name""" SET "Odd ""column""" = NULL`},
	"a row in a partition":    {`UPDATE parts SET v = 'B' WHERE id = 2`, `UPDATE parts SET v = 'b' WHERE id = 2`},
	"a sequence":              {`SELECT setval('plain_id_seq', 19)`, `SELECT setval('plain_id_seq', 20)`},
	"a sequence not yet used": {`SELECT setval('unused', 1, true)`, `SELECT setval('unused', 1, false)`},
	"a table":                 {`ALTER TABLE empty RENAME TO hollow`, `ALTER TABLE hollow RENAME TO empty`},
}
