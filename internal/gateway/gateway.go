package gateway

import (
	"context"
	"crypto/rand"
	"embed"
	"html/template"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"portico"
	"portico/internal/auth"
	"portico/internal/control"
	"portico/internal/store"
	"portico/internal/web"
)

//go:embed pages pages/_*.html
var pageFiles embed.FS

// ownPrefix is what the gateway's own paths on a portal's host begin with, so
// that an app can have all others but the few that are well known.
const ownPrefix = "/-/"

// The limits of a request.
const (
	maxForm     = 16 << 10
	maxTarget   = 8 << 10
	maxInFlight = 1024
)

// Config is what a Gateway needs.
type Config struct {
	Control  *control.Control
	Hosts    *Hosts
	Identity *auth.Identities
	Log      *slog.Logger

	// Observe is told of each answer; it may be nil. route is the pattern, never
	// a path that a client sent.
	Observe func(route string, status int, took time.Duration)
}

// Gateway is the HTTP handler of portals' hosts and the sign-in host. It is
// safe for concurrent use.
type Gateway struct {
	config  Config
	control *control.Control
	pages   *web.Pages
	cookies cookies
	portals *http.ServeMux
	signIn  *http.ServeMux
	slots   chan struct{}
}

// New returns the gateway.
func New(config Config) (*Gateway, error) {
	files, err := fs.Sub(pageFiles, "pages")
	if err != nil {
		return nil, err
	}
	pages, err := web.Open(web.Config{Brand: "Sign in", Files: files, AssetAt: ownPrefix + "assets/", Log: config.Log, Funcs: template.FuncMap{
		"newPassword": func(label, problem string) newPassword { return newPassword{label, problem} },
		"bad":         func(text string) web.Notice { return web.Notice{Kind: "bad", Text: text} },
	}})
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		config: config, control: config.Control, pages: pages, slots: make(chan struct{}, maxInFlight),
		cookies: cookies{secure: strings.HasPrefix(config.Control.SignInURL(), "https:")},
	}
	g.portals, g.signIn = http.NewServeMux(), http.NewServeMux()
	for _, mux := range []*http.ServeMux{g.portals, g.signIn} {
		mux.HandleFunc("/", g.elsewhere)
	}
	for _, route := range g.Routes() {
		mux := g.portals
		if route.SignIn {
			mux = g.signIn
		}
		var handler http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, route) })
		if !route.Anyone {
			handler = pages.Protect(handler)
		}
		mux.Handle(route.Method+" "+route.Path, handler)
	}
	return g, nil
}

// newPassword is what the field for a new password shows.
type newPassword struct{ Label, Problem string }

// Route is one route of the gateway.
type Route struct {
	Method, Path string
	SignIn       bool // of the sign-in host; else of portals' hosts
	Switcher     bool // shows a guest's portals: they are read together with the visit
	Anyone       bool // a form may come from anywhere, in any form: its token says all

	handle func(*request) error
}

// Routes returns the table of routes.
func (g *Gateway) Routes() []Route { return append(g.portalRoutes(), g.signInRoutes()...) }

// request is one request on its way through a route.
type request struct {
	w     http.ResponseWriter
	r     *http.Request
	id    string
	host  store.Host    // of a portal
	visit portico.Visit // of a portal's route

	portals []portico.Portal // of the guest, where the route shows them
}

func (q *request) ctx() context.Context { return q.r.Context() }

func (q *request) from() control.Origin {
	host, _, err := net.SplitHostPort(q.r.RemoteAddr)
	if err != nil {
		host = q.r.RemoteAddr
	}
	return control.Origin{Remote: host, RequestID: q.id}
}

// seeOther sends the browser on with GET.
func (q *request) seeOther(to string) error {
	q.w.Header().Set("Cache-Control", "no-store")
	q.w.Header().Set("Referrer-Policy", "no-referrer")
	q.w.Header().Set("Location", to)
	q.w.WriteHeader(http.StatusSeeOther)
	return nil
}

type hostKey struct{}

