package console

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"portico"
	"portico/internal/control"
	"portico/internal/web"
)

// The limits of what is posted.
const (
	maxForm   = 64 << 10
	maxUpload = 8 << 20
)

// request is one request on its way through a route.
type request struct {
	*Console

	w     http.ResponseWriter
	r     *http.Request
	route Route
	by    portico.Principal // of a route that is not open

	profile *control.Profile // read when a page needs it
}

func (q *request) ctx() context.Context { return q.r.Context() }

// param returns a part of the path: an opaque string.
func (q *request) param(name string) string { return q.r.PathValue(name) }

// value returns a field of the posted form.
func (q *request) value(name string) string { return q.r.PostForm.Get(name) }

// query returns a field of the address.
func (q *request) query(name string) string { return q.r.URL.Query().Get(name) }

func (q *request) from() control.Origin {
	host, _, err := net.SplitHostPort(q.r.RemoteAddr)
	if err != nil {
		host = q.r.RemoteAddr
	}
	return control.Origin{Remote: host, RequestID: web.RequestID(q.ctx())}
}

// serve judges a request: who sends it, whether its form can be read. Whether
// they may is the operation's to say.
func (c *Console) serve(w http.ResponseWriter, r *http.Request, route Route) {
	q := &request{Console: c, w: w, r: r, route: route}
	err := within(c.slots, q.authenticate)
	if err == nil {
		err = q.readForm()
	}
	if err == nil {
		err = within(c.slots, func() error { return route.handle(q) })
	}
	if err != nil {
		q.fail(err)
	}
}

// within does a part of a request if there is room for it. A form is read in
// between, so that nobody takes room by sending slowly.
func within(slots chan struct{}, part func() error) error {
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
		return part()
	default:
		return &portico.Error{Kind: portico.KindUnavailable, Msg: "Too much is asked for at once.", RetryAfter: time.Second}
	}
}

func (q *request) authenticate() error {
	if q.route.open {
		return nil
	}
	by, err := q.config.Auth.ConsoleSession(q.ctx(), q.cookie())
	if err != nil {
		return err
	}
	q.by = by
	q.by.RequestID = web.RequestID(q.ctx())
	return nil
}

var errForm = portico.Errorf(portico.KindInvalid, "The form could not be read. Open the page again and send it from there.")

