package sqlite

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"

	"portico"
	"portico/internal/failpoint"
	"portico/internal/store"
)

func putMeta(name string) func(store.SQL) error {
	return func(q store.SQL) error {
		_, err := q.Exec(`INSERT INTO meta (name, value) VALUES ($1, '')`, name)
		return err
	}
}

func countMeta(t testing.TB, e *Engine) (n int) {
	t.Helper()
	if err := e.Registry().View(t.Context(), func(q store.SQL) error {
		return q.QueryRow(`SELECT count(*) FROM meta`).Scan(&n)
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func hits(points *failpoint.Set, name string) int {
	for _, p := range points.Seen() {
		if p.Name == name {
			return p.Hits
		}
	}
	return 0
}

// queued waits until n updates wait for the leader.
func queued(d *database, n int) {
	for {
		d.writer.mu.Lock()
		have := len(d.writer.queue)
		d.writer.mu.Unlock()
		if have >= n {
			return
		}
		runtime.Gosched()
	}
}

// TestUpdatesShareCommits holds the first commit up and counts those of the
// updates that queue meanwhile.
func TestUpdatesShareCommits(t *testing.T) {
	t.Parallel()
	points := failpoint.New()
	e := openEngine(t, Config{Failpoints: points})
	gate := points.Gate(FailCommitBefore)
	var wg sync.WaitGroup
	update := func(i int) {
		wg.Go(func() {
			if err := e.Registry().Update(t.Context(), putMeta(strconv.Itoa(i))); err != nil {
				t.Error(err)
			}
		})
	}
	update(0)
	<-gate.Reached()
	const more = batchLimit + 10
	for i := range more {
		update(i + 1)
	}
	queued(e.registry, more)
	gate.Open()
	wg.Wait()
	if n := countMeta(t, e); n != more+1 {
		t.Errorf("%d rows of %d", n, more+1)
	}
	if commits := hits(points, FailCommitBefore); commits != 3 {
		t.Errorf("%d commits of %d updates, want 3: one, %d and the rest", commits, more+1, batchLimit)
	}
}

func TestQueuedUpdateIsCancelled(t *testing.T) {
	t.Parallel()
	points := failpoint.New()
	e := openEngine(t, Config{Failpoints: points})
	gate := points.Gate(FailCommitBefore)
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- e.Registry().Update(t.Context(), putMeta("first")) }()
	<-gate.Reached()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		second <- e.Registry().Update(ctx, func(store.SQL) error {
			t.Error("a cancelled update ran")
			return nil
		})
	}()
	queued(e.registry, 1)
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled update gives %v", err)
	}
	gate.Open()
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := e.Registry().Update(t.Context(), putMeta("third")); err != nil {
		t.Error(err)
	}
}

func TestGoexitHarmsNoOne(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Config{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = e.Registry().Update(t.Context(), func(q store.SQL) error {
			_ = putMeta("lost")(q)
			runtime.Goexit()
			return nil
		})
	}()
	<-done
	if err := e.Registry().Update(t.Context(), putMeta("kept")); err != nil {
		t.Fatal(err)
	}
	if n := countMeta(t, e); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// TestFailedCommit fails commits before and after they happen. After, the
// outcome is unknown, so the file is read through before it is used again.
func TestFailedCommit(t *testing.T) {
	t.Parallel()
	for point, kept := range map[string]int{FailCommitBefore: 0, FailCommitAfter: 1} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			points := failpoint.New()
			e := openEngine(t, Config{Failpoints: points})
			fail := true
			points.On(point, func(context.Context, failpoint.Point) error {
				if fail {
					return errors.New("the disk is gone")
				}
				return nil
			})
			err := e.Registry().Update(t.Context(), putMeta("a"))
			if portico.KindOf(err) != portico.KindUnavailable {
				t.Errorf("a failed commit gives %v", err)
			}
			fail = false
			if suspect := e.registry.suspect.Load(); suspect != (kept == 1) {
				t.Errorf("suspect is %v", suspect)
			}
			if n := countMeta(t, e); n != kept {
				t.Errorf("%d rows, want %d", n, kept)
			}
			if err := e.Registry().Update(t.Context(), putMeta("b")); err != nil {
				t.Error(err)
			}
			if e.registry.suspect.Load() {
				t.Error("still suspect")
			}
		})
	}
}

// TestSuspectWaitsForReaders fails a commit while a view runs.
func TestSuspectWaitsForReaders(t *testing.T) {
	t.Parallel()
	points := failpoint.New()
	e := openEngine(t, Config{Failpoints: points})
	began, end, viewed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		viewed <- e.Registry().View(t.Context(), func(q store.SQL) error {
			close(began)
			<-end
			var n int
			return q.QueryRow(`SELECT count(*) FROM meta`).Scan(&n)
		})
	}()
	<-began
	e.registry.suspect.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.registry.recover(ctx); portico.KindOf(err) != portico.KindUnavailable {
		t.Errorf("recovering beside a reader gives %v", err)
	}
	close(end)
	if err := <-viewed; err != nil {
		t.Error(err)
	}
	if n := countMeta(t, e); n != 0 || e.registry.suspect.Load() {
		t.Errorf("%d rows, suspect %v", n, e.registry.suspect.Load())
	}
}

func TestSuspectPortalIsReadThrough(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Config{})
	id := createPortal(t, e)
	h := openHandle(t, e, id)
	write(t, h)
	h.Release()
	h = openHandle(t, e, id)
	d := h.(*handle).database
	h.Release()
	if c := d.writer.conn; c != nil { // as after a failed commit
		done(t, c.close())
		d.writer.conn = nil
	}
	d.suspect.Store(true)
	h = openHandle(t, e, id)
	defer h.Release()
	if n := writes(t, h); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
}

// TestBatchesEndInTime leaves no time for a second closure: those behind the
// first come next, in order.
func TestBatchesEndInTime(t *testing.T) {
	t.Parallel()
	points := failpoint.New()
	e := openEngine(t, Config{Failpoints: points})
	e.registry.writer.budget = 0
	gate := points.Gate(FailCommitBefore)
	var wg sync.WaitGroup
	var order []int // only one closure runs at a time
	for i := range 5 {
		wg.Go(func() {
			if err := e.Registry().Update(t.Context(), func(q store.SQL) error {
				order = append(order, i)
				return putMeta(strconv.Itoa(i))(q)
			}); err != nil {
				t.Error(err)
			}
		})
		if i == 0 {
			<-gate.Reached()
		} else {
			queued(e.registry, i)
		}
	}
	gate.Open()
	wg.Wait()
	if !slices.Equal(order, []int{0, 1, 2, 3, 4}) {
		t.Errorf("the order is %v", order)
	}
	if commits := hits(points, FailCommitBefore); commits != 5 {
		t.Errorf("%d commits, want 5", commits)
	}
}
