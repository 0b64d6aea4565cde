// Package jobs runs durable work: jobs that were written in the transaction of
// what makes them necessary are leased, run, retried with backoff, and deleted
// when they are done; and work that is due at intervals.
//
// It owns no job's meaning: packages above register a handler for each kind.
// It imports store, never what is above it.
//
// Start with Runner.
package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"portico"
	"portico/internal/store"
)

// Handler does one job. It must be harmless when repeated. An error leads to
// another attempt later.
type Handler func(ctx context.Context, job store.Job) error

// Config is what a Runner needs.
type Config struct {
	Store *store.Store
	Log   *slog.Logger

	// SoleProcess says that no other process runs jobs of this registry, so
	// that leases left over from an earlier one are void.
	SoleProcess bool
}

// leaseLife is after how long another may take a job over whose runner died: a
// lease is renewed while its handler runs.
const leaseLife = 5 * time.Second

// runLimit is how long a handler may take.
const runLimit = time.Minute

// idlePoll is how long the runner trusts that it would have been woken.
const idlePoll = 5 * time.Second

// atOnce is how many jobs a runner has at a time: one that waits for a cluster
// which does not answer must not hold up the others.
const atOnce = 4

// Runner leases jobs and runs their handlers, a few at a time: they are the
// exception, what a request did not finish itself.
type Runner struct {
	config   Config
	handlers map[string]Handler
	every    []schedule

	wake chan struct{}
	stop context.CancelFunc
	done sync.WaitGroup

	mu       sync.Mutex
	finished []string // jobs whose rows may go, until they are gone
	flush    chan struct{}
}

type schedule struct {
	interval time.Duration
	run      func(context.Context) error
	name     string
}

// New returns a runner that does nothing until Start.
func New(config Config) *Runner {
	return &Runner{
		config:   config,
		handlers: map[string]Handler{},
		wake:     make(chan struct{}, 1),
		flush:    make(chan struct{}, 1),
	}
}

// Handle registers the handler of a kind of job. It is called before Start.
func (r *Runner) Handle(kind string, h Handler) { r.handlers[kind] = h }

// Every registers work that is done at Start and then at intervals. It is
// called before Start.
func (r *Runner) Every(name string, interval time.Duration, run func(context.Context) error) {
	r.every = append(r.every, schedule{interval, run, name})
}

// Start begins to run jobs. Stop ends it.
func (r *Runner) Start() error {
	if r.config.SoleProcess {
		err := r.config.Store.Update(context.Background(), func(tx *store.Tx) error { return tx.VoidJobLeases() })
		if err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	r.done.Go(func() { r.loop(ctx) })
	r.done.Go(func() { r.flushLoop(ctx) })
	for _, s := range r.every {
		r.done.Go(func() { r.scheduleLoop(ctx, s) })
	}
	return nil
}

// Stop ends the runner and waits until what it was doing is done.
func (r *Runner) Stop() {
	if r.stop == nil {
		return
	}
	r.stop()
	r.done.Wait()
	if err := r.deleteFinished(context.Background()); err != nil {
		r.config.Log.Warn("finished jobs stay for the next start", "error", err)
	}
}

// Wake makes the runner look for due jobs now.
func (r *Runner) Wake() { signal(r.wake) }

// Finish deletes a job that its writer has done itself. The row goes soon, not
// before Finish returns: until then the job may be run again, harmlessly.
func (r *Runner) Finish(id string) {
	r.mu.Lock()
	r.finished = append(r.finished, id)
	r.mu.Unlock()
	signal(r.flush)
}

// Finished returns the jobs that are done though their rows may still be there.
// A row that is read after this call, and is not among them, is one to do.
func (r *Runner) Finished() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.finished)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (r *Runner) flushLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.flush:
		}
		if err := r.deleteFinished(ctx); err != nil {
			r.config.Log.Warn("cannot delete finished jobs now", "error", err)
			r.Wake() // they are run once more
		}
	}
}

// deleteFinished deletes the rows of finished jobs. Those it cannot delete wait
// for the next time; should they be run once more before, that is harmless.
func (r *Runner) deleteFinished(ctx context.Context) error {
	ids := r.Finished()
	if len(ids) == 0 {
		return nil
	}
	err := r.config.Store.Update(ctx, func(tx *store.Tx) error { return tx.DeleteJobs(ids...) })
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finished = slices.DeleteFunc(r.finished, func(id string) bool { return slices.Contains(ids, id) })
	return nil
}

