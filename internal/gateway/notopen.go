package gateway

import (
	"net/http"
	"net/url"

	"portico"
	"portico/internal/control"
)

// notOpen answers for a token that leads nowhere any more.
func (g *Gateway) notOpen(q *request, d control.Doorway) {
	m := message{Status: http.StatusGone, Portal: d.Portal.Portal.Name}
	switch d.Step {
	case portico.StepClosed:
		if d.Organization.ID != "" {
			g.message(q, message{Status: http.StatusForbidden, Title: d.Organization.Name + " is closed", Text: "Nobody can join it at the moment. Whoever invited you can tell you more."})
			return
		}
		g.closed(q, d.Portal, d.Admission)
		return
	case portico.StepWrong:
		m.Status, m.Title, m.Portal = http.StatusNotFound, "This invitation is for another portal", ""
		m.Text = "Open the link exactly as it stands in the mail: what it is for is a part of it."
	case portico.StepRemoved:
		m.Title, m.Text = "This invitation does not exist any more", "It was withdrawn, or your access was ended. Ask whoever invited you for a new one."
	case portico.StepRevoked:
		m.Title, m.Text = "This invitation was withdrawn", "Ask whoever invited you for a new one, if you think that this is a mistake."
	case portico.StepReplaced:
		m.Title, m.Text = "There is a newer invitation", "You were sent another mail since. Open the link in the newest one."
	case portico.StepDone:
		m.Status, m.Title, m.Text = http.StatusOK, "This invitation was accepted", "Its link has done its work and opens nothing more. Sign in to go on."
		m.Actions = []action{{Text: "Sign in", To: g.afterwards(d), Primary: true}}
	case portico.StepExpired:
		m.Title, m.Text = "This invitation has expired", "It can not be accepted any more. You can ask whoever sent it for another one: they get a mail."
		if d.Organization.ID != "" {
			m.Text = "It can not be accepted any more. Ask whoever sent it to send it again."
			break
		}
		m.Actions = []action{{
			Text: "Ask for a new invitation", Post: true, Primary: true,
			To: "/invite/" + url.PathEscape(q.r.PathValue("token")) + "/ask-again",
		}}
	default:
		g.nothing(q)
		return
	}
	g.message(q, m)
}

// afterwards returns where who accepted an invitation signs in.
func (g *Gateway) afterwards(d control.Doorway) string {
	if d.Organization.ID != "" {
		return g.control.PublicURL() + "/sign-in"
	}
	return g.control.PortalURL(d.Portal.Portal) + ownPrefix + "enter"
}
