package node_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"portico/internal/wiretest"
)

// TestMetricsOfFindings: what the reconciler leaves is counted, and every
// metric that the manual tells of is there.
func TestMetricsOfFindings(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	w.Portal("One")
	for _, tt := range []struct {
		name   string
		change func(string) error
		want   string
	}{
		{"nothing", func(string) error { return nil }, "0"},
		{"a stranger", func(path string) error { return os.Mkdir(path, 0o700) }, "1"},
		{"nothing again", os.Remove, "0"},
	} {
		if err := tt.change(filepath.Join(w.Dir, "portals", "stranger")); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Node.Lifecycle.Reconcile(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		text := metricsOf(t, w)
		for _, line := range []string{
			`portico_findings{remedy="report"} ` + tt.want, `portico_findings{remedy="quarantine"} 0`, `portico_findings{remedy="drop"} 0`,
		} {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("%s: no line %s", tt.name, line)
			}
		}
		if strings.Contains(text, "portico_reconciled_timestamp_seconds 0\n") {
			t.Errorf("%s: no pass ended", tt.name)
		}
	}
	manual, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := metricsOf(t, w)
	for _, name := range regexp.MustCompile(`portico_[a-z_]+`).FindAllString(string(manual), -1) {
		if !strings.Contains(text, "\n"+name+"{") && !strings.Contains(text, "\n"+name+" ") {
			t.Errorf("the manual tells of %s, which there is not", name)
		}
	}
}

func metricsOf(t *testing.T, w *wiretest.World) string {
	t.Helper()
	a, err := wiretest.Send(wiretest.NewClient(t), "http://"+w.Node.OpsAddr(), http.MethodGet, "/metrics", "", nil)
	if err != nil || a.Status != http.StatusOK {
		t.Fatalf("%d, %v", a.Status, err)
	}
	return string(a.Body)
}