func (r *Runner) scheduleLoop(ctx context.Context, s schedule) {
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	for {
		if err := s.run(ctx); err != nil && ctx.Err() == nil {
			r.config.Log.Error("scheduled work failed", "work", s.name, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (r *Runner) loop(ctx context.Context) {
	places := make(chan struct{}, atOnce)
	for ctx.Err() == nil {
		places <- struct{}{}
		job, ok, err := r.lease(ctx)
		if ok {
			r.done.Go(func() {
				r.report(ctx, r.finish(ctx, job, r.do(ctx, job)))
				<-places
				r.Wake() // it may be due again before anything else is
			})
			continue
		}
		<-places
		r.report(ctx, err)
		timer := time.NewTimer(r.untilNext(ctx))
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (r *Runner) report(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		r.config.Log.Error("cannot run jobs now", "error", err)
	}
}

// untilNext returns how long there is nothing to do, at most idlePoll.
func (r *Runner) untilNext(ctx context.Context) time.Duration {
	wait := idlePoll
	err := r.config.Store.View(ctx, func(tx *store.Tx) error {
		at, ok, err := tx.NextJob()
		if ok {
			wait = min(wait, max(at.Sub(tx.Now), 0)+time.Millisecond)
		}
		return err
	})
	if err != nil {
		return time.Second
	}
	return wait
}

// RunDue runs every job that is due, one after the other, and returns when none
// is left.
func (r *Runner) RunDue(ctx context.Context) error {
	for {
		job, ok, err := r.lease(ctx)
		if err != nil || !ok {
			return err
		}
		if err := r.finish(ctx, job, r.do(ctx, job)); err != nil {
			return err
		}
	}
}

// lease takes the next job that is due.
func (r *Runner) lease(ctx context.Context) (job store.Job, ok bool, err error) {
	// Looking is a read: a registry at rest is not written to.
	due := false
	err = r.config.Store.View(ctx, func(tx *store.Tx) error {
		at, ok, err := tx.NextJob()
		due = ok && !at.After(tx.Now)
		return err
	})
	if err != nil || !due {
		return job, false, err
	}
	err = r.config.Store.Update(ctx, func(tx *store.Tx) error {
		job, ok, err = tx.LeaseJob(leaseLife)
		return err
	})
	return job, ok && err == nil, err
}

// do runs a job's handler. One that panics has failed, so that a job which
// always makes it panic does not end one process after the other.
func (r *Runner) do(ctx context.Context, job store.Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.config.Log.Error("the handler of a job panicked", "job", job.ID, "kind", job.Kind, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("jobs: the handler panicked: %v", p)
		}
	}()
	handler := r.handlers[job.Kind]
	if handler == nil {
		return portico.Errorf(portico.KindInternal, "no handler for jobs of kind %s", job.Kind)
	}
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	r.done.Go(func() { r.keep(ctx, job) })
	return handler(ctx, job)
}

// keep renews the lease on a job until ctx ends. A renewal that fails is tried
// again: what a job does twice is harmless.
func (r *Runner) keep(ctx context.Context, job store.Job) {
	ticker := time.NewTicker(leaseLife / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := r.config.Store.Update(ctx, func(tx *store.Tx) error { return tx.RenewJob(job, leaseLife) }); err != nil && ctx.Err() == nil {
			r.config.Log.Warn("cannot renew the lease on a job now", "job", job.ID, "error", err)
		}
	}
}

func (r *Runner) finish(ctx context.Context, job store.Job, failure error) error {
	return r.config.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if failure == nil {
			return tx.DeleteJobs(job.ID)
		}
		wait := Backoff(job.Attempts)
		r.config.Log.Warn("job failed and is tried again", "job", job.ID, "kind", job.Kind,
			"attempt", job.Attempts, "in", wait.String(), "error", failure)
		return tx.RetryJob(job, tx.Now.Add(wait), failure.Error())
	})
}

// Backoff returns how long to wait after the n-th failed attempt: doubling from
// half a second to a minute.
func Backoff(attempt int) time.Duration {
	return min(500*time.Millisecond<<min(max(attempt-1, 0), 8), time.Minute)
}
