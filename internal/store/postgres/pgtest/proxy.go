package pgtest

import (
	"bytes"
	"errors"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy is an address of a server whose connections a test can break: cut them,
// cut one at a certain statement, or let all of them fall silent.
type Proxy struct {
	listener net.Listener
	socket   string
	done     sync.WaitGroup

	mu      sync.Mutex
	conns   map[net.Conn]bool
	silence chan struct{} // closed when it ends; nil: there is none
	at      []byte        // what the client's bytes must hold to be cut there
	after   bool          // the server is to get them still

	delay atomic.Int64 // of what the client says, in nanoseconds
	heard atomic.Int64 // how often it said something
}

// Proxy opens one on a free port of this machine.
func (s *Server) Proxy() (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // there is nothing to cancel
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: listener, socket: filepath.Join(s.dir, ".s.PGSQL.5432"), conns: map[net.Conn]bool{}}
	p.done.Go(p.accept)
	return p, nil
}

// URL returns the address of a database for a role.
func (p *Proxy) URL(role, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(role), Host: p.listener.Addr().String(), Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", p.socket) //nolint:noctx // the proxy has no context: closing it ends what it began
		if err != nil {
			p.reset(client)
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = true, true
		p.mu.Unlock()
		deaf := new(atomic.Bool) // the client is to hear no more
		p.done.Go(func() {
			p.pump(client, server, func(passing []byte) bool {
				p.late()
				return p.said(passing, deaf)
			})
		})
		p.done.Go(func() { p.pump(server, client, func([]byte) bool { return !deaf.Load() }) })
	}
}

// pump passes bytes on, where pass says so, until one side ends or pass refuses
// some, and then ends both.
func (p *Proxy) pump(from, to net.Conn, pass func([]byte) bool) {
	defer p.reset(from)
	defer p.reset(to)
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		silence := p.silence
		p.mu.Unlock()
		if silence != nil {
			<-silence
		}
		if !pass(buffer[:n]) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// retransmission is what a lost packet costs where TCP makes up for it.
const retransmission = 200 * time.Millisecond

// late holds back what a client says, one time in a hundred for longer: as much
// as one packet in a hundred that is lost.
func (p *Proxy) late() {
	delay := time.Duration(p.delay.Load())
	if delay == 0 {
		return
	}
	if p.heard.Add(1)%100 == 0 {
		delay += retransmission
	}
	<-time.After(delay)
}

// Slow makes each round trip take longer from now on.
func (p *Proxy) Slow(by time.Duration) { p.delay.Store(int64(by)) }

// said reports whether the server is to hear what a client says.
func (p *Proxy) said(passing []byte, deaf *atomic.Bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.at) == 0 || !bytes.Contains(passing, p.at) {
		return true
	}
	p.at = nil
	deaf.Store(p.after)
	return p.after
}

// reset ends a connection as a crash of the other side does.
func (p *Proxy) reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// CutAt cuts the next connection on which the client says text: before the
// server hears it, or after the server has answered it.
func (p *Proxy) CutAt(text string, after bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.after = []byte(text), after
}

// Waiting reports whether the connection that CutAt is about is yet to come.
func (p *Proxy) Waiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.at) > 0
}

// Cut ends all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	all := make([]net.Conn, 0, len(p.conns))
	for c := range p.conns {
		all = append(all, c)
	}
	p.mu.Unlock()
	for _, c := range all {
		p.reset(c)
	}
}

// Silence lets nothing through until the returned function is called: the
// connections stay, and new ones are taken, as by a machine that hangs.
func (p *Proxy) Silence() (end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	silence := make(chan struct{})
	p.silence = silence
	return sync.OnceFunc(func() {
		p.mu.Lock()
		p.silence = nil
		p.mu.Unlock()
		close(silence)
	})
}

// Close ends the proxy. A silence must have ended.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.Cut()
	p.done.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