// readForm reads a posted form, and nothing that is none.
func (q *request) readForm() error {
	if q.r.Method != http.MethodPost {
		return nil
	}
	kind, _, _ := strings.Cut(q.r.Header.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	limit := int64(maxForm)
	if q.route.upload {
		limit = maxUpload
	}
	q.r.Body = http.MaxBytesReader(q.w, q.r.Body, limit)
	var err error
	switch {
	case q.r.Header.Get("Content-Encoding") != "":
		return errForm
	case kind == "application/x-www-form-urlencoded":
		err = q.r.ParseForm()
	case kind == "multipart/form-data" && q.route.upload:
		err = within(q.uploads, func() error { return q.r.ParseMultipartForm(maxUpload) })
	default:
		return errForm
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return portico.Errorf(portico.KindInvalid, "What was sent is larger than %d KB.", limit>>10)
	}
	if err != nil && portico.KindOf(err) != portico.KindUnavailable {
		err = errForm
	}
	return err
}

// seeOther answers a form that was done: the browser goes on with GET.
func (q *request) seeOther(to string) error {
	q.w.Header().Set("Cache-Control", "no-store")
	q.w.Header().Set("Location", to)
	q.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// statuses is the one table from kind to status.
var statuses = map[portico.Kind]int{
	portico.KindInternal:     http.StatusInternalServerError,
	portico.KindInvalid:      http.StatusUnprocessableEntity,
	portico.KindUnauthorized: http.StatusUnauthorized,
	portico.KindForbidden:    http.StatusForbidden,
	portico.KindNotFound:     http.StatusNotFound,
	portico.KindConflict:     http.StatusConflict,
	portico.KindRateLimited:  http.StatusTooManyRequests,
	portico.KindUnavailable:  http.StatusServiceUnavailable,
	portico.KindStorageFull:  http.StatusInsufficientStorage,
}

// titles say in a few words what became of a request.
var titles = map[portico.Kind]string{
	portico.KindInternal:     "This page could not be shown",
	portico.KindInvalid:      "That cannot be taken as it is",
	portico.KindUnauthorized: "Sign in first",
	portico.KindForbidden:    "You cannot do this here",
	portico.KindNotFound:     "There is no such page",
	portico.KindConflict:     "That cannot be done now",
	portico.KindRateLimited:  "Too many attempts",
	portico.KindUnavailable:  "That cannot be done at this moment",
	portico.KindStorageFull:  "There is no room left",
}

// fail answers with an error of any type. Who is not signed in signs in first.
func (q *request) fail(err error) {
	kind := portico.KindOf(err)
	switch kind {
	case portico.KindUnauthorized:
		q.clearCookie()
		_ = q.seeOther(signInFor(q.r)) // never an error
		return
	case portico.KindForbidden:
		if q.by.AccountID != "" {
			q.control.Refuse(q.by, q.route.Method+" "+q.route.Path)
		}
	case portico.KindInternal:
		q.config.Log.LogAttrs(q.ctx(), slog.LevelError, "a page failed", slog.String("request", web.RequestID(q.ctx())), slog.Any("error", err))
	case portico.KindUnavailable, portico.KindStorageFull:
		q.config.Log.LogAttrs(q.ctx(), slog.LevelWarn, "a page could not be served now", slog.String("request", web.RequestID(q.ctx())), slog.Any("error", err))
	}
	if wait := portico.RetryAfterOf(err); wait > 0 || kind == portico.KindUnavailable {
		q.w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	}
	problem := web.Problem{Status: statuses[kind], Title: titles[kind], Text: portico.MessageOf(err)}
	switch kind {
	case portico.KindNotFound:
		problem.Text = web.NoPage().Text
	case portico.KindForbidden:
		problem.Action = web.Link{Href: "/organizations", Text: "Switch organization"}
	}
	q.pages.FailIn(q.w, q.r, q.frame(), problem)
}

// signInFor returns where who asked for a page signs in to see it.
func signInFor(r *http.Request) string {
	if r.Method != http.MethodGet || r.URL.Path == "/" {
		return "/sign-in"
	}
	return "/sign-in?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()
}

// ownPath returns an address to go on to, if it is a page of this host; another
// one is the front page.
func ownPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\t\r\n") ||
		strings.HasPrefix(u.Path, "//") {
		return "/"
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}

// nav is the way around, the same on each page.
var nav = []web.Link{
	{Href: "/portals", Text: "Portals"}, {Href: "/members", Text: "Members"}, {Href: "/audit", Text: "Audit log"},
	{Href: "/tokens", Text: "Tokens"}, {Href: "/docs", Text: "Reference"},
}

// frame returns a page with what stands around each: navigation, and who is
// signed in.
func (q *request) frame() web.Page {
	var page web.Page
	if q.by.AccountID == "" {
		return page
	}
	for _, link := range nav {
		link.Current = q.r.URL.Path == link.Href || strings.HasPrefix(q.r.URL.Path, link.Href+"/")
		page.Nav = append(page.Nav, link)
	}
	p, err := q.load()
	if err != nil {
		return page
	}
	page.Account = &web.Account{Name: p.Account.Email, Detail: p.OrganizationName, SignOut: "/sign-out"}
	if p.Account.Name != "" {
		page.Account.Name = p.Account.Name
	}
	page.Account.Links = []web.Link{{Href: "/organizations", Text: "Switch organization"}}
	return page
}

// load returns who is signed in, which is read once a request.
func (q *request) load() (*control.Profile, error) {
	if q.profile == nil {
		p, err := q.control.Load(q.ctx(), q.by)
		if err != nil {
			return nil, err
		}
		q.profile = &p
	}
	return q.profile, nil
}

// show answers with a page.
func (q *request) show(name, title string, data any, change ...func(*web.Page)) error {
	page := q.frame()
	page.Title, page.Data = title, data
	if notice, ok := notices[q.query("did")]; ok {
		page.Notices = append(page.Notices, notice)
	}
	for _, f := range change {
		f(&page)
	}
	q.pages.Render(q.w, q.r, name, page)
	return nil
}

// notices are what a page says after a form, by the word in its address.
var notices = map[string]web.Notice{
	"portal-updated":     {Kind: "good", Title: "Saved."},
	"portal-deleted":     {Kind: "good", Title: "The portal is deleted.", Text: "Its database is gone."},
	"guest-removed":      {Kind: "good", Title: "The guest is removed.", Text: "Their access ended at once."},
	"invitation-resent":  {Kind: "good", Title: "The invitation is sent again.", Text: "The link before it is void."},
	"invitation-revoked": {Kind: "good", Title: "The invitation is revoked.", Text: "Its link is void."},
	"list-discarded":     {Kind: "good", Title: "The list is discarded.", Text: "Nobody was invited."},
	"token-revoked":      {Kind: "good", Title: "The token is revoked.", Text: "It is worth nothing from now on."},
	"member-invited":     {Kind: "good", Title: "The invitation is on its way.", Text: "Who has the address accepts it by the link in the mail."},
	"member-changed":     {Kind: "good", Title: "The role is changed."},
	"member-removed":     {Kind: "good", Title: "The member is removed.", Text: "Their sessions and tokens for this organization ended."},
	"signed-out":         {Kind: "good", Title: "You are signed out."},
	"switched":           {Kind: "good", Title: "You are in another organization now."},
	"installation-up":    {Kind: "good", Title: "Welcome.", Text: "The installation is yours. Create the first portal."},
}

// as gives a page a status of its own: that of a form shown again.
func as(err error) func(*web.Page) {
	return func(page *web.Page) { page.Status = statuses[portico.KindOf(err)] }
}

// fieldErrors are what is wrong with a form, by field; "" is the form itself.
type fieldErrors map[string]string

// formError returns what a form that was refused shows. It passes on errors
// that are not about what was typed.
func formError(err error) (fieldErrors, error) {
	e, ok := errors.AsType[*portico.Error](err)
	if !ok || (e.Kind != portico.KindInvalid && e.Kind != portico.KindConflict && e.Kind != portico.KindRateLimited) {
		return nil, err
	}
	return fieldErrors{e.Field: e.Msg}, nil
}
