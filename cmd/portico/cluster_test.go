package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico/internal/store/postgres/pgtest"
)

// TestCluster manages servers from the command line: no data folder is needed,
// and none is made.
func TestCluster(t *testing.T) {
	t.Parallel()
	var urls [2]string
	for i := range urls {
		server, err := pgtest.Start(t.Context(), "fsync = off")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.Stop(); err != nil {
				t.Error(err)
			}
		})
		if i == 1 {
			if err := server.Run(context.Background(), "postgres", "CREATE ROLE nobody LOGIN"); err != nil {
				t.Fatal(err)
			}
		}
		urls[i] = server.URL(pgtest.Owner, "postgres")
	}
	data := filepath.Join(t.TempDir(), "data")
	env := map[string]string{
		"PORTICO_DATABASE_URL": strings.Replace(urls[0], "/postgres", "/registry", 1), "PORTICO_DATA": data,
		"PORTICO_SECRET_KEY": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	}
	for _, args := range []string{"cluster list", "cluster add second " + urls[1], "fleet status", "fleet migrate", "org list", "token create --org org_1 a@example.com",
		"portal move port_1 --to second", "backup " + filepath.Join(t.TempDir(), "copy")} {
		got := cliWith(t, "", env, strings.Fields(args)...)
		if got.code != 3 || !strings.Contains(got.stderr, "begin with 'portico serve'") {
			t.Errorf("%s without a registry: %d\n%s", args, got.code, got.stderr)
		}
	}
	if got := cliWith(t, "", env, "org", "create", "Acme"); got.code != 0 {
		t.Fatalf("org create: %d\n%s", got.code, got.stderr)
	}
	second := urls[1]
	for _, step := range []struct {
		stdin string
		args  string
		code  int
		want  string // in what is printed
	}{
		{"", "list", 0, "first\topen\t0\t2000\t"},
		{second + "\n", "add second -", 0, "second\topen"},
		{"", "add second " + second, 5, "There is a cluster second"},
		{"", "add third " + second, 5, "is the cluster second already"},
		{"", "add third " + urls[0], 5, "is the cluster first already"},
		{"", "add Third " + second, 7, "lower-case letters"},
		{"", "add third nonsense", 7, "must read postgres://"},
		{"", "add third " + strings.Replace(second, "portico@", "nobody@", 1), 10, "ALTER ROLE \"nobody\" CREATEDB"},
		{"", "add third postgres://portico:s3cret@/postgres?host=/nowhere", 10, "does not let us in"},
		{"", "set second --state draining --cap 7", 0, "second\tdraining\t0\t7"},
		{"", "set second --state full", 7, "open or draining"},
		{"", "set second --cap -1", 7, "from 0 to"},
		{"", "set second", 2, "nothing to change"},
		{"", "set first --url " + second, 7, "PORTICO_DATABASE_URL"},
		{"", "set second --url " + urls[0], 5, "is the cluster first already"},
		{"", "set second --url " + second + " --state open", 0, "second\topen"},
		{"", "set third --cap 1", 3, "There is no cluster"},
		{"", "set first --cap 0", 0, "first\tfull"},
		{"", "remove first", 5, "the registry's own server"},
		{"", "remove second", 0, "removed"},
		{"", "remove second", 3, "There is no cluster"},
	} {
		got := cliWith(t, step.stdin, env, append([]string{"cluster"}, strings.Fields(step.args)...)...)
		printed := got.stdout + got.stderr
		if got.code != step.code || !strings.Contains(printed, step.want) || strings.Contains(printed, "s3cret") {
			t.Errorf("cluster %s: %d\n%s", step.args, got.code, printed)
		}
	}
	if got := cliWith(t, "", env, "doctor"); got.code != 0 || !strings.Contains(got.stdout, "cluster first") {
		t.Errorf("doctor: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	delete(env, "PORTICO_SECRET_KEY")
	if got := cliWith(t, "", env, "cluster", "list"); got.code != 7 || !strings.Contains(got.stderr, "openssl rand -hex 32") {
		t.Errorf("without the secret: %d %s", got.code, got.stderr)
	}
	delete(env, "PORTICO_DATABASE_URL")
	if got := cliWith(t, "", env, "cluster", "list"); got.code == 0 {
		t.Errorf("on SQLite: %d %s", got.code, got.stderr)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("a data folder was made: %v", err)
	}
}
