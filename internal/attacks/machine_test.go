package attacks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"portico/internal/control"
	"portico/internal/failpoint"
	"portico/internal/node"
	"portico/internal/wiretest"
)

func machine() []attack {
	return []attack{
		{"A90 modes and kinds of files", files},
		{"A94 the operations listener", operations},
		{"A95 what errors tell", errorPages},
	}
}

// files is the case's own server, whose folder is tampered with.
func files(a *arena) {
	own := newArena(a.T)
	portal, victim := own.Portal("Files"), own.Portal("Victim")
	_ = filepath.WalkDir(own.Dir, func(path string, d os.DirEntry, err error) error {
		info, _ := d.Info()
		if want := map[bool]os.FileMode{true: 0o700, false: 0o600}[d.IsDir()]; err != nil || info.Mode().Perm() != want || (!d.IsDir() && !info.Mode().IsRegular()) {
			a.Errorf("%s: %v, want %v", path, info.Mode(), want)
		}
		return nil
	})
	path := func(id string) string {
		raw := strings.TrimPrefix(id, "port_")
		return filepath.Join(own.Dir, "portals", raw[24:], raw, "p_"+raw+"_g1.db")
	}
	file, outside := path(portal), filepath.Join(filepath.Dir(own.Dir), "outside.db")
	for what, change := range map[string]func() error{
		"a symbolic link":                    func() error { return errors.Join(os.Rename(file, outside), os.Symlink(outside, file)) },
		"a symbolic link to another portal":  func() error { return errors.Join(os.Rename(file, outside), os.Symlink(path(victim), file)) },
		"a hard link":                        func() error { return os.Link(file, outside) },
		"a hard link to another portal":      func() error { return errors.Join(os.Rename(file, outside), os.Link(path(victim), file)) },
		"another portal's file":              func() error { return errors.Join(os.Rename(file, outside), copyFile(path(victim), file)) },
		"group-writable":                     func() error { return errors.Join(copyFile(file, outside), os.Chmod(file, 0o660)) },
		"world-writable":                     func() error { return errors.Join(copyFile(file, outside), os.Chmod(file, 0o602)) },
		"a folder":                           func() error { return errors.Join(os.Rename(file, outside), os.Mkdir(file, 0o700)) },
		"a symbolic link for the WAL":        func() error { return errors.Join(copyFile(file, outside), os.Symlink("/etc/passwd", file+"-wal")) },
		"the portal's folder group-writable": func() error { return errors.Join(copyFile(file, outside), os.Chmod(filepath.Dir(file), 0o770)) },
	} {
		own.Node.Close() // the files are as a stopped server leaves them
		if err := change(); err != nil {
			a.Fatal(what, err)
		}
		own.Restart(own.watch)
		if answer := own.do("GET", "/v1/portal/"+portal+"/users", own.Admin.Token, nil); answer.Status != 503 {
			a.Errorf("%s: %d %s", what, answer.Status, answer.Body)
		}
		if what != "a hard link to another portal" { // which has two names then, too
			own.expect(200, "GET", "/v1/portal/"+victim+"/users", own.Admin.Token, nil)
		}
		own.Node.Close()
		if err := errors.Join(os.RemoveAll(file), os.RemoveAll(file+"-wal"), os.Chmod(filepath.Dir(file), 0o700), os.Rename(outside, file), os.Chmod(file, 0o600)); err != nil {
			a.Fatal(what, err)
		}
		own.Restart(own.watch)
		for _, id := range []string{portal, victim} {
			own.eventually("the portal serves again after "+what, func() bool {
				return own.do("GET", "/v1/portal/"+id+"/users", own.Admin.Token, nil).Status == 200
			})
		}
	}
	own.quiet()
	own.Node.Close()
	own.client.CloseIdleConnections()
	badFolders(own)
}

