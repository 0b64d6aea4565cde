package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"portico"
	"portico/internal/jobs"
	"portico/internal/store"
	"portico/internal/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// leaseLife is how long a job is held by who took it and died, runLimit how
// long its handler may take.
const (
	leaseLife = 5 * time.Second
	runLimit  = time.Minute
)

// world is a registry in a bubble, whose time passes only while everybody
// waits.
type world struct {
	*testing.T
	store *store.Store
}

func in(t *testing.T, test func(*world)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t}
		engine, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir, Exclusive: true, Now: time.Now})
		w.no(err)
		t.Cleanup(func() { w.no(engine.Close()) })
		w.store, err = store.New(engine, time.Now, portico.NewIDSource(time.Now))
		w.no(err)
		test(w)
	})
}

func (w *world) no(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) update(fn func(*store.Tx) error) {
	w.Helper()
	w.no(w.store.Update(w.Context(), fn))
}

func (w *world) runner(sole bool) *jobs.Runner {
	return jobs.New(jobs.Config{Store: w.store, Log: slog.New(slog.DiscardHandler), SoleProcess: sole})
}

// add writes a job that is due after a while.
func (w *world) add(kind string, after time.Duration) (id string) {
	w.Helper()
	w.update(func(tx *store.Tx) (err error) {
		id, err = tx.InsertJob(store.Job{Kind: kind, Payload: "{}", RunAt: tx.Now.Add(after)})
		return err
	})
	return id
}

// waiting fails the test unless so many jobs are there.
func (w *world) waiting(want int) {
	w.Helper()
	var n int
	w.no(w.store.View(w.Context(), func(tx *store.Tx) (err error) {
		n, err = tx.CountJobs()
		return err
	}))
	if n != want {
		w.Errorf("%d jobs wait, want %d", n, want)
	}
}

func pass(d time.Duration) { <-time.After(d) }

func TestBackoff(t *testing.T) {
	t.Parallel()
	for attempt, want := range map[int]time.Duration{
		-1: 500 * time.Millisecond, 0: 500 * time.Millisecond, 1: 500 * time.Millisecond, 2: time.Second, 3: 2 * time.Second,
		7: 32 * time.Second, 8: time.Minute, 9: time.Minute, 1 << 40: time.Minute,
	} {
		if got := jobs.Backoff(attempt); got != want {
			t.Errorf("after attempt %d: %v, want %v", attempt, got, want)
		}
	}
}

// TestRun runs jobs when they are due, in the order in which they became so,
// and again after a failure.
func TestRun(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		r := w.runner(true)
		began := time.Now()
		type run struct {
			payload string
			after   time.Duration
			attempt int
		}
		var runs []run
		fail := 2
		r.Handle("good", func(_ context.Context, job store.Job) error {
			runs = append(runs, run{"good", time.Since(began), job.Attempts})
			return nil
		})
		r.Handle("bad", func(_ context.Context, job store.Job) error {
			runs = append(runs, run{"bad", time.Since(began), job.Attempts})
			if fail--; fail >= 0 {
				return errors.New("not now")
			}
			return nil
		})
		w.no(r.Start())
		w.add("good", 3*time.Second)
		w.add("bad", time.Second)
		w.add("good", 0)
		r.Wake()
		pass(time.Minute)
		r.Stop()
		const slack = time.Millisecond // after it is due, so that it surely is
		first, second := jobs.Backoff(1), jobs.Backoff(2)
		want := []run{
			{"good", 0, 1},
			{"bad", time.Second + slack, 1},
			{"bad", time.Second + first + 2*slack, 2},
			{"bad", time.Second + first + second + 3*slack, 3},
			{"good", 3*time.Second + slack, 1},
		}
		if !slices.Equal(runs, want) {
			w.Errorf("runs: %+v\nwant: %+v", runs, want)
		}
		w.waiting(0)
	})
}

// TestSlowNeighbour: a job that waits holds up no other, and so many run at a
// time and no more.
func TestSlowNeighbour(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		r := w.runner(true)
		quick := make(chan struct{})
		var atOnce, most int
		var mu sync.Mutex
		count := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			atOnce += n
			most = max(most, atOnce)
		}
		r.Handle("slow", func(ctx context.Context, _ store.Job) error {
			count(1)
			defer count(-1)
			select {
			case <-quick:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		r.Handle("quick", func(context.Context, store.Job) error {
			close(quick)
			return nil
		})
		w.add("slow", 0)
		w.add("quick", time.Second)
		w.no(r.Start())
		pass(2 * time.Second)
		w.waiting(0)
		quick = make(chan struct{})
		for range 10 {
			w.add("slow", 0)
		}
		r.Wake()
		synctest.Wait()
		w.waiting(10)
		close(quick)
		synctest.Wait()
		w.waiting(0)
		r.Stop()
		if most != 4 {
			w.Errorf("%d ran at once", most)
		}
	})
}

// TestUnknownKind: a job that nobody handles stays, for a version that does.
func TestUnknownKind(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		r := w.runner(true)
		w.add("of the future", 0)
		w.no(r.RunDue(w.Context()))
		w.waiting(1)
		r.Handle("of the future", func(context.Context, store.Job) error { return nil })
		w.no(r.RunDue(w.Context())) // not due again yet
		w.waiting(1)
		pass(jobs.Backoff(1))
		w.no(r.RunDue(w.Context()))
		w.waiting(0)
	})
}

