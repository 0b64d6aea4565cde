// Package console serves the administrators' pages, at / of the public host:
// sign in, portals and their guests, members, tokens, the audit log. Each page
// is made on the server and works without scripts; what changes something is a
// form that is posted and answered with another address.
//
// It owns pages, forms and the cookie, and decides nothing: each request asks
// package control, as the API does, with a principal that the registry names
// at this request. It imports no other front.
//
// Start with routes.go, then serve in request.go.
package console

import (
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"portico/internal/auth"
	"portico/internal/control"
	"portico/internal/web"
)

//go:embed pages/*
var pageFiles embed.FS

// Config is what a Console needs.
type Config struct {
	Control   *control.Control
	Auth      *auth.Auth
	Log       *slog.Logger
	PublicURL *url.URL // whose scheme says whether cookies can be secure

	// Observe is told of each answer; it may be nil. route is the pattern, never
	// a path that a client sent.
	Observe func(route string, status int, took time.Duration)
}

// maxInFlight is how many requests are worked on at once; others are told to
// come again, so that nothing slows down without end.
const maxInFlight = 256

// maxUploads is how many lists are on their way in at once, each held in memory.
const maxUploads = 32

// Console is the HTTP handler of the administrators' pages. It is safe for
// concurrent use.
type Console struct {
	config  Config
	control *control.Control
	pages   *web.Pages
	mux     *http.ServeMux
	handler http.Handler
	slots   chan struct{}
	uploads chan struct{}
}

// New returns the console.
func New(config Config) (*Console, error) {
	files, err := fs.Sub(pageFiles, "pages")
	if err != nil {
		return nil, err
	}
	c := &Console{
		config: config, control: config.Control, mux: http.NewServeMux(),
		slots: make(chan struct{}, maxInFlight), uploads: make(chan struct{}, maxUploads),
	}
	c.pages, err = web.Open(web.Config{
		Brand: "Portico", Home: "/", Files: files, AssetAt: "/console/assets/", Log: config.Log, Funcs: templateFuncs(),
	})
	if err != nil {
		return nil, err
	}
	c.mux.Handle("GET "+c.pages.AssetPath(), c.pages.Assets())
	for _, route := range c.routes() {
		c.mux.HandleFunc(route.Method+" "+route.Path, func(w http.ResponseWriter, r *http.Request) { c.serve(w, r, route) })
	}
	c.handler = c.pages.Watch(config.Observe, c.pages.Protect(http.HandlerFunc(c.dispatch)))
	return c, nil
}

// Owns reports whether a request is for a page or file of the console, whatever
// its method.
func (c *Console) Owns(r *http.Request) bool { return len(c.methods(r)) > 0 }

// methods returns those with which the path of a request is a route.
func (c *Console) methods(r *http.Request) (all []string) {
	other := *r
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other.Method = method
		if _, pattern := c.mux.Handler(&other); pattern != "" {
			all = append(all, method)
		}
	}
	return all
}

// dispatch routes a request. ServeMux would answer a wrong method without a
// page.
func (c *Console) dispatch(w http.ResponseWriter, r *http.Request) {
	if _, pattern := c.mux.Handler(r); pattern != "" {
		c.mux.ServeHTTP(w, r)
		return
	}
	allowed := c.methods(r)
	if len(allowed) == 0 {
		c.pages.Fail(w, r, web.NoPage())
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	c.pages.Fail(w, r, web.Problem{
		Status: http.StatusMethodNotAllowed, Title: "That is not how this page is used",
		Text: "A form may have been opened as a page. Go back, and send it from there.", Action: web.Link{Href: "/", Text: "To the portals"},
	})
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }
