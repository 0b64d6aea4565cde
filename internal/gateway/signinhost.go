package gateway

import (
	"net/http"
	"net/url"
	"time"

	"portico"
	"portico/internal/auth"
	"portico/internal/control"
	"portico/internal/store"
	"portico/internal/web"
)

func (g *Gateway) signInRoutes() []Route {
	routes := []Route{
		{Method: "GET", Path: "/{$}", handle: g.myPlaces},
		{Method: "GET", Path: "/enter", handle: g.knock},
		{Method: "GET", Path: "/sign-in", handle: g.signInPage},
		{Method: "POST", Path: "/sign-in", handle: g.signInForm},
		{Method: "POST", Path: "/code", handle: g.askCode},
		{Method: "GET", Path: "/code/{challenge}", handle: g.codePage},
		{Method: "POST", Path: "/code/{challenge}", handle: g.enterCode},
		{Method: "GET", Path: "/forgotten", handle: g.forgottenPage},
		{Method: "POST", Path: "/forgotten", handle: g.forgotten},
		{Method: "GET", Path: "/reset/{token}", handle: g.resetPage},
		{Method: "POST", Path: "/reset/{token}", handle: g.reset},
		{Method: "POST", Path: "/sign-out", handle: g.signOutHere},
		{Method: "GET", Path: "/unsubscribe/{token}", handle: g.unsubscribePage},
		// A mailbox's provider posts here for its user too (RFC 8058).
		{Method: "POST", Path: "/unsubscribe/{token}", Anyone: true, handle: g.unsubscribe},
		{Method: "GET", Path: "/join/{organization}/{token}", handle: g.memberInvitation},
		{Method: "POST", Path: "/join/{organization}/{token}", handle: g.acceptMember},
		{Method: "GET", Path: "/invitation/{portal}/{token}", handle: g.proofPage},
		{Method: "POST", Path: "/invitation/{portal}/{token}/password", handle: g.claim},
		{Method: "POST", Path: "/invitation/{portal}/{token}/sign-in", handle: g.acceptBySignIn},
		{Method: "POST", Path: "/invitation/{portal}/{token}/code", handle: g.acceptByCode},
		{Method: "POST", Path: "/invitation/{portal}/{token}/join", handle: g.join},
		{Method: "POST", Path: "/invitation/{portal}/{token}/switch", handle: g.switchAccount},
		{Method: "GET", Path: "/.well-known/jwks.json", handle: g.jwks},
	}
	for i := range routes {
		routes[i].SignIn = true
	}
	return routes
}

// signInView is what the pages around signing in show.
type signInView struct {
	Portal   portico.Visit // where it leads; zero: to the list of portals
	Email    string        // as sent
	Problem  string        // with what was sent; empty: none
	Sent     bool          // what was asked for is on its way, if anybody has the address
	Code     string        // the id of a mailed code
	Lost     bool          // no code can be entered any more
	Token    string        // of a reset
	Minutes  int
	PortalID string
}

// portalOf returns the visit of the portal that a page names; what is no portal
// to enter is none.
func (g *Gateway) portalOf(q *request, portalID string) (control.Doorway, error) {
	return g.control.Doorway(q.ctx(), g.cookies.get(q.r, sessionCookie), control.Way{PortalID: portalID})
}

// render answers with a page on the sign-in host. After its forms the browser
// goes on to the portal.
func (g *Gateway) render(q *request, name, title string, status int, portal portico.Portal, data any) {
	page := web.Page{Title: title, Status: status, Data: data, Narrow: true, Secret: true}
	if portal.ID != "" {
		page.Brand, page.FormAction = portal.Name, []string{g.control.PortalURL(portal)}
	}
	g.pages.Render(q.w, q.r, name, page)
}

// placesView is where an account can go.
type placesView struct {
	Portals       []portalLink
	Organizations []store.Affiliation
	Console       string
}

func (g *Gateway) myPlaces(q *request) error {
	d, places, err := g.control.AccountPlaces(q.ctx(), g.cookies.get(q.r, sessionCookie))
	if err != nil {
		return err
	}
	if !d.SignedIn() {
		return q.seeOther("/sign-in")
	}
	g.pages.Render(q.w, q.r, "portals", web.Page{
		Title: "Your portals", Narrow: true, Secret: true,
		Account: &web.Account{Name: accountName(d.Account), Detail: d.Account.Email, SignOut: "/sign-out"},
		Data:    placesView{g.portalLinks(places.Portals, ""), places.Organizations, g.control.PublicURL() + "/sign-in"},
	})
	return nil
}

func accountName(a portico.Account) string {
	if a.Name != "" {
		return a.Name
	}
	return a.Email
}

// noGuest answers for an account that is no guest of the portal it wants to
// enter: never, or not any more.
func (g *Gateway) noGuest(q *request, d control.Doorway) error {
	g.render(q, "noguest", "Another account", http.StatusForbidden, d.Portal.Portal, d)
	return nil
}

