package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico/client"
	"portico/internal/wiretest"
)

// service is a running service and the environment of somebody who uses it.
func service(t *testing.T) (w *wiretest.World, env map[string]string) {
	t.Helper()
	w = wiretest.Start(t)
	return w, map[string]string{"PORTICO_URL": w.URL, "PORTICO_TOKEN": w.Admin.Token, "HOME": t.TempDir()}
}

// want runs a command line that must end with a code, and returns its output.
func want(t *testing.T, code int, stdin string, env map[string]string, args ...string) result {
	t.Helper()
	got := cliWith(t, stdin, env, args...)
	if got.code != code {
		t.Fatalf("portico %v: %+v, want code %d", args, got, code)
	}
	return got
}

func TestPortalCommands(t *testing.T) {
	t.Parallel()
	_, env := service(t)
	if got := want(t, 0, "", env, "portal", "list", "-o", "json"); got.stdout != "[]\n" {
		t.Errorf("an empty list: %q", got.stdout)
	}
	var p client.Portal
	made := want(t, 0, "", env, "portal", "create", "Acme Customers", "--description", "first", "-o", "json")
	if err := json.Unmarshal([]byte(made.stdout), &p); err != nil || p.APIName != "acme-customers" {
		t.Fatalf("%v %s", err, made.stdout)
	}
	for _, named := range []string{p.ID, "acme-customers"} {
		if got := want(t, 0, "", env, "portal", "get", named); !strings.HasPrefix(got.stdout, p.ID+"\tAcme Customers\tactive\t") {
			t.Errorf("get %s: %s", named, got.stdout)
		}
	}
	got := want(t, 0, "", env, "portal", "update", p.ID, "--name", "Acme Partners", "--description", "", "-o", "json")
	if err := json.Unmarshal([]byte(got.stdout), &p); err != nil || p.Name != "Acme Partners" || p.Description != nil {
		t.Errorf("updated: %s", got.stdout)
	}
	if got := want(t, 0, "", env, "portal", "open", p.ID); got.stdout != p.URL+"\n" {
		t.Errorf("open: %q", got.stdout)
	}
	want(t, 2, "", env, "portal", "delete", p.ID, "--confirm", "Acme Customers")
	if got := want(t, 2, "", env, "portal", "delete", p.ID); !strings.Contains(got.stderr, `"Acme Partners"`) {
		t.Errorf("delete without a word: %s", got.stderr)
	}
	want(t, 0, "", env, "portal", "get", p.ID)
	want(t, 0, "", env, "portal", "delete", p.ID, "--confirm", "Acme Partners")
	want(t, 3, "", env, "portal", "get", p.ID)
	want(t, 3, "", env, "portal", "get", "acme-customers")
	want(t, 7, "", env, "portal", "create", " ")
	want(t, 7, "", env, "portal", "create", "x", "--domain", "localhost")
}

func TestGuestCommands(t *testing.T) {
	t.Parallel()
	w, env := service(t)
	id := w.Portal("Acme Customers")
	dir := t.TempDir()
	list, kept := filepath.Join(dir, "guests.csv"), filepath.Join(dir, "result.csv")
	text := "Email;First name;Last name\nada@example.com;Ada;Lovelace\noops;Grace;Hopper\nADA@example.com;;\n"
	if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := want(t, 0, "", env, "guest", "invite", id, "--csv", list, "--dry-run")
	if !strings.Contains(got.stderr, "Would be: 1 duplicate, 1 failed, 1 invited.") {
		t.Errorf("a dry run says: %s", got.stderr)
	}
	if got := want(t, 0, "", env, "guest", "list", id, "-o", "json"); got.stdout != "[]\n" {
		t.Errorf("a dry run invited: %s", got.stdout)
	}
	got = want(t, exitPartial, "", env, "guest", "invite", "acme-customers", "--csv", list, "--result", kept, "-o", "csv")
	if !strings.Contains(got.stderr, "1 of 3 were not invited") || !strings.Contains(got.stdout, "oops,Grace,Hopper,failed,invalid_address,") {
		t.Errorf("%+v", got)
	}
	mended, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	again := strings.Replace(string(mended), "oops,", "grace@example.com,", 1)
	got = want(t, 0, again, env, "guest", "invite", id, "--csv", "-", "--retry")
	if !strings.Contains(got.stderr, "Done: 1 invited.") {
		t.Errorf("a retry says: %s", got.stderr)
	}
	got = want(t, 0, "", env, "guest", "list", id, "--status", "invited", "-q", "grace")
	if !strings.HasPrefix(got.stdout, "grace@example.com\tGrace Hopper\tinvited\tuser_") {
		t.Errorf("list: %s", got.stdout)
	}
	want(t, 0, "", env, "guest", "invite", id, w.Member.Email)
	got = want(t, 0, "", env, "guest", "resend", "acme-customers", "Grace@Example.com", "-o", "csv")
	if !strings.Contains(got.stdout, "grace@example.com,resent,,inv_") || !strings.Contains(got.stderr, "Sent 1 invitations again") {
		t.Errorf("resend: %+v", got)
	}
	want(t, 0, "", env, "guest", "resend", id, "--status", "pending")
	if got := want(t, 0, "", env, "guest", "resend", id, "--status", "expired", "-o", "json"); got.stdout != "[]\n" {
		t.Errorf("resend of none: %s", got.stdout)
	}
	if got := want(t, exitPartial, "", env, "guest", "resend", id, "--status", "accepted"); !strings.Contains(got.stderr, "1 of 1 invitations") {
		t.Errorf("resend of an accepted one: %+v", got)
	}
	want(t, 3, "", env, "guest", "resend", id, "nobody@example.com")
	want(t, 2, "", env, "guest", "resend", id)
	want(t, 2, "", env, "guest", "resend", id, "--status", "pending", "ada@example.com")
	want(t, 0, "", env, "guest", "remove", id, "Grace@Example.com")
	want(t, 3, "", env, "guest", "remove", id, "grace@example.com")
	want(t, 2, "", env, "guest", "invite", id)
	want(t, 7, "\xff", env, "guest", "invite", id, "--csv", "-")
	want(t, 7, "", env, "guest", "list", id, "--status", "here")
}

