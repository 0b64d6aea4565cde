package control

import (
	"context"

	"portico"
	"portico/internal/auth"
	"portico/internal/lifecycle"
	"portico/internal/store"
)

// Arrival is what a proof led to: a session at the sign-in host, and a portal
// that the account may enter, or an organization that it joined, where the way
// led to one.
type Arrival struct {
	Cookie string
	Portal portico.Portal // zero: none, or not this one's guest

	// Organization is what the account became a member of; zero: of none.
	Organization portico.Organization

	accepted *acceptedInvitation
}

// acceptedInvitation is what the portal's database is to follow.
type acceptedInvitation struct {
	portalID  string
	accountID string
	jobID     string
}

var errNotNow = portico.Errorf(portico.KindConflict, "This is not possible any more.")

// Claim accepts an invitation of an account that nobody proved yet, by setting
// its password: the token came by mail to its address. In one transaction the
// address is proven, the invitation used up, and whatever was planted for the
// account before is void; of several at once one wins. The others, and
// everybody whose token is not worth that any more, get KindConflict.
func (c *Control) Claim(ctx context.Context, cookie string, way Way, password, name string, from Origin) (Arrival, error) {
	d, err := c.Doorway(ctx, cookie, way)
	if err != nil {
		return Arrival{}, err
	}
	if d.Step != portico.StepProve {
		return Arrival{}, errNotNow
	}
	hash, err := c.auth.HashPassword(ctx, password, auth.PasswordOwner{Email: d.Inviting.Account.Email})
	if err != nil {
		return Arrival{}, err
	}
	return c.arriving(ctx, func(tx *store.Tx) (a Arrival, err error) {
		d, err := c.doorway(tx, c.auth.ReadBrowserCookie(cookie), way)
		if err != nil {
			return Arrival{}, err
		}
		if d.Step != portico.StepProve {
			return Arrival{}, errNotNow
		}
		account := d.Inviting.Account
		if err := c.prove(tx, account, hash, name, from); err != nil {
			return Arrival{}, err
		}
		return c.arrive(tx, account.ID, d, way, from)
	})
}

// prove makes an account proven that was not, by its holder, who comes in: with
// a password, or by a code where the hash is empty.
func (c *Control) prove(tx *store.Tx, account portico.Account, hash, name string, from Origin) error {
	fresh, err := auth.Prove(tx, account.ID, hash)
	if err != nil {
		return err
	}
	if !fresh {
		return errNotNow
	}
	if err := c.auth.Came(tx, account, from.Remote); err != nil {
		return err
	}
	by := "password"
	if hash == "" {
		by = "code"
	}
	err = tx.InsertEvents(portico.Event{
		ActorID: account.ID, Action: portico.ActionAccountProven, SubjectID: account.ID, RequestID: from.RequestID,
		Detail: detail{"by": by}.json(),
	})
	if name = portico.CleanPersonName(name); err != nil || name == "" {
		return err
	}
	return tx.SetAccountName(account.ID, name)
}

// Join accepts an invitation of the account that is signed in. KindConflict
// says that the token is not worth that, or is another's.
func (c *Control) Join(ctx context.Context, cookie string, way Way, from Origin) (Arrival, error) {
	return c.arriving(ctx, func(tx *store.Tx) (Arrival, error) {
		d, err := c.doorway(tx, c.auth.ReadBrowserCookie(cookie), way)
		if err != nil {
			return Arrival{}, err
		}
		if d.Step != portico.StepJoin {
			return Arrival{}, errNotNow
		}
		a := Arrival{Cookie: cookie}
		return a, c.accept(tx, &a, d, from)
	})
}

// arriving runs the transaction that a proof leads to, and makes the portal's
// database follow. Access is given by then, so that what fails there is left to
// the job that finishes it.
func (c *Control) arriving(ctx context.Context, arrive func(*store.Tx) (Arrival, error)) (Arrival, error) {
	var a Arrival
	err := c.store.Update(ctx, func(tx *store.Tx) (err error) {
		a, err = arrive(tx)
		return err
	})
	if err != nil {
		return Arrival{}, err
	}
	if a.accepted != nil {
		follow := a.accepted
		if err := c.lifecycle.Project(ctx, follow.portalID, follow.jobID, []string{follow.accountID}); err != nil {
			c.config.Log.Warn("an accepted invitation is still to be applied", "portal", follow.portalID, "error", err)
		}
	}
	return a, nil
}

// arrive begins a session of an account that was just proven or signed in, and
// ends the browser's earlier one; a token on the way that is this account's is
// used up.
func (c *Control) arrive(tx *store.Tx, accountID string, before Doorway, way Way, from Origin) (Arrival, error) {
	if before.SignedIn() {
		if err := tx.EndBrowser(before.Session.ID); err != nil {
			return Arrival{}, err
		}
	}
	s, err := c.auth.NewBrowserSession(tx, accountID, "", nil)
	if err != nil {
		return Arrival{}, err
	}
	a := Arrival{Cookie: c.auth.BrowserCookie(s.ID)}
	d, err := c.doorway(tx, s.ID, way)
	if portico.KindOf(err) == portico.KindNotFound {
		return a, nil // a token that is worth nothing bars nobody from signing in
	}
	if err != nil {
		return Arrival{}, err
	}
	if d.Step == portico.StepJoin {
		return a, c.accept(tx, &a, d, from)
	}
	if d.Admission == portico.AdmitGuest {
		a.Portal = d.Portal.Portal
	}
	return a, nil
}