func (g *Gateway) signInPage(q *request) error {
	d, err := g.portalOf(q, q.r.URL.Query().Get("portal"))
	if err != nil {
		return err
	}
	if d.SignedIn() {
		return g.onward(q, d)
	}
	return g.showSignIn(q, http.StatusOK, signInView{Portal: d.Portal})
}

// onward sends somebody who is signed in to where they were going.
func (g *Gateway) onward(q *request, d control.Doorway) error {
	switch d.Admission {
	case "", portico.AdmitNobody:
		return q.seeOther("/")
	case portico.AdmitGuest:
		return q.seeOther(g.control.PortalURL(d.Portal.Portal) + ownPrefix + "enter")
	case portico.AdmitStranger:
		return g.noGuest(q, d)
	}
	g.closed(q, d.Portal, d.Admission)
	return nil
}

func (g *Gateway) showSignIn(q *request, status int, v signInView) error {
	v.PortalID = v.Portal.Portal.ID
	g.render(q, "signin", "Sign in", status, v.Portal.Portal, v)
	return nil
}

func (g *Gateway) signInForm(q *request) error {
	cookie, way := g.cookies.get(q.r, sessionCookie), control.Way{PortalID: q.value("portal")}
	a, err := g.control.SignInBrowser(q.ctx(), cookie, way, q.value("email"), q.value("password"), q.from())
	if status, text := refusal(q, err); status != 0 {
		d, err := g.portalOf(q, way.PortalID)
		if err != nil {
			return err
		}
		return g.showSignIn(q, status, signInView{Portal: d.Portal, Email: q.value("email"), Problem: text})
	}
	if err != nil {
		return err
	}
	return g.arrived(q, a, way)
}

// refusal returns the status and text with which a form is shown again: the
// same for an address that nobody has, a wrong password, and no password.
// Status 0 says that err is none of these.
func refusal(q *request, err error) (status int, text string) {
	switch portico.KindOf(err) {
	case portico.KindUnauthorized:
		return http.StatusUnprocessableEntity, "That address and password do not belong together."
	case portico.KindInvalid:
		return http.StatusUnprocessableEntity, sentence(portico.MessageOf(err))
	case portico.KindRateLimited:
		retryAfter(q.w, portico.RetryAfterOf(err))
		return http.StatusTooManyRequests, portico.MessageOf(err)
	}
	return 0, ""
}

// sentence makes a sentence of an error's text.
func sentence(text string) string {
	if text == "" || text[0] < 'a' || text[0] > 'z' {
		return text
	}
	return string(text[0]-'a'+'A') + text[1:] + "."
}

// arrived sets the cookie of a new session and sends the browser on: into the
// portal, or to the page that says why not.
func (g *Gateway) arrived(q *request, a control.Arrival, way control.Way) error {
	g.cookies.set(q.w, sessionCookie, a.Cookie, auth.SessionLife)
	switch {
	case a.Portal.ID != "":
		return q.seeOther(g.control.PortalURL(a.Portal) + ownPrefix + "enter")
	case a.Organization.ID != "":
		return q.seeOther("/")
	case way.Token != "":
		return q.seeOther(proofPath(way))
	case way.PortalID != "":
		return q.seeOther("/sign-in?portal=" + url.QueryEscape(way.PortalID))
	}
	return q.seeOther("/")
}

func (g *Gateway) askCode(q *request) error {
	way := control.Way{PortalID: q.value("portal")}
	id, err := g.control.AskCode(q.ctx(), way, q.value("email"), g.cookies.secret(q.w, q.r, browserCookie), q.from())
	if status, text := refusal(q, err); status != 0 {
		d, err := g.portalOf(q, way.PortalID)
		if err != nil {
			return err
		}
		return g.showSignIn(q, status, signInView{Portal: d.Portal, Email: q.value("email"), Problem: text})
	}
	if err != nil {
		return err
	}
	return q.seeOther("/code/" + id)
}

func (g *Gateway) codePage(q *request) error { return g.showCode(q, http.StatusOK, "") }

func (g *Gateway) showCode(q *request, status int, problem string) error {
	id := q.r.PathValue("challenge")
	state, err := g.control.CodeState(q.ctx(), id, g.cookies.get(q.r, browserCookie))
	if err != nil {
		return err
	}
	d, err := g.portalOf(q, state.PortalID)
	if err != nil {
		return err
	}
	if !state.Open {
		status = http.StatusGone
	}
	g.render(q, "code", "Enter the code", status, d.Portal.Portal, signInView{
		Portal: d.Portal, PortalID: state.PortalID, Code: id, Problem: problem, Lost: !state.Open, Minutes: int(auth.CodeLife / time.Minute),
	})
	return nil
}

