package node

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serveRefusing serves a handler that answers 413 before it reads anything.
func serveRefusing(t *testing.T, limits func(*lingering)) *server {
	t.Helper()
	l, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newPublic(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, "too large")
	}), slog.New(slog.DiscardHandler), Timeouts{})
	if limits != nil {
		limits(s.lingering)
	}
	s.start()
	t.Cleanup(func() { s.stop(time.Second) })
	return s
}

// TestEarlyAnswers sends requests that are refused long before their end, all of
// each before anything is read. No answer is lost, and none comes by a cut.
func TestEarlyAnswers(t *testing.T) {
	t.Parallel()
	address := serveRefusing(t, nil).listener.Addr().String()
	field := func(size int) (string, string, int) { return strings.Repeat("x", size), "", 431 }
	body := func(size int) (string, string, int) { return "x", strings.Repeat("x", size), 413 }
	for _, tt := range []struct {
		name string
		of   func(int) (field, body string, status int)
		size int
	}{
		{"a head of 33 KB", field, 33 << 10},
		{"a head of 100 KB", field, 100 << 10},
		{"a head of 1 MB", field, 1 << 20},
		{"a head of 8 MB", field, 8 << 20},
		{"a body of 100 KB", body, 100 << 10},
		{"a body of 300 KB", body, 300 << 10},
		{"a body of 2 MB", body, 2 << 20},
		{"a body of 20 MB", body, 20 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inHead, inBody, want := tt.of(tt.size)
			length := "POST / HTTP/1.1\r\nHost: a\r\nX: " + inHead + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n", len(inBody)) + inBody
			chunked := "POST / HTTP/1.1\r\nHost: a\r\nX: " + inHead + fmt.Sprintf("\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", max(1, len(inBody))) + inBody + strings.Repeat("x", max(0, 1-len(inBody))) + "\r\n0\r\n\r\n"
			for range 5 {
				sendWhole(t, address, length, want)
				sendWhole(t, address, chunked, want)
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address, strings.NewReader(inBody))
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("X", inHead)
				answer, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != want {
					t.Fatalf("%d, %v, want %d", answer.StatusCode, err, want)
				}
				_ = answer.Body.Close()
			}
		})
	}
}

// sendWhole writes a text, then reads the answer and the end after it.
func sendWhole(t *testing.T, address, text string, want int) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatalf("cut off while it was sent: %v", err)
	}
	from := bufio.NewReader(c)
	answer, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != want {
		t.Fatalf("%d, %v, want %d", answer.StatusCode, err, want)
	}
	if !answer.Close {
		return // the whole body was read: more requests may follow
	}
	if _, err := from.ReadByte(); !errors.Is(err, io.EOF) {
		t.Fatalf("after the answer: %v, want the end", err)
	}
}

// TestLingeringIsBounded sends without end after the answer: the connection is
// cut at each of the bounds, and when the server stops.
func TestLingeringIsBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		limits func(*lingering)
		stop   bool
	}{
		{"input", func(l *lingering) { l.patience, l.input = time.Hour, 10<<20 }, false},
		{"patience", func(l *lingering) { l.patience, l.input = 50*time.Millisecond, 1<<60 }, false},
		{"connections", func(l *lingering) { l.patience, l.input, l.limit = time.Hour, 1<<60, 0 }, false},
		{"stop", func(l *lingering) { l.patience, l.input = time.Hour, 1<<60 }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serveRefusing(t, tt.limits)
			c, err := net.Dial("tcp", s.listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nX: "); err != nil {
				t.Fatal(err)
			}
			if tt.stop {
				sent := make(chan error, 1)
				go func() { sent <- endless(c) }()
				if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
					t.Fatalf("%v, %v", answer, err)
				}
				s.stop(time.Minute)
				err = <-sent
			} else {
				err = endless(c)
			}
			if err == nil {
				t.Error("never cut")
			}
		})
	}
}

// endless writes until the connection is cut, and returns why it ended.
func endless(c net.Conn) error {
	piece := bytes.Repeat([]byte("x"), 64<<10)
	for range 1 << 20 {
		if _, err := c.Write(piece); err != nil {
			return err
		}
	}
	return nil
}
