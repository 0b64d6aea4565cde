package gateway

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"portico"
	"portico/internal/control"
	"portico/internal/web"
)

func (g *Gateway) portalRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/{$}", Switcher: true, handle: g.home},
		{Method: "GET", Path: "/-/{$}", Switcher: true, handle: g.home},
		{Method: "GET", Path: "/-/enter", handle: g.enter},
		{Method: "POST", Path: "/-/sign-out", handle: g.signOut},
		{Method: "POST", Path: "/-/sign-out-everywhere", handle: g.signOutEverywhere},
		{Method: "GET", Path: "/-/signed-out", handle: g.signedOut},
		{Method: "POST", Path: "/-/leave", handle: g.leave},
		{Method: "GET", Path: "/-/left", handle: g.left},
		{Method: "GET", Path: "/invite/{token}", handle: g.invitation},
		{Method: "POST", Path: "/invite/{token}", handle: g.accept},
		{Method: "POST", Path: "/invite/{token}/ask-again", handle: g.askAgain},
		{Method: "GET", Path: ForwardAuthPath, handle: g.forwardAuth},
		{Method: "GET", Path: "/.well-known/jwks.json", handle: g.jwks},
	}
}

// admitted answers for everybody who is no guest here, and reports whether the
// request may go on.
func (g *Gateway) admitted(q *request) (bool, error) {
	switch state := g.control.Admit(q.visit); state {
	case portico.AdmitGuest:
		return true, nil
	case portico.AdmitStranger:
		return false, q.seeOther(ownPrefix + "enter")
	default:
		g.closed(q, q.visit, state)
		return false, nil
	}
}

// homeView is what a portal's first page shows.
type homeView struct {
	Visit   portico.Visit
	Name    string
	Portals []portalLink
}

// portalLink is a portal to go to.
type portalLink struct {
	Name, URL string
	Current   bool
	Away      bool // not available now
}

func (g *Gateway) portalLinks(portals []portico.Portal, current string) []portalLink {
	links := make([]portalLink, len(portals))
	for i, p := range portals {
		links[i] = portalLink{Name: p.Name, URL: g.control.PortalURL(p), Current: p.ID == current, Away: !p.Serving()}
	}
	slices.SortFunc(links, func(a, b portalLink) int {
		return cmp.Or(strings.Compare(portico.SearchKey(a.Name), portico.SearchKey(b.Name)), strings.Compare(a.URL, b.URL))
	})
	return links
}

func (g *Gateway) home(q *request) error {
	if ok, err := g.admitted(q); !ok {
		return err
	}
	g.pages.Render(q.w, q.r, "home", web.Page{
		Title: "Home", Brand: q.visit.Portal.Name, Secret: true,
		Account: &web.Account{Name: q.visit.Name(), Detail: q.visit.Account.Email, SignOut: ownPrefix + "sign-out"},
		Data: homeView{
			Visit: q.visit, Name: q.visit.Name(), Portals: g.portalLinks(q.portals, q.visit.Portal.ID),
		},
	})
	return nil
}

func (g *Gateway) signOut(q *request) error           { return g.endSession(q, false) }
func (g *Gateway) signOutEverywhere(q *request) error { return g.endSession(q, true) }

func (g *Gateway) endSession(q *request, everywhere bool) error {
	if q.visit.SessionID != "" {
		if err := g.control.SignOutVisit(q.ctx(), q.visit, everywhere, q.from()); err != nil {
			return err
		}
	}
	g.cookies.clear(q.w, sessionCookie)
	return q.seeOther(ownPrefix + "signed-out")
}

func (g *Gateway) signedOut(q *request) error {
	g.message(q, message{
		Status: http.StatusOK, Title: "You are signed out", Portal: q.visit.Portal.Name,
		Text:    "This browser is signed in to no portal any more.",
		Actions: []action{{Text: "Sign in", To: ownPrefix + "enter", Primary: true}},
	})
	return nil
}

func (g *Gateway) leave(q *request) error {
	if ok, err := g.admitted(q); !ok {
		return err
	}
	if err := g.control.LeavePortal(q.ctx(), q.visit, q.from()); err != nil {
		return err
	}
	g.cookies.clear(q.w, sessionCookie)
	return q.seeOther(ownPrefix + "left")
}

func (g *Gateway) left(q *request) error {
	g.message(q, message{
		Status: http.StatusOK, Title: "You left this portal", Portal: q.visit.Portal.Name,
		Text:    "You have no access to it any more. Your account and your other portals stay as they are. To come back, ask for a new invitation.",
		Actions: []action{{Text: "Your other portals", To: g.control.SignInURL() + "/"}},
	})
	return nil
}

// way returns the way of an invitation's link on a portal's host.
func (q *request) way() control.Way {
	return control.Way{PortalID: q.visit.Portal.ID, Token: q.r.PathValue("token")}
}

// invitationView is what the pages of an invitation show.
type invitationView struct {
	control.Doorway

	To      string // the portal, or the organization
	From    string // the organization
	Masked  string
	Inviter string
	Message []string
	Problem string // with what was sent; empty: none
	Email   string // as sent
	Name    string // as sent
	At      string // the address of the page, for its forms
}

func newInvitationView(d control.Doorway) invitationView {
	v := invitationView{
		Doorway: d, To: d.Portal.Portal.Name, From: d.Portal.Organization,
		Masked: portico.MaskAddress(d.Inviting.Account.Email), Inviter: d.Inviting.InviterName,
	}
	if d.Organization.ID != "" {
		v.To, v.From = d.Organization.Name, d.Organization.Name
	}
	if v.Inviter == "" {
		v.Inviter = v.From
	}
	if d.Inviting.Message != "" {
		v.Message = strings.Split(d.Inviting.Message, "\n")
	}
	return v
}

// invitation shows an invitation. It changes nothing, however often and by
// whatever it is fetched.
func (g *Gateway) invitation(q *request) error { return g.showInvitation(q, q.way()) }

func (g *Gateway) showInvitation(q *request, way control.Way) error {
	d, err := g.control.Doorway(q.ctx(), "", way)
	if err != nil {
		return err
	}
	if !d.Step.Open() {
		g.notOpen(q, d)
		return nil
	}
	g.pages.Render(q.w, q.r, "invitation", web.Page{
		Title: "Invitation", Brand: d.Portal.Portal.Name, Narrow: true, Secret: true, Data: newInvitationView(d),
		FormAction: []string{g.control.SignInURL()},
	})
	return nil
}

// accept is the button. It proves nothing and changes nothing: it leads to the
// page where the address is proven, however often it is pressed.
func (g *Gateway) accept(q *request) error { return g.goProve(q, q.way()) }

func (g *Gateway) goProve(q *request, way control.Way) error {
	d, err := g.control.Doorway(q.ctx(), "", way)
	if err != nil {
		return err
	}
	if !d.Step.Open() {
		g.notOpen(q, d)
		return nil
	}
	return q.seeOther(g.control.SignInURL() + proofPath(way))
}

func (g *Gateway) askAgain(q *request) error {
	err := g.control.AskAgain(q.ctx(), q.way(), q.from())
	if portico.KindOf(err) == portico.KindConflict {
		return g.invitation(q)
	}
	if err != nil {
		return err
	}
	g.message(q, message{
		Status: http.StatusOK, Title: "Whoever invited you is told", Portal: q.visit.Portal.Name,
		Text: "A mail asks them to invite you again. A new invitation comes by mail, if they send one.",
	})
	return nil
}
