package lifecycle

import (
	"testing"

	"portico"
	"portico/internal/store"
)

// TestRelocate: a portal whose cluster cannot make its database goes to another
// that still takes portals, and to none that was drained or removed since it was
// chosen.
func TestRelocate(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(tx *store.Tx, chosen store.ClusterRow) error
		moves bool
	}{
		"open": {func(*store.Tx, store.ClusterRow) error { return nil }, true},
		"draining": {func(tx *store.Tx, c store.ClusterRow) error {
			c.State = portico.ClusterDraining
			return tx.UpdateCluster(c)
		}, false},
		"removed": {func(tx *store.Tx, c store.ClusterRow) error {
			_, err := tx.DeleteCluster(c.ID)
			return err
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				row := w.intent()
				chosen := store.ClusterRow{SealedURL: "sealed", ServerID: "1", Cluster: portico.Cluster{
					ID: "clus_other", Name: "other", State: portico.ClusterOpen, Cap: 1,
				}}
				w.update(func(tx *store.Tx) error {
					if err := tx.InsertCluster(chosen); err != nil {
						return err
					}
					if err := tt.spoil(tx, chosen); err != nil {
						return err
					}
					return relocate(tx, row, row.Fence, chosen.ID)
				})
				var now store.PortalRow
				var left []store.Tombstone
				w.update(func(tx *store.Tx) (err error) {
					if now, err = tx.PortalByID(row.ID); err == nil {
						left, err = tx.OpenTombstones(row.ID)
					}
					return err
				})
				if moved := now.Cluster == chosen.ID && now.Generation == row.Generation+1 && len(left) == 1; moved != tt.moves || !moved && (now.Cluster != row.Cluster || len(left) > 0) {
					w.Errorf("it is on %q, generation %d, with %d tombstones", now.Cluster, now.Generation, len(left))
				}
			})
		})
	}
}
