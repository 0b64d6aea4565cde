package lifecycle

import (
	"os"
	"slices"
	"testing"

	"portico"
	"portico/internal/store"
)

// TestReplace: a portal is pointed at a copy with the guests of now, the old
// database goes, and the next restore takes another name.
func TestReplace(t *testing.T) {
	t.Parallel()
	for name, unavailable := range map[string]bool{"active": false, "unavailable": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				n := w.node(true)
				row := w.portal(n)
				left := w.guest(row, "left@example.com")
				w.no(n.projectAll(w.Context(), row))
				copied := w.copy(row)
				w.guest(row, "late@example.com")
				w.update(func(tx *store.Tx) error {
					_, err := tx.RemoveGuest(row.ID, left)
					return err
				})
				if unavailable {
					w.lose(row)
					w.reconcile(n)
					w.state(row.ID, portico.PortalUnavailable)
				}
				for generation := 2; generation < 4; generation++ {
					w.no(n.Replace(w.Context(), row.ID, copied, true))
					now := w.row(row.ID)
					if now.State != portico.PortalActive || now.Generation != generation || now.LeaseUntil.UnixMicro() != 0 || w.users(now) != 1 {
						w.Errorf("after the restore: %+v, %d users", now, w.users(now))
					}
					if files := w.files(row.ID); !slices.Equal(files, []string{database(now)}) {
						w.Errorf("databases: %v", files)
					}
				}
				if left := w.reconcile(n); len(left) > 0 {
					w.Errorf("left: %v", left)
				}
			})
		})
	}
}

// TestReplaceOvertaken stops a restore before the portal is pointed at its
// copy, and lets something else happen to the portal. The portal ends whole,
// and no copy stays.
func TestReplaceOvertaken(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		meanwhile  func(*world, *node, store.PortalRow)
		generation int          // of the portal after it; 0: gone
		fails      portico.Kind // internal: it comes out well
	}{
		"nothing": {func(*world, *node, store.PortalRow) {}, 2, portico.KindInternal},
		"a pass":  {func(w *world, n *node, _ store.PortalRow) { w.reconcile(n) }, 2, portico.KindInternal},
		"a pass, after its lease ran out": {func(w *world, n *node, row store.PortalRow) {
			w.lapse(row.ID)
			w.reconcile(n)
		}, 1, portico.KindUnavailable},
		"another restore, after its lease ran out": {func(w *world, n *node, row store.PortalRow) {
			w.lapse(row.ID)
			w.no(n.Replace(w.Context(), row.ID, w.copy(row), true))
		}, 3, portico.KindUnavailable},
		"the portal becomes unavailable": {func(w *world, n *node, row store.PortalRow) {
			w.no(os.Remove(w.path(database(row))))
			w.reconcile(n)
			w.state(row.ID, portico.PortalUnavailable)
		}, 2, portico.KindInternal},
		"the portal is deleted": {func(w *world, n *node, row store.PortalRow) {
			fence := w.bury(row)
			_, err := n.Settle(w.Context(), row.ID, fence)
			wantKind(w.T, err, portico.KindNotFound)
			if files := w.files(row.ID); len(files) > 0 {
				w.Errorf("a deletion came to its end and left %v", files)
			}
		}, 0, portico.KindNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				server, command := w.node(false), w.node(false)
				row := w.portal(server)
				w.guest(row, "a@example.com")
				gate := command.points.Gate(PointReplaceFilled)
				done := make(chan error, 1)
				path := w.copy(row)
				go func() { done <- command.Replace(w.Context(), row.ID, path, true) }()
				<-gate.Reached()
				tt.meanwhile(w, server, row)
				gate.Open()
				if err := <-done; tt.fails != portico.KindInternal {
					wantKind(w.T, err, tt.fails)
				} else {
					w.no(err)
				}
				now := w.row(row.ID)
				if now.Generation != tt.generation {
					w.Errorf("the portal has generation %d", now.Generation)
				}
				want := []string{}
				if tt.generation > 0 {
					w.state(row.ID, portico.PortalActive)
					want = append(want, database(now))
				}
				if files := w.files(row.ID); !slices.Equal(files, want) {
					w.Errorf("databases %v, want %v", files, want)
				}
				if left := w.reconcile(server); len(left) > 0 {
					w.Errorf("left: %v", left)
				}
				if tt.generation > 0 && w.users(now) != 1 {
					w.Errorf("%d users", w.users(now))
				}
			})
		})
	}
}

// TestReplaceRefuses: a portal that is not there, or on which another works.
func TestReplaceRefuses(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		n := w.node(true)
		row, creating := w.portal(n), w.intent()
		path := w.copy(row)
		wantKind(w.T, n.Replace(w.Context(), creating.ID, path, true), portico.KindNotFound)
		w.lease(row.ID)
		if err := n.Replace(w.Context(), row.ID, path, true); err == nil {
			w.Error("a restore beside another operation")
		}
		pass(LeaseLife)
		if err := n.Replace(w.Context(), row.ID, path+".not", true); err == nil {
			w.Error("a restore from nothing")
		}
		now := w.row(row.ID)
		if files := w.files(row.ID); now.Generation != 1 || now.LeaseUntil.UnixMicro() != 0 || !slices.Equal(files, []string{database(row)}) {
			w.Errorf("after failed restores: %+v, %v", now, files)
		}
	})
}
