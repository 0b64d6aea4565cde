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
// returns the findings with which there is nothing it may do. A partial view
// ends the pass before anything is done about it.
func (l *Lifecycle) Reconcile(ctx context.Context, verify int) (left []Finding, err error) {
	// Portals on their way come first: somebody waits for them.
	if err := l.resume(ctx); err != nil {
		return nil, err
	}
	findings, err := l.Survey(ctx, verify)
	if err != nil {
		return nil, err
	}
	orphans := 0
	for _, f := range findings {
		if f.Remedy == RemedyQuarantine {
			orphans++
		}
	}
	braked := orphans > brakeCount || orphans*100 > brakePercent*max(len(findings), l.databases(ctx))
	for _, f := range findings {
		if f.Remedy == RemedyReport || (f.Remedy == RemedyQuarantine && braked && orphans > 1) {
			left = append(left, f)
			continue
		}
		if err := l.remedy(ctx, f); err != nil {
			l.log.Warn("a finding could not be mended now", "portal", f.PortalID, "database", f.Database,
				"remedy", f.Remedy, "error", err)
			left = append(left, f)
		}
		if ctx.Err() != nil {
			return left, ctx.Err()
		}
	}
	return left, nil
}

// databases returns how many portal databases the registry counts on.
func (l *Lifecycle) databases(ctx context.Context) int {
	total := 0
	err := l.store.View(ctx, func(tx *store.Tx) error {
		counts, err := tx.CountPortals()
		for _, n := range counts {
			total += n
		}
		return err
	})
	if err != nil {
		return 0
	}
	return total
}

// resume drives on what an earlier process, or another node, left under way.
func (l *Lifecycle) resume(ctx context.Context) error {
	var rows []store.PortalRow
	err := l.store.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.UnsettledPortals()
		return err
	})
	if err != nil {
		return err
	}
	slots := make(chan struct{}, settleAtOnce)
	var wait sync.WaitGroup
	for _, row := range rows {
		if row.State == portico.PortalUnavailable || row.LeaseUntil.After(l.store.Now()) {
			continue
		}
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
	case RemedySettle:
		if !f.row.LeaseUntil.After(l.store.Now()) {
			l.settle(ctx, f.row)
		}
		return nil
	case RemedyMark:
		return l.confirmUnavailable(ctx, f)
	case RemedyRecover:
		return l.recoverPortal(ctx, f.row)
	case RemedyDrop:
		return l.dropTombstoned(ctx, f)
	case RemedyQuarantine:
		l.log.Error("a database that the registry knows nothing of is set aside", "database", f.Database, "bytes", f.Size)
		return l.engine.Quarantine(ctx, f.Database)
	case RemedyProject:
		return l.projectAll(ctx, f.row)
	default:
		return nil
	}
}

// confirmUnavailable tries the database once more before the portal is marked:
// what was seen may be a moment old.
func (l *Lifecycle) confirmUnavailable(ctx context.Context, f Finding) error {
	cause := l.engine.Verify(ctx, l.store.Identity(f.row.ID, f.row.Generation))
	if errors.Is(cause, store.ErrAbsent) || errors.Is(cause, store.ErrIdentity) || errors.Is(cause, store.ErrDamaged) {
		return l.markUnavailable(ctx, f.row, cause)
	}
	return nil
}

// recoverPortal makes an unavailable portal active again when its database is
// there, whole and its own. Its guests are applied again first: what was put
// back may be older than the registry.
func (l *Lifecycle) recoverPortal(ctx context.Context, row store.PortalRow) error {
	id := l.store.Identity(row.ID, row.Generation)
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
	handle, err := l.engine.Open(ctx, l.store.Identity(row.ID, row.Generation))
	if err != nil {
		return err
	}
	defer handle.Release()
	return l.store.ProjectAll(ctx, handle, row.ID)
}

// dropTombstoned drops a database that a tombstone names, unless the portal is
// being worked on: its operation knows better.
func (l *Lifecycle) dropTombstoned(ctx context.Context, f Finding) error {
	var held bool
	err := l.store.View(ctx, func(tx *store.Tx) error {
		row, err := tx.PortalByID(f.PortalID)
		if portico.KindOf(err) == portico.KindNotFound {
			return nil
		}
		held = row.LeaseUntil.After(tx.Now) || (err == nil && portico.DatabaseName(row.ID, row.Generation) == f.Database)
		return err
	})
	if err != nil || held {
		return err
	}
	if err := l.engine.Drop(ctx, f.Database); err != nil {
		return err
	}
	return l.store.Update(store.WithReserve(ctx), func(tx *store.Tx) error {
		return tx.CloseTombstone(f.Database, "dropped by the reconciler")
	})
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
