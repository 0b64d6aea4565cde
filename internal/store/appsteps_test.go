package store

import (
	"strings"
	"testing"
	"testing/fstest"

	"portico"
)

func TestReadAppSteps(t *testing.T) {
	t.Parallel()
	const table = "CREATE TABLE notes (id BIGINT);"
	for name, c := range map[string]struct {
		files map[string]string
		steps int
		want  string // in the error
	}{
		"none":               {map[string]string{"README.md": "no step"}, 0, ""},
		"two":                {map[string]string{"0002_more-notes.sql": table, "0001_notes.sql": table, "seed.txt": "COMMIT;"}, 2, ""},
		"no number":          {map[string]string{"notes.sql": table}, 0, "notes.sql: its name must be four digits"},
		"short number":       {map[string]string{"1_notes.sql": table}, 0, "such as 0001_orders.sql"},
		"capitals":           {map[string]string{"0001_Notes.sql": table}, 0, "lower-case"},
		"capital ending":     {map[string]string{"0001_notes.SQL": table}, 0, "its name must be"},
		"starts with two":    {map[string]string{"0002_notes.sql": table}, 0, "the next number is 0001"},
		"starts with zero":   {map[string]string{"0000_notes.sql": table}, 0, "the next number is 0001"},
		"a gap":              {map[string]string{"0001_a.sql": table, "0003_c.sql": table}, 0, "0003_c.sql: the next number is 0002"},
		"one twice":          {map[string]string{"0001_a.sql": table, "0001_b.sql": table}, 0, "0001_b.sql: the next number is 0002"},
		"empty":              {map[string]string{"0001_a.sql": " \n-- nothing yet\n/* ; */;"}, 0, "no statement"},
		"not text":           {map[string]string{"0001_a.sql": "\xff"}, 0, "not UTF-8"},
		"with a NUL":         {map[string]string{"0001_a.sql": "SELECT 1;\x00"}, 0, "not UTF-8"},
		"its own end":        {map[string]string{"0001_a.sql": table + " commit;"}, 0, "it holds COMMIT"},
		"its own beginning":  {map[string]string{"0001_a.sql": "Begin Transaction; " + table}, 0, "it holds BEGIN"},
		"prepared":           {map[string]string{"0001_a.sql": table + "PREPARE TRANSACTION 'x'"}, 0, "PREPARE TRANSACTION"},
		"a statement to run": {map[string]string{"0001_a.sql": "PREPARE p AS SELECT 1; EXECUTE p"}, 1, ""},
	} {
		files := fstest.MapFS{}
		for name, text := range c.files {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		steps, err := ReadAppSteps(files)
		switch {
		case c.want == "" && (err != nil || len(steps) != c.steps):
			t.Errorf("%s: %d steps, %v", name, len(steps), err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || portico.KindOf(err) != portico.KindInvalid):
			t.Errorf("%s: %v, want one with %q", name, err, c.want)
		}
		for i, s := range steps {
			if s.Version != i+1 || len(s.Hash) != 64 {
				t.Errorf("%s: step %d is %+v", name, i, s)
			}
		}
	}
}

func TestStatementWords(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"":                              "",
		";;":                            "",
		"select 1":                      "SELECT 1",
		"a b; c":                        "A B|C",
		"-- ROLLBACK;\nSELECT 'x'":      "SELECT .",
		"/* COMMIT; */ SELECT/**/x":     "SELECT X",
		"INSERT INTO t VALUES (';'';')": "INSERT INTO",
		`SELECT "a;b"; SELECT E'\';x'`:  "SELECT .|SELECT .",
		"DO $$BEGIN COMMIT; END$$; x":   "DO .|X",
		"DO $a$ $$ ; $a$; x":            "DO .|X",
		"SELECT $1; x":                  "SELECT .|X",
		"SELECT 'open; COMMIT":          "SELECT .",
		"\ufeffSELECT 1":                "SELECT 1",
		"CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET c = CASE WHEN 1 THEN 2 END; DELETE FROM d; END; COMMIT":   "CREATE TRIGGER|COMMIT",
		"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END; x":                "CREATE FUNCTION|X",
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $f$BEGIN IF x THEN y; END IF; END$f$; ROLLBACK to here": "CREATE FUNCTION|ROLLBACK TO",
	} {
		if got := strings.Join(statementWords(script), "|"); got != want {
			t.Errorf("%q has %q, want %q", script, got, want)
		}
	}
}

// FuzzStatementWords: any text is read to its end, and what stands in front of
// it does not hide a statement that follows a whole one.
func FuzzStatementWords(f *testing.F) {
	for _, seed := range []string{"SELECT 1", "'", "$a$", "/*", "--", "E'\\", "CREATE BEGIN CASE END", "\ufeff$$'\"`;"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first := statementWords(text)
		if again := statementWords("SELECT 1;" + text); len(again) != len(first)+1 || again[0] != "SELECT 1" {
			t.Errorf("%q has %q, behind another %q", text, first, again)
		}
	})
}

func TestCheckAppSteps(t *testing.T) {
	t.Parallel()
	step := func(version int, hash string) AppStep {
		return AppStep{Version: version, Name: hash + ".sql", Hash: hash}
	}
	for name, c := range map[string]struct {
		steps, taken []AppStep
		want         string
	}{
		"the same":     {[]AppStep{step(1, "a")}, []AppStep{step(1, "a")}, ""},
		"more at hand": {[]AppStep{step(1, "a"), step(2, "b")}, []AppStep{step(1, "a")}, ""},
		"more taken":   {nil, []AppStep{step(1, "a")}, ""},
		"changed":      {[]AppStep{step(1, "a"), step(2, "x")}, []AppStep{step(1, "a"), step(2, "b")}, "x.sql was changed since it was applied (as b.sql)"},
		"a hole":       {nil, []AppStep{step(2, "b")}, "damaged"},
	} {
		err := CheckAppSteps(c.steps, c.taken)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || portico.KindOf(err) != portico.KindConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
