package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"portico/internal/node"
)

// TestDemo holds the first line of demo --json against what others build on.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "demo")
	s := start(t, "demo", "--json", "--data", dir)
	d := demoOf(t, s)
	roles := map[string]int{}
	organizations := map[string]bool{}
	for _, a := range d.Accounts {
		roles[string(a.OrganizationKind)+" "+string(a.Role)]++
		if a.OrganizationKind == "production" {
			organizations[a.OrganizationID] = true
		}
		if !strings.HasSuffix(a.Email, "@demo.example.org") {
			t.Errorf("address %s", a.Email)
		}
		var loaded struct {
			User struct {
				Email, Role    string
				OrganizationID string `json:"organization_id"`
			}
		}
		if status := get(t, d.URL+"/v1/auth/load", a.Token, &loaded); status != http.StatusOK ||
			loaded.User.Email != a.Email || loaded.User.OrganizationID != a.OrganizationID || loaded.User.Role != string(a.Role) {
			t.Errorf("the token of %s: %d %+v", a.Email, status, loaded)
		}
		answer, err := http.PostForm(d.URL+"/v1/oauth2/login", url.Values{
			"grant_type": {"password"}, "username": {a.Email}, "password": {a.Password},
		})
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s signs in: %d", a.Email, answer.StatusCode)
		}
	}
	for role, want := range map[string]int{
		"production owner": 1, "production admin": 2, "production member": 1, "sandbox admin": 1, "portal guest": 1,
	} {
		if roles[role] != want {
			t.Errorf("%s: %d, want %d", role, roles[role], want)
		}
	}
	if len(organizations) != 2 || len(d.Portals) != 6 {
		t.Errorf("%d production organizations, %d portals", len(organizations), len(d.Portals))
	}
	checkGuests(t, d)
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d: %s", code, s.stderr)
	}
	if s.stderr.Len() > 0 {
		t.Errorf("a quiet start says: %s", s.stderr)
	}
	if info, err := os.Stat(filepath.Join(dir, node.DemoFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v %v", node.DemoFile, info, err)
	}

	again := start(t, "demo", "--json", "--data", dir)
	same := demoOf(t, again)
	if !reflect.DeepEqual(d.Accounts, same.Accounts) || len(same.Portals) != 6 || same.Portals[5].ID != d.Portals[5].ID {
		t.Errorf("served again, it differs:\n%s%s", s.first, again.first)
	}
	if code := again.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// checkGuests counts the guests of all portals by status.
func checkGuests(t *testing.T, d node.Demo) {
	t.Helper()
	guests := map[string]int{}
	pending, empty, total := 0, 0, 0
	for _, a := range d.Accounts {
		if a.Role != "admin" || a.OrganizationKind != "production" {
			continue
		}
		var portals []struct {
			ID     string
			Domain *string `json:"custom_domain_status"`
		}
		get(t, d.URL+"/v1/portal", a.Token, &portals)
		for _, p := range portals {
			if p.Domain != nil && *p.Domain == "pending_dns" {
				pending++
			}
			var users []struct{ Status string }
			get(t, d.URL+"/v1/portal/"+p.ID+"/users", a.Token, &users)
			for _, u := range users {
				guests[u.Status]++
			}
			if total += len(users); len(users) == 0 {
				empty++
			}
		}
	}
	if total != 240 || len(guests) != 4 || pending != 1 || empty != 1 {
		t.Errorf("%d guests %v, %d pending domains, %d empty portals", total, guests, pending, empty)
	}
}

func TestDemoRefuses(t *testing.T) {
	t.Parallel()
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "letters"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code int
		args []string
	}{
		{5, []string{"--data", other}},
		{7, []string{"--listen", "0.0.0.0:0", "--data", filepath.Join(other, "x")}},
		{7, []string{"--listen", "127.0.0.1:0", "--ops-listen", "0.0.0.0:0", "--data", filepath.Join(other, "x")}},
		{2, []string{"now"}},
	} {
		got := cli(t, append([]string{"demo"}, c.args...)...)
		if got.code != c.code || strings.Count(got.stderr, "\n") != 1 || got.stdout != "" {
			t.Errorf("demo %v: %+v, want code %d", c.args, got, c.code)
		}
	}
}
