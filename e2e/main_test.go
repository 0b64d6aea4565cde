package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"portico/internal/node"
	"portico/internal/wiretest"
)

// shared is what all tests use at the same time.
var shared world

// world is a browser and a demonstration.
type world struct {
	browser *Browser
	demo    *Demo
}

func TestMain(m *testing.M) {
	code, err := shared.run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func (w *world) run(m *testing.M) (code int, err error) {
	if err := install(); err != nil {
		return 1, err
	}
	if w.demo, err = StartDemo(wiretest.Log()); err != nil {
		return 1, err
	}
	if w.browser, err = StartBrowser(); err != nil {
		return 1, err
	}
	code = m.Run()
	if err := w.browser.Close(); err != nil {
		return code, err
	}
	return code, w.demo.Close()
}

// install fetches the packages of the lock file, unless they are there.
func install() error {
	want, err := os.ReadFile("npm/package-lock.json")
	if err != nil {
		return err
	}
	const mark = "npm/node_modules/.portico-lock"
	if have, err := os.ReadFile(mark); err == nil && string(have) == string(want) {
		return nil
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts")
	cmd.Dir = "npm"
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return os.WriteFile(mark, want, 0o600)
}

// tab opens the shared demonstration.
func (w *world) tab(t *testing.T, view View) *Tab {
	t.Helper()
	return w.browser.Tab(t, w.demo.URL, view)
}

// tabAt opens another server.
func (w *world) tabAt(t *testing.T, base string, view View) *Tab {
	t.Helper()
	return w.browser.Tab(t, base, view)
}

func (w *world) admin() node.DemoAccount { return w.demo.Admin() }
