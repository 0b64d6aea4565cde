package postgres

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"portico/internal/store"
	"portico/internal/store/postgres/pgtest"
	"portico/internal/store/storetest"
)

// servers are those of all tests of the package.
var servers pgtest.Pool

func TestMain(m *testing.M) {
	code := m.Run()
	if err := servers.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func openEngine(t *testing.T, key string, cfg Config) *Engine {
	t.Helper()
	server := servers.Server(t, key)
	if cfg.URL == "" {
		cfg.URL = server.URL(pgtest.Owner, "registry")
	}
	e, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"server":      {},
		"few handles": {MaxHandles: 2, MaxConnections: 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T, dir string) store.Engine {
				t.Helper()
				return openEngine(t, dir, cfg)
			})
		})
	}
}
