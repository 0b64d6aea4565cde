package attacks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/node"
)

func framing() []attack {
	return []attack{
		{"A13 requests hidden in requests", smuggling},
		{"A14 clients that are slow on purpose", slowClients},
	}
}

// smuggling sends heads and bodies that two readers could end at different
// places, each with a request behind that must never be taken for one.
func smuggling(a *arena) {
	hidden := a.request("POST", "/v1/portal", `{"name":"smuggled"}`)
	post := func(fields, rest string) string {
		return "POST /v1/portal HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + a.Admin.Token + "\r\nContent-Type: application/json\r\n" + fields + "\r\n" + rest
	}
	for what, text := range map[string]string{
		"length and coding":            post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+hidden),
		"coding and length":            post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"+hidden),
		"two lengths":                  post("Content-Length: 0\r\nContent-Length: 5\r\n", hidden),
		"two equal lengths":            post("Content-Length: 0\r\nContent-Length: 0\r\n", hidden),
		"a list of lengths":            post("Content-Length: 0, 0\r\n", hidden),
		"length +0":                    post("Content-Length: +0\r\n", hidden),
		"length -1":                    post("Content-Length: -1\r\n", hidden),
		"length 0x0":                   post("Content-Length: 0x0\r\n", hidden),
		"length 1_0":                   post("Content-Length: 1_0\r\n", hidden),
		"length without a number":      post("Content-Length:\r\n", hidden),
		"a length past all numbers":    post("Content-Length: 18446744073709551616\r\n", hidden),
		"folded length":                post("Content-Length:\r\n 0\r\n", hidden),
		"folded coding":                post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"+hidden),
		"folded field":                 post("X: a\r\n\tTransfer-Encoding: chunked\r\n", hidden),
		"bare line feeds":              strings.ReplaceAll(post("Content-Length: 0\r\n", ""), "\r\n", "\n") + hidden,
		"a bare line feed":             post("Content-Length: 0\nX: y\r\n", hidden),
		"a bare line feed at the end":  strings.TrimSuffix(post("Content-Length: 0\r\n", ""), "\r\n") + "\n" + hidden,
		"a bare carriage return":       post("Content-Length: 0\r\nX: a\rTransfer-Encoding: chunked\r\n", hidden),
		"space before the colon":       post("Content-Length : 0\r\n", hidden),
		"tab before the colon":         post("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n"+hidden),
		"vertical tab before the name": post("\x0bTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+hidden),
		"chunked, identity":            post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"+hidden),
		"identity, chunked":            post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"+hidden),
		"xchunked":                     post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"+hidden),
		"quoted coding":                post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"+hidden),
		"gzip, chunked":                post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"+hidden),
		"identity":                     post("Transfer-Encoding: identity\r\n", hidden),
		"two codings":                  post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"+hidden),
		"coding after a vertical tab":  post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"+hidden),
		"NUL in a field":               post("X: \x00\r\nContent-Length: 0\r\n", hidden),
		"chunked in HTTP/1.0":          strings.Replace(post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"+hidden), "HTTP/1.1", "HTTP/1.0", 1),
		"HTTP/0.9":                     "GET /v1/status\r\n\r\n" + hidden,
		"HTTP/2 without asking":        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden,
		"two spaces":                   "GET  /v1/status HTTP/1.1\r\nHost: a\r\n\r\n" + hidden,
		"no target":                    "GET HTTP/1.1\r\nHost: a\r\n\r\n" + hidden,
		"two hosts":                    "GET /v1/status HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + hidden,
		"no host":                      "GET /v1/status HTTP/1.1\r\n\r\n" + hidden,
		"a field without a name":       post(": x\r\nContent-Length: 0\r\n", hidden),
		"a field without a colon":      post("Content-Length\r\n", hidden),
		"chunk size with a sign":       post("Transfer-Encoding: chunked\r\n", "+5\r\nabcde\r\n0\r\n\r\n"+hidden),
		"chunk size 0x5":               post("Transfer-Encoding: chunked\r\n", "0x5\r\nabcde\r\n0\r\n\r\n"+hidden),
		"chunk size past all numbers":  post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\nabcde\r\n0\r\n\r\n"+hidden),
		"chunk size without a number":  post("Transfer-Encoding: chunked\r\n", "\r\nabcde\r\n0\r\n\r\n"+hidden),
		"chunk longer than its size":   post("Transfer-Encoding: chunked\r\n", "2\r\nabcde\r\n0\r\n\r\n"+hidden),
		"chunk ended by a line feed":   post("Transfer-Encoding: chunked\r\n", "5\nabcde\n0\n\n"+hidden),
		"chunk size, bare line feed":   post("Transfer-Encoding: chunked\r\n", "5;x\nabcde\r\n0\r\n\r\n"+hidden),
		"a chunk that is cut":          post("Transfer-Encoding: chunked\r\n", "zz\r\n"+hidden),
	} {
		answers, closed := a.raw(text, 2)
		// 501 is due to a coding that nobody knows (RFC 9112 6.1).
		unknown := len(answers) == 1 && answers[0].Status == 501 && strings.Contains(text, "Transfer-Encoding")
		if !closed || !unknown && (len(answers) != 1 || answers[0].Status != 400) {
			a.Errorf("%s: closed %v, %.300s", what, closed, fmt.Sprint(answers))
		}
	}
	a.chunkedIsLast(post)
	a.pipelined()
}

// chunkedIsLast: a body in good chunks is read, and nothing behind it.
func (a *arena) chunkedIsLast(post func(fields, rest string) string) {
	a.Helper()
	chunks := "9;name=value\r\n{\"name\":1\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n"
	answers, closed := a.raw(post("Transfer-Encoding: chunked\r\n", chunks+a.request("GET", "/v1/status", "")), 2)
	if len(answers) != 1 || answers[0].Status != 422 || !closed {
		a.Errorf("in good chunks: closed %v, %.300s", closed, fmt.Sprint(answers))
	}
}

// pipelined requests that are well-formed are answered in their order.
func (a *arena) pipelined() {
	a.Helper()
	text := a.request("GET", "/v1/status", "") + a.request("POST", "/v1/portal", "[]\r\n\r\nGET /") + a.request("GET", "/nowhere", "") + a.request("GET", "/v1/status", "", "Connection: close")
	answers, closed := a.raw(text, 5)
	var got []int
	for _, answer := range answers {
		got = append(got, answer.Status)
	}
	if fmt.Sprint(got) != "[200 422 404 200]" || !closed {
		a.Errorf("pipelined: %v, closed %v", got, closed)
	}
}

// slowClients is the case's own server, with time-outs that a test can wait for.
func slowClients(a *arena) {
	a.hold()
	slow := newArena(a.T, func(_ *node.Config, o *node.Options) {
		o.Timeouts = node.Timeouts{Header: time.Second, Body: 2 * time.Second, Answer: time.Second, Idle: time.Second}
	})
	base := slow.begin()
	healthy := slow.keepAsking()
	var wg sync.WaitGroup
	head := "POST /v1/portal HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + slow.Admin.Token + "\r\n"
	for i := range size(300, 2000) {
		switch i % 3 {
		case 0: // nothing at all
			wg.Go(func() { slow.drip(slow.dial(), "", "") })
		case 1: // a head that does not end
			wg.Go(func() { slow.drip(slow.dial(), head, "X") })
		case 2: // a body that does not end
			wg.Go(func() {
				slow.drip(slow.dial(), head+"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{\"name\":\"", "x")
			})
		}
	}
	for range 10 { // answers that nobody takes
		wg.Go(slow.neverReads)
	}
	wg.Wait()
	healthy()
	slow.end(base)
	slow.Node.Close()
}

// hold sends more bodies that do not end than there may be requests at work at
// once, without a credential, to each front.
func (a *arena) hold() {
	a.Helper()
	const form = "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n"
	for serve, c := range map[string]struct{ host, path, fields, page string }{
		"httpapi.(*API).serve":     {"localhost", "/v1/portal", "Content-Type: application/json\r\n", "/v1/portal"},
		"console.(*Console).serve": {"localhost", "/sign-in", form, "/sign-in"},
		"gateway.(*Gateway).serve": {"signin.localhost", "/sign-in", form, "/sign-in"},
	} {
		base := a.base()
		var all []net.Conn
		for range 1100 {
			conn := a.dial()
			all = append(all, conn)
			if _, err := io.WriteString(conn, "POST "+c.path+" HTTP/1.1\r\nHost: "+c.host+"\r\n"+c.fields+"Content-Length: 1000\r\n\r\n{\"name\":\""); err != nil {
				a.Fatal(err)
			}
		}
		a.eventually("all are held", func() bool { return running(serve) >= len(all) })
		get := strings.Replace(a.request("GET", c.page, "", "Connection: close"), "Host: localhost", "Host: "+c.host, 1)
		if answers, _ := a.raw(get, 1); len(answers) != 1 || answers[0].Status != 200 {
			a.Errorf("%s answers nobody beside bodies that do not end", serve)
		}
		for _, conn := range all {
			conn.Close()
		}
		a.backToBase(base)
	}
}

// running returns how many goroutines are in a function, by its name.
func running(name string) (n int) {
	var stacks strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
	for group := range strings.SplitSeq(stacks.String(), "\n\n") {
		if count, _, _ := strings.Cut(group, " @"); strings.Contains(group, name+"+") {
			k, _ := strconv.Atoi(count[strings.LastIndexByte(count, '\n')+1:])
			n += k
		}
	}
	return n
}

// keepAsking asks again and again, and fails for every answer that is not
// there or not good. What it returns ends it.
func (a *arena) keepAsking() (end func()) {
	quit := make(chan struct{})
	var wg sync.WaitGroup
	var asked atomic.Int64
	wg.Go(func() {
		for {
			select {
			case <-quit:
				return
			default:
				a.expect(200, "GET", "/v1/portal", a.Admin.Token, nil)
				asked.Add(1)
			}
		}
	})
	return func() {
		close(quit)
		wg.Wait()
		if asked.Load() < 3 {
			a.Errorf("healthy clients got %d answers", asked.Load())
		}
	}
}

// drip sends a start at once and then a piece now and then, until the server
// closes the connection, with no answer or with one that says why.
func (a *arena) drip(c net.Conn, start, piece string) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	_, _ = io.WriteString(c, start)
	done := make(chan struct{})
	var got []byte
	var ended error
	go func() { defer close(done); got, ended = io.ReadAll(c) }()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for open := true; open; {
		select {
		case <-done:
			open = false
		case <-ticker.C:
			_, _ = io.WriteString(c, piece)
		}
	}
	first, _, _ := bytes.Cut(got, []byte("\r\n"))
	switch {
	case a.complaints.Load() > 5: // more of the same say nothing
	case errors.Is(ended, os.ErrDeadlineExceeded):
		a.complaints.Add(1)
		a.Errorf("%q, then %q: not cut in 30 s", start[max(0, len(start)-40):], piece)
	case len(got) > 0 && !bytes.Contains(first, []byte(" 408 ")) && !bytes.Contains(first, []byte(" 400 ")):
		a.complaints.Add(1)
		a.Errorf("%q, then %q: %q", start[max(0, len(start)-40):], piece, got)
	}
}

// neverReads asks for far more than it takes, until the server gives up.
func (a *arena) neverReads() {
	c, err := net.Dial("tcp", a.Node.Addr())
	if err != nil {
		a.Error(err)
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
	one := []byte("GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
	for range 100_000 {
		if _, err = c.Write(one); err != nil {
			break
		}
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		a.Errorf("a reader that never reads was not cut: %v", err)
	}
}
