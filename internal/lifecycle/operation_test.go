package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portico"
	"portico/internal/failpoint"
	"portico/internal/jobs"
	"portico/internal/store"
)

// TestCreate lets steps of a creation fail, and looks at what becomes of the
// portal and how long that takes.
func TestCreate(t *testing.T) {
	t.Parallel()
	once := jobs.Backoff(1)
	for name, tt := range map[string]struct {
		point    string
		failures int
		aborted  bool
		took     time.Duration
	}{
		"nothing fails":                  {PointCreateDatabase, 0, false, 0},
		"the database fails once":        {PointCreateDatabase, 1, false, once},
		"the database fails twice":       {PointCreateDatabase, 2, false, once + jobs.Backoff(2)},
		"activating fails once":          {PointCreateActivate, 1, false, once},
		"activating fails twice":         {PointCreateActivate, 2, false, once + jobs.Backoff(2)},
		"what follows fails once":        {PointCreated, 1, false, once},
		"the database fails three times": {PointCreateDatabase, 3, true, once + jobs.Backoff(2) + jobs.Backoff(3)},
		"activating fails three times":   {PointCreateActivate, 3, true, once + jobs.Backoff(2) + jobs.Backoff(3)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				n := w.node(false)
				failFirst(n.points, tt.point, tt.failures)
				row := w.intent()
				began := time.Now()
				settled, err := n.Settle(w.Context(), row.ID, row.Fence)
				if took := time.Since(began); took != tt.took {
					w.Errorf("it took %v, want %v", took, tt.took)
				}
				answer, kept := w.answer(row.ID)
				if tt.aborted {
					wantKind(w.T, err, portico.KindUnavailable)
					w.aborted(row)
					if kept {
						w.Error("the key of an aborted creation is still taken")
					}
					return
				}
				w.no(err)
				now := w.row(row.ID)
				clean := now.Attempts == 0 && now.LastError == "" || tt.point == PointCreated // it was active before that
				if settled.State != portico.PortalActive || now.State != portico.PortalActive || !clean || now.LeaseUntil.UnixMicro() != 0 {
					w.Errorf("settled as %+v, the row is %+v", settled, now)
				}
				if got := w.recorded(row.ID); !slices.Equal(got, []portico.Action{portico.ActionPortalCreated}) {
					w.Errorf("recorded %v", got)
				}
				if answer.Snapshot == nil || decode[portico.Portal](w.T, *answer.Snapshot).ID != row.ID {
					w.Errorf("the answer kept: %+v", answer)
				}
				if w.users(now) != 0 {
					w.Error("a new portal has users")
				}
			})
		})
	}
}

// aborted fails the test unless nothing but a tombstone, the label and a record
// is left of a portal.
func (w *world) aborted(row store.PortalRow) {
	w.Helper()
	w.state(row.ID, "")
	tombstone, ok := w.tombstone(database(row))
	if !ok || tombstone.Reason != store.TombstoneAborted || tombstone.GoneAt == nil {
		w.Errorf("the tombstone: %+v", tombstone)
	}
	if files := w.files(row.ID); len(files) > 0 {
		w.Errorf("left: %v", files)
	}
	if got := w.recorded(row.ID); !slices.Equal(got, []portico.Action{portico.ActionPortalAborted}) {
		w.Errorf("recorded %v", got)
	}
	w.no(w.store.View(w.Context(), func(tx *store.Tx) error {
		taken, err := tx.APINameTaken(row.APIName)
		if !taken {
			w.Error("the label is free again")
		}
		return err
	}))
}

// TestStepPanics: a step that panics is one that failed.
func TestStepPanics(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		n := w.node(false)
		n.points.On(PointCreateDatabase, func(_ context.Context, p failpoint.Point) error {
			if p.Hits == 1 {
				panic("as a mistake would")
			}
			return nil
		})
		row := w.intent()
		settled, err := n.Settle(w.Context(), row.ID, row.Fence)
		w.no(err)
		if settled.State != portico.PortalActive {
			w.Errorf("settled as %+v", settled)
		}
	})
}

// TestRegistryComesBack: however long the registry was away, an operation goes
// on as soon as it is back.
func TestRegistryComesBack(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		n := w.node(false)
		n.points.On(PointCreateDatabase, func(_ context.Context, p failpoint.Point) error {
			if p.Hits > 1 {
				return nil
			}
			w.engine.away.Store(true)
			return errors.New("as when a server dies")
		})
		row := w.intent()
		done := make(chan error, 1)
		go func() {
			_, err := n.Settle(w.Context(), row.ID, row.Fence)
			done <- err
		}()
		<-time.After(2 * time.Minute)
		w.engine.away.Store(false)
		began := time.Now()
		w.no(<-done)
		w.state(row.ID, portico.PortalActive)
		if took := time.Since(began); took > registryAgain {
			w.Errorf("it went on after %v", took)
		}
		if lines := n.log.count("waits for the registry"); lines != 1 {
			w.Errorf("an outage is in the log %d times", lines)
		}
	})
}

