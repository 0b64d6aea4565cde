package handles

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico"
	"portico/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book counts what is open. It stands for an engine.
type book struct {
	*Cache[*page]
	counting sync.Mutex
	open     int
	most     int           // that were open at once
	gate     chan struct{} // what opening waits for, unless nil
	fails    error
}

// page is an open database.
type page struct {
	book   *book
	name   string
	closed atomic.Bool
}

// Close implements io.Closer.
func (p *page) Close() error {
	if p.closed.Swap(true) {
		return errors.New("closed twice")
	}
	p.book.count(-1)
	return nil
}

func (b *book) count(more int) (open int) {
	b.counting.Lock()
	defer b.counting.Unlock()
	b.open += more
	b.most = max(b.most, b.open)
	return b.open
}

func newBook(t *testing.T, limit int) *book {
	t.Helper()
	b := new(book)
	b.Cache = New(limit, time.Minute, slog.New(slog.DiscardHandler), func(_ context.Context, at store.Place) (*page, error) {
		if b.gate != nil {
			<-b.gate
		}
		if b.fails != nil {
			return nil, b.fails
		}
		b.count(1)
		return &page{book: b, name: at.Name}, nil
	})
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if n := b.count(0); n != 0 {
			t.Errorf("%d databases are open after Close", n)
		}
	})
	return b
}

func place(name string) store.Place { return store.Place{Cluster: "c", Name: name} }

func (b *book) acquire(t *testing.T, name string) *Entry[*page] {
	t.Helper()
	e, err := b.Acquire(t.Context(), place(name), true)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// until waits for something that another goroutine does with the cache.
func (b *book) until(done func() bool) {
	for {
		b.mu.Lock()
		ok := done()
		b.mu.Unlock()
		if ok {
			return
		}
	}
}

// async calls fn in a goroutine and returns where its error comes.
func async(fn func() error) <-chan error {
	end := make(chan error, 1)
	go func() { end <- fn() }()
	return end
}

func TestUnusedForLongestMakesRoom(t *testing.T) {
	t.Parallel()
	b := newBook(t, 2)
	first := b.acquire(t, "1")
	second := b.acquire(t, "2")
	second.Release()
	first.Release()
	b.acquire(t, "3").Release()
	if !second.Database.closed.Load() || first.Database.closed.Load() || b.Count() != 2 {
		t.Error("another than the one unused for the longest time was closed")
	}
	if again := b.acquire(t, "1"); again != first {
		t.Error("an open database was opened again")
	} else {
		again.Release()
	}
	aside, err := b.Acquire(t.Context(), place("4"), false)
	if err != nil || b.Count() != 2 || first.Database.closed.Load() {
		t.Errorf("one that is not to be kept takes room: %v", err)
	}
	aside.Release()
	if !aside.Database.closed.Load() {
		t.Error("one that is not to be kept was kept")
	}
}

// TestRoomIsGivenInTurn has two wait for room, and a newcomer meet the room
// that was made for the first.
func TestRoomIsGivenInTurn(t *testing.T) {
	t.Parallel()
	b := newBook(t, 1)
	held := b.acquire(t, "held")
	var order []string
	var ends []<-chan error
	for i, name := range []string{"first", "second", "third"} {
		ends = append(ends, async(func() error {
			e, err := b.Acquire(t.Context(), place(name), true)
			if err == nil {
				order = append(order, name) // one at a time has the room
				e.Release()
			}
			return err
		}))
		b.until(func() bool { return b.room.waiting.Len() == i+1 })
	}
	held.Release()
	for _, end := range ends {
		if err := <-end; err != nil {
			t.Error(err)
		}
	}
	if want := []string{"first", "second", "third"}; len(order) != 3 || order[0] != want[0] || order[1] != want[1] || order[2] != want[2] {
		t.Errorf("room was given to %v", order)
	}
	if b.room.turns != 0 || b.most != 1 {
		t.Errorf("%d turns are left, %d were open at once", b.room.turns, b.most)
	}
}

// TestPatienceEnds has one give up its place in the line, and one the turn that
// it got meanwhile.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	b := newBook(t, 1)
	b.Patience = time.Millisecond
	held := b.acquire(t, "held")
	for range 3 {
		if _, err := b.Acquire(t.Context(), place("other"), true); portico.KindOf(err) != portico.KindUnavailable || b.room.waiting.Len() > 0 {
			t.Errorf("without room, Acquire gives %v", err)
		}
	}
	b.mu.Lock()
	late := b.room.queue(false)
	held.users--
	held.spare = b.room.idle.PushBack(held)
	b.room.rouse()
	<-late
	b.room.leave(late)
	turns := b.room.turns
	b.mu.Unlock()
	if turns != 0 {
		t.Errorf("%d turns are lost", turns)
	}
	b.acquire(t, "other").Release()
}

