package lifecycle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
)

// pass runs one pass of the reconciler and returns the remedies of what it
// left.
func (w *world) reconcile(n *node) (left []Remedy) {
	w.Helper()
	findings, err := n.Reconcile(w.Context(), -1)
	w.no(err)
	for _, f := range findings {
		left = append(left, f.Remedy)
	}
	return left
}

// TestUnavailable loses and damages the database of an active portal: whoever
// comes across it marks the portal, nobody makes it anew, and it recovers with
// the file, following the registry of then.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	spoil := func(w *world, row store.PortalRow, content string) func() {
		back := w.lose(row)
		w.no(os.MkdirAll(filepath.Dir(w.path(database(row))), 0o700))
		w.no(os.WriteFile(w.path(database(row)), []byte(content), 0o600))
		return back
	}
	for name, lose := range map[string]func(*world, store.PortalRow) func(){
		"missing": (*world).lose,
		"empty":   func(w *world, row store.PortalRow) func() { return spoil(w, row, "") },
		"no database": func(w *world, row store.PortalRow) func() {
			return spoil(w, row, "this is no database, whatever it is")
		},
		"another's one": func(w *world, row store.PortalRow) func() { return w.swap(row) },
	} {
		for _, noticed := range []string{"by a request", "by a pass"} {
			t.Run(name+", "+noticed, func(t *testing.T) {
				t.Parallel()
				in(t, func(w *world) {
					n := w.node(true)
					row, other := w.portal(n), w.portal(n)
					w.guest(row, "a@example.com")
					w.no(n.projectAll(w.Context(), row))
					back := lose(w, row)
					if noticed == "by a request" {
						_, err := n.Open(w.Context(), row)
						wantKind(w.T, err, portico.KindUnavailable)
						w.state(row.ID, portico.PortalUnavailable)
					}
					w.reconcile(n)
					w.state(row.ID, portico.PortalUnavailable)
					w.state(other.ID, portico.PortalActive)
					for range 3 {
						if left := w.reconcile(n); len(left) != 1 {
							w.Errorf("left: %v", left)
						}
						_, err := n.Open(w.Context(), row)
						wantKind(w.T, err, portico.KindUnavailable)
					}
					if got := n.log.count("a portal is unavailable"); got != 1 {
						w.Errorf("said %d times that it is unavailable", got)
					}
					if got := n.log.count("level=WARN") + n.log.count("level=ERROR"); got != 2 { // marked, and left
						w.Errorf("%d alarms for one thing: %s", got, n.log.text.String())
					}
					w.guest(row, "b@example.com") // came meanwhile
					back()
					if left := w.reconcile(n); len(left) > 0 {
						w.Errorf("left: %v", left)
					}
					w.state(row.ID, portico.PortalActive)
					if users := w.users(w.row(row.ID)); users != 2 {
						w.Errorf("%d users after the recovery", users)
					}
					want := []portico.Action{portico.ActionPortalCreated, portico.ActionPortalUnavailable, portico.ActionPortalRecovered}
					if got := w.recorded(row.ID); !slices.Equal(got, want) {
						w.Errorf("recorded %v", got)
					}
				})
			})
		}
	}
}

// swap puts the database of another installation's portal in place of a
// portal's own, and returns what puts that back.
func (w *world) swap(row store.PortalRow) (back func()) {
	w.Helper()
	copied := w.copy(row)
	back = w.lose(row)
	strange := w.store.Identity(row)
	strange.Epoch = "epoch_of_another"
	w.no(w.engine.Restore(w.Context(), strange, copied))
	return back
}

// TestOpenOfAReplacedPortal: who holds an old row is told to come again, and
// the portal stays as it is.
func TestOpenOfAReplacedPortal(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		n := w.node(true)
		row := w.portal(n)
		w.no(n.Replace(w.Context(), row.ID, w.copy(row), true))
		_, err := n.Open(w.Context(), row)
		wantKind(w.T, err, portico.KindUnavailable)
		w.state(row.ID, portico.PortalActive)
		fence := w.bury(w.row(row.ID))
		_, err = n.Settle(w.Context(), row.ID, fence)
		wantKind(w.T, err, portico.KindNotFound)
		_, err = n.Open(w.Context(), row)
		wantKind(w.T, err, portico.KindNotFound)
	})
}

