package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"portico"
	"portico/internal/jobs"
	"portico/internal/store"
)

// operation is one portal being driven to a settled state.
type operation struct {
	portalID string
	fence    int64         // of the lease; 0: to be taken; guarded by Lifecycle.mu
	given    chan struct{} // closed when the fence came from who joined later
	after    *operation    // ran before on the same portal, under a lease now lost
	stages   *store.Stages // of a creation
	done     chan struct{}
	row      store.PortalRow // once done
	err      error           // once done
}

// begin joins the operation that runs for a portal or starts one. A caller
// with a lease of its own has taken it from the one that runs, so its
// operation starts as soon as that one has noticed; to one that has no lease
// yet, and may be waiting for just this one, it gives its own. It returns nil
// after Stop. Of ctx it takes the stopwatch alone.
func (l *Lifecycle) begin(ctx context.Context, portalID string, fence int64) *operation {
	l.mu.Lock()
	defer l.mu.Unlock()
	running := l.operations[portalID]
	if running != nil && (fence == 0 || fence == running.fence) {
		return running
	}
	if running != nil && running.fence == 0 {
		running.fence = fence
		close(running.given)
		return running
	}
	if l.stopped {
		return nil
	}
	stages := store.StagesOf(ctx)
	if stages == nil {
		stages = store.NewStages()
	}
	op := &operation{portalID: portalID, fence: fence, given: make(chan struct{}), after: running, stages: stages, done: make(chan struct{})}
	l.operations[portalID] = op
	l.done.Go(func() { l.run(op) })
	return op
}

func (l *Lifecycle) run(op *operation) {
	if op.after != nil {
		<-op.after.done
	}
	op.row, op.err = l.drive(store.WithStages(l.ctx, op.stages), op)
	if op.err != nil && portico.KindOf(op.err) == portico.KindInternal {
		op.err = portico.WrapError(portico.KindUnavailable, op.err, "The portal could not be worked on now. Try again in a moment.")
	}
	l.mu.Lock()
	if l.operations[op.portalID] == op {
		delete(l.operations, op.portalID)
	}
	l.mu.Unlock()
	close(op.done)
}

// drive takes steps until the portal is settled. A failed step is repeated
// with backoff: a creation until it is given up, a deletion for ever. While
// another node works on the portal it waits, to be told of the end or to take
// over.
func (l *Lifecycle) drive(ctx context.Context, op *operation) (store.PortalRow, error) {
	portalID := op.portalID
	row, fence, err := l.lease(ctx, op)
	if err != nil || row.Found() {
		return row, err
	}
	release := l.keepLease(ctx, portalID, fence)
	defer release()

	var cause error // of the last failure
	away := false   // the registry is, and the log has it
	for failures := 0; ; {
		row, settled, err := l.step(ctx, portalID, fence)
		if settled && row.State == portico.PortalAborting {
			err = notCreated(cause)
		}
		if settled {
			return row, err
		}
		if err == nil {
			failures, away = 0, false
			continue
		}
		wait := registryAgain
		if row.ID != "" {
			failures++
			wait = jobs.Backoff(failures)
		} else if !away && ctx.Err() == nil {
			l.log.Warn("an operation on a portal waits for the registry", "portal", portalID, "error", err)
		}
		away = row.ID == ""
		cause = err
		if !errors.Is(err, store.ErrLeaseLost) && ctx.Err() == nil && !away {
			err = l.stepFailed(ctx, row, fence, err)
		}
		if errors.Is(err, store.ErrLeaseLost) || ctx.Err() != nil {
			return l.overtaken(ctx, portalID)
		}
		if !pause(ctx, wait) {
			return row, ctx.Err()
		}
	}
}

// registryAgain is how often an operation asks a registry that does not answer.
// That says nothing about the portal, so the wait does not grow: somebody may
// be waiting for the operation as soon as the registry is back.
const registryAgain = time.Second

