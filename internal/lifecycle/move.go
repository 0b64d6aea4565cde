package lifecycle

import (
	"context"
	"errors"

	"portico"
	"portico/internal/store"
)

// Move takes a portal's database to another cluster: the app is kept out of the
// one it has, a copy is made on the target, held against the source, and the
// portal is pointed at it. Guests are invited and removed meanwhile as always.
// A process that dies on the way leaves the portal on one of the two, and the
// reconciler drops the other by its tombstone.
//
// The source is left to the reconciler of a running server: requests that are
// just using it come to their end.
func (l *Lifecycle) Move(ctx context.Context, portalID, clusterName string, progress func(done, total int64)) error {
	if l.config.Mover == nil {
		return portico.Errorf(portico.KindInvalid, "On SQLite there is one place for portals: the data folder. See 'portico import' for the way to PostgreSQL.")
	}
	row, fence, err := l.awaitLease(ctx, portalID)
	switch {
	case portico.KindOf(err) == portico.KindNotFound:
		return portico.Errorf(portico.KindNotFound, "There is no portal %s.", portalID)
	case errors.Is(err, store.ErrLeaseHeld):
		return portico.WrapError(portico.KindConflict, nil, "The portal is being worked on. Repeat the command in a moment.")
	case err != nil:
		return err
	}
	target, err := l.moveTarget(ctx, row, clusterName)
	if err != nil {
		return errors.Join(err, l.giveBack(ctx, row, fence))
	}
	return l.renew(ctx, row, fence, false, renewal{
		cluster: target, action: portico.ActionPortalMoved, moves: true,
		fill: func(ctx context.Context, row store.PortalRow, id store.Identity) error {
			return l.config.Mover.Copy(ctx, l.store.Identity(row).Place(), id, progress)
		},
	})
}

// Adopt gives a portal whose database is nowhere that this engine knows one on
// the cluster that the next portal would go to; fill makes it. A portal that has
// one is left as it is. It is what an import is made of.
func (l *Lifecycle) Adopt(ctx context.Context, portalID string, fill func(context.Context, store.Identity) error) error {
	row, fence, err := l.awaitLease(ctx, portalID)
	if err != nil {
		return err
	}
	if row.Cluster != "" {
		return l.giveBack(ctx, row, fence)
	}
	target, err := l.Place(ctx)
	if err != nil {
		return errors.Join(err, l.giveBack(ctx, row, fence))
	}
	return l.renew(ctx, row, fence, false, renewal{
		cluster: target, action: portico.ActionPortalMoved,
		fill: func(ctx context.Context, _ store.PortalRow, id store.Identity) error { return fill(ctx, id) },
	})
}

// moveTarget returns the cluster that a portal can be moved to.
func (l *Lifecycle) moveTarget(ctx context.Context, row store.PortalRow, name string) (id string, err error) {
	if row.State != portico.PortalActive {
		return "", portico.Errorf(portico.KindConflict, "The portal is %s, and only an active one is moved. Run 'portico doctor'.", row.State)
	}
	all, err := l.clusters(ctx)
	if err != nil {
		return "", err
	}
	for _, c := range all {
		switch {
		case c.Name != name:
		case c.ID == row.Cluster:
			return "", portico.Errorf(portico.KindConflict, "The portal is on %s already.", name)
		case c.Standing() != portico.ClusterOpen:
			return "", portico.Errorf(portico.KindConflict,
				"The cluster %s is %s and takes no portals. See 'portico cluster set'.", name, c.Standing())
		default:
			return c.ID, nil
		}
	}
	return "", portico.Errorf(portico.KindNotFound, "There is no cluster %q. See 'portico cluster list'.", name)
}

// bar keeps a portal's app out of its database.
func (l *Lifecycle) bar(ctx context.Context, row store.PortalRow) error {
	handle, err := l.engine.Open(ctx, l.store.Identity(row))
	if err != nil {
		return err
	}
	defer handle.Release()
	if err := handle.App().Bar(ctx); err != nil {
		return err
	}
	return l.config.Failpoints.Hit(ctx, PointMoveBarred)
}

// unbar lets an app back into its database after a move that came to nothing:
// what was to be the next database is dropped. An app that was never let in
// stays out, and one whose database is lost.
func (l *Lifecycle) unbar(ctx context.Context, portalID, dropped string) error {
	var row store.PortalRow
	var known error
	err := l.store.View(ctx, func(tx *store.Tx) (err error) {
		if row, err = tx.PortalByID(portalID); err == nil {
			_, known = tx.AppSecret(portalID)
		}
		return err
	})
	_, generation, _ := portico.ParseDatabaseName(dropped)
	if err != nil || known != nil || row.State != portico.PortalActive || generation < row.Generation {
		return err
	}
	handle, err := l.engine.Open(ctx, l.store.Identity(row))
	if errors.Is(err, store.ErrAbsent) || errors.Is(err, store.ErrIdentity) || errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrRetired) {
		return nil
	}
	if err != nil {
		return err
	}
	defer handle.Release()
	_, err = handle.App().Admit(ctx, func() (string, error) { return l.appSecret(ctx, portalID) }, false)
	return err
}

// endMove sees, before an app is let into its database, that nobody goes on with
// a move of it: what the app wrote from then on would be left behind. One that
// is under way is KindUnavailable.
func (l *Lifecycle) endMove(ctx context.Context, p store.PortalRow) error {
	ahead := false
	look := func(tx *store.Tx) (err error) {
		ahead, err = movesAhead(tx, p)
		return err
	}
	if err := l.store.View(ctx, look); err != nil || !ahead {
		return err
	}
	return l.store.Update(ctx, func(tx *store.Tx) error {
		if err := look(tx); err != nil || !ahead {
			return err
		}
		fence, err := tx.TakeLease(p.ID, LeaseLife, false) // the fence of who left it is worth nothing then
		if errors.Is(err, store.ErrLeaseHeld) {
			return busy("The portal's database is being replaced. Try again in a moment.")
		}
		if err != nil {
			return err
		}
		return tx.ReleaseLease(p.ID, fence)
	})
}

// movesAhead reports whether a database is reserved for a portal that comes
// after the one it has.
func movesAhead(tx *store.Tx, p store.PortalRow) (bool, error) {
	open, err := tx.OpenTombstones(p.ID)
	for _, t := range open {
		if _, generation, ok := portico.ParseDatabaseName(t.DatabaseName); ok && generation > p.Generation {
			return true, err
		}
	}
	return false, err
}
