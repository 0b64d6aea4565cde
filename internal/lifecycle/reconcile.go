package lifecycle

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"portico"
	"portico/internal/store"
)

// verifyPerPass is how many databases a regular pass reads through: a slow
// trickle that gets around to all of them.
const verifyPerPass = 10

// settleAtOnce is how many portals are driven on side by side.
const settleAtOnce = 4

// The brake: setting aside more databases than this in one pass, in number or
// as a part of all, looks like a mistake of ours and is left to a person.
const (
	brakeCount   = 10
	brakePercent = 1
)

// Reconcile looks at everything once and does what the findings call for. It
// returns the findings that are left: those with which there is nothing it may
// do, and those that could not be mended now. What is new among them is logged,
// and Standing counts them. A partial view ends the pass before anything is
// done about it.
func (l *Lifecycle) Reconcile(ctx context.Context, verify int) (left []Finding, err error) {
	// Portals on their way come first: somebody waits for them.
	if err := l.resume(ctx); err != nil {
		return nil, err
	}
	s, err := l.survey(ctx, verify)
	if err != nil {
		return nil, err
	}
	braked := s.brake()
	for _, f := range s.findings {
		if f.Remedy == RemedyReport || (f.Remedy == RemedyQuarantine && braked[f.Cluster]) {
			left = append(left, f)
			continue
		}
		if err := l.remedy(ctx, f); err != nil {
			f.cause = err
			left = append(left, f)
		}
		if ctx.Err() != nil {
			return left, ctx.Err()
		}
	}
	l.note(left)
	return left, nil
}

// brake returns the clusters on which setting aside what nobody knows must wait
// for a person. A single database is never more than an accident.
func (s *survey) brake() map[string]bool {
	orphans, braked := map[string]int{}, map[string]bool{}
	for _, f := range s.findings {
		if f.Remedy == RemedyQuarantine {
			orphans[f.Cluster]++
		}
	}
	for cluster, n := range orphans {
		braked[cluster] = n > brakeCount || (n > 1 && n*100 > brakePercent*s.databases[cluster])
	}
	return braked
}