// accept uses an invitation up and makes its account a guest of the portal, or
// a member of the organization, that it is to.
func (c *Control) accept(tx *store.Tx, a *Arrival, d Doorway, from Origin) error {
	i := d.Inviting
	won, err := tx.AcceptInvitation(i.Invitation)
	if err != nil {
		return err
	}
	if !won {
		return errNotNow
	}
	a.Portal, a.Organization = d.Portal.Portal, d.Organization
	membership := portico.Membership{
		OrganizationID: i.PortalID, AccountID: i.AccountID, Role: i.Role, FirstName: i.FirstName, LastName: i.LastName,
		CreatedAt: tx.Now, CreatedBy: i.ModifiedBy, ModifiedAt: tx.Now, ModifiedBy: i.AccountID,
	}
	if i.Role != portico.Guest {
		return enrol(tx, membership, from)
	}
	if err := tx.InsertMembership(membership); err != nil {
		return err
	}
	if err := tx.InsertEvents(guestEvent(d.Portal.Portal, portico.ActionGuestAccepted, i.AccountID, from)); err != nil {
		return err
	}
	jobID, err := lifecycle.EnqueueProjection(tx, i.PortalID, []string{i.AccountID})
	a.accepted = &acceptedInvitation{i.PortalID, i.AccountID, jobID}
	return err
}

// enrol makes an account a member of an organization. Whom an operator made one
// meanwhile keeps the role that they have.
func enrol(tx *store.Tx, m portico.Membership, from Origin) error {
	_, err := tx.Membership(m.OrganizationID, m.AccountID)
	if portico.KindOf(err) != portico.KindNotFound || err == nil {
		return err
	}
	if err := tx.InsertMembership(m); err != nil {
		return err
	}
	return tx.InsertEvents(portico.Event{
		OrganizationID: m.OrganizationID, ActorID: m.AccountID, Action: portico.ActionMemberJoined, SubjectID: m.AccountID,
		RequestID: from.RequestID, Detail: detail{"role": m.Role}.json(),
	})
}

// guestEvent returns an audit record of what a guest did in a portal, in the
// log of the organization that has the portal.
func guestEvent(p portico.Portal, action portico.Action, accountID string, from Origin) portico.Event {
	return portico.Event{
		OrganizationID: p.OrganizationID, PortalID: p.ID, ActorID: accountID, Action: action, SubjectID: accountID,
		RequestID: from.RequestID,
	}
}

// AskAgain tells the inviter that who holds the token of an expired invitation
// asks for another, and notes it: once for each generation, however often
// and for however long it is asked.
func (c *Control) AskAgain(ctx context.Context, way Way, from Origin) error {
	return c.store.Update(ctx, func(tx *store.Tx) error {
		d, err := c.doorway(tx, "", way)
		if err != nil {
			return err
		}
		if !d.Step.Renewable() {
			return errNotNow
		}
		i, p := d.Inviting, d.Portal.Portal
		asked, err := tx.AskedAgain(i.ID, i.Generation)
		if err != nil || asked {
			return err
		}
		told, err := answersFor(tx, p.OrganizationID, i.ModifiedBy)
		if err != nil || told.ID == "" {
			return err
		}
		if err := tx.InsertEvents(guestEvent(p, portico.ActionGuestAskedAgain, i.AccountID, from)); err != nil {
			return err
		}
		return tx.InsertMails([]store.Mail{{
			Template: store.TemplateAsked, OrganizationID: p.OrganizationID, PortalID: i.PortalID,
			AccountID: told.ID, InviterID: told.ID, InvitationID: i.ID, Generation: i.Generation,
			Host: store.MailHost(told.EmailKey),
		}})
	})
}

// answersFor returns who is told what guests ask of an inviter: the inviter, or
// where they administer the organization no more, and may not know its guests,
// whoever does so longest. It is none where nobody does.
func answersFor(tx *store.Tx, organizationID, inviterID string) (portico.Account, error) {
	all, err := tx.Members(organizationID)
	told := ""
	for _, m := range all {
		if m.Role.Administers() && (told == "" || m.AccountID == inviterID) {
			told = m.AccountID
		}
	}
	if err != nil || told == "" {
		return portico.Account{}, err
	}
	return tx.Account(told)
}

// LeavePortal ends a guest's access to a portal, as a removal does, by the
// guest's own wish. The account stays, with its other portals.
func (c *Control) LeavePortal(ctx context.Context, v portico.Visit, from Origin) error {
	var jobID string
	err := c.store.Update(store.WithReserve(ctx), func(tx *store.Tx) error {
		jobID = ""
		removed, err := tx.RemoveGuest(v.Portal.ID, v.Account.ID)
		if err != nil || !removed {
			return err
		}
		if err := tx.InsertEvents(guestEvent(v.Portal, portico.ActionGuestLeft, v.Account.ID, from)); err != nil {
			return err
		}
		jobID, err = lifecycle.EnqueueProjection(tx, v.Portal.ID, []string{v.Account.ID})
		return err
	})
	if err != nil || jobID == "" {
		return err
	}
	if err := c.lifecycle.Project(ctx, v.Portal.ID, jobID, []string{v.Account.ID}); err != nil {
		c.config.Log.Warn("a guest who left is still to be removed from the portal's database", "portal", v.Portal.ID, "error", err)
	}
	return nil
}
