package control

import (
	"context"

	"portico"
	"portico/internal/auth"
	"portico/internal/store"
)

// Visit returns what the registry says, now, of a request to a portal's host
// with a session's cookie: one query, whatever the host and the cookie.
func (c *Control) Visit(ctx context.Context, host store.Host, cookie string) (portico.Visit, error) {
	var v portico.Visit
	err := c.store.Look(ctx, func(tx *store.Tx) (err error) {
		v, err = tx.Visit(host, c.auth.ReadBrowserCookie(cookie), auth.PortalAudiencePrefix)
		return err
	})
	return v, err
}

// Home is Visit with the portals that a guest can enter now, in one query too.
func (c *Control) Home(ctx context.Context, host store.Host, cookie string) (v portico.Visit, portals []portico.Portal, err error) {
	err = c.store.Look(ctx, func(tx *store.Tx) (err error) {
		v, portals, err = tx.Home(host, c.auth.ReadBrowserCookie(cookie), auth.PortalAudiencePrefix)
		return err
	})
	if v.Admit(c.store.Now()) != portico.AdmitGuest {
		return v, nil, err
	}
	return v, append(portals, v.Portal), err
}

// Admit decides on a visit now.
func (c *Control) Admit(v portico.Visit) portico.Admission { return v.Admit(c.store.Now()) }

// Way is where somebody goes to whom sign-in came between: a portal, and
// perhaps the token of an invitation to it; or another organization, with the
// token of an invitation to be a member of it.
type Way struct {
	PortalID string // or the organization's
	Token    string
}

// Doorway is what the sign-in host knows of a request on a way.
type Doorway struct {
	Session store.Session   // at the sign-in host; zero: not signed in
	Account portico.Account // of the session

	Portal    portico.Visit     // where the way leads; zero without a portal
	Admission portico.Admission // what that portal's host says to the account
	Inviting  store.InvitationLink

	// Organization is what the token's holder is invited to be a member of; zero
	// when the way leads to a portal.
	Organization portico.Organization

	Step portico.AcceptStep // what the token is worth; empty without one
}

// SignedIn reports whether the browser has a session at the sign-in host.
func (d *Doorway) SignedIn() bool { return d.Session.ID != "" }

// Doorway returns what the sign-in host knows of a request with a session's
// cookie. It is KindNotFound for a token that is not authentic.
func (c *Control) Doorway(ctx context.Context, cookie string, way Way) (Doorway, error) {
	var d Doorway
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		d, err = c.doorway(tx, c.auth.ReadBrowserCookie(cookie), way)
		return err
	})
	return d, err
}

func (c *Control) doorway(tx *store.Tx, sessionID string, way Way) (d Doorway, err error) {
	if sessionID != "" {
		d.Session, d.Account, err = tx.BrowserSession(sessionID, auth.SignInAudience)
		if portico.KindOf(err) == portico.KindNotFound {
			err = nil
		}
		if err != nil {
			return Doorway{}, err
		}
	}
	if way.PortalID == "" {
		return d, nil
	}
	if err := d.approach(tx, way.PortalID); err != nil || way.Token == "" {
		return d, err
	}
	ticket, err := c.readTicket(tx, way)
	if err != nil {
		return d, err
	}
	return d, d.show(tx, way.PortalID, ticket)
}

// approachOrganization reads what an organization that is no portal says to who
// shows an invitation to it.
func (d *Doorway) approachOrganization(tx *store.Tx, id string) error {
	o, err := tx.Organization(id)
	if portico.KindOf(err) == portico.KindNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	suspended := o.Suspended
	if o.ParentID != "" {
		parent, err := tx.Organization(o.ParentID)
		if err != nil {
			return err
		}
		suspended = suspended || parent.Suspended
	}
	d.Organization, d.Admission = o, portico.AdmitStranger
	if suspended {
		d.Admission = portico.AdmitClosed
	}
	return nil
}

// approach reads what the portal says to the doorway's account.
func (d *Doorway) approach(tx *store.Tx, portalID string) error {
	var err error
	if d.Portal, err = tx.VisitPortal(portalID); err != nil {
		return err
	}
	d.Admission = d.Portal.Admit(tx.Now)
	if d.Admission != portico.AdmitStranger || d.Account.ID == "" {
		return nil
	}
	m, err := tx.Membership(portalID, d.Account.ID)
	switch {
	case portico.KindOf(err) == portico.KindNotFound:
		return nil
	case err != nil:
		return err
	case m.Role == portico.Guest:
		d.Admission = portico.AdmitGuest
	}
	return nil
}

