package gateway

import (
	"net/http"
	"net/url"

	"portico"
	"portico/internal/control"
)

// The page after the button: here an address is proven, and an invitation used
// up, by a password, a mailed code, a sign-in or a session.

func proofPath(way control.Way) string {
	return "/invitation/" + url.PathEscape(way.PortalID) + "/" + url.PathEscape(way.Token)
}

func (q *request) proofWay() control.Way {
	return control.Way{PortalID: q.r.PathValue("portal"), Token: q.r.PathValue("token")}
}

// memberInvitation shows an invitation to be a member of an organization. It
// changes nothing, however often and by whatever it is fetched.
func (g *Gateway) memberInvitation(q *request) error {
	return g.showInvitation(q, control.Way{PortalID: q.r.PathValue("organization"), Token: q.r.PathValue("token")})
}

// acceptMember is its button: as accept, it leads to the page where the address
// is proven.
func (g *Gateway) acceptMember(q *request) error {
	return g.goProve(q, control.Way{PortalID: q.r.PathValue("organization"), Token: q.r.PathValue("token")})
}

func (g *Gateway) proofPage(q *request) error { return g.showProof(q, http.StatusOK, "") }

func (g *Gateway) showProof(q *request, status int, problem string) error {
	way := q.proofWay()
	d, err := g.control.Doorway(q.ctx(), g.cookies.get(q.r, sessionCookie), way)
	if err != nil {
		return err
	}
	switch d.Step {
	case portico.StepProve, portico.StepSignIn, portico.StepJoin, portico.StepOther:
	case portico.StepExpired: // asking for another is done on the portal's host
		if d.Organization.ID == "" {
			return q.seeOther(g.control.PortalURL(d.Portal.Portal) + "/invite/" + url.PathEscape(way.Token))
		}
		g.notOpen(q, d)
		return nil
	default:
		g.notOpen(q, d)
		return nil
	}
	v := newInvitationView(d)
	v.At, v.Problem, v.Name, v.Email = proofPath(way), problem, q.value("name"), d.Inviting.Account.Email
	title := "Accept the invitation"
	if d.Step == portico.StepOther {
		title = "Another account"
	}
	g.render(q, "proof", title, status, d.Portal.Portal, v)
	return nil
}

// proven answers for a form of the page: the browser goes on into the portal,
// or is shown the page as it stands now.
func (g *Gateway) proven(q *request, a control.Arrival, err error) error {
	if portico.KindOf(err) == portico.KindConflict {
		return q.seeOther(proofPath(q.proofWay()))
	}
	if status, text := refusal(q, err); status != 0 {
		return g.showProof(q, status, text)
	}
	if err != nil {
		return err
	}
	return g.arrived(q, a, q.proofWay())
}

func (g *Gateway) claim(q *request) error {
	a, err := g.control.Claim(q.ctx(), g.cookies.get(q.r, sessionCookie), q.proofWay(), q.value("password"), q.value("name"), q.from())
	return g.proven(q, a, err)
}

func (g *Gateway) acceptBySignIn(q *request) error {
	a, err := g.control.SignInBrowser(q.ctx(), g.cookies.get(q.r, sessionCookie), q.proofWay(), q.value("email"), q.value("password"), q.from())
	return g.proven(q, a, err)
}

func (g *Gateway) acceptByCode(q *request) error {
	id, err := g.control.AskCode(q.ctx(), q.proofWay(), "", g.cookies.secret(q.w, q.r, browserCookie), q.from())
	if err != nil {
		return g.proven(q, control.Arrival{}, err)
	}
	return q.seeOther("/code/" + id)
}

func (g *Gateway) join(q *request) error {
	a, err := g.control.Join(q.ctx(), g.cookies.get(q.r, sessionCookie), q.proofWay(), q.from())
	return g.proven(q, a, err)
}

// switchAccount signs the other account out and shows the page again.
func (g *Gateway) switchAccount(q *request) error {
	if err := g.control.SignOutBrowser(q.ctx(), g.cookies.get(q.r, sessionCookie), q.from()); err != nil {
		return err
	}
	g.cookies.clear(q.w, sessionCookie)
	return q.seeOther(proofPath(q.proofWay()))
}