// resume drives on what an earlier process, or another node, left under way.
func (l *Lifecycle) resume(ctx context.Context) error {
	var abandoned []store.PortalRow
	err := l.store.View(ctx, func(tx *store.Tx) error {
		abandoned = nil
		rows, err := tx.UnsettledPortals()
		for _, row := range rows {
			if !row.Found() && !row.LeaseUntil.After(tx.Now) {
				abandoned = append(abandoned, row)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	slots := make(chan struct{}, settleAtOnce)
	var wait sync.WaitGroup
	for _, row := range abandoned {
		slots <- struct{}{}
		wait.Go(func() {
			l.settle(ctx, row)
			<-slots
		})
	}
	wait.Wait()
	return ctx.Err()
}

// settlePatience is how long a pass waits for one portal before it goes on
// with the others; the operation goes on by itself.
const settlePatience = 10 * time.Second

func (l *Lifecycle) settle(ctx context.Context, row store.PortalRow) {
	ctx, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	_, err := l.Settle(ctx, row.ID, 0)
	if err != nil && portico.KindOf(err) != portico.KindNotFound {
		l.log.Warn("a portal is not settled yet", "portal", row.ID, "state", row.State, "error", err)
	}
}

func (l *Lifecycle) remedy(ctx context.Context, f Finding) error {
	switch f.Remedy {
	case RemedyMark:
		return l.confirmUnavailable(ctx, f)
	case RemedyRecover:
		return l.recoverPortal(ctx, f.row)
	case RemedyDrop:
		return l.dropTombstoned(ctx, f.PortalID, f.place())
	case RemedyQuarantine:
		l.log.Error("a database that the registry knows nothing of is set aside", "database", f.Database, "bytes", f.Size)
		return l.engine.Quarantine(ctx, f.place())
	case RemedyProject:
		return l.projectAll(ctx, f.row)
	default: // RemedySettle is resume's, RemedyReport a person's
		return nil
	}
}

// confirmUnavailable tries the database once more before the portal is marked:
// what was seen may be a moment old.
func (l *Lifecycle) confirmUnavailable(ctx context.Context, f Finding) error {
	cause := l.engine.Verify(ctx, l.store.Identity(f.row))
	if errors.Is(cause, store.ErrAbsent) || errors.Is(cause, store.ErrIdentity) || errors.Is(cause, store.ErrDamaged) {
		return l.markUnavailable(ctx, f.row, cause)
	}
	return nil
}

// recoverPortal makes an unavailable portal active again when its database is
// there, whole and its own. Its guests are applied again first: what was put
// back may be older than the registry.
func (l *Lifecycle) recoverPortal(ctx context.Context, row store.PortalRow) error {
	id := l.store.Identity(row)
	if err := l.engine.Verify(ctx, id); err != nil {
		return err
	}
	if err := l.projectAll(ctx, row); err != nil {
		return err
	}
	return l.store.Update(ctx, func(tx *store.Tx) error {
		changed, err := tx.MarkUnavailable(row.ID, row.Generation, false, "")
		if err != nil || !changed {
			return err
		}
		return tx.InsertEvents(systemEvent(row, portico.ActionPortalRecovered))
	})
}

func (l *Lifecycle) projectAll(ctx context.Context, row store.PortalRow) error {
	handle, err := l.engine.Open(ctx, l.store.Identity(row))
	if err != nil {
		return err
	}
	defer handle.Release()
	return l.store.ProjectAll(ctx, handle, row.ID)
}

// dropTombstoned drops a database that a tombstone names. It does so under the
// portal's lease: an operation that let its own run out, a restore above all,
// can no longer point the portal at the database, whose name is dead from here
// on. While another holds the lease, or works on a portal that is on its way,
// the database is left to that operation.
//
// A portal without a row needs no lease. Its id is never given out again, so
// nothing can come to name the database.
func (l *Lifecycle) dropTombstoned(ctx context.Context, portalID string, at store.Place) error {
	var fence int64
	due := false
	err := l.store.Update(store.WithReserve(ctx), func(tx *store.Tx) (err error) {
		fence, due, err = leaseTombstoned(tx, portalID, at.Name)
		return err
	})
	if err != nil || !due {
		return err
	}
	if fence != 0 {
		defer l.keepLease(ctx, portalID, fence)()
	}
	if err := l.config.Failpoints.Hit(ctx, PointDropTombstoned); err != nil {
		return err
	}
	var dropped error
	if fence != 0 {
		dropped = l.unbar(ctx, portalID, at.Name)
	}
	if dropped == nil {
		dropped = l.engine.Drop(ctx, at)
	}
	err = l.store.Update(store.WithReserve(context.WithoutCancel(ctx)), func(tx *store.Tx) error {
		if err := tx.ReleaseLease(portalID, fence); err != nil || dropped != nil {
			return err
		}
		return tx.CloseTombstone(at.Name, "dropped by the reconciler")
	})
	return errors.Join(dropped, err)
}

// leaseTombstoned takes the lease under which a database may be dropped, and
// reports whether it is to be dropped at all. fence is 0 when there is no row.
func leaseTombstoned(tx *store.Tx, portalID, database string) (fence int64, due bool, err error) {
	_, err = tx.Tombstone(database)
	if portico.KindOf(err) == portico.KindNotFound {
		return 0, false, nil // revoked: a portal's row names the database now
	}
	if err != nil {
		return 0, false, err
	}
	row, err := tx.PortalByID(portalID)
	switch {
	case portico.KindOf(err) == portico.KindNotFound:
		return 0, true, nil
	case err != nil:
		return 0, false, err
	case !row.Found() || portico.DatabaseName(row.ID, row.Generation) == database:
		return 0, false, nil
	}
	fence, err = tx.TakeLease(portalID, LeaseLife, false)
	if errors.Is(err, store.ErrLeaseHeld) {
		return 0, false, nil
	}
	return fence, err == nil, err
}

// nextToVerify returns the next count active portals in order of id after the
// last one verified, going around; all of them when count is negative.
func (l *Lifecycle) nextToVerify(rows map[string]store.PortalRow, count int) []store.PortalRow {
	var ids []string
	for id := range maps.Keys(rows) {
		if rows[id].State == portico.PortalActive {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	if count < 0 || count > len(ids) {
		count = len(ids)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	start, _ := slices.BinarySearch(ids, l.verified+"\x00")
	next := make([]store.PortalRow, 0, count)
	for i := range count {
		id := ids[(start+i)%len(ids)]
		next = append(next, rows[id])
		l.verified = id
	}
	return next
}
