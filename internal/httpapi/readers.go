package httpapi

import (
	"net/http"
	"sync"
	"time"
)

const (
	// writePatience is how long a client may take to read a part of a long
	// answer.
	writePatience = 20 * time.Second
	// readersPatience is how long a client may take before it counts as slow.
	readersPatience = time.Second
	// briefAnswer is the size up to which an answer is not counted: what a
	// connection costs anyway.
	briefAnswer = 32 << 10
)

// readers are the clients that are taking long answers. Such an answer costs
// memory for as long as its client pleases, so their number is bounded. Where
// there is no room, the one that has kept the server waiting longest is cut: a
// slow reader never turns another away.
type readers struct {
	limit int
	now   func() time.Time

	mu  sync.Mutex
	all map[*reader]struct{}
}

func newReaders(limit int) *readers {
	return &readers{limit: limit, now: time.Now, all: map[*reader]struct{}{}}
}

// reader is one of them.
type reader struct {
	in    *readers
	to    http.ResponseWriter
	since time.Time // when the part was written that it has not taken yet; zero: none
	cut   bool
}

// admit counts a client as a reader. Without room it is errOverloaded, unless
// the answer must be given: it tells of something that was done.
func (r *readers) admit(to http.ResponseWriter, must bool) (*reader, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) >= r.limit && !r.cutSlowest() && !must {
		return nil, errOverloaded
	}
	one := &reader{in: r, to: to}
	r.all[one] = struct{}{}
	return one, nil
}

// cutSlowest ends the answer of the slowest reader, and reports whether there
// is a slow one.
func (r *readers) cutSlowest() bool {
	var slowest *reader
	for one := range r.all {
		if !one.since.IsZero() && (slowest == nil || one.since.Before(slowest.since)) {
			slowest = one
		}
	}
	if slowest == nil || r.now().Sub(slowest.since) < readersPatience {
		return false
	}
	slowest.cut = true
	delete(r.all, slowest)
	_ = http.NewResponseController(slowest.to).SetWriteDeadline(r.now()) // its write fails; a connection without deadlines is a test's
	return true
}

// write gives the client a part of its answer, and returns when it has taken
// it, but for what the network holds. After an error the answer cannot be
// finished.
func (o *reader) write(part []byte) error {
	if err := o.begin(); err != nil {
		return err
	}
	defer o.end()
	_, err := o.to.Write(part)
	return err
}

// begin sets the deadline under the lock, so that it never undoes a cut.
func (o *reader) begin() error {
	o.in.mu.Lock()
	defer o.in.mu.Unlock()
	if o.cut {
		return http.ErrAbortHandler
	}
	o.since = o.in.now()
	_ = http.NewResponseController(o.to).SetWriteDeadline(o.since.Add(writePatience)) // a connection without deadlines is a test's
	return nil
}

func (o *reader) end() {
	o.in.mu.Lock()
	defer o.in.mu.Unlock()
	o.since = time.Time{}
}

// leave ends the counting. It may be called for no reader.
func (o *reader) leave() {
	if o == nil {
		return
	}
	o.in.mu.Lock()
	defer o.in.mu.Unlock()
	delete(o.in.all, o)
}
