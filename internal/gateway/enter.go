package gateway

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"portico"
	"portico/internal/auth"
)

// The way in, in four redirects: a portal's host keeps a secret of the browser
// and sends its hash to the sign-in host; that one, which knows who is signed
// in, makes a code for this portal and this hash; the portal's host redeems the
// code with the secret. Who was sent a code by somebody else has another
// secret, so that nobody is signed in as a stranger.

// enter is GET /-/enter on a portal's host: without a code it begins the way
// in, with one it ends it.
func (g *Gateway) enter(q *request) error {
	if q.r.Method != http.MethodGet { // HEAD uses no code up
		return errNothing
	}
	if state := g.control.Admit(q.visit); state == portico.AdmitClosed || state == portico.AdmitLater {
		g.closed(q, q.visit, state)
		return nil
	}
	if q.r.URL.Query().Has("code") {
		return g.redeem(q)
	}
	secret, next := g.waiting(q.r)
	if !validSecret(secret) {
		secret, _ = auth.NewSecret()
	}
	if where, ok := strings.CutPrefix(q.r.URL.RawQuery, "next="); ok {
		next = returnTo(where)
	}
	g.cookies.set(q.w, enterCookie, secret+"."+base64.RawURLEncoding.EncodeToString([]byte(next)), waitingLife)
	return q.seeOther(g.control.SignInURL() + "/enter?" + url.Values{
		"portal": {q.visit.Portal.ID}, "browser": {auth.HashSecret(secret)},
	}.Encode())
}

// returnTo reads the rest of a query. nginx writes an address into it as it
// came, so what begins with a slash is one to its end.
func returnTo(rest string) string {
	if !strings.HasPrefix(rest, "/") {
		plain, err := url.QueryUnescape(rest)
		if err != nil {
			return "/"
		}
		rest = plain
	}
	return safeReturn(rest)
}

// waiting returns the secret of a browser on its way in, and where it goes.
func (g *Gateway) waiting(r *http.Request) (secret, next string) {
	secret, where, _ := strings.Cut(g.cookies.get(r, enterCookie), ".")
	raw, err := base64.RawURLEncoding.DecodeString(where)
	if err != nil {
		return secret, "/"
	}
	return secret, safeReturn(string(raw))
}

func (g *Gateway) redeem(q *request) error {
	secret, next := g.waiting(q.r)
	cookie, err := g.control.Enter(q.ctx(), q.host, q.r.URL.Query().Get("code"), secret, g.cookies.get(q.r, sessionCookie), q.from())
	if portico.KindOf(err) == portico.KindUnauthorized {
		if g.control.Admit(q.visit) == portico.AdmitGuest {
			return q.seeOther("/") // gone back to, by one who is in
		}
		g.message(q, message{
			Status: http.StatusForbidden, Title: "Sign in again", Portal: q.visit.Portal.Name,
			Text:    "This way in was used already, came too late, or belongs to another browser.",
			More:    "If it happens again, allow cookies for this site.",
			Actions: []action{{Text: "Sign in", To: ownPrefix + "enter", Primary: true}},
		})
		return nil
	}
	if err != nil {
		return err
	}
	g.cookies.clear(q.w, enterCookie)
	g.cookies.set(q.w, sessionCookie, cookie, auth.SessionLife)
	return q.seeOther(next)
}

// knock is GET /enter on the sign-in host: who is signed in and a guest of the
// portal is sent back with a code, everybody else learns why not.
func (g *Gateway) knock(q *request) error {
	if q.r.Method != http.MethodGet {
		return errNothing
	}
	query := q.r.URL.Query()
	portalID, browser := query.Get("portal"), query.Get("browser")
	if _, err := hex.DecodeString(browser); err != nil || len(browser) != len(auth.HashSecret("")) {
		browser = ""
	}
	code, d, err := g.control.Knock(q.ctx(), g.cookies.get(q.r, sessionCookie), portalID, browser)
	if err != nil {
		return err
	}
	switch {
	case d.Admission == "" || d.Admission == portico.AdmitNobody:
		return errNothing
	case d.Admission == portico.AdmitClosed || d.Admission == portico.AdmitLater:
		g.closed(q, d.Portal, d.Admission)
		return nil
	case code != "":
		return q.seeOther(g.control.PortalURL(d.Portal.Portal) + ownPrefix + "enter?" + url.Values{"code": {code}}.Encode())
	case d.Admission == portico.AdmitGuest: // without a browser's secret the portal's host has to begin
		return q.seeOther(g.control.PortalURL(d.Portal.Portal) + ownPrefix + "enter")
	case d.SignedIn():
		return g.noGuest(q, d)
	}
	return q.seeOther("/sign-in?portal=" + url.QueryEscape(portalID))
}
