package wiretest

import (
	"os"
	"os/exec"
	"testing"

	"portico/internal/store/postgres/pgtest"
)

// RunOnPostgreSQL runs tests of the caller's package again, in a process of its
// own, with the registry and the portals in PostgreSQL. args say which, in the
// words of a test binary.
func RunOnPostgreSQL(t *testing.T, args ...string) {
	t.Helper()
	if os.Getenv(ServerVar) != "" {
		t.Skip("this is that process") // it must not start itself
	}
	if testing.Short() {
		t.Skip("a server is started") // which is not quick
	}
	server, err := pgtest.Start(t.Context(), "fsync = off", "max_connections = 400")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), ServerVar+"="+server.URL(pgtest.Owner, "postgres"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
