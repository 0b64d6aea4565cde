package lifecycle

import (
	"context"
	"errors"

	"portico"
	"portico/internal/store"
)

// renewal is what a portal's next database is to be.
type renewal struct {
	cluster string         // that it is on
	action  portico.Action // that is recorded
	moves   bool           // what the app has in the one before goes along

	// fill makes the database.
	fill func(ctx context.Context, row store.PortalRow, id store.Identity) error
}

// Replace gives a portal the next generation of its database, made from a copy
// that Backup wrote. dropOld is false in a process beside a running server,
// whose reconciler then drops the old one.
//
// Access is what the registry says now, not what it said when the copy was
// made: the guests are applied before the portal is pointed at the copy.
func (l *Lifecycle) Replace(ctx context.Context, portalID, path string, dropOld bool) error {
	row, fence, err := l.leaseFound(ctx, portalID)
	if err != nil {
		return err
	}
	return l.renew(ctx, row, fence, dropOld, renewal{
		cluster: row.Cluster, action: portico.ActionPortalRestored,
		fill: func(ctx context.Context, _ store.PortalRow, id store.Identity) error {
			return l.engine.Restore(ctx, id, path)
		},
	})
}

// renew gives a portal another database: under a lease, the new database first,
// then the row, then the old database by tombstone.
func (l *Lifecycle) renew(ctx context.Context, row store.PortalRow, fence int64, dropOld bool, r renewal) error {
	fresh := row
	fresh.Cluster = r.cluster
	err := l.prepare(ctx, row, &fresh, fence, r)
	if err != nil {
		l.giveUpCopy(context.WithoutCancel(ctx), fresh, fence)
		if errors.Is(err, store.ErrLeaseLost) {
			err = busy("Another operation on the portal took over. Repeat the command.")
		}
		return err
	}
	if !dropOld {
		return nil
	}
	return l.dropTombstoned(ctx, row.ID, l.store.Identity(row).Place())
}

// prepare makes the next database and points the portal at it. It sets the
// generation of fresh as soon as that is reserved.
func (l *Lifecycle) prepare(ctx context.Context, row store.PortalRow, fresh *store.PortalRow, fence int64, r renewal) error {
	release := l.keepLease(ctx, row.ID, fence)
	defer release()
	err := l.reserveGeneration(ctx, row, fresh, fence)
	if err != nil {
		return err
	}
	if err := l.config.Failpoints.Hit(ctx, PointReplaceReserved); err != nil {
		return err
	}
	if r.moves {
		if err := l.bar(ctx, row); err != nil {
			return err
		}
	}
	if err := r.fill(ctx, row, l.store.Identity(*fresh)); err != nil {
		return err
	}
	if err := l.projectAll(ctx, *fresh); err != nil {
		return err
	}
	schema, err := l.furnish(ctx, *fresh) // the copy may be older than the app
	if err != nil {
		return err
	}
	if err := l.config.Failpoints.Hit(ctx, PointReplaceFilled); err != nil {
		return err
	}
	err = l.holding(ctx, row, func(before store.Handle, lost error) error {
		if lost != nil && r.moves {
			return portico.WrapError(portico.KindUnavailable, lost, "The portal's database cannot be opened now, so its copy cannot be held against it. Run 'portico doctor', or repeat the command.")
		}
		if err := l.stillOurs(ctx, row.ID, fence); err != nil {
			return err
		}
		if err := l.bringUp(ctx, *fresh, before, r); err != nil {
			return err
		}
		return l.store.Update(ctx, func(tx *store.Tx) error {
			if err := pointAt(tx, row, *fresh, fence, r.action); err != nil || len(l.config.AppSteps) == 0 {
				return err // what the app has in the copy is not known here
			}
			return l.recordSchema(tx, schema)
		})
	})
	if err != nil {
		return err
	}
	return l.config.Failpoints.Hit(ctx, PointReplaced)
}

// holding runs fn while no guest can be written to the database that a portal
// has: who was invited or removed since the next one was filled is in there
// only, and from fn on nowhere. Where the database cannot be opened nobody can
// write to it, and fn is given why.
func (l *Lifecycle) holding(ctx context.Context, row store.PortalRow, fn func(before store.Handle, lost error) error) error {
	handle, err := l.engine.Open(ctx, l.store.Identity(row))
	if err != nil {
		return fn(nil, err)
	}
	defer handle.Release()
	return l.store.Hold(ctx, handle, func() error { return fn(handle, nil) })
}

