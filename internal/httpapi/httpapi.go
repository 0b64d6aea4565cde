// Package httpapi serves /v1 and what describes it: the OpenAPI document, the
// reference with its API Runner, the same as Markdown, and llms.txt. One table
// of routes drives routing, authorization, documents and the list of routes.
//
// It owns the wire: the order in which a request is judged, the forms of
// answers and errors, cursors, Idempotency-Key and X-Request-Id. It decides
// nothing about portals: that is package control's, which it calls once for
// each request.
//
// Start with routes.go, then serve in request.go.
package httpapi

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"portico"
	"portico/internal/auth"
	"portico/internal/control"
	"portico/internal/keyring"
	"portico/internal/web"
)

// Config is what the API needs.
type Config struct {
	Control *control.Control
	Auth    *auth.Auth
	Ring    *keyring.Ring
	Log     *slog.Logger
	Version string

	// Observe is told of each answer; it may be nil. route is the pattern, never
	// a path that a client sent.
	Observe func(route string, status int, took time.Duration)

	// AtWork and Readers are how many requests are worked on at once, and how
	// many clients may be taking long answers. Zero: as many as a server stands.
	AtWork, Readers int
}

// The limits of a request.
const (
	maxBody    = 1 << 20
	maxTarget  = 8 << 10
	maxQueries = 100
	maxAtWork  = 1024
	maxReaders = 256
	maxHeld    = 256 << 20 // of all bodies together
)

// API is the HTTP handler. It is safe for concurrent use.
type API struct {
	config  Config
	control *control.Control
	cursors cursors
	routes  []*route
	mux     *http.ServeMux
	places  places
	readers *readers
	held    atomic.Int64 // bytes of the bodies that are being read or worked on
	models  portalModels
}

// New returns the handler of /v1 and of the documents about it. It fails when a
// page of the reference cannot be made.
func New(config Config) (*API, error) {
	if config.AtWork == 0 {
		config.AtWork = maxAtWork
	}
	if config.Readers == 0 {
		config.Readers = maxReaders
	}
	a := &API{
		config: config, control: config.Control,
		cursors: newCursors(config.Ring),
		models:  newPortalModels(config.Control),
		places:  make(places, config.AtWork),
		readers: newReaders(config.Readers),
	}
	a.routes = a.table()
	a.mux = http.NewServeMux()
	byPath := map[string]map[string]*route{}
	for _, r := range a.routes {
		if byPath[r.path] == nil {
			byPath[r.path] = map[string]*route{}
		}
		byPath[r.path][r.method] = r
	}
	for pattern, methods := range byPath {
		a.mux.Handle(pattern, a.methods(methods))
	}
	documents, err := a.documents()
	if err != nil {
		return nil, err
	}
	for path, document := range documents {
		a.mux.Handle(path, document)
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { writeError(w, errNoRoute) })
	return a, nil
}

// ServeHTTP judges a request before anything of it is used: its size, whether
// its path is one that could be routed, and whether there is room for it.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	id := requestID(r)
	answer := &web.Recorder{ResponseWriter: w}
	h := w.Header()
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	r = r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
	defer a.finish(answer, r, began, id)

	switch {
	case len(r.RequestURI) > maxTarget:
		writeError(answer, errTargetTooLong)
	case strings.Count(r.URL.RawQuery, "&") >= maxQueries:
		writeError(answer, errTooManyQueries)
	case !cleanPath(r):
		writeError(answer, errNoRoute)
	default:
		a.mux.ServeHTTP(answer, r)
	}
}

// finish answers for a handler that panicked, and tells log and metrics.
func (a *API) finish(w *web.Recorder, r *http.Request, began time.Time, id string) {
	if cause := recover(); cause != nil {
		if cause == http.ErrAbortHandler { //nolint:errorlint // compared as net/http does
			panic(cause)
		}
		a.config.Log.Error("a handler panicked", "request", id, "cause", cause, "stack", string(debug.Stack()))
		if w.Status == 0 {
			writeError(w, errInternal)
		}
	}
	took := time.Since(began)
	if a.config.Observe != nil {
		a.config.Observe(r.Pattern, w.Status, took)
	}
	a.config.Log.LogAttrs(r.Context(), slog.LevelInfo, "request",
		slog.String("request", id), slog.String("method", r.Method), slog.String("route", r.Pattern),
		slog.Int("status", w.Status), slog.Duration("took", took))
}

// cleanPath reports whether the path is one that a route could have: ServeMux
// would redirect others, and unescape a slash into a parameter. Here they are
// no route. A parameter may hold anything else.
func cleanPath(r *http.Request) bool {
	p := r.URL.Path
	return strings.HasPrefix(p, "/") && p == path.Clean(p) && strings.Count(p, "/") == strings.Count(r.URL.EscapedPath(), "/")
}

// methods dispatches on the exact method: HEAD is not GET here.
func (a *API) methods(routes map[string]*route) http.Handler {
	var allow []string
	for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
		if routes[method] != nil {
			allow = append(allow, method)
		}
	}
	allowed := strings.Join(allow, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route := routes[r.Method]
		if route == nil {
			w.Header().Set("Allow", allowed)
			writeError(w, errMethod)
			return
		}
		a.serve(w, r, route)
	})
}

type requestKey struct{}

// requestID returns the client's X-Request-Id when it is short and harmless,
// and a new one otherwise.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > 64 {
		return strings.ToLower(rand.Text())
	}
	for _, c := range []byte(id) {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", rune(c)) {
			return strings.ToLower(rand.Text())
		}
	}
	return id
}

// Routes returns the method, path and needed scope of each route, for the
// tests that hold them against the authorization matrix.
func (a *API) Routes() []RouteInfo {
	all := make([]RouteInfo, len(a.routes))
	for i, r := range a.routes {
		all[i] = RouteInfo{Method: r.method, Path: r.path, Scope: r.scope, Public: r.access == public}
	}
	return all
}

// RouteInfo is a route as GET /v1/routes shows it.
type RouteInfo struct {
	Method string
	Path   string
	Scope  portico.Scope // empty: any credential, or none where Public
	Public bool
}
