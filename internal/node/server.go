package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	shutdownPatience = 20 * time.Second // with what follows it, a stop stays below 25 s
	opsPatience      = time.Second
	maxHeader        = 32 << 10
)

// Timeouts bound how long a client may take. A long answer sets its own write
// deadlines.
type Timeouts struct {
	Header time.Duration // for the head of a request
	Body   time.Duration // for head and body
	Answer time.Duration // to take the answer
	Idle   time.Duration // between requests
}

// DefaultTimeouts returns the time-outs of production.
func DefaultTimeouts() Timeouts {
	return Timeouts{Header: 10 * time.Second, Body: 30 * time.Second, Answer: 60 * time.Second, Idle: 120 * time.Second}
}

// server is one listener being served.
type server struct {
	listener  net.Listener
	http      *http.Server
	lingering *lingering
	done      sync.WaitGroup
	log       *slog.Logger
}

func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address) //nolint:noctx // at start, before there is anything to cancel
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s; choose another address with --listen or --ops-listen: %w", address, err)
	}
	return l, nil
}

// newServer readies a listener; start serves it.
func newServer(l net.Listener, handler http.Handler, log *slog.Logger, limits Timeouts) *server {
	if limits == (Timeouts{}) {
		limits = DefaultTimeouts()
	}
	return &server{listener: l, lingering: newLingering(), log: log, http: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: limits.Header,
		ReadTimeout:       limits.Body,
		WriteTimeout:      limits.Answer,
		IdleTimeout:       limits.Idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		// Its answer has neither id nor form: a star is a path that is no route.
		DisableGeneralOptionsHandler: true,
	}}
}

func serve(l net.Listener, handler http.Handler, log *slog.Logger) *server {
	return newServer(l, handler, log, Timeouts{}).start()
}

// servePublic serves a listener that anyone may reach: it reads heads strictly.
func servePublic(l net.Listener, handler http.Handler, log *slog.Logger, limits Timeouts) *server {
	return newPublic(l, handler, log, limits).start()
}

func newPublic(l net.Listener, handler http.Handler, log *slog.Logger, limits Timeouts) *server {
	s := newServer(l, strict(handler, log), log, limits)
	s.listener = strictListener{l, s.lingering}
	s.http.ConnContext = strictContext
	return s
}

func (s *server) start() *server {
	s.done.Go(func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("a listener ended", "address", s.listener.Addr().String(), "error", err)
		}
	})
	return s
}

// stop lets requests under way end, then cuts those that do not.
func (s *server) stop(patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.log.Warn("requests were cut at shutdown", "error", err)
		_ = s.http.Close()
	}
	s.lingering.cut()
	s.done.Wait()
}

type strictKey struct{}

// strictContext is http.Server.ConnContext: it lets handlers find the verdict.
func strictContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, strictKey{}, c)
}

// strict answers requests whose heads are refused, and closes connections
// whose next request could not be told from the rest of this one.
func strict(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		judged := verdictMalformed
		if c, ok := r.Context().Value(strictKey{}).(*strictConn); ok {
			judged = verdict(c.verdict.Load())
		}
		h := w.Header()
		if judged != verdictGood {
			h.Set("Connection", "close")
		}
		if !judged.refuses() {
			next.ServeHTTP(w, r)
			return
		}
		id := strings.ToLower(rand.Text())
		log.LogAttrs(r.Context(), slog.LevelInfo, "request refused for its head", slog.String("request", id), slog.Int("status", int(judged)))
		h.Set("Content-Type", "application/json")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Request-Id", id)
		w.WriteHeader(int(judged))
		_, _ = io.WriteString(w, `{"detail":"`+judged.text()+`"}`) // a client that went away is nobody's error
	})
}
