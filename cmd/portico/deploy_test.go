package main

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"portico/internal/store/postgres/pgtest"
)

// TestDeployedRole: the role that the Compose file's script makes is no
// superuser, and an installation can be founded by it.
func TestDeployedRole(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start(t.Context(), "fsync = off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := server.Run(t.Context(), "postgres", "DROP ROLE "+pgtest.Owner); err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(server.URL(pgtest.Owner, "registry"))
	if err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("it's secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := exec.CommandContext(t.Context(), "sh", "../../deploy/role.sh")
	script.Env = append(os.Environ(), "PGHOST="+at.Query().Get("host"), "PASSWORD_FILE="+password)
	if out, err := script.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	roles, err := server.Ask(t.Context(), "postgres", "SELECT rolname, rolsuper FROM pg_roles WHERE rolname = '"+pgtest.Owner+"'")
	if err != nil || len(roles) != 1 || roles[0] != pgtest.Owner+"|f" {
		t.Errorf("the role is %v, %v", roles, err)
	}
	got := cliWith(t, "", map[string]string{
		"PORTICO_DATABASE_URL": at.String(), "PORTICO_SECRET_KEY": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	}, "org", "create", "Acme")
	if got.code != 0 {
		t.Errorf("org create: %d\n%s", got.code, got.stderr)
	}
}
