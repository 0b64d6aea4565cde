package lifecycle

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"portico"
	"portico/internal/store"
)

// TestSoleProcessJoinsTheRequest: in a sole process a lease that is held is one
// of a request that did not come to settle yet. Among several it may be
// another's, which is left alone until it ran out.
func TestSoleProcessJoinsTheRequest(t *testing.T) {
	t.Parallel()
	for _, sole := range []bool{true, false} {
		t.Run(map[bool]string{true: "sole", false: "one of several"}[sole], func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				n := w.node(sole)
				row := w.intent()
				began := time.Now()
				_, err := n.Settle(w.Context(), row.ID, 0)
				w.no(err)
				w.state(row.ID, portico.PortalActive)
				if took := time.Since(began); sole != (took == 0) || !sole && (took < LeaseLife || took > LeaseLife+joinEvery) {
					w.Errorf("it took %v", took)
				}
			})
		})
	}
}

// TestGivenALease: who waits for a lease that another request of the process
// has taken is given it, and does not wait until it runs out.
func TestGivenALease(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		n := w.node(false)
		row := w.portal(n)
		fence := w.bury(row)
		joined := make(chan error, 1)
		go func() {
			_, err := n.Settle(w.Context(), row.ID, 0)
			joined <- err
		}()
		synctest.Wait()
		w.state(row.ID, portico.PortalDeleting)
		began := time.Now()
		_, err := n.Settle(w.Context(), row.ID, fence)
		wantKind(w.T, err, portico.KindNotFound)
		wantKind(w.T, <-joined, portico.KindNotFound)
		if took := time.Since(began); took != 0 {
			w.Errorf("it took %v", took)
		}
	})
}

// TestLeaseLost is F24: a process that stands still in the middle of an
// operation loses its lease to another, which finishes. What the first one then
// writes is refused, whatever the step, and there is one effect.
func TestLeaseLost(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		point   string
		deleted bool
	}{
		"before the database is made":    {PointCreateDatabase, false},
		"before the portal is active":    {PointCreateActivate, false},
		"before the database goes":       {PointDeleteDatabase, true},
		"before what it had is given up": {PointDeleteRelease, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				slow, quick := w.node(false), w.node(false)
				var row store.PortalRow
				var fence int64
				if tt.deleted {
					row = w.portal(quick)
					fence = w.bury(row)
				} else {
					row = w.intent()
					fence = row.Fence
				}
				gate := slow.points.Gate(tt.point)
				lost := make(chan error, 1)
				go func() {
					_, err := slow.Settle(w.Context(), row.ID, fence)
					lost <- err
				}()
				<-gate.Reached()
				pass(3*LeaseLife + time.Second) // it renews its lease, so that nobody takes it
				patience, cancel := context.WithTimeout(w.Context(), LeaseLife)
				defer cancel()
				_, err := quick.Settle(patience, row.ID, 0)
				wantKind(w.T, err, portico.KindUnavailable)
				pass(time.Millisecond) // past a renewal, which comes at whole seconds
				w.lapse(row.ID)
				_, err = quick.Settle(w.Context(), row.ID, 0)
				if tt.deleted {
					wantKind(w.T, err, portico.KindNotFound)
				} else {
					w.no(err)
				}
				gate.Open()
				err = <-lost
				if tt.deleted { // what it was to bring about is there, though not by its hand
					wantKind(w.T, err, portico.KindNotFound)
				} else {
					w.no(err)
				}
				want := []portico.Action{portico.ActionPortalCreated}
				if got := w.recorded(row.ID); !slices.Equal(got, want) {
					w.Errorf("recorded %v", got)
				}
				if files := w.files(row.ID); (len(files) == 0) != tt.deleted {
					w.Errorf("databases: %v", files)
				}
			})
		})
	}
}

// lapse lets a lease run out although its holder would renew it: the holder's
// process stands still.
func (w *world) lapse(portalID string) {
	w.Helper()
	w.update(func(tx *store.Tx) error {
		row, err := tx.PortalByID(portalID)
		if err != nil {
			return err
		}
		return tx.RenewLease(portalID, row.Fence, -time.Microsecond)
	})
}

// TestDeleteTakesOver: a delete takes the lease from the creation under way in
// the same process, waits for it to notice, and ends the portal.
func TestDeleteTakesOver(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		n := w.node(true)
		row := w.intent()
		gate := n.points.Gate(PointCreated) // active, not answered
		created := make(chan error, 1)
		go func() {
			_, err := n.Settle(w.Context(), row.ID, row.Fence)
			created <- err
		}()
		<-gate.Reached()
		fence := w.bury(w.row(row.ID))
		gone := make(chan error, 1)
		go func() {
			_, err := n.Settle(w.Context(), row.ID, fence)
			gone <- err
		}()
		synctest.Wait()
		w.state(row.ID, portico.PortalDeleting)
		gate.Open()
		w.no(<-created)
		wantKind(w.T, <-gone, portico.KindNotFound)
		w.state(row.ID, "")
	})
}

// TestStartVoidsLeases: a sole process goes on at once with what its
// predecessor held, and with the projections that it left.
func TestStartVoidsLeases(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		first := w.node(true)
		served := w.portal(first)
		guest := w.guest(served, "a@example.com")
		w.update(func(tx *store.Tx) error {
			_, err := EnqueueProjection(tx, served.ID, []string{guest})
			return err
		})
		row := w.intent()
		second := w.node(true)
		w.no(second.Start())
		synctest.Wait()
		w.state(row.ID, portico.PortalActive)
		w.no(second.jobs.RunDue(w.Context()))
		if n := w.users(served); n != 1 {
			w.Errorf("%d users", n)
		}
		_, at := second.Standing()
		if !at.Equal(time.Now()) {
			w.Errorf("the first pass ended at %v", at)
		}
		pass(ReconcileEvery)
		synctest.Wait()
		if _, again := second.Standing(); again.Sub(at) != ReconcileEvery {
			w.Errorf("the next pass ended at %v", again)
		}
		second.Stop()
	})
}