// TestDelete lets steps of a deletion fail, more often than a creation may: it
// is tried for ever. Whatever databases the portal had go with it.
func TestDelete(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		point    string
		failures int
	}{
		"nothing fails":            {PointDeleteDatabase, 0},
		"dropping fails six times": {PointDeleteDatabase, 6},
		"releasing fails twice":    {PointDeleteRelease, 2},
		"what follows fails":       {PointDeleted, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				n := w.node(false)
				row := w.portal(n)
				failFirst(n.points, tt.point, tt.failures)
				// One that a restore replaced, and one that a restore was making.
				w.no(n.Replace(w.Context(), row.ID, w.copy(row), false))
				old := database(row)
				row = w.row(row.ID)
				copied := row
				copied.Generation++
				w.update(func(tx *store.Tx) error { return tx.InsertTombstone(tombstone(row, copied.Generation)) })
				w.no(w.engine.Restore(w.Context(), w.identity(row, copied.Generation), w.copy(row)))
				if files := w.files(row.ID); len(files) != 3 {
					w.Fatalf("databases before: %v", files)
				}
				fence := w.bury(row)
				began := time.Now()
				_, err := n.Settle(w.Context(), row.ID, fence)
				wantKind(w.T, err, portico.KindNotFound)
				var want time.Duration
				for i := range tt.failures {
					want += jobs.Backoff(i + 1)
				}
				if took := time.Since(began); took != want && tt.point != PointDeleted { // it is gone before that
					w.Errorf("it took %v, want %v", took, want)
				}
				w.state(row.ID, "")
				if files := w.files(row.ID); len(files) > 0 {
					w.Errorf("left: %v", files)
				}
				for _, name := range []string{old, database(row), database(copied)} {
					if tombstone, ok := w.tombstone(name); !ok || tombstone.GoneAt == nil {
						w.Errorf("the tombstone of %s: %+v", name, tombstone)
					}
				}
			})
		})
	}
}

// TestSettleJoins: who comes while a portal is worked on joins, and who waits
// no longer leaves the operation alone.
func TestSettleJoins(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		n := w.node(true)
		row := w.intent()
		gate := n.points.Gate(PointCreateDatabase)
		impatient, cancel := context.WithCancel(w.Context())
		type outcome struct {
			row store.PortalRow
			err error
		}
		outcomes := make(chan outcome, 3)
		settle := func(ctx context.Context, fence int64) {
			settled, err := n.Settle(ctx, row.ID, fence)
			outcomes <- outcome{settled, err}
		}
		go settle(impatient, row.Fence)
		<-gate.Reached()
		go settle(w.Context(), row.Fence) // with the same lease
		go settle(w.Context(), 0)         // with none
		synctest.Wait()
		cancel()
		left := <-outcomes
		wantKind(w.T, left.err, portico.KindUnavailable)
		gate.Open()
		for range 2 {
			if o := <-outcomes; o.err != nil || o.row.State != portico.PortalActive {
				w.Errorf("joined: %+v", o)
			}
		}
		if got := w.recorded(row.ID); len(got) != 1 {
			w.Errorf("recorded %v", got)
		}
		settled, err := n.Settle(w.Context(), row.ID, 0)
		if err != nil || settled.State != portico.PortalActive {
			w.Errorf("settled already: %+v, %v", settled, err)
		}
		_, err = n.Settle(w.Context(), portico.PrefixPortal+strings.Repeat("0", 26), 0)
		wantKind(w.T, err, portico.KindNotFound)
		n.Stop()
		_, err = n.Settle(w.Context(), row.ID, 0)
		wantKind(w.T, err, portico.KindUnavailable)
	})
}

// TestNameTaken: a database of another identity under a portal's name is left
// alone, and the portal gets the next name.
func TestNameTaken(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		n := w.node(true)
		row := w.intent()
		strange := w.identity(row, 1)
		strange.Epoch = "epoch_of_another"
		w.no(w.engine.Create(w.Context(), strange))
		settled, err := n.Settle(w.Context(), row.ID, row.Fence)
		w.no(err)
		if settled.Generation != 2 || w.row(row.ID).Generation != 2 {
			w.Errorf("settled as %+v", settled)
		}
		h, err := w.engine.Open(w.Context(), strange)
		w.no(err)
		h.Release()
	})
}

// TestResume: what an earlier process left under way is finished at start, and
// what another still works on is not touched.
func TestResume(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		leave func(*world, *node) store.PortalRow
		want  portico.PortalState
	}{
		"creating": {func(w *world, _ *node) store.PortalRow { return w.intent() }, portico.PortalActive},
		"creating, with its database": {func(w *world, _ *node) store.PortalRow {
			row := w.intent()
			w.no(w.engine.Create(w.Context(), w.identity(row, 1)))
			return row
		}, portico.PortalActive},
		"aborting": {func(w *world, _ *node) store.PortalRow {
			row := w.intent()
			w.no(w.engine.Create(w.Context(), w.identity(row, 1)))
			w.update(func(tx *store.Tx) error { return beginAbort(tx, row, row.Fence) })
			return row
		}, ""},
		"deleting": {func(w *world, n *node) store.PortalRow {
			row := w.portal(n)
			w.bury(row)
			return row
		}, ""},
		"deleting, its database gone": {func(w *world, n *node) store.PortalRow {
			row := w.portal(n)
			w.bury(row)
			w.no(w.engine.Drop(w.Context(), w.store.Identity(row).Place()))
			return row
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				first := w.node(false)
				row := tt.leave(w, first)
				left := w.row(row.ID).State
				second := w.node(false)
				_, err := second.Reconcile(w.Context(), -1)
				w.no(err)
				w.state(row.ID, left) // under a lease of somebody's
				pass(LeaseLife)
				findings, err := second.Reconcile(w.Context(), -1)
				w.no(err)
				if len(findings) > 0 {
					w.Errorf("left: %+v", findings)
				}
				w.state(row.ID, tt.want)
				if files := w.files(row.ID); (len(files) == 0) != (tt.want == "") {
					w.Errorf("databases: %v", files)
				}
			})
		})
	}
}
