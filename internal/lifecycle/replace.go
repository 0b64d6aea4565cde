package lifecycle

import (
	"context"

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
	release := l.keepLease(ctx, portalID, fence)
	defer release()

	next, err := l.reserveGeneration(ctx, row, fence)
	if err != nil {
		return err
	}
	fresh := row
	fresh.Generation = next
	if err := l.engine.Restore(ctx, l.store.Identity(row.ID, next), path); err != nil {
		return err
	}
	if err := l.projectAll(ctx, fresh); err != nil {
		return err
	}
	old := portico.DatabaseName(row.ID, row.Generation)
	err = l.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.SetPortalGeneration(row.ID, fence, row.Generation, next); err != nil {
			return err
		}
		if err := tx.SetPortalState(row.ID, fence, row.State, portico.PortalActive); err != nil {
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
	})
	if err != nil {
		return err
	}
	// Who was invited or removed since the copy was filled is in the old
	// database only.
	if err := l.projectAll(ctx, fresh); err != nil || !dropOld {
		return err
	}
	return l.dropTombstoned(ctx, Finding{PortalID: row.ID, Database: old})
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
		DatabaseName: portico.DatabaseName(row.ID, generation), PortalID: row.ID,
		OrganizationID: row.OrganizationID, Reason: store.TombstoneReplaced, ActorID: portico.OperatorActor,
	}
}
