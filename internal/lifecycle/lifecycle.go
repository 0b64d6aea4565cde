// Package lifecycle takes portals and their databases through their states:
// create, delete, replace, and the reconciler that finishes what a crash left
// unfinished. No transaction covers a database and the row that names it, so
// the order is fixed: row first, database second, active last; on delete the
// tombstone first, then the database, the row last.
//
// It is written over the Engine contract and never imports an engine. It does
// not decide who may do what: that is package control's.
//
// Start with Lifecycle.Settle, then drive in operation.go.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"portico"
	"portico/internal/failpoint"
	"portico/internal/jobs"
	"portico/internal/keyring"
	"portico/internal/store"
)

// The failpoints of this package, in the order in which an operation meets
// them.
const (
	PointCreateDatabase  = "lifecycle.create.database"
	PointCreateActivate  = "lifecycle.create.activate"
	PointCreated         = "lifecycle.create.done"
	PointDeleteDatabase  = "lifecycle.delete.database"
	PointDeleteRelease   = "lifecycle.delete.release"
	PointDeleted         = "lifecycle.delete.done"
	PointProject         = "lifecycle.project"
	PointProjected       = "lifecycle.project.done"
	PointReplaceReserved = "lifecycle.replace.reserved" // the next name is taken, nothing has it
	PointMoveBarred      = "lifecycle.move.barred"      // the app is kept out
	PointReplaceFilled   = "lifecycle.replace.filled"   // the next database is there, nothing names it
	PointReplaced        = "lifecycle.replace.done"     // the portal has it, the one before is there
	PointDropTombstoned  = "lifecycle.drop"             // leased, not dropped
)

// FailPoints returns the names of all points of this package.
func FailPoints() []string {
	return []string{
		PointCreateDatabase, PointCreateActivate, PointCreated,
		PointDeleteDatabase, PointDeleteRelease, PointDeleted,
		PointProject, PointProjected,
		PointReplaceReserved, PointMoveBarred, PointReplaceFilled, PointReplaced, PointDropTombstoned,
		PointFleetMigrated,
	}
}

// LeaseLife is how long a lease on a portal lasts unless it is renewed.
const LeaseLife = 5 * time.Second

// Config is what a Lifecycle needs.
type Config struct {
	Store      *store.Store
	Jobs       *jobs.Runner
	Ring       *keyring.Ring
	Log        *slog.Logger
	Failpoints *failpoint.Set

	// Mover takes databases from one cluster to another; nil where there is one
	// place only.
	Mover store.Mover

	// SchemaVersion is the newest version of a portal's own tables, and
	// AppSteps are the steps of the schema of the platform's app.
	SchemaVersion int
	AppSteps      []store.AppStep

	// SoleProcess says that no other process works on these portals, so that
	// leases left over from an earlier one are void.
	SoleProcess bool
}

// Lifecycle drives portals to settled states. At most one operation runs for a
// portal in this process; between processes the lease decides.
type Lifecycle struct {
	config Config
	store  *store.Store
	engine store.Engine
	log    *slog.Logger

	ctx    context.Context // ends with Stop; what operations run under
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu         sync.Mutex
	stopped    bool
	operations map[string]*operation // by portal id
	verified   string                // the portal that the last deep check ended at
	standing   standing              // what the last pass left
	shunned    map[string]time.Time  // clusters that failed a creation, until when
}

// New returns a life cycle that settles what it is asked to. Start makes it
// look for work of its own.
func New(config Config) *Lifecycle {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Lifecycle{
		config: config, store: config.Store, engine: config.Store.Engine(), log: config.Log,
		ctx: ctx, cancel: cancel, operations: map[string]*operation{}, shunned: map[string]time.Time{},
	}
	if config.Jobs != nil {
		config.Jobs.Handle(ProjectJob, l.runProjectJob)
	}
	return l
}

// ReconcileEvery is how often the reconciler looks at everything.
const ReconcileEvery = time.Minute

// Start voids what an earlier process of a sole owner held, makes the
// projections that it left due, and begins to reconcile: at once, then every
// ReconcileEvery. What other nodes leave is taken up as soon as their leases
// run out.
func (l *Lifecycle) Start() error {
	if l.config.SoleProcess {
		err := l.store.Update(l.ctx, func(tx *store.Tx) error {
			if err := tx.HurryJobs(ProjectJob); err != nil {
				return err
			}
			return tx.VoidLeases()
		})
		if err != nil {
			return err
		}
	}
	l.done.Go(func() {
		passes, leases := time.NewTicker(ReconcileEvery), time.NewTicker(LeaseLife)
		defer passes.Stop()
		defer leases.Stop()
		if l.config.SoleProcess {
			leases.Stop()
		}
		pass := func() error {
			_, err := l.Reconcile(l.ctx, verifyPerPass)
			return err
		}
		for next := pass; ; {
			if err := next(); err != nil && l.ctx.Err() == nil {
				l.log.Error("the reconciler's pass ended early", "error", err)
			}
			select {
			case <-l.ctx.Done():
				return
			case <-passes.C:
				next = pass
			case <-leases.C:
				next = func() error { return l.resume(l.ctx) }
			}
		}
	})
	return nil
}

// Stop ends what runs and waits for it. Unfinished operations go on at the
// next start.
func (l *Lifecycle) Stop() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	l.cancel()
	l.done.Wait()
}

// errGone is what an operation on a portal ends with when it is no more.
var errGone = portico.Errorf(portico.KindNotFound, "Not found")

