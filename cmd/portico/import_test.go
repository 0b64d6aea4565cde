package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"portico/internal/node"
	"portico/internal/store/postgres/pgtest"
)

// TestImportKilled ends 'portico import' by kill -9 each time that it has got a
// step further, repeats it until it comes to its end, and then moves a portal:
// everything is there, once.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	var urls [2]string
	var servers [2]*pgtest.Server
	for i := range servers {
		server, err := pgtest.Start(t.Context(), "fsync = off")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.Stop(); err != nil {
				t.Error(err)
			}
		})
		servers[i], urls[i] = server, server.URL(pgtest.Owner, "postgres")
	}
	w, _ := service(t)
	const portals = 5
	ids := make([]string, portals)
	for i := range ids {
		ids[i] = w.Portal("Portal " + string(rune('A'+i)))
		invited := w.Do("POST", "/v1/portal/"+ids[i]+"/users", w.Admin.Token, map[string]any{"users": []string{"ada@example.com", "grace@example.com"}})
		if invited.Status != 201 {
			t.Fatalf("invite: %d %s", invited.Status, invited.Body)
		}
	}
	w.Node.Close()
	env := map[string]string{
		"PORTICO_DATABASE_URL":    servers[0].URL(pgtest.Owner, "registry"),
		"PORTICO_SECRET_KEY_FILE": filepath.Join(w.Dir, node.SecretFile),
	}
	made := func() int { return len(portalDatabases(t, servers[0])) }
	for step := range portals - 1 {
		killWhen(t, env, func() bool { return made() > step }, "import", "--from", w.Dir)
	}
	refused := cliWith(t, "", env, "cluster", "list")
	if refused.code == 0 || !strings.Contains(refused.stderr, "portico import") {
		t.Errorf("a command on half an import: %+v", refused)
	}
	want(t, 2, "", env, "import")
	if got := want(t, 0, "", env, "import", "--from", w.Dir); !strings.Contains(got.stderr, "came over this time") {
		t.Errorf("import: %s", got.stderr)
	}
	want(t, 5, "", env, "import", "--from", w.Dir) // over data

	want(t, 0, urls[1], env, "cluster", "add", "second", "-")
	want(t, 2, "", env, "portal", "move", ids[0])
	want(t, 3, "", env, "portal", "move", ids[0], "--to", "third")
	want(t, 3, "", env, "portal", "move", "port_none", "--to", "second")
	if got := want(t, 0, "", env, "portal", "move", ids[0], "--to", "second"); !strings.Contains(got.stderr, "is on second") {
		t.Errorf("move: %s", got.stderr)
	}
	want(t, 5, "", env, "portal", "move", ids[0], "--to", "second")

	secret, err := os.ReadFile(env["PORTICO_SECRET_KEY_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	w.Restart(func(c *node.Config, _ *node.Options) {
		c.DatabaseURL, c.SecretKey = env["PORTICO_DATABASE_URL"], strings.TrimSpace(string(secret))
	})
	for _, id := range ids {
		if a := w.Do("GET", "/v1/portal/"+id+"/users", w.Admin.Token, nil); a.Status != 200 || strings.Count(string(a.Body), `"email":`) != 2 {
			t.Errorf("guests of %s: %d %s", id, a.Status, a.Body)
		}
	}
	left, err := w.Node.Lifecycle.Reconcile(t.Context(), -1)
	if err != nil || len(left) > 0 {
		t.Errorf("left: %+v, %v", left, err)
	}
	// Ours leaves the source to the service's own first pass, where that has begun
	// to drop it.
	patience := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for len(portalDatabases(t, servers[0])) != portals-1 {
		select {
		case <-patience:
			t.Fatalf("databases: %v", portalDatabases(t, servers[0]))
		case <-tick.C:
		}
	}
	if there := portalDatabases(t, servers[1]); len(there) != 1 {
		t.Errorf("databases on the other server: %v", there)
	}
}

func portalDatabases(t *testing.T, s *pgtest.Server) []string {
	t.Helper()
	all, err := s.Ask(t.Context(), "postgres", `SELECT datname FROM pg_database WHERE datname LIKE 'p\_%' ESCAPE '\'`)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// killWhen runs a command in a process of its own and ends that by kill -9 as
// soon as ready says so.
func killWhen(t *testing.T, env map[string]string, ready func() bool, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), asProgram+"=1")
	for name, value := range env {
		c.Env = append(c.Env, name+"="+value)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case err := <-ended:
			t.Fatalf("it ended too early: %v", err)
		case <-tick.C:
		}
	}
	if err := c.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-ended
}