// stillOurs returns why an operation may not go on with a portal: what it made
// is dropped then, or about to be.
func (l *Lifecycle) stillOurs(ctx context.Context, portalID string, fence int64) error {
	return l.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.PortalByID(portalID); err != nil {
			return err
		}
		return tx.RenewLease(portalID, fence, LeaseLife)
	})
}

// bringUp applies the guests of now to a portal's next database, and looks that
// it is what it should be.
func (l *Lifecycle) bringUp(ctx context.Context, fresh store.PortalRow, before store.Handle, r renewal) error {
	handle, err := l.engine.Open(ctx, l.store.Identity(fresh))
	if err != nil {
		return err
	}
	defer handle.Release()
	if err := l.store.ProjectAll(ctx, handle, fresh.ID); err != nil || !r.moves {
		return err
	}
	same, err := store.SameSettings(ctx, before, handle)
	if err == nil && !same {
		err = portico.Errorf(portico.KindUnavailable, "The copy of the portal's database differs from it. Repeat the command.")
	}
	return err
}

// pointAt makes a portal's next database its database, and a tombstone of the
// one that it had. The portal may have become unavailable, or have recovered,
// since the next one was begun.
func pointAt(tx *store.Tx, row, fresh store.PortalRow, fence int64, action portico.Action) error {
	now, err := tx.PortalByID(row.ID)
	if err != nil {
		return err
	}
	if fresh.Cluster != "" {
		listed, err := tx.ClusterListed(fresh.Cluster)
		if err != nil {
			return err
		}
		if !listed {
			return portico.Errorf(portico.KindConflict, "The cluster was taken off the list meanwhile.")
		}
	}
	if err := tx.SetPortalGeneration(row.ID, fence, row.Generation, fresh.Generation, fresh.Cluster); err != nil {
		return err
	}
	if err := tx.SetPortalState(row.ID, fence, now.State, portico.PortalActive); err != nil {
		return err
	}
	if err := tx.RevokeTombstone(portico.DatabaseName(row.ID, fresh.Generation)); err != nil {
		return err
	}
	if err := tx.InsertTombstone(tombstone(row, row.Generation)); err != nil {
		return err
	}
	event := systemEvent(row, action)
	event.ActorID, event.RequestID = portico.OperatorActor, ""
	return tx.InsertEvents(event)
}

// giveUpCopy ends a restore or a move that failed: the lease goes back, and the
// next database goes away unless the portal was pointed at it after all. What
// cannot be done now is left to the reconciler.
func (l *Lifecycle) giveUpCopy(ctx context.Context, fresh store.PortalRow, fence int64) {
	err := l.store.Update(store.WithReserve(ctx), func(tx *store.Tx) error { return tx.ReleaseLease(fresh.ID, fence) })
	if err == nil {
		err = l.dropTombstoned(ctx, fresh.ID, l.store.Identity(fresh).Place())
	}
	if err != nil {
		l.log.Warn("what a failed restore or move left is dropped later", "portal", fresh.ID, "error", err)
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
func (l *Lifecycle) reserveGeneration(ctx context.Context, row store.PortalRow, fresh *store.PortalRow, fence int64) error {
	next := row.Generation + 1
	err := l.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.RenewLease(row.ID, fence, LeaseLife); err != nil {
			return err
		}
		for {
			_, err := tx.Tombstone(portico.DatabaseName(row.ID, next))
			if portico.KindOf(err) == portico.KindNotFound {
				return tx.InsertTombstone(tombstone(*fresh, next))
			}
			if err != nil {
				return err
			}
			next++
		}
	})
	if err == nil {
		fresh.Generation = next
	}
	return err
}

func tombstone(row store.PortalRow, generation int) store.Tombstone {
	return store.Tombstone{
		DatabaseName: portico.DatabaseName(row.ID, generation), Cluster: row.Cluster, PortalID: row.ID,
		OrganizationID: row.OrganizationID, Reason: store.TombstoneReplaced, ActorID: portico.OperatorActor,
	}
}
