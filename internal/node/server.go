package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// The time-outs of the listeners. A long answer sets its own write deadlines.
const (
	headerPatience   = 10 * time.Second
	bodyPatience     = 30 * time.Second
	answerPatience   = 60 * time.Second
	idlePatience     = 120 * time.Second
	shutdownPatience = 25 * time.Second
	maxHeader        = 32 << 10
)

// server is one listener being served.
type server struct {
	listener net.Listener
	http     *http.Server
	done     sync.WaitGroup
	log      *slog.Logger
}

func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address) //nolint:noctx // at start, before there is anything to cancel
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s; choose another address with --listen or --ops-listen: %w", address, err)
	}
	return l, nil
}

func serve(l net.Listener, handler http.Handler, log *slog.Logger) *server {
	s := &server{listener: l, log: log, http: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerPatience,
		ReadTimeout:       bodyPatience,
		WriteTimeout:      answerPatience,
		IdleTimeout:       idlePatience,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	s.done.Go(func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("a listener ended", "address", l.Addr().String(), "error", err)
		}
	})
	return s
}

// stop lets requests under way end, then cuts those that do not.
func (s *server) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.log.Warn("requests were cut at shutdown", "error", err)
		_ = s.http.Close()
	}
	s.done.Wait()
}