// TestRefusedValue: a statement that a value in it made fail says nothing about
// the portal's database, one that its schema made fail does.
func TestRefusedValue(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		n := w.node(true)
		row := w.portal(n)
		fail := func(cause error) error {
			return n.Use(w.Context(), row, func(store.Handle) error { return cause })
		}
		wantKind(w.T, fail(fmt.Errorf("%w: a text with NUL", store.ErrValue)), portico.KindInternal)
		w.state(row.ID, portico.PortalActive)
		wantKind(w.T, fail(errors.New("no such column")), portico.KindUnavailable)
		w.state(row.ID, portico.PortalUnavailable)
	})
}

// TestProjected: what a portal's database says of its guests and the registry
// does not is mended by a pass.
func TestProjected(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		n := w.node(true)
		row := w.portal(n)
		guest := w.guest(row, "a@example.com")
		w.guest(row, "b@example.com")
		if left := w.reconcile(n); len(left) > 0 || w.users(row) != 2 {
			w.Errorf("left %v, %d users", left, w.users(row))
		}
		w.update(func(tx *store.Tx) error {
			_, err := tx.RemoveGuest(row.ID, guest)
			return err
		})
		if left := w.reconcile(n); len(left) > 0 || w.users(row) != 1 {
			w.Errorf("left %v, %d users", left, w.users(row))
		}
	})
}

// TestBrake makes databases that the registry knows nothing of, as an older
// registry does not, beside ones that it knows. Old ones are set aside unless
// they are too many; none is ever dropped.
func TestBrake(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		portals, orphans, young int
		braked                  bool
	}{
		{portals: 1, orphans: 1},
		{portals: 3, orphans: 2, braked: true}, // 40 %
		{portals: 0, orphans: 11, braked: true},
		{portals: 1, orphans: 1, young: 3},
		{portals: 0, orphans: 0, young: 2},
	} {
		t.Run(fmt.Sprintf("%+v", tt), func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				n := w.node(true)
				for range tt.portals {
					w.portal(n)
				}
				for i := range tt.orphans + tt.young {
					id := store.Identity{PortalID: w.engine.ids.New(portico.PrefixPortal), Generation: 1, Epoch: w.store.Epoch()}
					w.no(w.engine.Create(w.Context(), id))
					at := time.Now().Add(-orphanAge - time.Second)
					if i >= tt.orphans {
						at = time.Now().Add(-orphanAge + time.Second)
					}
					w.no(os.Chtimes(w.path(portico.DatabaseName(id.PortalID, 1)), at, at))
				}
				for range 3 {
					w.reconcile(n)
				}
				aside, err := filepath.Glob(filepath.Join(w.dir, "quarantine", "*.db"))
				w.no(err)
				there, err := filepath.Glob(filepath.Join(w.dir, "portals", "*", "*", "*.db"))
				w.no(err)
				wantAside, wantLeft := tt.orphans, 0
				if tt.braked {
					wantAside, wantLeft = 0, tt.orphans
				}
				if len(aside) != wantAside || len(there)+len(aside) != tt.portals+tt.orphans+tt.young {
					w.Errorf("%d set aside, %d there", len(aside), len(there))
				}
				left, _ := n.Standing()
				if left[RemedyQuarantine] != wantLeft || left[RemedyReport] != tt.young {
					w.Errorf("standing: %v", left)
				}
				if got := n.log.count("none is set aside"); got != wantLeft {
					w.Errorf("%d alarms for %d databases in 3 passes", got, wantLeft)
				}
			})
		})
	}
}

// TestPartialListing: a listing that breaks off ends the pass before anything
// is done about what it seemed to show, and the pass does not count.
func TestPartialListing(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		n := w.node(true)
		row := w.portal(n)
		w.lose(row)
		w.engine.broken = errors.New("the folder cannot be read")
		if _, err := n.Reconcile(w.Context(), -1); !errors.Is(err, w.engine.broken) {
			w.Errorf("got %v", err)
		}
		w.state(row.ID, portico.PortalActive)
		if _, at := n.Standing(); !at.IsZero() {
			w.Error("a partial pass counts as one")
		}
		w.engine.broken = nil
		w.reconcile(n)
		w.state(row.ID, portico.PortalUnavailable)
	})
}