func (g *Gateway) enterCode(q *request) error {
	id, browser := q.r.PathValue("challenge"), g.cookies.get(q.r, browserCookie)
	state, err := g.control.CodeState(q.ctx(), id, browser)
	if err != nil {
		return err
	}
	a, err := g.control.EnterCode(q.ctx(), g.cookies.get(q.r, sessionCookie), id, browser, q.value("code"), q.from())
	switch portico.KindOf(err) {
	case portico.KindUnauthorized:
		return g.showCode(q, http.StatusUnprocessableEntity, "That code is not the right one.")
	case portico.KindRateLimited:
		retryAfter(q.w, portico.RetryAfterOf(err))
		return g.showCode(q, http.StatusTooManyRequests, portico.MessageOf(err))
	}
	if err != nil {
		return err
	}
	return g.arrived(q, a, control.Way{PortalID: state.PortalID})
}

func (g *Gateway) forgottenPage(q *request) error {
	d, err := g.portalOf(q, q.r.URL.Query().Get("portal"))
	if err != nil {
		return err
	}
	g.render(q, "forgotten", "Forgotten password", http.StatusOK, d.Portal.Portal, signInView{
		Portal: d.Portal, PortalID: d.Portal.Portal.ID, Sent: q.r.URL.Query().Has("sent"), Minutes: int(auth.ResetLife / time.Minute),
	})
	return nil
}

func (g *Gateway) forgotten(q *request) error {
	way := control.Way{PortalID: q.value("portal")}
	err := g.control.AskReset(q.ctx(), way, q.value("email"), q.from())
	if status, text := refusal(q, err); status != 0 {
		d, err := g.portalOf(q, way.PortalID)
		if err != nil {
			return err
		}
		g.render(q, "forgotten", "Forgotten password", status, d.Portal.Portal, signInView{
			Portal: d.Portal, PortalID: d.Portal.Portal.ID, Email: q.value("email"), Problem: text,
		})
		return nil
	}
	if err != nil {
		return err
	}
	return q.seeOther("/forgotten?" + url.Values{"sent": {""}, "portal": {way.PortalID}}.Encode())
}

func (g *Gateway) resetPage(q *request) error { return g.showReset(q, http.StatusOK, "") }

func (g *Gateway) showReset(q *request, status int, problem string) error {
	email, err := g.control.ResetFor(q.ctx(), q.r.PathValue("token"))
	if portico.KindOf(err) == portico.KindNotFound {
		g.message(q, message{
			Status: http.StatusGone, Title: "This link is used up", Text: "A link sets one password, within an hour. Ask for another one.",
			Actions: []action{{Text: "Ask for another link", To: "/forgotten", Primary: true}},
		})
		return nil
	}
	if err != nil {
		return err
	}
	g.render(q, "reset", "New password", status, portico.Portal{}, signInView{Email: email, Problem: problem})
	return nil
}

func (g *Gateway) reset(q *request) error {
	p, err := g.control.ResetPassword(q.ctx(), q.r.PathValue("token"), q.value("password"), q.from())
	if portico.KindOf(err) == portico.KindNotFound {
		return g.resetPage(q)
	}
	if status, text := refusal(q, err); status != 0 {
		return g.showReset(q, status, text)
	}
	if err != nil {
		return err
	}
	g.cookies.clear(q.w, sessionCookie)
	next := "/sign-in"
	if p.ID != "" {
		next += "?portal=" + p.ID
	}
	g.message(q, message{
		Status: http.StatusOK, Title: "Your password is changed", Portal: p.Name,
		Text:    "You are signed out everywhere. Sign in with the new password.",
		Actions: []action{{Text: "Sign in", To: next, Primary: true}},
	})
	return nil
}

func (g *Gateway) signOutHere(q *request) error {
	if err := g.control.SignOutBrowser(q.ctx(), g.cookies.get(q.r, sessionCookie), q.from()); err != nil {
		return err
	}
	g.cookies.clear(q.w, sessionCookie)
	if portal := q.value("portal"); portal != "" {
		return q.seeOther("/sign-in?portal=" + url.QueryEscape(portal))
	}
	return q.seeOther("/sign-in")
}

func (g *Gateway) unsubscribePage(q *request) error {
	masked, err := g.control.UnsubscribeAddress(q.r.PathValue("token"))
	if err != nil {
		return err
	}
	g.render(q, "unsubscribe", "No more invitations", http.StatusOK, portico.Portal{}, masked)
	return nil
}

func (g *Gateway) unsubscribe(q *request) error {
	if err := g.control.Unsubscribe(q.ctx(), q.r.PathValue("token"), q.id); err != nil {
		return err
	}
	g.message(q, message{
		Status: http.StatusOK, Title: "No more invitations", Text: "This address gets no invitations from here any more, whoever sends them. Codes and links that you ask for yourself still come.",
	})
	return nil
}
