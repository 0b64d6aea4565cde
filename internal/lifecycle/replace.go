package lifecycle

import (
	"context"
	"errors"

	"portico"
	"portico/internal/store"
)

// Replace gives a portal the next generation of its database, made from a copy
// that Backup wrote: under a lease, the new database first, then the row, then
// the old database by tombstone. dropOld is false in a process beside a running
// server, whose reconciler then drops the old one.
//
// Access is what the registry says now, not what it said when the copy was
// made: the guests are applied before the portal is pointed at the copy.
func (l *Lifecycle) Replace(ctx context.Context, portalID, path string, dropOld bool) error {
	row, fence, err := l.leaseFound(ctx, portalID)
	if err != nil {
		return err
	}
	fresh := row
	if fresh.Generation, err = l.replace(ctx, row, fence, path); err != nil {
		l.giveUpCopy(context.WithoutCancel(ctx), fresh, fence)
		if errors.Is(err, store.ErrLeaseLost) {
			err = busy("Another operation on the portal took over. Repeat the command.")
		}
		return err
	}
	// Who was invited or removed since the copy was filled is in the old
	// database only.
	if err := l.projectAll(ctx, fresh); err != nil || !dropOld {
		return err
	}
	return l.dropTombstoned(ctx, row.ID, l.store.Identity(row).Place())
}

// replace makes the copy and points the portal at it. It returns the copy's
// generation, also with an error once that is reserved, and the row's before.
func (l *Lifecycle) replace(ctx context.Context, row store.PortalRow, fence int64, path string) (int, error) {
	release := l.keepLease(ctx, row.ID, fence)
	defer release()
	next, err := l.reserveGeneration(ctx, row, fence)
	if err != nil {
		return row.Generation, err
	}
	fresh := row
	fresh.Generation = next
	if err := l.engine.Restore(ctx, l.store.Identity(fresh), path); err != nil {
		return next, err
	}
	if err := l.projectAll(ctx, fresh); err != nil {
		return next, err
	}
	schema, err := l.furnish(ctx, fresh) // the copy may be older than the app
	if err != nil {
		return next, err
	}
	if err := l.config.Failpoints.Hit(ctx, PointReplaceFilled); err != nil {
		return next, err
	}
	return next, l.store.Update(ctx, func(tx *store.Tx) error {
		if err := pointAt(tx, row, fence, next); err != nil || len(l.config.AppSteps) == 0 {
			return err // what the app has in the copy is not known here
		}
		return l.recordSchema(tx, schema)
	})
}

// pointAt makes a portal's copy its database, and a tombstone of the one that
// it had. The portal may have become unavailable, or have recovered, since the
// copy was begun.
func pointAt(tx *store.Tx, row store.PortalRow, fence int64, next int) error {
	now, err := tx.PortalByID(row.ID)
	if err != nil {
		return err
	}
	if err := tx.SetPortalGeneration(row.ID, fence, row.Generation, next, row.Cluster); err != nil {
		return err
	}
	if err := tx.SetPortalState(row.ID, fence, now.State, portico.PortalActive); err != nil {
		return err
	}
	if err := tx.RevokeTombstone(portico.DatabaseName(row.ID, next)); err != nil {
		return err
	}
	if err := tx.InsertTombstone(tombstone(row, row.Generation)); err != nil {
		return err
	}
	event := systemEvent(row, portico.ActionPortalRestored)
	event.ActorID, event.RequestID = portico.OperatorActor, ""
	return tx.InsertEvents(event)
}

// giveUpCopy ends a restore that failed: the lease goes back, and the copy goes
// away unless the portal was pointed at it after all. What cannot be done now
// is left to the reconciler.
func (l *Lifecycle) giveUpCopy(ctx context.Context, fresh store.PortalRow, fence int64) {
	err := l.store.Update(store.WithReserve(ctx), func(tx *store.Tx) error { return tx.ReleaseLease(fresh.ID, fence) })
	if err == nil {
		err = l.dropTombstoned(ctx, fresh.ID, l.store.Identity(fresh).Place())
	}
	if err != nil {
		l.log.Warn("what a failed restore left is dropped later", "portal", fresh.ID, "error", err)
	}
}

func (l *Lifecycle) leaseFound(ctx context.Context, portalID string) (row store.PortalRow, fence int64, err error) {
	err = l.store.Update(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.PortalByID(portalID)
		if err != nil {
			return err
		}
		if !row.Found() {
			return errGone
		}
		fence, err = tx.TakeLease(portalID, LeaseLife, false)
		return err
	})
	return row, fence, err
}

// reserveGeneration finds the next generation that no database ever had, and
// writes its tombstone: should this process die, what it made is dropped.
func (l *Lifecycle) reserveGeneration(ctx context.Context, row store.PortalRow, fence int64) (int, error) {
	next := row.Generation + 1
	err := l.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.RenewLease(row.ID, fence, LeaseLife); err != nil {
			return err
		}
		for {
			_, err := tx.Tombstone(portico.DatabaseName(row.ID, next))
			if portico.KindOf(err) == portico.KindNotFound {
				return tx.InsertTombstone(tombstone(row, next))
			}
			if err != nil {
				return err
			}
			next++
		}
	})
	return next, err
}

func tombstone(row store.PortalRow, generation int) store.Tombstone {
	return store.Tombstone{
		DatabaseName: portico.DatabaseName(row.ID, generation), Cluster: row.Cluster, PortalID: row.ID,
		OrganizationID: row.OrganizationID, Reason: store.TombstoneReplaced, ActorID: portico.OperatorActor,
	}
}
