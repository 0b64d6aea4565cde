package node

import (
	"io"
	"net"
	"sync"
	"time"
)

// A client that is still sending when its request was answered for good, as one
// that is refused early is, may lose the answer: where input is left unread, the
// close of a connection cuts it. So the server ends its own side, and reads what
// comes and throws it away until the client ends the other. That is a kindness,
// and bounded: past the bounds a connection is cut.

// lingering is what a listener keeps of connections that the server has closed.
// It is safe for concurrent use.
type lingering struct {
	limit    int           // connections at once
	patience time.Duration // for each, in all
	input    int64         // bytes of each

	done sync.WaitGroup
	mu   sync.Mutex
	all  map[net.Conn]struct{}
	over bool // the listener's server has stopped
}

func newLingering() *lingering {
	return &lingering{limit: 256, patience: 5 * time.Second, input: 64 << 20, all: map[net.Conn]struct{}{}}
}

// take takes a connection over to read and close it, and reports whether there
// was room for it.
func (l *lingering) take(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || len(l.all) >= l.limit {
		return false
	}
	l.all[c] = struct{}{}
	l.done.Go(func() {
		defer l.release(c)
		if halfClose(c) == nil && c.SetReadDeadline(time.Now().Add(l.patience)) == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(c, l.input)) // however it ends, it is closed
		}
	})
	return true
}

func (l *lingering) release(c net.Conn) {
	_ = c.Close() // nothing more was to be sent
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, c)
}

// cut ends all of them, and those to come.
func (l *lingering) cut() {
	l.mu.Lock()
	l.over = true
	for c := range l.all {
		_ = c.Close() // its reader closes it again
	}
	l.mu.Unlock()
	l.done.Wait()
}

// halfClose ends what is sent to the client.
func halfClose(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