// step looks at the portal's state and does what it calls for. One that panics
// has failed, so that one portal does not end the process for all.
func (l *Lifecycle) step(ctx context.Context, portalID string, fence int64) (row store.PortalRow, settled bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("a step on a portal panicked", "portal", portalID, "panic", p, "stack", string(debug.Stack()))
			settled, err = false, fmt.Errorf("lifecycle: a step panicked: %v", p)
		}
	}()
	err = l.store.Look(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.PortalByID(portalID)
		return err
	})
	if portico.KindOf(err) == portico.KindNotFound {
		return row, true, errGone
	}
	if err != nil {
		return row, false, err
	}
	switch row.State {
	case portico.PortalCreating:
		row, err = l.create(ctx, row, fence)
		return row, err == nil && row.State == portico.PortalActive, err
	case portico.PortalAborting:
		if err := l.abort(ctx, row, fence); err != nil {
			return row, false, err
		}
		return row, true, nil // drive knows why
	case portico.PortalDeleting:
		if err := l.destroy(ctx, row, fence); err != nil {
			return row, false, err
		}
		return row, true, errGone
	default:
		return row, true, nil
	}
}

// overtaken is the end of an operation that may write no more: what it was to
// bring about may have come about all the same, by another's hand or by a
// commit of its own whose outcome was not known.
func (l *Lifecycle) overtaken(ctx context.Context, portalID string) (row store.PortalRow, err error) {
	err = l.store.View(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.PortalByID(portalID)
		return err
	})
	if portico.KindOf(err) == portico.KindNotFound {
		return row, errGone
	}
	if err != nil || !row.Found() {
		err = busy("Another operation on the portal took over. Repeat the request.")
	}
	return row, err
}

// stepFailed records a failed attempt; a creation that failed too often is
// turned into an abort. The error is ErrLeaseLost or none.
func (l *Lifecycle) stepFailed(ctx context.Context, row store.PortalRow, fence int64, cause error) error {
	l.log.Warn("a step on a portal failed and is tried again", "portal", row.ID, "state", row.State, "error", cause)
	err := l.store.Update(store.WithReserve(ctx), func(tx *store.Tx) error {
		attempts, err := tx.RecordFailure(row.ID, fence, cause.Error())
		if err != nil || row.State != portico.PortalCreating || attempts < portico.MaxCreateAttempts {
			return err
		}
		return beginAbort(tx, row, fence)
	})
	if errors.Is(err, store.ErrLeaseLost) {
		return err
	}
	if err != nil {
		l.log.Warn("cannot record a failed step", "portal", row.ID, "error", err)
	}
	return nil
}

func beginAbort(tx *store.Tx, row store.PortalRow, fence int64) error {
	err := tx.InsertTombstone(store.Tombstone{
		DatabaseName: portico.DatabaseName(row.ID, row.Generation), Cluster: row.Cluster, PortalID: row.ID,
		OrganizationID: row.OrganizationID, Reason: store.TombstoneAborted, ActorID: portico.SystemActor,
	})
	if err != nil {
		return err
	}
	return tx.SetPortalState(row.ID, fence, portico.PortalCreating, portico.PortalAborting)
}

// create makes the database and then the portal active, with the audit record
// and the answer for a repeated request in the same transaction.
func (l *Lifecycle) create(ctx context.Context, row store.PortalRow, fence int64) (store.PortalRow, error) {
	if err := l.config.Failpoints.Hit(ctx, PointCreateDatabase); err != nil {
		return row, err
	}
	err := l.engine.Create(ctx, l.store.Identity(row))
	if errors.Is(err, store.ErrIdentity) || errors.Is(err, store.ErrRetired) {
		return row, l.nextGeneration(ctx, row, fence, err)
	}
	if err != nil {
		return row, errors.Join(err, l.goElsewhere(ctx, row, fence, err))
	}
	schema, err := l.furnish(ctx, row)
	if err != nil {
		return row, err
	}
	if len(l.config.AppSteps) > 0 {
		store.StagesOf(ctx).Done(portico.StageSchema)
	}
	if err := l.config.Failpoints.Hit(ctx, PointCreateActivate); err != nil {
		return row, err
	}
	row.State = portico.PortalActive
	snapshot, err := json.Marshal(row.Portal)
	if err != nil {
		return row, err
	}
	err = l.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.ActivatePortal(row.ID, fence, store.StagesOf(ctx).All()); err != nil {
			return err
		}
		if err := l.recordSchema(tx, schema); err != nil {
			return err
		}
		event := systemEvent(row, portico.ActionPortalCreated)
		event.ActorID = row.CreatedBy
		if err := tx.InsertEvents(event); err != nil {
			return err
		}
		return tx.FinishAnswers(row.ID, string(snapshot))
	})
	if err != nil {
		row.State = portico.PortalCreating
		return row, err
	}
	return row, l.config.Failpoints.Hit(ctx, PointCreated)
}

