package lifecycle

import (
	"context"
	"errors"
	"sync"
	"time"

	"portico"
	"portico/internal/store"
)

// PointFleetMigrated is between a portal's migration and its record.
const PointFleetMigrated = "lifecycle.fleet.migrated"

// waves are the first portals of a sweep over the fleet, before all others: the
// canary alone, then a few. So many that fail stop it: when the canary does, or more than one of the few, the step is to blame and not
// the portal.
var waves = [...]struct{ portals, stop int }{{1, 1}, {5, 2}}

// fleetAtOnce is how many portals of one cluster are migrated side by side.
const fleetAtOnce = 4

// FleetResult is what a sweep over the fleet came to.
type FleetResult struct {
	Due       int // portals that had an older schema
	Migrated  int
	Failed    int  // portals that are not served until a later sweep succeeds
	Postponed int  // portals that could not be reached, or are being worked on
	Stopped   bool // by the first portals: most were not tried
}

// MigrateFleet brings every portal's database to the newest schemas, ours and
// the app's. It records each portal when it is done, so that a sweep that was
// killed goes on where it was. A portal whose step fails is marked and left,
// and not served until a later sweep succeeds: it comes last then, so that no
// sweep is stopped twice by the same one.
//
// Until its turn comes a portal is served at the schema that it has.
func (l *Lifecycle) MigrateFleet(ctx context.Context, progress func(done, total int)) (FleetResult, error) {
	fresh, failed, err := l.behind(ctx)
	if err != nil {
		return FleetResult{}, err
	}
	f := &fleet{lifecycle: l, progress: progress, result: FleetResult{Due: len(fresh) + len(failed)}}
	for _, w := range waves {
		wave := fresh[:min(w.portals, len(fresh))]
		fresh = fresh[len(wave):]
		f.sweep(ctx, wave)
		if f.result.Failed >= w.stop {
			f.result.Stopped = len(fresh)+len(failed) > 0
			return f.result, ctx.Err()
		}
	}
	f.sweep(ctx, fresh)
	f.sweep(ctx, failed)
	return f.result, ctx.Err()
}

// fleetPage is how many rows are read at once.
const fleetPage = 1000

// Fleet calls fn for every portal that is found, in order of id.
func (l *Lifecycle) Fleet(ctx context.Context, fn func(store.FleetRow)) error {
	for after := ""; ; {
		var page []store.FleetRow
		err := l.store.View(ctx, func(tx *store.Tx) (err error) {
			page, err = tx.Fleet(after, fleetPage)
			return err
		})
		if err != nil {
			return err
		}
		for _, row := range page {
			fn(row)
			after = row.ID
		}
		if len(page) < fleetPage {
			return nil
		}
	}
}

// behind returns the portals with an older schema: those never tried, and
// those that failed. One whose database is missing or damaged is neither.
func (l *Lifecycle) behind(ctx context.Context) (fresh, failed []store.PortalRow, err error) {
	err = l.Fleet(ctx, func(row store.FleetRow) {
		switch {
		case !row.Behind(l.config.SchemaVersion, len(l.config.AppSteps)):
		case row.Schema.Error != "":
			failed = append(failed, row.PortalRow)
		case row.State == portico.PortalActive:
			fresh = append(fresh, row.PortalRow)
		}
	})
	return fresh, failed, err
}

// fleet is one sweep.
type fleet struct {
	lifecycle *Lifecycle
	progress  func(done, total int)

	mu     sync.Mutex
	result FleetResult
}

// sweep migrates portals, those of each cluster apart from the others, so that
// a slow cluster holds up its own alone.
func (f *fleet) sweep(ctx context.Context, rows []store.PortalRow) {
	groups := make(map[string][]store.PortalRow)
	for _, row := range rows {
		groups[row.Cluster] = append(groups[row.Cluster], row)
	}
	var wait sync.WaitGroup
	for _, group := range groups {
		wait.Go(func() { f.sweepCluster(ctx, group) })
	}
	wait.Wait()
}

func (f *fleet) sweepCluster(ctx context.Context, rows []store.PortalRow) {
	next := make(chan store.PortalRow)
	var wait sync.WaitGroup
	for range min(fleetAtOnce, len(rows)) {
		wait.Go(func() {
			for row := range next {
				f.count(f.lifecycle.migrateFound(ctx, row))
			}
		})
	}
	for _, row := range rows {
		if ctx.Err() != nil {
			break
		}
		next <- row
	}
	close(next)
	wait.Wait()
}

