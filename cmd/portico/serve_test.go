package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServe starts a server, lets commands work beside it, and ends it.
func TestServe(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s := start(t, "serve", "--data", dir)
	var g greeting
	if err := json.Unmarshal([]byte(s.first), &g); err != nil {
		t.Fatalf("%v: %s", err, s.first)
	}
	if g.Data != dir || g.Mail == "" || g.Next != "portico setup-link --data "+dir || g.Console != g.URL+"/" || g.Reference != g.URL+"/docs" {
		t.Errorf("greeting: %+v", g)
	}
	secret, err := os.ReadFile(filepath.Join(dir, "secret.key"))
	if err != nil || strings.Contains(s.first, strings.TrimSpace(string(secret))) {
		t.Errorf("the secret: %v", err)
	}
	for _, page := range []string{g.Reference, g.Models, g.URL + "/v1/status", g.Operations} {
		answer, err := http.Get(page)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", page, answer.StatusCode)
		}
	}

	refused := cli(t, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")
	if refused.code != 5 || !strings.Contains(refused.stderr, "Another server") {
		t.Errorf("a second server: %+v", refused)
	}
	refused = cli(t, "serve", "--data", dir+"2", "--listen", strings.TrimPrefix(g.URL, "http://"))
	if refused.code == 0 || !strings.Contains(refused.stderr, "--listen") {
		t.Errorf("a port in use: %+v", refused)
	}
	setUpOnce(t, dir, g.URL)
	beside(t, dir, g.URL)
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}

	wrong := strings.Repeat("0123456789abcdef", 4)
	refused = cliWith(t, "", map[string]string{"PORTICO_SECRET_KEY": wrong}, "serve", "--data", dir, "--listen", "127.0.0.1:0")
	if refused.code == 0 || !strings.Contains(refused.stderr, "PORTICO_SECRET_KEY") || strings.Contains(refused.stderr, wrong) {
		t.Errorf("another secret: %+v", refused)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	refused = cli(t, "serve", "--data", dir, "--listen", "127.0.0.1:0")
	if refused.code == 0 || !strings.Contains(refused.stderr, "chmod") {
		t.Errorf("an unsafe folder: %+v", refused)
	}
}

// setUpOnce asks for two setup links, of which the second is good.
func setUpOnce(t *testing.T, dir, base string) {
	t.Helper()
	var links [2]string
	for i := range links {
		got := cli(t, "setup-link", "--data", dir, "--public-url", base)
		if links[i] = strings.TrimSpace(got.stdout); got.code != 0 || !strings.HasPrefix(links[i], base+"/setup/portico_set_") {
			t.Fatalf("setup-link: %+v", got)
		}
	}
	for i, want := range []int{http.StatusNotFound, http.StatusOK} {
		answer, err := http.Get(links[i])
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("link %d: %d, want %d", i, answer.StatusCode, want)
		}
	}
}

// beside makes an organization, somebody in it and a token, while the server
// runs, and uses the token.
func beside(t *testing.T, dir, base string) {
	t.Helper()
	const password = "seven unlikely herons on parade\n"
	if got := cli(t, "org", "list", "--data", dir, "-o", "json"); got.stdout != "[]\n" {
		t.Errorf("an empty list: %+v", got)
	}
	org, _, _ := strings.Cut(cli(t, "org", "create", "Acme", "--data", dir).stdout, "\t")
	made := cliWith(t, password, nil, "account", "create", "ada@example.com", "--org", org, "--role", "owner", "--data", dir, "-o", "csv")
	if made.code != 0 || !strings.HasPrefix(made.stdout, "id,email,organization,role\nuser_") {
		t.Fatalf("account: %+v", made)
	}
	var token tokenRow
	got := cli(t, "token", "create", "ada@example.com", "--org", org, "--data", dir, "-o", "json", "--days", "3")
	if err := json.Unmarshal([]byte(got.stdout), &token); err != nil || token.ExpiresAt == nil {
		t.Fatalf("token: %v %+v", err, got)
	}
	var portals []any
	if status := get(t, base+"/v1/portal", token.Token, &portals); status != http.StatusOK {
		t.Errorf("the token: %d", status)
	}
	for _, c := range []struct {
		code int
		args []string
	}{
		{5, []string{"setup-link"}},
		{0, []string{"org", "suspend", org}},
		{0, []string{"org", "activate", org}},
		{3, []string{"org", "suspend", "org_nope"}},
		{5, []string{"account", "role", "ada@example.com", "member", "--org", org}},
		{5, []string{"account", "create", "ada@example.com", "--org", org}},
		{7, []string{"account", "create", "bob@example.com", "--org", org}},
		{7, []string{"account", "create", "nobody", "--org", org}},
		{7, []string{"org", "create", " "}},
		{3, []string{"token", "create", "bob@example.com", "--org", org}},
		{7, []string{"token", "create", "ada@example.com", "--org", org, "--scope", "everything"}},
		{7, []string{"org", "create", "S", "--sandbox-of", "org_nope"}},
		{0, []string{"org", "create", "S", "--sandbox-of", org}},
		{0, []string{"doctor"}},
		{5, []string{"restore", dir + "-backup"}},
	} {
		if c.args[0] == "restore" {
			if got := cli(t, "backup", dir+"-backup", "--data", dir); got.code != 0 || !strings.Contains(got.stderr, "secret") {
				t.Errorf("backup: %+v", got)
			}
		}
		if got := cli(t, append(c.args, "--data", dir)...); got.code != c.code {
			t.Errorf("%v: %+v, want code %d", c.args, got, c.code)
		}
	}
	if got := cli(t, "restore", dir+"-backup", "--data", dir+"-new"); got.code != 0 || !strings.Contains(got.stderr, "secret.key") {
		t.Errorf("restore: %+v", got)
	}
}