// ServeHTTP answers for every host but the public one.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	q := &request{w: &web.Recorder{ResponseWriter: w}, r: r, id: strings.ToLower(rand.Text())}
	w.Header().Set("X-Request-Id", q.id)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	kind, host := g.config.Hosts.Find(r.Host)
	q.host = host
	q.r = r.WithContext(context.WithValue(r.Context(), hostKey{}, q))
	defer g.finish(q, began)
	switch {
	case kind == HostMalformed:
		g.message(q, message{Status: http.StatusBadRequest, Title: "That is no address", Text: "The name of the host cannot be read."})
	case kind == HostMisdirected:
		g.message(q, message{Status: http.StatusMisdirectedRequest, Title: "Nothing is here", Text: "This machine does not answer under that address."})
	case len(r.RequestURI) > maxTarget || !cleanPath(r):
		g.nothing(q)
	case strings.HasPrefix(r.URL.Path, g.pages.AssetPath()):
		g.pages.Assets().ServeHTTP(q.w, q.r)
	case kind == HostSignIn:
		g.signIn.ServeHTTP(q.w, q.r)
	default:
		g.portals.ServeHTTP(q.w, q.r)
	}
}

// cleanPath reports whether the path is one that a route could have: ServeMux
// would redirect others, and unescape a slash into a parameter.
func cleanPath(r *http.Request) bool {
	p := r.URL.Path
	own := strings.TrimSuffix(p, "/")
	return strings.HasPrefix(p, "/") && (p == "/" || own == path.Clean(p)) && strings.Count(p, "/") == strings.Count(r.URL.EscapedPath(), "/")
}

// serve runs a route: on a portal's host after the registry was asked what the
// host and the session are worth now.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, route Route) {
	q, ok := r.Context().Value(hostKey{}).(*request)
	if !ok {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	q.w, q.r = w, r
	var err error
	if !route.Anyone {
		err = q.form()
	}
	if err == nil {
		err = g.work(q, route)
	}
	if err != nil {
		g.fail(q, err)
	}
}

// work runs a route's handler if there is room for it. The form was read
// before, so that nobody takes room by sending slowly.
func (g *Gateway) work(q *request, route Route) error {
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	default:
		return &portico.Error{Kind: portico.KindUnavailable, RetryAfter: time.Second}
	}
	if route.SignIn {
		return route.handle(q)
	}
	var err error
	if cookie := g.cookies.get(q.r, sessionCookie); route.Switcher {
		q.visit, q.portals, err = g.control.Home(q.ctx(), q.host, cookie)
	} else {
		q.visit, err = g.control.Visit(q.ctx(), q.host, cookie)
	}
	if err != nil {
		return err
	}
	if g.control.Admit(q.visit) == portico.AdmitNobody {
		return errNothing
	}
	return route.handle(q)
}

// elsewhere answers for every path and method that no route has: alike on every
// host, so that paths do not tell which are portals'.
func (g *Gateway) elsewhere(_ http.ResponseWriter, r *http.Request) {
	if q, ok := r.Context().Value(hostKey{}).(*request); ok {
		g.nothing(q)
	}
}

// form reads a posted form. Nothing but a form is read.
func (q *request) form() error {
	if q.r.Method != http.MethodPost {
		return nil
	}
	kind, _, _ := strings.Cut(q.r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") || q.r.Header.Get("Content-Encoding") != "" {
		return errNoForm
	}
	q.r.Body = http.MaxBytesReader(q.w, q.r.Body, maxForm)
	if err := q.r.ParseForm(); err != nil {
		return errNoForm
	}
	return nil
}

func (q *request) value(name string) string { return q.r.PostForm.Get(name) }

// finish answers for a handler that panicked, and tells log and metrics. No
// path is told: it may hold a token.
func (g *Gateway) finish(q *request, began time.Time) {
	if cause := recover(); cause != nil {
		if cause == http.ErrAbortHandler { //nolint:errorlint // compared as net/http does
			panic(cause)
		}
		g.config.Log.Error("a handler panicked", "request", q.id, "cause", cause, "stack", string(debug.Stack()))
		if w, ok := q.w.(*web.Recorder); ok && w.Status == 0 {
			g.fail(q, portico.Errorf(portico.KindInternal, "a panic"))
		}
	}
	status := 0
	if w, ok := q.w.(*web.Recorder); ok {
		status = w.Status
	}
	took := time.Since(began)
	if g.config.Observe != nil {
		g.config.Observe(q.r.Pattern, status, took)
	}
	g.config.Log.LogAttrs(q.ctx(), slog.LevelInfo, "request",
		slog.String("request", q.id), slog.String("method", q.r.Method), slog.String("route", q.r.Pattern),
		slog.Int("status", status), slog.Duration("took", took))
}

// retryAfter sets how many seconds later a request may succeed.
func retryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int((wait+time.Second-1)/time.Second))))
}
