package node

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// net/http reads some heads leniently: a bare line feed ends a line, a line may
// be folded, Content-Length may stand beside Transfer-Encoding or be repeated.
// A proxy in front may read the same bytes otherwise, and then one request hides
// another. Others it refuses with an answer of its own, which has no id and is
// no JSON. So the connection judges each head, line by line, before the server
// reads it. In place of the first line that is refused the server reads the end
// of a head; the request that it then takes for whole is answered with the
// reason, and is the last.

// strictListener accepts connections that judge the heads they carry.
type strictListener struct {
	net.Listener

	lingering *lingering
}

// Accept implements net.Listener.
func (l strictListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &strictConn{Conn: c, lingering: l.lingering}, nil
}

// strictConn follows requests over a connection: heads by line, bodies by
// length. No read goes past the end of a head or of a body, so the verdict is
// that of the request which the server is about to handle.
type strictConn struct {
	net.Conn

	lingering *lingering
	end       sync.Once
	lingers   bool        // once ended: it is lingering's
	left      atomic.Bool // not all was read of what the client may be sending
	deaf      atomic.Bool // the client did not take what it was sent

	ahead   []byte // read, not judged yet
	out     []byte // judged, not handed on yet
	head    head
	body    int64 // bytes of a body still to come
	over    verdict
	verdict atomic.Uint32
}

// CloseWrite lets the server close without cutting off its last answer.
func (c *strictConn) CloseWrite() error {
	if c.linger() {
		return nil
	}
	return halfClose(c.Conn)
}

// Close implements net.Conn. What lingers is closed later.
func (c *strictConn) Close() error {
	if c.linger() {
		return nil
	}
	return c.Conn.Close()
}

// Write implements net.Conn.
func (c *strictConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.deaf.Store(true)
	}
	return n, err
}

// linger hands the connection over where input is left and the answer could be
// sent. A head that is good so far has had no answer that could be lost.
func (c *strictConn) linger() bool {
	c.end.Do(func() { c.lingers = c.left.Load() && !c.deaf.Load() && c.lingering.take(c.Conn) })
	return c.lingers
}

// Read implements net.Conn. Bytes are never changed, only handed on in pieces,
// up to the line for which a head is refused.
func (c *strictConn) Read(p []byte) (int, error) {
	n, err := c.read(p)
	c.left.Store(c.over != verdictGood || c.body > 0 || len(c.ahead) > 0)
	return n, err
}

func (c *strictConn) read(p []byte) (int, error) {
	for len(c.out) == 0 {
		switch {
		case c.over.refuses():
			return 0, io.EOF // nothing after such a head is a request
		case len(p) == 0:
			return 0, nil
		case c.over == verdictLast:
			return c.next(p)
		case c.body > 0:
			n, err := c.next(p[:min(int64(len(p)), c.body)])
			c.body -= int64(n)
			return n, err
		}
		n, err := c.next(p)
		if n == 0 {
			if !errors.Is(err, io.EOF) || !c.head.begun() {
				return 0, err
			}
			c.refuse(verdictMalformed) // a head that was cut
			continue
		}
		if n = c.judge(p[:n]); n > 0 {
			return n, nil
		}
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

func (c *strictConn) next(p []byte) (int, error) {
	if len(c.ahead) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.ahead)
	if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
		c.ahead = nil
	}
	return n, nil
}

// judge takes bytes of a head. It returns how many of them the server may read
// where they are; what else it may read is in out, and comes after them.
func (c *strictConn) judge(p []byte) (good int) {
	h := &c.head
	if len(h.part) > 0 {
		c.judgePart(p)
		return 0
	}
	for {
		size := bytes.IndexByte(p[good:], '\n') + 1
		if size == 0 {
			break
		}
		v, ended := h.count(size), false
		if v == verdictGood {
			ended, v = h.line(p[good : good+size])
		}
		if v != verdictGood {
			c.refuse(v)
			return good
		}
		if good += size; ended {
			c.push(p[good:])
			c.finish()
			return good
		}
	}
	c.keep(p[good:])
	return good
}

// keep holds the beginning of a line, or more of it.
func (c *strictConn) keep(p []byte) {
	if v := c.head.keep(p); v != verdictGood {
		c.refuse(v)
		return
	}
	c.out = append(c.out, c.head.begin()...)
}

// judgePart is judge where a part of a line was kept: its rest goes to out.
func (c *strictConn) judgePart(p []byte) {
	h := &c.head
	size := bytes.IndexByte(p, '\n') + 1
	if size == 0 {
		c.keep(p)
		return
	}
	c.push(p[size:])
	v, ended := h.keep(p[:size]), false
	if v == verdictGood {
		ended, v = h.line(h.part)
	}
	if v != verdictGood {
		c.refuse(v)
		return
	}
	c.out = append(c.out, h.part[h.handed:]...)
	h.part, h.handed = h.part[:0], 0
	if ended {
		c.finish()
	}
}

// push takes bytes back that are not this head's, or not this line's.
func (c *strictConn) push(p []byte) {
	if len(p) > 0 {
		c.ahead = append(bytes.Clone(p), c.ahead...)
	}
}

// finish ends a head that is good.
func (c *strictConn) finish() {
	c.body = c.head.length
	if c.head.codings > 0 {
		c.over = verdictLast
	}
	c.head = head{}
	c.verdict.Store(uint32(c.over))
}

// refuse ends a head for which a verdict was found, with what makes a whole one
// of the lines that the server has read.
func (c *strictConn) refuse(v verdict) {
	c.over, c.ahead = v, nil
	c.out = append(c.out, c.head.rest()...)
	c.verdict.Store(uint32(v))
}