// badFolders: a server does not start on a folder, a registry or a secret that
// others can change, or that is somewhere else.
func badFolders(a *arena) {
	a.Helper()
	registry, secret := filepath.Join(a.Dir, "registry.db"), filepath.Join(a.Dir, "secret.key")
	moved := filepath.Join(filepath.Dir(a.Dir), "moved")
	for what, c := range map[string]struct {
		change, undo func() error
		dir          string
	}{
		"a group-writable folder":   {func() error { return os.Chmod(a.Dir, 0o770) }, func() error { return os.Chmod(a.Dir, 0o700) }, a.Dir},
		"a world-writable folder":   {func() error { return os.Chmod(a.Dir, 0o707) }, func() error { return os.Chmod(a.Dir, 0o700) }, a.Dir},
		"a symbolic link":           {func() error { return os.Symlink(a.Dir, moved) }, func() error { return os.Remove(moved) }, moved},
		"a file":                    {func() error { return os.WriteFile(moved, nil, 0o600) }, func() error { return os.Remove(moved) }, moved},
		"a linked registry":         {func() error { return errors.Join(os.Rename(registry, moved), os.Symlink(moved, registry)) }, func() error { return os.Rename(moved, registry) }, a.Dir},
		"a hard-linked registry":    {func() error { return os.Link(registry, moved) }, func() error { return os.Remove(moved) }, a.Dir},
		"a group-writable registry": {func() error { return os.Chmod(registry, 0o660) }, func() error { return os.Chmod(registry, 0o600) }, a.Dir},
		"a secret that others read": {func() error { return os.Chmod(secret, 0o640) }, func() error { return os.Chmod(secret, 0o600) }, a.Dir},
		"a linked secret":           {func() error { return errors.Join(os.Rename(secret, moved), os.Symlink(moved, secret)) }, func() error { return os.Rename(moved, secret) }, a.Dir},
	} {
		if err := c.change(); err != nil {
			a.Fatal(what, err)
		}
		n, err := wiretest.Open(c.dir)
		if err == nil {
			a.Errorf("%s: started", what)
			n.Close()
		}
		if err := c.undo(); err != nil {
			a.Fatal(what, err)
		}
	}
	n, err := wiretest.Open(a.Dir)
	if err != nil {
		a.Fatalf("all as it was: %v", err)
	}
	n.Close()
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

func operations(a *arena) {
	portal := a.portalNamed("Distinctive-Tenant")
	a.guests(a.Admin.Token, portal, "distinctive@example.com")
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/pprof/profile?seconds=1", "/debug/vars", "/dev/mail", "/v1/metrics", "/health", "/status", "/admin", "/.env", "/.git/config"} {
		a.expect(404, "GET", path, a.Admin.Token, nil)
		answers, _ := a.raw("GET "+path+" HTTP/1.1\r\nHost: "+a.Node.OpsAddr()+"\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n", 1)
		if len(answers) != 1 || answers[0].Status != 404 {
			a.Errorf("%s of the operations listener's host: %v", path, answers)
		}
	}
	sendOdd := func(n int) {
		for i := range n {
			a.do([]string{"GET", "POST", "DELETE", "FOO" + strconv.Itoa(i)}[i%4], fmt.Sprintf("/v1/random%d/path%d", i, i), a.Admin.Token, nil)
			a.do("GET", fmt.Sprintf("/v1/portal/random%d/users?limit=%d", i, i+1), a.Admin.Token, nil, "X-Request-Id", fmt.Sprint("id-", i), "User-Agent", fmt.Sprint("agent", i))
		}
	}
	sendOdd(8) // each route and status once
	before := a.series()
	sendOdd(500)
	if after := a.series(); len(after) != len(before) {
		a.Errorf("%d series became %d: %v", len(before), len(after), after)
	}
	text := a.operation("/metrics")
	for _, word := range []string{"istinctive", portal, a.Acme.ID, a.Admin.ID, "Acme", "example.com", "random", a.Admin.Token, "agent1"} {
		if strings.Contains(text, word) {
			a.Errorf("the metrics tell %q", word)
		}
	}
	if command := a.operation("/debug/pprof/cmdline"); strings.Contains(command, "test") {
		a.Errorf("the command line, which may hold secrets, is shown: %q", command)
	}
}

// operation reads a page of the operations listener.
func (a *arena) operation(path string) string {
	a.Helper()
	answer, err := wiretest.Send(a.client, "http://"+a.Node.OpsAddr(), "GET", path, "", nil)
	if err != nil {
		a.Fatal(err)
	}
	return string(answer.Body)
}

func (a *arena) series() map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(a.operation("/metrics")) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(name, "portico_") {
			all[name] = true
		}
	}
	return all
}

// errorPages is the case's own server, in which operations panic and fail.
func errorPages(a *arena) {
	points := failpoint.New()
	own := newArena(a.T, func(_ *node.Config, o *node.Options) { o.Failpoints = points })
	base := own.begin()
	secret := "SELECT secret FROM " + own.Dir
	fail := func(context.Context, failpoint.Point) error { return nil }
	points.On(control.PointIntent, func(ctx context.Context, p failpoint.Point) error { return fail(ctx, p) })
	for what, f := range map[string]func(context.Context, failpoint.Point) error{
		"a panic":          func(context.Context, failpoint.Point) error { panic(secret) },
		"a panic inside":   func(context.Context, failpoint.Point) error { return errors.New(secret[len(own.Dir)*9:]) },
		"an inner failure": func(context.Context, failpoint.Point) error { return errors.New(secret) },
	} {
		fail = f
		for _, route := range [][3]string{{"POST", "/v1/portal", `{"name":"x"}`}, {"PATCH", "/v1/portal/x", `{"name":"x"}`}, {"DELETE", "/v1/portal/x"}, {"POST", "/v1/portal/x/users", `{"users":["a@example.com"]}`}} {
			answer := own.expect(500, route[0], route[1], own.Admin.Token, bodyOrNone(route[2]), "Idempotency-Key", what[2:7])
			id := answer.Header.Get("X-Request-Id")
			if id == "" || !strings.Contains(string(answer.Body), `{"detail":"Something went wrong`) || strings.Contains(string(answer.Body), secret) {
				a.Errorf("%s: id %q, %s", what, id, answer.Body)
			}
			if log := own.log.take(); !strings.Contains(log, id) || !strings.Contains(log, "SELECT secret") && !strings.Contains(log, "out of range") {
				a.Errorf("%s: the log does not say it: %s", what, log)
			}
		}
		own.expect(200, "GET", "/v1/portal", own.Admin.Token, nil)
	}
	fail = func(context.Context, failpoint.Point) error { return nil }
	for _, request := range []string{
		own.request("GET", "/nowhere", ""), own.request("PUT", "/v1/portal", ""), own.request("POST", "/v1/portal", "{"), own.request("GET", "/v1/portal/%00", ""), own.request("GET", "/%zz", ""),
		"GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", own.request("GET", "/v1/portal", "", "X: "+strings.Repeat("x", 100_000)), own.request("POST", "/v1/portal", "x", "Expect: 200-maybe"),
	} {
		answers, _ := own.raw(request, 1)
		if len(answers) != 1 || answers[0].Status < 400 || answers[0].Status >= 500 && answers[0].Status != 505 || len(answers[0].Body) > 2000 {
			a.Errorf("%.60q: %.300s", request, fmt.Sprint(answers))
		}
	}
	own.expect(200, "GET", "/v1/status", "", nil)
	own.end(base)
	own.Node.Close()
}
