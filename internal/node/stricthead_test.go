package node

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// piecewise is a connection that hands its bytes on in pieces of one size.
type piecewise struct {
	net.Conn

	rest  []byte
	piece int
}

func (p *piecewise) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(len(p.rest), p.piece)])
	p.rest = p.rest[n:]
	return n, nil
}

// heads are well-formed requests, one after the other.
const heads = "GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n" +
	"POST /v1/portal HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nGET x\r\n\r\n:\n" +
	"GET /a?b=c HTTP/1.0\r\nhost:a\r\nX-A: \tb c\x80 \r\nEmpty:\r\n\r\n"

// TestStrictVerdicts reads requests in pieces of every size: the verdict on a
// head is there when the head is, not before, and no byte changes.
func TestStrictVerdicts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       verdict
	}{
		{"pipelined", heads, verdictGood},
		{"chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\nGET", verdictLast},
		{"both lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", verdictRefused},
		{"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\ncontent-length: 4\r\n\r\n", verdictRefused},
		{"signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\n", verdictRefused},
		{"long length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n", verdictRefused},
		{"list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\n", verdictRefused},
		{"no length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", verdictRefused},
		{"other coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", verdictRefused},
		{"two codings", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", verdictRefused},
		{"coding of HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", verdictRefused},
		{"folded", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", verdictRefused},
		{"bare line feed", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", verdictRefused},
		{"bare line feed at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", verdictRefused},
		{"bare carriage return", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", verdictRefused},
		{"space before the colon", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\n", verdictRefused},
		{"no colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", verdictRefused},
		{"no name", "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", verdictRefused},
		{"NUL", "GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", verdictRefused},
		{"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", verdictRefused},
		{"no version", "GET /\r\nHost: a\r\n\r\n", verdictRefused},
		{"other version", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", verdictRefused},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\n", verdictRefused},
		{"empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", verdictRefused},
		{"tab in the target", "GET /\ta HTTP/1.1\r\nHost: a\r\n\r\n", verdictRefused},
		{"a field past all limits", "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 3*maxHeader) + "\r\n\r\n", verdictRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, piece := range []int{1, 2, 3, 7, 4096, 1 << 20} {
				c := &strictConn{Conn: &piecewise{rest: []byte(tt.text), piece: piece}}
				got, err := io.ReadAll(c)
				if err != nil {
					t.Fatal(err)
				}
				if have := verdict(c.verdict.Load()); have != tt.want {
					t.Errorf("in pieces of %d: verdict %d, want %d", piece, have, tt.want)
				}
				if tt.want != verdictRefused && string(got) != tt.text {
					t.Errorf("in pieces of %d: read %q, want %q", piece, got, tt.text)
				}
			}
		})
	}
}

// TestStrictServer speaks to a real server: pipelined requests are answered in
// order, and nothing that follows a head with two readings is.
func TestStrictServer(t *testing.T) {
	t.Parallel()
	address := serveEcho(t, true)
	for _, tt := range []struct {
		name, text string
		want       []string // status and body of each answer
	}{
		{"pipelined", heads, []string{"200 GET ", "200 POST GET x\r\n\r\n:\n", "200 GET "}},
		{"hidden request", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", []string{"400 "}},
		{"after a chunked one", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", []string{"200 POST ab"}},
		{"second head", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\nHost: a\n\n", []string{"200 GET ", "400 "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, tt.text); err != nil {
				t.Fatal(err)
			}
			from := bufio.NewReader(c)
			for i, want := range tt.want {
				answer, err := http.ReadResponse(from, nil)
				if err != nil {
					t.Fatalf("answer %d: %v", i, err)
				}
				body, err := io.ReadAll(answer.Body)
				if err != nil {
					t.Fatal(err)
				}
				got := fmt.Sprintf("%d %s", answer.StatusCode, body)
				if got != want && (answer.StatusCode != http.StatusBadRequest || want != "400 ") {
					t.Errorf("answer %d: %q, want %q", i, got, want)
				}
			}
			if _, err := from.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("after the answers: %v, want the end of the connection", err)
			}
		})
	}
}

// serveEcho serves a handler that answers with method and body.
func serveEcho(t testing.TB, strictly bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	echo := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = fmt.Fprintf(w, "%s %s", r.Method, body)
	}))
	s := &http.Server{Handler: echo, ReadHeaderTimeout: time.Minute}
	address := l.Addr().String()
	if strictly {
		s.Handler, s.ConnContext, l = strict(echo), strictContext, strictListener{l}
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Shutdown(context.Background()); <-done })
	return address
}

// FuzzStrictHead reads any bytes in pieces of any size. Bytes never change, a
// head's verdict does not depend on the pieces, and a request that is good has
// the one reading that net/http gives it too.
func FuzzStrictHead(f *testing.F) {
	f.Add([]byte(heads), uint8(1))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), uint8(3))
	f.Add([]byte("GET / HTTP/1.1\nHost: a\r\n b\r\n\r\n"), uint8(200))
	f.Fuzz(func(t *testing.T, text []byte, piece uint8) {
		read := func(piece int) ([]byte, verdict) {
			c := &strictConn{Conn: &piecewise{rest: text, piece: piece}}
			got, err := io.ReadAll(c)
			if err != nil {
				t.Fatal(err)
			}
			return got, verdict(c.verdict.Load())
		}
		got, judged := read(int(piece) + 1)
		if !bytes.HasPrefix(text, got) || (judged != verdictRefused && len(got) != len(text)) {
			t.Fatalf("read %q of %q", got, text)
		}
		if again, other := read(1 << 20); other != judged || !bytes.Equal(again, got) {
			t.Fatalf("in one piece: %q, verdict %d; in pieces of %d: %q, verdict %d", again, other, piece, got, judged)
		}
		if judged != verdictGood || len(got) == 0 {
			return
		}
		c := &strictConn{Conn: &piecewise{rest: text, piece: 1 << 20}}
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil || !c.head.done() {
			return
		}
		if len(r.TransferEncoding) > 0 || (r.ContentLength != c.body && r.ContentLength > 0) {
			t.Fatalf("net/http reads a body of %d, %v; the connection follows %d", r.ContentLength, r.TransferEncoding, c.body)
		}
	})
}

// done reports that no head is under way.
func (h *head) done() bool { return h.lines == 0 && len(h.part) == 0 }

// BenchmarkStrictHead measures requests on one connection that is kept, with
// and without the judgement.
func BenchmarkStrictHead(b *testing.B) {
	for name, strictly := range map[string]bool{"strict": true, "plain": false} {
		b.Run(name, func(b *testing.B) {
			c, err := net.Dial("tcp", serveEcho(b, strictly))
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			from := bufio.NewReader(c)
			request := []byte("POST /v1/portal HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\nAuthorization: Bearer portico_pat_0123456789\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"name\":\"x\"}")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(request); err != nil {
					b.Fatal(err)
				}
				answer, err := http.ReadResponse(from, nil)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, answer.Body)
			}
		})
	}
}
