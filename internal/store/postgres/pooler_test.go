package postgres

import (
	"strings"
	"testing"

	"portico"
	"portico/internal/store"
)

// TestPooler: behind a PgBouncer that pools sessions portals are made, used and
// dropped; one that pools transactions is refused with what to do.
func TestPooler(t *testing.T) {
	t.Parallel()
	server := servers.Server(t, t.Name())
	direct := openEngine(t, t.Name(), Config{}) // a pooler does not say that a database is missing
	noError(t, direct.Close())
	for _, mode := range []string{"session", "transaction"} {
		pooler, err := server.Pool(t.Context(), mode)
		noError(t, err)
		t.Cleanup(func() {
			if err := pooler.Stop(); err != nil {
				t.Error(err)
			}
		})
		e, err := Open(t.Context(), Config{URL: pooler.URL("registry")})
		if mode == "transaction" {
			if portico.KindOf(err) != portico.KindUnavailable || !strings.Contains(err.Error(), "pool_mode = session") {
				t.Errorf("%s: %v", mode, err)
			}
		} else {
			noError(t, err)
		}
		if err == nil {
			id := newID(t)
			noError(t, e.Create(t.Context(), id))
			h, err := e.Open(t.Context(), id)
			noError(t, err)
			noError(t, h.Update(t.Context(), func(q store.SQL) error {
				_, err := q.Exec(`UPDATE identity SET writes = writes + $1`, 1)
				return err
			}))
			h.Release()
			noError(t, e.Drop(t.Context(), id.Place()))
			if left := remains(t, server); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
			noError(t, e.Close())
		}
	}
}
