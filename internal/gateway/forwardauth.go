package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"portico"
	"portico/internal/auth"
)

// ForwardAuthPath is where a proxy asks about a request.
const ForwardAuthPath = "/forward-auth"

// IdentityHeader is the header field in which the app behind a portal is told
// who a guest is: a JWT that it checks with the key of the host's JSON Web Key Set.
const IdentityHeader = "Portico-Identity"

// forwardAuth answers a proxy that asks whether a request to a portal's host
// may pass to the app behind it. One query says so; nothing is remembered.
// A browser that names where it was going is sent to sign in and comes back.
func (g *Gateway) forwardAuth(q *request) error {
	h := q.w.Header()
	h.Set("Cache-Control", "no-store")
	switch g.control.Admit(q.visit) {
	case portico.AdmitGuest:
		token, err := g.config.Identity.Sign(auth.Identity{
			Issuer: g.control.SignInURL(), Audience: g.control.PortalURL(q.visit.Portal),
			AccountID: q.visit.Account.ID, Email: q.visit.Account.Email, Name: q.visit.Name(),
			PortalID: q.visit.Portal.ID, Organization: q.visit.Portal.OrganizationID,
		})
		if err != nil {
			return err
		}
		h.Set(IdentityHeader, token)
		q.w.WriteHeader(http.StatusOK)
	case portico.AdmitStranger:
		g.sendToSignIn(q)
	case portico.AdmitLater:
		retryAfter(q.w, unavailableWait)
		q.w.WriteHeader(http.StatusServiceUnavailable)
	default:
		q.w.WriteHeader(http.StatusForbidden)
	}
	return nil
}

// sendToSignIn redirects a person's navigation when the proxy says where it was
// to (Caddy and Traefik do, and pass the answer on), and is 401 for everything
// else: nginx sends the person on by itself, and a program shall be told.
func (g *Gateway) sendToSignIn(q *request) {
	uri := q.r.Header.Get("X-Forwarded-Uri")
	method := q.r.Header.Get("X-Forwarded-Method")
	navigates := uri != "" && (method == "" || method == http.MethodGet) && strings.Contains(q.r.Header.Get("Accept"), "text/html")
	if !navigates {
		q.w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_ = q.seeOther(g.control.PortalURL(q.visit.Portal) + ownPrefix + "enter?" + url.Values{"next": {safeReturn(uri)}}.Encode()) // it never fails
}

// jwks serves the public key of forward-auth's statements.
func (g *Gateway) jwks(q *request) error {
	h := q.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "public, max-age=300")
	_, _ = q.w.Write(g.config.Identity.JWKS()) // a reader that went away is nobody's error
	return nil
}
