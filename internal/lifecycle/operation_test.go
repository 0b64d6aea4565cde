package lifecycle

import (
	"context"
	"slices"
	"testing"
	"time"

	"portico"
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

var _ = context.Background
