package node

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http/httpguts"
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
func TestStrictVerdicts(t *testing.T) { //nolint:maintidx // a table
	t.Parallel()
	address := serveEcho(t, true)
	for _, tt := range []struct {
		name, text string
		want       verdict
	}{
		{"pipelined", heads, verdictGood},
		{"chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\nGET", verdictLast},
		{"both lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", verdictMalformed},
		{"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\ncontent-length: 4\r\n\r\n", verdictMalformed},
		{"signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\n", verdictMalformed},
		{"long length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n", verdictMalformed},
		{"list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\n", verdictMalformed},
		{"no length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", verdictMalformed},
		{"other coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", verdictCoding},
		{"two codings", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", verdictMalformed},
		{"coding of HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", verdictMalformed},
		{"folded", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", verdictMalformed},
		{"bare line feed", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", verdictMalformed},
		{"bare line feed at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", verdictMalformed},
		{"bare carriage return", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", verdictMalformed},
		{"space before the colon", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\n", verdictMalformed},
		{"no colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", verdictMalformed},
		{"no name", "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", verdictMalformed},
		{"NUL", "GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", verdictMalformed},
		{"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", verdictMalformed},
		{"no version", "GET /\r\nHost: a\r\n\r\n", verdictMalformed},
		{"other version", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", verdictVersion},
		{"a much later version", "GET / HTTP/9.9\r\nHost: a\r\n\r\n", verdictVersion},
		{"no version's form", "GET / HTTP/1.11\r\nHost: a\r\n\r\n", verdictMalformed},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\n", verdictMalformed},
		{"empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", verdictMalformed},
		{"tab in the target", "GET /\ta HTTP/1.1\r\nHost: a\r\n\r\n", verdictMalformed},
		{"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", verdictMalformed},
		{"no token", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", verdictMalformed},
		{"an escape that is none", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", verdictMalformed},
		{"an escape that is cut", "GET /% HTTP/1.1\r\nHost: a\r\n\r\n", verdictMalformed},
		{"an escape in the query", "GET /?%zz HTTP/1.1\r\nHost: a\r\n\r\n", verdictGood},
		{"a target without a slash", "GET v1 HTTP/1.1\r\nHost: a\r\n\r\n", verdictMalformed},
		{"a star", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", verdictGood},
		{"a star for another method", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", verdictMalformed},
		{"a tunnel", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", verdictMalformed},
		{"an absolute target", "GET http://A:80/v1?x HTTP/1.1\r\nHost: a:80\r\n\r\n", verdictGood},
		{"an absolute target of another host", "GET http://b/v1 HTTP/1.1\r\nHost: a\r\n\r\n", verdictMalformed},
		{"an absolute target with a user", "GET http://a@b/ HTTP/1.1\r\nHost: a@b\r\n\r\n", verdictMalformed},
		{"an absolute target without a host", "GET http:///v1 HTTP/1.1\r\nHost:\r\n\r\n", verdictMalformed},
		{"another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", verdictMalformed},
		{"no host", "GET / HTTP/1.1\r\nX: y\r\n\r\n", verdictMalformed},
		{"an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", verdictGood},
		{"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", verdictMalformed},
		{"a host with a user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", verdictMalformed},
		{"a host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", verdictMalformed},
		{"a host that is a path", "GET / HTTP/1.1\r\nHost: ../../x\r\n\r\n", verdictMalformed},
		{"a host with an escape", "GET / HTTP/1.1\r\nHost: a%2fb\r\n\r\n", verdictMalformed},
		{"a port past all ports", "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", verdictMalformed},
		{"no port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", verdictMalformed},
		{"an IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:8010\r\n\r\n", verdictGood},
		{"an IPv6 host that does not end", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", verdictMalformed},
		{"100-continue", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 0\r\n\r\n", verdictGood},
		{"another expectation", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-maybe\r\n\r\n", verdictExpectation},
		{"a trailer", "POST / HTTP/1.1\r\nHost: a\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", verdictLast},
		{"a length that comes late", "POST / HTTP/1.1\r\nHost: a\r\nTrailer: x, content-length\r\nTransfer-Encoding: chunked\r\n\r\n", verdictMalformed},
		{"cut in the method", "GE", verdictMalformed},
		{"cut in a field", "GET / HTTP/1.1\r\nHost: a\r\nX", verdictMalformed},
		{"cut before the end", "GET / HTTP/1.1\r\nHost: a\r\n", verdictMalformed},
		{"cut in the second head", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n", verdictMalformed},
		{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", verdictMalformed},
		{"a target past all limits", "GET /" + strings.Repeat("x", 2*maxHeader) + " HTTP/1.1\r\nHost: a\r\n\r\n", verdictTarget},
		{"a method past all limits", strings.Repeat("x", 2*maxHeader) + " / HTTP/1.1\r\nHost: a\r\n\r\n", verdictTarget},
		{"fields past all limits", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", maxHeader) + "\r\n", verdictTooLarge},
		{"a field past all limits", "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 3*maxHeader) + "\r\n\r\n", verdictTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.want.refuses() {
				refusedBy(t, address, tt.text, tt.want)
			}
			for _, piece := range []int{1, 2, 3, 7, 4096, 1 << 20} {
				c := &strictConn{Conn: &piecewise{rest: []byte(tt.text), piece: piece}}
				got, err := io.ReadAll(c)
				if err != nil {
					t.Fatal(err)
				}
				if have := verdict(c.verdict.Load()); have != tt.want {
					t.Errorf("in pieces of %d: verdict %d, want %d", piece, have, tt.want)
				}
				if !tt.want.refuses() && string(got) != tt.text {
					t.Errorf("in pieces of %d: read %q, want %q", piece, got, tt.text)
				}
				if text := fmt.Sprint(served(t, []byte(tt.text), piece)); tt.want.refuses() && !strings.HasSuffix(text, fmt.Sprint(int(tt.want), "]")) {
					t.Errorf("in pieces of %d: answers %s, want %d as the last", piece, text, tt.want)
				}
			}
		})
	}
}

// refusedBy sends a text that ends with a head that is refused to a server. The
// last answer is the refusal, in the form of all answers.
func refusedBy(t *testing.T, address, text string, want verdict) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		_, _ = io.WriteString(c, text) // the server may close before the end
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	from := bufio.NewReader(c)
	answer, err := http.ReadResponse(from, nil)
	for err == nil && answer.StatusCode == http.StatusOK {
		_, _ = io.Copy(io.Discard, answer.Body)
		answer, err = http.ReadResponse(from, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	var body struct{ Detail string }
	err = json.NewDecoder(answer.Body).Decode(&body)
	if answer.StatusCode != int(want) || err != nil || body.Detail == "" || answer.Header.Get("X-Request-Id") == "" || !answer.Close {
		t.Errorf("want %d and a detail with an id, and the end: %v, %+v, %v", want, answer, body, err)
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
		s.Handler, s.ConnContext, l = strict(echo, slog.New(slog.DiscardHandler)), strictContext, strictListener{l, newLingering()}
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Shutdown(context.Background()); <-done })
	return address
}

// served reads requests as net/http's server does, and returns the verdict on
// each. It fails for what the server would answer itself.
func served(t *testing.T, text []byte, piece int) (all []uint32) {
	t.Helper()
	c := &strictConn{Conn: &piecewise{rest: text, piece: piece}}
	for from := bufio.NewReader(c); ; {
		r, err := http.ReadRequest(from)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("net/http refuses what it was given of %.200q: %v", text, err)
		}
		v := verdict(c.verdict.Load())
		all = append(all, uint32(v))
		switch expect := r.Header.Get("Expect"); {
		case r.ProtoMajor != 1, !httpguts.ValidHostHeader(r.Host), expect != "" && !strings.EqualFold(expect, "100-continue"):
			t.Fatalf("net/http's server refuses what it was given of %.200q: %v", text, r)
		case !v.refuses() && len(r.TransferEncoding) > 0 != (v == verdictLast), v == verdictGood && r.ContentLength > 0 && from.Buffered() == 0 && r.ContentLength != c.body:
			t.Fatalf("net/http reads a body of %d, %v; the connection follows %d, verdict %d", r.ContentLength, r.TransferEncoding, c.body, v)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil || v != verdictGood {
			return all
		}
	}
}

// FuzzStrictHead reads any bytes in pieces of any size. Bytes never change, a
// head's verdict does not depend on the pieces, and whatever comes, net/http
// finds nothing to refuse in what it is given.
func FuzzStrictHead(f *testing.F) {
	f.Add([]byte(heads), uint8(1))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), uint8(3))
	f.Add([]byte("GET / HTTP/1.1\nHost: a\r\n b\r\n\r\n"), uint8(200))
	f.Add([]byte("GET http://a:1/%41 HTTP/1.0\r\nExpect: 100-continue\r\nTrailer: a\r\nHost: [::1]\r\n\r\n"), uint8(2))
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
		if !judged.refuses() && !bytes.Equal(text, got) {
			t.Fatalf("read %q of %q", got, text)
		}
		if _, other := read(1 << 20); other != judged {
			t.Fatalf("in one piece: verdict %d; in pieces of %d: %d", other, piece, judged)
		}
		if one, many := served(t, text, 1<<20), served(t, text, int(piece)+1); !slices.Equal(one, many) {
			t.Fatalf("in one piece: %v; in pieces of %d: %v", one, piece, many)
		}
	})
}

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
