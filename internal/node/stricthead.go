package node

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
)

// net/http reads some heads leniently: a bare line feed ends a line, a line may
// be folded, Content-Length may stand beside Transfer-Encoding or be repeated.
// A proxy in front may read the same bytes otherwise, and then one request hides
// another. So the connection looks at each head as it passes, and a request
// whose head has more than one reading is answered 400 and is the last.

// strictListener accepts connections that judge the heads they carry.
type strictListener struct{ net.Listener }

// Accept implements net.Listener.
func (l strictListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &strictConn{Conn: c}, nil
}

// verdict is what the newest complete head means for its request.
type verdict uint32

const (
	verdictGood    verdict = iota
	verdictLast            // good, but its end is not followed: close after the answer
	verdictRefused         // not strict: 400, and close
)

// strictConn follows requests over a connection: heads by line, bodies by
// length. No read goes past the end of a head or of a body, so the verdict is
// that of the request which the server is about to handle.
type strictConn struct {
	net.Conn

	ahead   []byte // read, not handed on yet
	head    head
	body    int64 // bytes of a body still to come
	over    verdict
	verdict atomic.Uint32
}

// CloseWrite lets the server close without cutting off its last answer.
func (c *strictConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Read implements net.Conn. Bytes are never changed, only handed on in pieces.
func (c *strictConn) Read(p []byte) (int, error) {
	switch {
	case c.over == verdictRefused:
		return 0, io.EOF // nothing after such a head is a request
	case len(p) == 0:
		return 0, nil
	case c.body > 0 && int64(len(p)) > c.body:
		p = p[:c.body]
	}
	n, err := c.next(p)
	switch {
	case n == 0 || c.over != verdictGood:
		return n, err
	case c.body > 0:
		c.body -= int64(n)
		return n, err
	}
	end, ended := c.head.feed(p[:n])
	if !ended {
		return n, err
	}
	if end < n {
		c.ahead = append(bytes.Clone(p[end:n]), c.ahead...)
	}
	c.over, c.body = c.head.judge()
	c.head = head{part: c.head.part[:0]}
	c.verdict.Store(uint32(c.over))
	return end, nil
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

// head is what is known of a head that is passing.
type head struct {
	part    []byte // of a line whose end has not come yet
	lines   int
	bad     bool
	oldHTTP bool // HTTP/1.0
	lengths int
	length  int64
	codings int
}

// feed takes bytes up to the end of the head, which is the first empty line.
func (h *head) feed(p []byte) (end int, ended bool) {
	for end < len(p) {
		at := bytes.IndexByte(p[end:], '\n')
		if at < 0 {
			h.keep(p[end:])
			return len(p), false
		}
		line := p[end : end+at+1]
		end += at + 1
		if len(h.part) > 0 {
			h.keep(line)
			line, h.part = h.part, h.part[:0]
		}
		if h.line(line) {
			return end, true
		}
	}
	return end, false
}

// keep holds part of a line. Of one that the server refuses for its size,
// little is kept.
func (h *head) keep(p []byte) {
	if len(h.part)+len(p) > 2*maxHeader {
		h.bad = true
		h.part, p = h.part[:min(len(h.part), 1)], p[len(p)-1:]
	}
	h.part = append(h.part, p...)
}

// line takes one line with its end, and reports whether the head ends with it.
func (h *head) line(line []byte) (ended bool) {
	text := line[:len(line)-1]
	if len(text) == 0 || text[len(text)-1] != '\r' {
		h.bad = true // a bare line feed
	} else {
		text = text[:len(text)-1]
	}
	h.lines++
	switch {
	case len(text) == 0:
		h.bad = h.bad || h.lines == 1
		return true
	case h.bad:
	case h.lines == 1:
		h.requestLine(text)
	default:
		h.field(text)
	}
	return false
}

func (h *head) requestLine(text []byte) {
	method, rest, _ := bytes.Cut(text, []byte(" "))
	target, version, _ := bytes.Cut(rest, []byte(" "))
	h.oldHTTP = string(version) == "HTTP/1.0"
	plain := len(target) > 0 && !bytes.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r == 0x7f })
	h.bad = !token(method) || !plain || (!h.oldHTTP && string(version) != "HTTP/1.1")
}

func (h *head) field(text []byte) {
	name, value, found := bytes.Cut(text, []byte(":"))
	if !found || !token(name) { // a folded line begins with white space, which is no token
		h.bad = true
		return
	}
	for _, b := range value {
		if b < ' ' && b != '\t' || b == 0x7f {
			h.bad = true
			return
		}
	}
	switch len(name) {
	case len("Content-Length"):
		if bytes.EqualFold(name, []byte("Content-Length")) {
			h.lengths++
			h.length, found = parseLength(bytes.Trim(value, " \t"))
			h.bad = !found || h.lengths > 1
		}
	case len("Transfer-Encoding"):
		if bytes.EqualFold(name, []byte("Transfer-Encoding")) {
			h.codings++
			h.bad = !bytes.EqualFold(bytes.Trim(value, " \t"), []byte("chunked")) || h.codings > 1
		}
	}
}

// judge returns what the whole head means, and the length of the body to come.
func (h *head) judge() (verdict, int64) {
	switch {
	case h.bad, h.codings > 0 && (h.lengths > 0 || h.oldHTTP):
		return verdictRefused, 0
	case h.codings > 0:
		return verdictLast, 0
	}
	return verdictGood, h.length
}

// parseLength takes digits alone, and not many.
func parseLength(value []byte) (int64, bool) {
	n, err := strconv.ParseUint(string(value), 10, 63)
	return int64(n), err == nil && len(value) <= 18
}

// token reports whether b is a token of RFC 9110.
func token(b []byte) bool {
	for _, c := range b {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return len(b) > 0
}