// ticket is a generation of an invitation that somebody showed.
type ticket struct {
	invitationID string
	generation   int
	elsewhere    bool // it is for another portal
}

// readTicket reads the token of a way: KindNotFound unless the installation
// made it, for this portal or another one.
func (c *Control) readTicket(tx *store.Tx, way Way) (ticket, error) {
	id, generation, err := c.auth.ReadInvitation(way.PortalID, way.Token)
	if err == nil {
		return ticket{invitationID: id, generation: generation}, nil
	}
	other, lost := tx.InvitationPortal(auth.PeekInvitation(way.Token))
	if lost != nil {
		return ticket{}, lost
	}
	if _, _, lost := c.auth.ReadInvitation(other, way.Token); lost != nil {
		return ticket{}, err
	}
	return ticket{elsewhere: true}, nil
}

// show decides what a ticket is worth at the doorway of a portal, or of another
// organization.
func (d *Doorway) show(tx *store.Tx, organizationID string, t ticket) error {
	if portico.ValidID(organizationID, portico.PrefixOrganization) {
		if err := d.approachOrganization(tx, organizationID); err != nil {
			return err
		}
	}
	h := portico.Holding{Portal: d.Admission, Elsewhere: t.elsewhere, Generation: t.generation, SignedIn: d.Account.ID}
	link, err := tx.InvitationLink(organizationID, t.invitationID)
	switch {
	case err == nil:
		d.Inviting = link
		h.Invitation, h.Account, h.Inviter = &link.Invitation, link.Account, link.InviterRole
	case portico.KindOf(err) != portico.KindNotFound:
		return err
	}
	d.Step = portico.DecideAccept(h, tx.Now)
	return nil
}

// Knock makes a code by which the portal's host gets a session for who is
// signed in, if the portal says so; the code is for one browser, once. Without
// a code the Doorway says why.
func (c *Control) Knock(ctx context.Context, cookie, portalID, browser string) (code string, d Doorway, err error) {
	sessionID := c.auth.ReadBrowserCookie(cookie)
	err = c.store.View(ctx, func(tx *store.Tx) (err error) {
		d, err = c.doorway(tx, sessionID, Way{PortalID: portalID})
		return err
	})
	if err != nil || d.Admission != portico.AdmitGuest || browser == "" {
		return "", d, err
	}
	code, hash := auth.NewSecret()
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		return tx.InsertEntry(store.Entry{
			Hash: hash, PortalID: portalID, SessionID: d.Session.ID, Browser: browser, ExpiresAt: tx.Now.Add(auth.EntryLife),
		})
	})
	return code, d, err
}

// Enter redeems a code of Knock for a session of the portal whose host was
// asked. browser is the secret of the browser that knocked, old the cookie of
// the session that this one replaces. It is KindUnauthorized for every code
// that is not good here and now.
func (c *Control) Enter(ctx context.Context, host store.Host, code, browser, old string, from Origin) (cookie string, err error) {
	refused := portico.Errorf(portico.KindUnauthorized, "This way in is used up. Sign in again.")
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		cookie = ""
		v, err := tx.Visit(host, "", "")
		if err != nil {
			return err
		}
		parentID, ok, err := tx.TakeEntry(auth.HashSecret(code), v.Portal.ID, auth.HashSecret(browser))
		if err != nil || !ok {
			return err
		}
		d, err := c.doorway(tx, parentID, Way{PortalID: v.Portal.ID})
		if err != nil || d.Admission != portico.AdmitGuest {
			return err // the code is used up all the same
		}
		if _, err := tx.DeleteSession(c.auth.ReadBrowserCookie(old)); err != nil {
			return err
		}
		s, err := c.auth.NewBrowserSession(tx, d.Account.ID, v.Portal.ID, &d.Session)
		if err != nil {
			return err
		}
		cookie = c.auth.BrowserCookie(s.ID)
		return c.recordSession(tx, s, portico.ActionSignedIn, from.RequestID, nil)
	})
	if err == nil && cookie == "" {
		err = refused
	}
	return cookie, err
}
