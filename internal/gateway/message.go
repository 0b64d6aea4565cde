package gateway

import (
	"log/slog"
	"net/http"
	"time"

	"portico"
	"portico/internal/web"
)

// message is a page that says one thing and what to do next.
type message struct {
	Status  int
	Title   string
	Text    string
	More    string // a second paragraph; may be empty
	Actions []action
	Portal  string // whose name stands at the head; empty: none
}

// action is a way on: a link, or a button that posts.
type action struct {
	Text    string
	To      string
	Post    bool
	Primary bool
}

// message answers with a message. Its body is the same for everyone who meets
// it: nothing of the request is in it.
func (g *Gateway) message(q *request, m message) {
	g.pages.Render(q.w, q.r, "message", web.Page{
		Title: m.Title, Status: m.Status, Brand: m.Portal, Data: m, Narrow: true, Secret: true, FormAction: []string{g.control.SignInURL()},
	})
}

// nothing answers for what is not there, whatever it is: a host, a path, a
// token. It tells nothing of what is.
func (g *Gateway) nothing(q *request) {
	g.message(q, message{
		Status: http.StatusNotFound, Title: "Nothing is here",
		Text: "There is no page at this address. If you followed a link in a mail, open it again exactly as it stands there: some programs cut long links in two.",
	})
}

// Errors that are answered by a page of their own.
var (
	errNothing = portico.Errorf(portico.KindNotFound, "Not found")
	errNoForm  = portico.Errorf(portico.KindInvalid, "That was no form of this page.")
)

// fail answers with the page of an error. What went wrong inside goes to the
// log alone.
func (g *Gateway) fail(q *request, err error) {
	m := message{Status: http.StatusInternalServerError, Title: "This did not work", Text: portico.MessageOf(err)}
	switch portico.KindOf(err) {
	case portico.KindNotFound:
		g.nothing(q)
		return
	case portico.KindInvalid:
		m.Status, m.Title = http.StatusUnsupportedMediaType, "That cannot be read"
	case portico.KindUnauthorized, portico.KindForbidden:
		m.Status, m.Title = http.StatusForbidden, "That is not possible"
	case portico.KindConflict:
		m.Status, m.Title = http.StatusConflict, "That is not possible any more"
	case portico.KindRateLimited:
		m.Status, m.Title = http.StatusTooManyRequests, "Too many attempts"
	case portico.KindUnavailable, portico.KindStorageFull:
		m.Status, m.Title, m.Text = http.StatusServiceUnavailable, "Not available at the moment", "Nothing was lost. Try again in a minute."
		g.config.Log.LogAttrs(q.ctx(), slog.LevelWarn, "a page could not be served now", slog.String("request", q.id), slog.Any("error", err))
	case portico.KindInternal:
		g.config.Log.LogAttrs(q.ctx(), slog.LevelError, "a page failed", slog.String("request", q.id), slog.Any("error", err))
	}
	if m.Status == http.StatusTooManyRequests || m.Status == http.StatusServiceUnavailable {
		retryAfter(q.w, max(portico.RetryAfterOf(err), time.Second))
	}
	g.message(q, m)
}

// closed answers for a portal that takes nobody in now: its organization is
// suspended, or its database is not available.
func (g *Gateway) closed(q *request, p portico.Visit, why portico.Admission) {
	if why == portico.AdmitClosed {
		g.message(q, message{
			Status: http.StatusForbidden, Title: "This portal is closed", Portal: p.Portal.Name,
			Text: "It takes no guests at the moment. Whoever invited you can tell you more.",
		})
		return
	}
	retryAfter(q.w, unavailableWait)
	g.message(q, message{
		Status: http.StatusServiceUnavailable, Title: "This portal is not available", Portal: p.Portal.Name,
		Text: "Something is wrong on our side, and its operator has been told. Your access is not lost. Try again in a few minutes.",
	})
}

// unavailableWait is when a portal that is not available may be tried again.
const unavailableWait = 2 * time.Minute
