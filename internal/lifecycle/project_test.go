package lifecycle

import (
	"testing"

	"portico"
	"portico/internal/failpoint"
	"portico/internal/store"
)

// pending returns how many jobs wait.
func (w *world) pending() (n int) {
	w.Helper()
	w.no(w.store.View(w.Context(), func(tx *store.Tx) (err error) {
		n, err = tx.CountJobs()
		return err
	}))
	return n
}

// enqueue writes a projection job.
func (w *world) enqueue(row store.PortalRow, accountIDs ...string) (jobID string) {
	w.Helper()
	w.update(func(tx *store.Tx) (err error) {
		jobID, err = EnqueueProjection(tx, row.ID, accountIDs)
		return err
	})
	return jobID
}

// TestProject fails a projection before and after the portal's database was
// written. The job stays and is done by who comes next: a repeat of the call,
// or the runner.
func TestProject(t *testing.T) {
	t.Parallel()
	finish := map[string]func(*world, *node, store.PortalRow){
		"a repeat":   func(w *world, n *node, row store.PortalRow) { w.no(n.FinishProjections(w.Context(), row)) },
		"the runner": func(w *world, n *node, _ store.PortalRow) { pass(projectGrace); w.no(n.jobs.RunDue(w.Context())) },
	}
	for _, point := range []string{PointProject, PointProjected} {
		for who, then := range finish {
			t.Run(point+", then "+who, func(t *testing.T) {
				t.Parallel()
				in(t, func(w *world) {
					n := w.node(true)
					row := w.portal(n)
					guest := w.guest(row, "a@example.com")
					failFirst(n.points, point, 1)
					job := w.enqueue(row, guest)
					wantKind(w.T, n.Project(w.Context(), row.ID, job, []string{guest}), portico.KindUnavailable)
					w.no(n.jobs.RunDue(w.Context())) // not due: the request may still do it
					if w.pending() != 1 {
						w.Fatal("the job does not wait")
					}
					then(w, n, row)
					if users := w.users(row); users != 1 {
						w.Errorf("%d users", users)
					}
					w.no(n.jobs.Start())
					n.jobs.Stop() // which deletes what is finished
					if w.pending() != 0 {
						w.Error("the job is left")
					}
				})
			})
		}
	}
}

// TestProjectOfAPortalThatGoes: the job of a portal that is gone is done.
func TestProjectOfAPortalThatGoes(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		n := w.node(true)
		row := w.portal(n)
		guest := w.guest(row, "a@example.com")
		job := w.enqueue(row, guest)
		fence := w.bury(row)
		_, err := n.Settle(w.Context(), row.ID, fence)
		wantKind(w.T, err, portico.KindNotFound)
		wantKind(w.T, n.Project(w.Context(), row.ID, job, []string{guest}), portico.KindNotFound)
		pass(projectGrace)
		w.no(n.jobs.RunDue(w.Context()))
		if w.pending() != 0 {
			w.Error("the job is left")
		}
	})
}

// TestFailPoints: every point of the package is in its list.
func TestFailPoints(t *testing.T) {
	t.Parallel()
	if _, err := failpoint.Join(FailPoints()); err != nil {
		t.Error(err)
	}
}
