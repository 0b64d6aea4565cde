package lifecycle

import (
	"context"
	"os"
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

// TestMoveNeedsTheSource: a portal whose database went away while it was copied
// is not pointed at a copy that nobody can hold against it.
func TestMoveNeedsTheSource(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		n := w.node(false)
		row := w.portal(n)
		back := func() {}
		leased, fence, err := n.leaseFound(w.Context(), row.ID)
		w.no(err)
		err = n.renew(w.Context(), leased, fence, false, renewal{
			action: portico.ActionPortalMoved, moves: true,
			fill: func(ctx context.Context, _ store.PortalRow, id store.Identity) error {
				err := w.engine.Restore(ctx, id, w.copy(row))
				path := w.path(database(row))
				w.no(os.Rename(path, path+".away"))
				back = func() { w.no(os.Rename(path+".away", path)) }
				return err
			},
		})
		if portico.KindOf(err) != portico.KindUnavailable {
			w.Errorf("moved: %v", err)
		}
		back()
		if now := w.row(row.ID); now.Generation != row.Generation {
			w.Errorf("it was pointed at generation %d", now.Generation)
		}
	})
}
