package sqlite

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/internal/store"
	"portico/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(child(dir))
	}
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"server":      {Exclusive: true},
		"command":     {},
		"few handles": {Exclusive: true, MaxHandles: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T, dir string) store.Engine {
				t.Helper()
				cfg := cfg
				cfg.Dir = dir
				e, err := Open(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				e.handles.Patience = time.Minute // a slow machine is no fault
				return e
			})
		})
	}
}