// TestManyGuests sends more than one call, and says what an earlier failure
// left out.
func TestManyGuests(t *testing.T) {
	t.Parallel()
	w, env := service(t)
	id := w.Portal("Many")
	var list strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&list, "guest%04d@example.com\n", i)
	}
	got := want(t, 0, list.String(), env, "guest", "invite", id, "--csv", "-", "-o", "csv")
	if strings.Count(got.stdout, ",invited,") != 2500 || !strings.Contains(got.stderr, "Done: 2500 invited.") {
		t.Errorf("%s", got.stderr)
	}
}

func TestWhichService(t *testing.T) {
	t.Parallel()
	w, env := service(t)
	w.Portal("Here")
	bare := map[string]string{"HOME": env["HOME"]}
	if got := want(t, 4, "", bare, "portal", "list"); !strings.Contains(got.stderr, "PORTICO_TOKEN") {
		t.Errorf("without a token: %s", got.stderr)
	}
	want(t, 0, w.Admin.Token+"\n", bare, "profile", "set", "default", w.URL)
	want(t, 0, w.OtherAdmin.Token+"\n", bare, "profile", "set", "other", w.URL+"/v1")
	if info, err := os.Stat(filepath.Join(bare["HOME"], ".config", "portico", "profiles.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of profiles: %v %v", info, err)
	}
	if got := want(t, 0, "", bare, "portal", "list"); !strings.Contains(got.stdout, "\tHere\t") {
		t.Errorf("by the default profile: %s", got.stdout)
	}
	if got := want(t, 0, "", bare, "portal", "list", "--profile", "other"); got.stdout != "" {
		t.Errorf("by another: %s", got.stdout)
	}
	if got := want(t, 0, "", map[string]string{"HOME": bare["HOME"], "PORTICO_PROFILE": "other"}, "portal", "list"); got.stdout != "" {
		t.Errorf("by the environment: %s", got.stdout)
	}
	got := want(t, 0, "", bare, "profile", "list")
	if strings.Count(got.stdout, "\n") != 2 || strings.Contains(got.stdout, w.Admin.Token) {
		t.Errorf("profiles: %s", got.stdout)
	}
	// A token goes to the service that it is for.
	want(t, 4, "", map[string]string{"HOME": bare["HOME"], "PORTICO_URL": "http://127.0.0.1:1"}, "portal", "list")
	got = want(t, 10, "", map[string]string{"PORTICO_URL": "http://127.0.0.1:1", "PORTICO_TOKEN": "x"}, "portal", "list")
	if !strings.Contains(got.stderr, "http://127.0.0.1:1 does not answer") {
		t.Errorf("nobody there: %s", got.stderr)
	}
	want(t, 4, "", map[string]string{"PORTICO_URL": w.URL, "PORTICO_TOKEN": "x"}, "portal", "list")
	want(t, 2, "", map[string]string{"PORTICO_URL": "nowhere", "PORTICO_TOKEN": "x"}, "portal", "list")
	want(t, 3, "", bare, "portal", "list", "--profile", "nope")
	want(t, 0, "", bare, "profile", "remove", "other")
	want(t, 3, "", bare, "profile", "remove", "other")
	want(t, 2, "", bare, "profile", "set", "x", "http://x")
}

func TestAuditCommand(t *testing.T) {
	t.Parallel()
	w, env := service(t)
	w.Portal("Acme Customers")
	got := want(t, 0, "", env, "audit", "--action", "portal.created", "--actor", w.Admin.Email, "--from", "2026-01-01", "-o", "csv")
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	if len(lines) != 2 || lines[0] != "at,action,actor,subject,portal,request,detail,id" || !strings.Contains(lines[1], ",portal.created,"+w.Admin.Email+",") {
		t.Errorf("the audit log: %s", got.stdout)
	}
	if got := want(t, 0, "", env, "audit", "--until", "2001-01-01T00:00:00Z", "-o", "json"); got.stdout != "[]\n" {
		t.Errorf("an empty log: %s", got.stdout)
	}
	want(t, 2, "", env, "audit", "--from", "yesterday")
	want(t, 7, "", env, "audit", "--action", "nope")
	env["PORTICO_TOKEN"] = w.Member.Token
	want(t, 4, "", env, "audit")
}
