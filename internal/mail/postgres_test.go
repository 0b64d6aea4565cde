package mail_test

import (
	"os"
	"os/exec"
	"testing"

	"portico/internal/store/postgres/pgtest"
	"portico/internal/wiretest"
)

// TestPostgreSQL runs the tests of sending again, in a process of its own, with
// the outbox in PostgreSQL, where several senders really work side by side.
func TestPostgreSQL(t *testing.T) {
	if os.Getenv(wiretest.ServerVar) != "" {
		t.Skip("this is that process") // it must not start itself
	}
	if testing.Short() {
		t.Skip("a server is started") // which is not quick
	}
	t.Parallel()
	server, err := pgtest.Start(t.Context(), "fsync = off", "max_connections = 200")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.timeout=10m", "-test.run=^(TestSendersShare|TestFair|TestUnsubscribed|TestHeaders)$")
	cmd.Env = append(os.Environ(), wiretest.ServerVar+"="+server.URL(pgtest.Owner, "postgres"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