// TestStanding: a finding is logged when it comes, counted while it stands, and
// logged again when it comes back.
func TestStanding(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		n := w.node(true)
		w.portal(n)
		stray := filepath.Join(w.dir, "portals", "stray")
		for i, step := range []struct {
			there     bool
			reported  int
			saidSoFar int
		}{{false, 0, 0}, {true, 1, 1}, {true, 1, 1}, {false, 0, 1}, {true, 1, 2}, {true, 1, 2}} {
			if step.there {
				w.no(os.MkdirAll(stray, 0o700))
			} else {
				w.no(os.RemoveAll(stray))
			}
			w.reconcile(n)
			left, _ := n.Standing()
			if left[RemedyReport] != step.reported || len(left) != len(Remedies()) {
				w.Errorf("step %d: %v", i, left)
			}
			if got := n.log.count("stray"); got != step.saidSoFar {
				w.Errorf("step %d: said %d times", i, got)
			}
		}
	})
}

// TestDropTombstoned: a database is dropped in the name of a tombstone that
// stands, under the portal's lease, and not while another has that.
func TestDropTombstoned(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		arrange func(*world, *node, store.PortalRow)
		dropped bool
	}{
		"given up":      {func(*world, *node, store.PortalRow) {}, true},
		"lease held":    {func(w *world, _ *node, row store.PortalRow) { w.lease(row.ID) }, false},
		"lease run out": {func(w *world, _ *node, row store.PortalRow) { w.lease(row.ID); pass(LeaseLife) }, true},
		"tombstone revoked": {func(w *world, _ *node, row store.PortalRow) {
			w.update(func(tx *store.Tx) error { return tx.RevokeTombstone(portico.DatabaseName(row.ID, 2)) })
		}, false},
		"named by the row": {func(w *world, _ *node, row store.PortalRow) {
			w.update(func(tx *store.Tx) error { return tx.SetPortalGeneration(row.ID, row.Fence, 1, 2, "") })
		}, false},
		"the portal is being deleted": {func(w *world, _ *node, row store.PortalRow) { w.bury(row) }, false},
		"the portal is gone, and it came late": {func(w *world, n *node, row store.PortalRow) {
			fence := w.bury(row)
			_, err := n.Settle(w.Context(), row.ID, fence)
			wantKind(w.T, err, portico.KindNotFound)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				n := w.node(true)
				row := w.portal(n)
				given := portico.DatabaseName(row.ID, 2)
				w.update(func(tx *store.Tx) error { return tx.InsertTombstone(tombstone(row, 2)) })
				if name != "the portal is gone, and it came late" {
					w.no(w.engine.Restore(w.Context(), w.identity(row, 2), w.copy(row)))
					tt.arrange(w, n, row)
				} else {
					copied := w.copy(row)
					tt.arrange(w, n, row)
					w.late(row.ID, copied)
				}
				w.no(n.dropTombstoned(w.Context(), row.ID, store.Place{Name: given}))
				if there := slices.Contains(w.files(row.ID), given); there == tt.dropped {
					w.Errorf("there: %v", there)
				}
				stands, ok := w.tombstone(given)
				if tt.dropped && (!ok || stands.GoneAt == nil) {
					w.Errorf("the tombstone is not closed: %+v", stands)
				}
				if left := w.row(row.ID).LeaseUntil; tt.dropped && left.UnixMicro() > 0 {
					w.Errorf("the lease is kept until %v", left)
				}
			})
		})
	}
}

// lease takes a portal's lease for somebody who does nothing with it.
func (w *world) lease(portalID string) {
	w.Helper()
	w.update(func(tx *store.Tx) error {
		_, err := tx.TakeLease(portalID, LeaseLife, false)
		return err
	})
}

// late puts a file in place of a portal's second generation, as a process does
// that was slow to notice that the portal is gone.
func (w *world) late(portalID, copied string) {
	w.Helper()
	content, err := os.ReadFile(copied)
	w.no(err)
	path := w.path(portico.DatabaseName(portalID, 2))
	w.no(os.MkdirAll(filepath.Dir(path), 0o700))
	w.no(os.WriteFile(path, content, 0o600))
}