// nextGeneration gives a portal that is being created a fresh database name:
// the one it had is taken by something that is not its own.
func (l *Lifecycle) nextGeneration(ctx context.Context, row store.PortalRow, fence int64, cause error) error {
	l.log.Warn("a database name is taken; the portal gets another", "portal", row.ID, "generation", row.Generation, "cause", cause)
	return l.store.Update(ctx, func(tx *store.Tx) error {
		return tx.SetPortalGeneration(row.ID, fence, row.Generation, row.Generation+1, row.Cluster)
	})
}

// abort drops what a creation left and then its row. The address label stays
// taken.
func (l *Lifecycle) abort(ctx context.Context, row store.PortalRow, fence int64) error {
	dropped, err := l.dropAll(ctx, row)
	if err != nil {
		return err
	}
	return l.store.Update(store.WithReserve(ctx), func(tx *store.Tx) error {
		if err := closeTombstones(tx, dropped, "dropped after a failed creation"); err != nil {
			return err
		}
		if err := tx.InsertEvents(systemEvent(row, portico.ActionPortalAborted)); err != nil {
			return err
		}
		if err := tx.DropAnswers(row.ID); err != nil {
			return err
		}
		return tx.DeletePortalRow(row.ID, fence)
	})
}

// destroy drops the database of a portal whose tombstone is written, then its
// row and what else is released last.
func (l *Lifecycle) destroy(ctx context.Context, row store.PortalRow, fence int64) error {
	if err := l.config.Failpoints.Hit(ctx, PointDeleteDatabase); err != nil {
		return err
	}
	dropped, err := l.dropAll(ctx, row)
	if err != nil {
		return err
	}
	if err := l.config.Failpoints.Hit(ctx, PointDeleteRelease); err != nil {
		return err
	}
	err = l.store.Update(store.WithReserve(ctx), func(tx *store.Tx) error {
		if err := closeTombstones(tx, dropped, "dropped and seen to be gone"); err != nil {
			return err
		}
		if row.CustomDomain != nil && row.DomainVerifiedAt != nil {
			if err := tx.ReleaseDomain(*row.CustomDomain, row.OrganizationID); err != nil {
				return err
			}
		}
		if err := tx.FinishAnswers(row.ID, "{}"); err != nil {
			return err
		}
		return tx.DeletePortalRow(row.ID, fence)
	})
	if err != nil {
		return err
	}
	return l.config.Failpoints.Hit(ctx, PointDeleted)
}

// dropAll drops every database that a portal which goes may have: its last one,
// and by their tombstones one that a restore replaced and one that a restore
// was making. It returns where they were.
func (l *Lifecycle) dropAll(ctx context.Context, row store.PortalRow) (all []store.Place, err error) {
	err = l.store.View(ctx, func(tx *store.Tx) error {
		all = []store.Place{l.store.Identity(row).Place()}
		open, err := tx.OpenTombstones(row.ID)
		for _, t := range open {
			if t.DatabaseName != all[0].Name {
				all = append(all, t.Place())
			}
		}
		return err
	})
	for _, at := range all {
		if err == nil {
			err = l.engine.Drop(ctx, at)
		}
	}
	return all, err
}

func closeTombstones(tx *store.Tx, all []store.Place, evidence string) error {
	for _, at := range all {
		if err := tx.CloseTombstone(at.Name, evidence); err != nil {
			return err
		}
	}
	return nil
}