// outcome is what became of one portal in a sweep.
type outcome int

const (
	outcomeMigrated outcome = iota
	outcomeGone             // deleted meanwhile
	outcomeFailed
	outcomePostponed
)

func (f *fleet) count(o outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &f.result
	switch o {
	case outcomeMigrated:
		r.Migrated++
	case outcomeGone:
		r.Due--
	case outcomeFailed:
		r.Failed++
	case outcomePostponed:
		r.Postponed++
	}
	if f.progress != nil {
		f.progress(r.Migrated+r.Failed+r.Postponed, r.Due)
	}
}

// migrateFound migrates one portal under its lease and records what came of it.
func (l *Lifecycle) migrateFound(ctx context.Context, row store.PortalRow) outcome {
	now, fence, err := l.awaitLease(ctx, row.ID)
	if portico.KindOf(err) == portico.KindNotFound {
		return outcomeGone
	}
	var schema store.PortalSchema
	if err == nil {
		release := l.keepLease(ctx, row.ID, fence)
		schema, err = l.migrate(ctx, now)
		if err == nil {
			err = l.config.Failpoints.Hit(ctx, PointFleetMigrated)
		}
		release()
		if passes(err) {
			err = errors.Join(err, l.giveBack(ctx, now, fence))
		} else {
			err = errors.Join(err, l.settleSchema(ctx, now, fence, schema, err))
		}
	}
	switch {
	case err == nil:
		return outcomeMigrated
	case passes(err):
		l.log.Warn("a portal's schema could not be looked at now", "portal", row.ID, "error", err)
		return outcomePostponed
	}
	l.log.Error("a portal's schema could not be brought to the newest version; it is not served until that succeeds", "portal", row.ID, "error", err)
	return outcomeFailed
}

// awaitLease takes the lease on a portal that is found. One that a process held
// which was killed, the sweep before above all, runs out meanwhile.
func (l *Lifecycle) awaitLease(ctx context.Context, portalID string) (row store.PortalRow, fence int64, err error) {
	for waited := time.Duration(0); ; waited += LeaseLife / 10 {
		row, fence, err = l.leaseFound(ctx, portalID)
		if !errors.Is(err, store.ErrLeaseHeld) || waited > LeaseLife || !pause(ctx, LeaseLife/10) {
			return row, fence, err
		}
	}
}

// passes reports whether an error of a migration says nothing of the portal
// itself: an outage, a lock that another held, a lease that went.
func passes(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, store.ErrLeaseHeld) || errors.Is(err, store.ErrLeaseLost) {
		return true
	}
	for _, lost := range []error{store.ErrAbsent, store.ErrIdentity, store.ErrDamaged, store.ErrRetired} {
		if errors.Is(err, lost) { // the reconciler's to judge
			return true
		}
	}
	kind := portico.KindOf(err)
	return kind == portico.KindUnavailable || kind == portico.KindStorageFull
}

func (l *Lifecycle) giveBack(ctx context.Context, row store.PortalRow, fence int64) error {
	return l.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		return tx.SettleFound(row.ID, fence, row.State, row.State, row.LastError)
	})
}

// settleSchema records what a portal's schemas came to, and gives its lease
// back. One whose migration failed is unavailable from then on, and one that
// was so for that reason is active again.
func (l *Lifecycle) settleSchema(ctx context.Context, row store.PortalRow, fence int64, schema store.PortalSchema, cause error) error {
	to, action := portico.PortalActive, portico.ActionPortalRecovered
	if cause != nil {
		schema.Error = cause.Error()
		to, action = portico.PortalUnavailable, portico.ActionPortalUnavailable
	}
	return l.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if err := l.recordSchema(tx, schema); err != nil {
			return err
		}
		if err := tx.SettleFound(row.ID, fence, row.State, to, schema.Error); err != nil || to == row.State {
			return err
		}
		event := systemEvent(row, action)
		event.ActorID, event.RequestID = portico.OperatorActor, ""
		return tx.InsertEvents(event)
	})
}
