package main

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"portico"
)

func TestCommandLine(t *testing.T) {
	t.Parallel()
	nothing := filepath.Join(t.TempDir(), "nothing")
	for _, c := range []struct {
		code           int
		stdout, stderr string // parts of
		args           []string
	}{
		{0, "Available Commands", "", nil},
		{0, "Available Commands", "", []string{"org"}},
		{0, "portico test go", "", []string{"version"}},
		{0, "bash completion", "", []string{"completion", "bash"}},
		{0, "--public-url", "", []string{"serve", "--help"}},
		{2, "", "no command \"orgs\"; did you mean org?", []string{"orgs"}},
		{2, "", "did you mean list?", []string{"org", "lits"}},
		{2, "", "run 'portico serve --help'", []string{"serve", "--nope"}},
		{2, "", "NAME is missing", []string{"org", "create"}},
		{2, "", "one argument too many", []string{"version", "x"}},
		{2, "", "--org is missing", []string{"account", "create", "a@example.com"}},
		{2, "", "use table, json or csv", []string{"org", "list", "-o", "xml"}},
		{3, "", "There is no data", []string{"org", "list", "--data", nothing}},
		{3, "", "There is no data", []string{"backup", nothing + "2", "--data", nothing}},
		{3, "", "is no backup", []string{"restore", nothing, "--data", nothing + "2"}},
		{1, "name the folder", "checks failed", []string{"doctor", "--data", nothing}},
		{7, "", "is no host:port", []string{"serve", "--listen", "8010"}},
		{7, "", "dev-mail", []string{"serve", "--dev-mail", "--listen", "0.0.0.0:0"}},
		{0, "listen\t127.0.0.1:8010\tdefault\tPORTICO_LISTEN", "", []string{"config", "print"}},
	} {
		got := cli(t, c.args...)
		if got.code != c.code || !strings.Contains(got.stdout, c.stdout) || !strings.Contains(got.stderr, c.stderr) {
			t.Errorf("portico %v: %+v, want %+v", c.args, got, c)
		}
		if c.code != 0 && strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("portico %v: more than one line: %s", c.args, got.stderr)
		}
	}
}

// TestSecretsHaveNoFlag also shows that printing the configuration shows none.
func TestSecretsHaveNoFlag(t *testing.T) {
	t.Parallel()
	env := map[string]string{"PORTICO_ADMIN_EMAIL": "a@example.com", "PORTICO_ADMIN_PASSWORD": "canary"}
	for _, form := range []string{"table", "json", "csv"} {
		got := cliWith(t, "", env, "config", "print", "-o", form)
		if got.code != 0 || strings.Contains(got.stdout+got.stderr, "canary") || !strings.Contains(got.stdout, "PORTICO_ADMIN_PASSWORD") {
			t.Errorf("config print -o %s: %+v", form, got)
		}
	}
	if got := cli(t, "serve", "--admin-password", "canary"); got.code != exitUsage {
		t.Errorf("a password among the arguments: %+v", got)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	codes := exitCodes()
	for kind := portico.KindInternal; kind <= portico.KindStorageFull; kind++ {
		if codes[kind] == 0 {
			t.Errorf("kind %s has no exit code", kind)
		}
	}
	if exitCode(errors.New("x")) != exitOther || exitCode(nil) != 0 || exitCode(partlyf("x")) != exitPartial {
		t.Error("exit codes without a kind")
	}
	text := explain(portico.Errorf(portico.KindConflict, "a\n\x1b[31mb"))
	if text != "a [31mb" {
		t.Errorf("explained: %q", text)
	}
}

// TestLogsHideAddresses: no address of a person is in a record, and the same
// one has the same mark.
func TestLogsHideAddresses(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	log := (&program{stderr: &stderr}).log(slog.LevelInfo)
	log.Info("one", "to", "ada@example.com", "error", errors.New("no <ada@example.com>: refused"), "listen", "127.0.0.1:8010")
	if text := stderr.String(); strings.Contains(text, "ada@") || strings.Count(text, "address:") != 2 || !strings.Contains(text, "127.0.0.1:8010") {
		t.Errorf("logged: %s", text)
	}
}

func TestShellWord(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"/a/b-c.d": "/a/b-c.d", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$HOME": "'$HOME'"} {
		if got := shellWord(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
