package sqlite

import (
	"testing"

	"go.uber.org/goleak"

	"portico/internal/store"
	"portico/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
				return e
			})
		})
	}
}