// TestStorm uses more databases at once than may be open, drops some meanwhile,
// and finds none closed that it uses.
func TestStorm(t *testing.T) {
	t.Parallel()
	const limit, places, clients, rounds = 3, 12, 16, 400
	b := newBook(t, limit)
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 1))
			for range rounds {
				at := place(strconv.Itoa(random.IntN(places)))
				if random.IntN(8) == 0 {
					done, err := b.Claim(t.Context(), at)
					if err != nil {
						t.Error(err)
						return
					}
					done()
					continue
				}
				e, err := b.Acquire(t.Context(), at, true)
				if err != nil {
					t.Error(err)
					return
				}
				if e.Database.closed.Load() || e.Database.name != at.Name {
					t.Error("what is in use was closed, or is another's")
				}
				e.Release()
			}
		})
	}
	wg.Wait()
	if most := b.most; most > limit {
		t.Errorf("%d were open at once, of %d", most, limit)
	}
	if b.Count() != b.count(0) || b.room.turns != 0 || b.room.waiting.Len() != 0 {
		t.Errorf("%d counted of %d open, %d turns, %d waiting", b.Count(), b.count(0), b.room.turns, b.room.waiting.Len())
	}
}

func TestClaimWaitsForUsers(t *testing.T) {
	t.Parallel()
	b := newBook(t, 2)
	used := b.acquire(t, "1")
	var done func()
	claimed := async(func() (err error) {
		done, err = b.Claim(t.Context(), place("1"))
		return err
	})
	b.until(func() bool { return used.drained != nil })
	if used.Database.closed.Load() {
		t.Error("a claim closes what is in use")
	}
	used.Release()
	if err := <-claimed; err != nil || !used.Database.closed.Load() {
		t.Fatalf("the claim: %v", err)
	}
	var again *Entry[*page]
	opened := async(func() (err error) {
		again, err = b.Acquire(t.Context(), place("1"), true)
		return err
	})
	done()
	if err := <-opened; err != nil || again == used {
		t.Errorf("after a claim: %v", err)
	}
	again.Release()
	again.Forget()
	if !again.Database.closed.Load() {
		t.Error("what was to be forgotten is open")
	}
}

func TestRetiredIsRefused(t *testing.T) {
	t.Parallel()
	b := newBook(t, 2)
	b.gate = make(chan struct{})
	opening := async(func() error {
		_, err := b.Acquire(t.Context(), place("1"), true)
		return err
	})
	b.until(func() bool { return len(b.entries) == 1 })
	b.Retire(place("1")) // while it is being opened
	close(b.gate)
	if err := <-opening; !errors.Is(err, store.ErrRetired) || b.count(0) != 0 {
		t.Errorf("retired while it was opened: %v, %d open", err, b.count(0))
	}
	b.Gone(place("1"))
	if !b.Retired(place("1")) || !errors.Is(b.Refused(place("1")), store.ErrRetired) || b.Refused(place("2")) != nil {
		t.Error("another is refused than the retired one")
	}
	back := b.Move(place("2"))
	if _, err := b.Acquire(t.Context(), place("2"), true); !errors.Is(err, store.ErrRetired) {
		t.Errorf("while it is moved: %v", err)
	}
	back()
	b.acquire(t, "2").Release()
}

// TestFailureIsTold tells the failure of opening to all who waited for it, and
// to nobody after.
func TestFailureIsTold(t *testing.T) {
	t.Parallel()
	b := newBook(t, 2)
	b.gate, b.fails = make(chan struct{}), errors.New("no")
	var ends []<-chan error
	for range 4 {
		ends = append(ends, async(func() error {
			_, err := b.Acquire(t.Context(), place("1"), true)
			return err
		}))
	}
	b.until(func() bool { return len(b.entries) == 1 })
	close(b.gate)
	for _, end := range ends {
		if err := <-end; !errors.Is(err, b.fails) {
			t.Errorf("told %v", err)
		}
	}
	b.fails = nil
	b.acquire(t, "1").Release()
}

func TestPeekOpensNothing(t *testing.T) {
	t.Parallel()
	b := newBook(t, 2)
	_, done, err := b.Peek(t.Context(), place("1"))
	if err != nil || done == nil || b.count(0) != 0 {
		t.Fatalf("peek at what is closed: %v", err)
	}
	done()
	e := b.acquire(t, "1")
	if open, done, err := b.Peek(t.Context(), place("1")); err != nil || done != nil || open != e.Database {
		t.Errorf("peek at what is open: %v, %v", open, err)
	}
	e.Release()
}

func TestReclaim(t *testing.T) {
	t.Parallel()
	b := newBook(t, 3)
	used, idle := b.acquire(t, "used"), b.acquire(t, "idle")
	idle.Release()
	match := func(p *page) bool { return p.name != "other" }
	if !b.Reclaim(match) || !idle.Database.closed.Load() || b.Reclaim(match) || used.Database.closed.Load() {
		t.Error("not the idle one is closed, and that once")
	}
	used.Release()
}

// TestClose has a claim wait for a user that never goes, and a lease given back
// after the end.
func TestClose(t *testing.T) {
	t.Parallel()
	b := newBook(t, 2)
	lease := Lease[*page]{Entry: b.acquire(t, "1")}
	claimed := async(func() error {
		_, err := b.Claim(context.Background(), place("1"))
		return err
	})
	b.until(func() bool { return lease.Entry.drained != nil })
	if err := b.Close(); err != nil || b.Count() != 0 {
		t.Errorf("%d are open: %v", b.Count(), err)
	}
	if err := <-claimed; portico.KindOf(err) != portico.KindUnavailable {
		t.Errorf("the claim: %v", err)
	}
	lease.Release()
	lease.Release()
	if _, err := b.Acquire(t.Context(), place("2"), true); portico.KindOf(err) != portico.KindUnavailable {
		t.Errorf("after Close: %v", err)
	}
}