// TestPanic: a job that makes its handler panic is tried again like one that
// fails, and the others are run.
func TestPanic(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		r := w.runner(true)
		good, bad := 0, 0
		r.Handle("good", func(context.Context, store.Job) error { good++; return nil })
		r.Handle("bad", func(context.Context, store.Job) error {
			bad++
			panic("out")
		})
		w.add("bad", 0)
		w.add("good", 0)
		w.no(r.RunDue(w.Context()))
		pass(jobs.Backoff(1))
		w.no(r.RunDue(w.Context()))
		if good != 1 || bad != 2 {
			w.Errorf("%d and %d runs", good, bad)
		}
		w.waiting(1)
	})
}

// TestLease: of two runners one has a job, until its lease runs out; what the
// one that lost it says of it then counts for nothing.
func TestLease(t *testing.T) {
	t.Parallel()
	for name, outcome := range map[string]error{"the first fails after all": errors.New("late"), "the first gets done after all": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				slow, quick := w.runner(false), w.runner(false)
				began, end := make(chan struct{}), make(chan struct{})
				slow.Handle("job", func(ctx context.Context, _ store.Job) error {
					close(began)
					<-ctx.Done() // it is told when its time is over
					<-end        // and does not listen
					return outcome
				})
				var attempts []int
				running, finish := make(chan struct{}), make(chan struct{})
				quick.Handle("job", func(_ context.Context, job store.Job) error {
					attempts = append(attempts, job.Attempts)
					close(running)
					<-finish
					return errors.New("once more")
				})
				w.add("job", 0)
				slowly, quickly := make(chan error, 1), make(chan error, 1)
				go func() { slowly <- slow.RunDue(w.Context()) }()
				<-began
				w.no(quick.RunDue(w.Context()))
				if len(attempts) != 0 {
					w.Error("two had one job")
				}
				pass(runLimit + leaseLife)
				go func() { quickly <- quick.RunDue(w.Context()) }()
				<-running
				close(end)
				w.no(<-slowly)
				if outcome == nil { // done is done, whoever did it
					w.waiting(0)
				} else {
					w.waiting(1)
				}
				close(finish)
				w.no(<-quickly)
				if !slices.Equal(attempts, []int{2}) {
					w.Errorf("attempts: %v", attempts)
				}
				pass(jobs.Backoff(2) - time.Millisecond)
				if w.due() {
					w.Error("who lost the job put it back")
				}
			})
		})
	}
}

func (w *world) due() (due bool) {
	w.Helper()
	w.no(w.store.View(w.Context(), func(tx *store.Tx) error {
		at, ok, err := tx.NextJob()
		due = ok && !at.After(tx.Now)
		return err
	}))
	return due
}

// TestStartVoidsLeases: a sole process goes on at once with the job in which
// its predecessor died; one of several waits for the lease to run out.
func TestStartVoidsLeases(t *testing.T) {
	t.Parallel()
	for _, sole := range []bool{true, false} {
		t.Run(map[bool]string{true: "sole", false: "one of several"}[sole], func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				w.add("job", 0)
				w.update(func(tx *store.Tx) error {
					_, ok, err := tx.LeaseJob(leaseLife)
					if !ok {
						w.Error("no job")
					}
					return err
				})
				r := w.runner(sole)
				var after []time.Duration
				began := time.Now()
				r.Handle("job", func(context.Context, store.Job) error {
					after = append(after, time.Since(began))
					return nil
				})
				w.no(r.Start())
				pass(2 * leaseLife)
				r.Stop()
				if len(after) != 1 || sole != (after[0] == 0) || !sole && after[0] < leaseLife {
					w.Errorf("run after %v", after)
				}
			})
		})
	}
}

// TestFinish: what a request did itself is deleted soon, or when the runner
// stops, and is told apart until then.
func TestFinish(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		r := w.runner(true)
		r.Handle("job", func(context.Context, store.Job) error {
			w.Error("a finished job was run")
			return nil
		})
		w.no(r.Start())
		r.Finish(w.add("job", time.Hour))
		synctest.Wait()
		w.waiting(0)
		if left := r.Finished(); len(left) > 0 {
			w.Errorf("remembered for ever: %v", left)
		}
		r.Stop()

		r = w.runner(true)
		ids := []string{w.add("job", time.Hour), w.add("job", time.Hour)}
		r.Finish(ids[0])
		r.Finish(ids[1])
		if got := r.Finished(); !slices.Equal(got, ids) {
			w.Errorf("finished: %v", got)
		}
		w.waiting(2)
		w.no(r.Start())
		r.Stop()
		w.waiting(0)
		w.runner(true).Stop() // one that never started
	})
}

// TestEvery: scheduled work is done at once and then at its interval, whether
// it succeeds or not, until the runner stops, which ends it.
func TestEvery(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		r := w.runner(true)
		began := time.Now()
		var at []time.Duration
		r.Every("fails", time.Hour, func(context.Context) error {
			at = append(at, time.Since(began))
			return errors.New("no")
		})
		ended := false
		r.Every("never ends", time.Hour, func(ctx context.Context) error {
			<-ctx.Done()
			ended = true
			return ctx.Err()
		})
		w.no(r.Start())
		pass(150 * time.Minute)
		r.Stop()
		if want := []time.Duration{0, time.Hour, 2 * time.Hour}; !slices.Equal(at, want) || !ended {
			w.Errorf("run after %v; ended: %v", at, ended)
		}
	})
}

// TestStopWaits: a job under way is ended by its context and waited for, and is
// tried again by the next process.
func TestStopWaits(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		r := w.runner(true)
		began := make(chan struct{})
		ended := false
		r.Handle("job", func(ctx context.Context, _ store.Job) error {
			close(began)
			<-ctx.Done()
			ended = true
			return ctx.Err()
		})
		w.add("job", 0)
		w.no(r.Start())
		<-began
		r.Stop()
		if !ended {
			w.Error("stop did not wait")
		}
		w.waiting(1)
	})
}