// busy is the answer to who waits longer than an operation may take.
func busy(text string) error {
	return &portico.Error{Kind: portico.KindUnavailable, Msg: text, RetryAfter: 5 * time.Second}
}

// Settle makes sure that the portal is being driven to a settled state and
// waits for it: active, unavailable, or gone. fence is the lease that the
// caller took with the row, or 0 to join what runs or take one. When ctx ends
// first the operation goes on and the error is KindUnavailable.
//
// The row is as the operation left it; a portal that is gone is KindNotFound.
func (l *Lifecycle) Settle(ctx context.Context, portalID string, fence int64) (store.PortalRow, error) {
	op := l.begin(ctx, portalID, fence)
	if op == nil {
		return store.PortalRow{}, busy("The service is shutting down. Try again in a moment.")
	}
	select {
	case <-op.done:
		return op.row, op.err
	case <-ctx.Done():
		return store.PortalRow{}, busy("The portal is still being worked on. Repeat the request to wait for it.")
	}
}

// Resume sees to a portal after a transaction that began an operation on it
// under a lease, and whose outcome is not known, or after which nobody settled
// it. When the transaction came to nothing, nothing is done. It does not wait.
func (l *Lifecycle) Resume(ctx context.Context, portalID string, fence int64) {
	if portalID != "" && fence != 0 {
		l.begin(ctx, portalID, fence)
	}
}

// Stages returns how far an operation of this process on a portal has come; of
// none, or another node's, nothing.
func (l *Lifecycle) Stages(portalID string) []portico.Stage {
	l.mu.Lock()
	defer l.mu.Unlock()
	if op := l.operations[portalID]; op != nil {
		return op.stages.All()
	}
	return nil
}

// Open returns a handle on an active portal's database. A database that is not
// there, damaged, or not the one the registry names makes the portal
// unavailable; a portal that is being deleted is KindNotFound.
func (l *Lifecycle) Open(ctx context.Context, p store.PortalRow) (store.Handle, error) {
	handle, err := l.engine.Open(ctx, l.store.Identity(p))
	if err == nil {
		return handle, nil
	}
	return nil, l.openFailed(ctx, p, err)
}

// Use opens an active portal's database for the time of fn. Damage that shows
// only while it is used makes the portal unavailable too: an error without a
// kind says that the database is not what its schema says. Damage of the
// registry, which comes as KindUnavailable, a refused value, and a caller that
// went away do not.
// A portal that was deleted meanwhile is KindNotFound.
func (l *Lifecycle) Use(ctx context.Context, p store.PortalRow, fn func(store.Handle) error) error {
	handle, err := l.Open(ctx, p)
	if err != nil {
		return err
	}
	defer handle.Release()
	if err = fn(handle); err == nil || ctx.Err() != nil || errors.Is(err, store.ErrValue) {
		return err
	}
	switch portico.KindOf(err) {
	case portico.KindInternal:
		return l.openFailed(ctx, p, fmt.Errorf("%w: %w", store.ErrDamaged, err))
	case portico.KindUnavailable: // the portal may have been deleted meanwhile
		return l.openFailed(ctx, p, err)
	default:
		return err
	}
}

// openFailed decides what a failed open means. The registry is read again: the
// portal may have been deleted or given another database meanwhile.
func (l *Lifecycle) openFailed(ctx context.Context, p store.PortalRow, cause error) error {
	var now store.PortalRow
	err := l.store.View(ctx, func(tx *store.Tx) (err error) {
		now, err = tx.PortalByID(p.ID)
		return err
	})
	switch {
	case err != nil:
		return err
	case !now.Found():
		return errGone
	case now.Generation != p.Generation:
		return busy("The portal's database is being replaced. Try again in a moment.")
	case errors.Is(cause, store.ErrAbsent), errors.Is(cause, store.ErrIdentity), errors.Is(cause, store.ErrDamaged):
		if err := l.markUnavailable(ctx, p, cause); err != nil {
			return err
		}
	case errors.Is(cause, store.ErrRetired):
		return busy("The portal's database is being replaced. Try again in a moment.")
	case portico.KindOf(cause) != portico.KindInternal:
		return cause
	}
	return unavailable(cause)
}

// unavailable is the answer for a portal whose database cannot be used.
func unavailable(cause error) error {
	e := portico.WrapError(portico.KindUnavailable, cause, "This portal is unavailable. Its operator has been told.")
	e.RetryAfter = ReconcileEvery
	return e
}

func (l *Lifecycle) markUnavailable(ctx context.Context, p store.PortalRow, cause error) error {
	changed := false
	err := l.store.Update(ctx, func(tx *store.Tx) (err error) {
		changed, err = tx.MarkUnavailable(p.ID, p.Generation, true, cause.Error())
		if err != nil || !changed {
			return err
		}
		return tx.InsertEvents(systemEvent(p, portico.ActionPortalUnavailable))
	})
	if changed && err == nil {
		l.log.Error("a portal is unavailable: its database is missing, damaged or another's; restore it with 'portico restore --portal'",
			"portal", p.ID, "database", portico.DatabaseName(p.ID, p.Generation), "cause", cause)
	}
	return err
}

// CheckServing returns the answer for a portal that reads find but whose
// database cannot be used, and nil for one that is served.
func CheckServing(p portico.Portal) error {
	if p.Serving() {
		return nil
	}
	return unavailable(nil)
}

func systemEvent(p store.PortalRow, action portico.Action) portico.Event {
	return portico.Event{
		OrganizationID: p.OrganizationID, PortalID: p.ID, ActorID: portico.SystemActor,
		Action: action, SubjectID: p.ID, RequestID: p.RequestID,
	}
}
