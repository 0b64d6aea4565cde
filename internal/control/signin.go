package control

import (
	"context"
	"encoding/json"
	"slices"

	"portico"
	"portico/internal/auth"
	"portico/internal/store"
)

// Origin is where a request that carries no principal came from.
type Origin struct {
	Remote    string // the caller's address, which limits on guessing count by
	RequestID string
}

// SignIn begins a session for the holder of an address and a password, in the
// organization last used, or else in the first. An account that is in none
// showed its password, so it is told so: KindForbidden.
func (c *Control) SignIn(ctx context.Context, email, password string, from Origin) (auth.Tokens, error) {
	s, err := c.signIn(ctx, email, password, from, apiEntry())
	if err != nil {
		return auth.Tokens{}, err
	}
	return c.auth.Issue(s)
}

// entry is what a sign-in leads to: sessions of an audience, in organizations
// of some kinds.
type entry struct {
	audience string
	enters   func(portico.OrganizationKind) bool
	replaces string // the session that the new one takes the place of; may be empty
}

func apiEntry() entry {
	return entry{audience: auth.AccessTokenAudience, enters: func(portico.OrganizationKind) bool { return true }}
}

func (c *Control) signIn(ctx context.Context, email, password string, from Origin, to entry) (store.Session, error) {
	proof, err := c.auth.SignIn(ctx, email, password, from.Remote)
	if err != nil {
		return store.Session{}, err
	}
	var s store.Session
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		account, err := proof.Redeem(tx)
		if err != nil {
			return err
		}
		affiliations, err := tx.Affiliations(account.ID)
		if err != nil {
			return err
		}
		affiliations = slices.DeleteFunc(affiliations, func(a store.Affiliation) bool { return !to.enters(a.Kind) })
		o, ok := chooseOrganization(affiliations, account.LastOrganizationID)
		if !ok {
			return portico.Errorf(portico.KindForbidden, "This account is in no organization any more. Ask for an invitation.")
		}
		if s, err = c.auth.NewSession(tx, account.ID, o.ID, to.audience); err != nil {
			return err
		}
		if _, err := tx.DeleteSession(to.replaces); err != nil {
			return err
		}
		return c.recordSession(tx, s, portico.ActionSignedIn, from.RequestID, nil)
	})
	return s, err
}

// chooseOrganization returns the organization last used, if the account still
// is in it, or the first.
func chooseOrganization(affiliations []store.Affiliation, last string) (portico.Organization, bool) {
	for _, a := range affiliations {
		if a.ID == last {
			return a.Organization, true
		}
	}
	if len(affiliations) == 0 {
		return portico.Organization{}, false
	}
	return affiliations[0].Organization, true
}

// Refresh exchanges a refresh token for new tokens of the same session. A
// token that was exchanged before ends the session.
func (c *Control) Refresh(ctx context.Context, token string, from Origin) (auth.Tokens, error) {
	refresh, err := c.auth.ReadRefresh(token)
	if err != nil {
		return auth.Tokens{}, c.auth.Refused(from.Remote, err)
	}
	var s store.Session
	var ended bool
	err = c.store.Update(ctx, func(tx *store.Tx) (err error) {
		s, ended, err = c.auth.Rotate(tx, refresh, auth.AccessTokenAudience)
		if err != nil || !ended {
			return err
		}
		return c.recordSession(tx, s, portico.ActionSessionEnded, from.RequestID, detail{"reason": "refresh token refused"})
	})
	if err == nil && ended {
		err = portico.Errorf(portico.KindUnauthorized, "Could not validate credentials")
	}
	if portico.KindOf(err) == portico.KindUnauthorized {
		err = c.auth.Refused(from.Remote, err)
	}
	if err != nil {
		return auth.Tokens{}, err
	}
	return c.auth.Issue(s)
}

// Profile is who the caller is and where.
type Profile struct {
	Account          portico.Account
	OrganizationID   string
	OrganizationName string
	Role             portico.Role
	IsAccountOwner   bool
	IsAccountAdmin   bool // owners are too
	IsPortalUser     bool
	PortalID         string // empty unless the organization is a portal
	Organizations    []store.Affiliation
}

// Load returns who the caller is. Whoever is no member of the organization any
// more is KindUnauthorized: the credential is for something that ended.
func (c *Control) Load(ctx context.Context, p portico.Principal) (Profile, error) {
	var out Profile
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		if out.Account, err = tx.Account(p.AccountID); err != nil {
			return err
		}
		out.Organizations, err = tx.Affiliations(p.AccountID)
		return err
	})
	if err != nil {
		return Profile{}, err
	}
	for _, o := range out.Organizations {
		if o.ID == p.OrganizationID {
			return out.in(o), nil
		}
	}
	return Profile{}, portico.Errorf(portico.KindUnauthorized, "Could not validate credentials")
}

func (p Profile) in(o store.Affiliation) Profile {
	p.OrganizationID, p.OrganizationName, p.Role = o.ID, o.Name, o.Role
	p.IsAccountOwner, p.IsAccountAdmin = o.Role == portico.Owner, o.Role.Administers()
	if o.Kind == portico.PortalKind {
		p.IsPortalUser, p.PortalID = true, o.ID
	}
	return p
}

// Switch begins another session of the caller, in another organization that
// the caller is a member of. The session that asked stays as it is, in its own
// organization, until it ends: an access token never changes what it is for.
func (c *Control) Switch(ctx context.Context, p portico.Principal, organizationID string) (auth.Tokens, error) {
	if err := p.MayManageTokens(); err != nil {
		return auth.Tokens{}, err
	}
	var s store.Session
	err := c.store.Update(ctx, func(tx *store.Tx) error {
		m, err := tx.Membership(organizationID, p.AccountID)
		if err != nil {
			return err
		}
		if s, err = c.auth.NewSession(tx, m.AccountID, m.OrganizationID, auth.AccessTokenAudience); err != nil {
			return err
		}
		return c.recordSession(tx, s, portico.ActionSignedIn, p.RequestID, detail{"switched_from": p.OrganizationID})
	})
	if err != nil {
		return auth.Tokens{}, err
	}
	return c.auth.Issue(s)
}

// Logout ends the caller's session: its access and refresh tokens are worth
// nothing from the next request on. A personal access token has no session.
func (c *Control) Logout(ctx context.Context, p portico.Principal) error {
	if p.SessionID == "" {
		return portico.Errorf(portico.KindForbidden, "A personal access token has no session to end. Revoke the token instead.")
	}
	return c.store.Update(ctx, func(tx *store.Tx) error {
		ended, err := tx.DeleteSession(p.SessionID)
		if err != nil || !ended {
			return err
		}
		event, err := eventOf(tx, p, portico.ActionSessionEnded)
		if err != nil {
			return err
		}
		event.SubjectID, event.Detail = p.SessionID, detail{"reason": "logout"}.json()
		return tx.InsertEvents(event)
	})
}

// recordSession writes an audit record of what a session's account did to it.
func (c *Control) recordSession(tx *store.Tx, s store.Session, action portico.Action, requestID string, d detail) error {
	event, err := eventOf(tx, portico.Principal{
		AccountID: s.AccountID, OrganizationID: s.OrganizationID, RequestID: requestID,
	}, action)
	if err != nil {
		return err
	}
	event.SubjectID, event.Detail = s.ID, d.json()
	return tx.InsertEvents(event)
}

// eventOf returns an audit record of something that a principal does in its
// own organization. What happens in a portal belongs to the log of the
// organization that has the portal.
func eventOf(tx *store.Tx, p portico.Principal, action portico.Action) (portico.Event, error) {
	o, err := tx.Organization(p.OrganizationID)
	event := portico.Event{OrganizationID: o.ID, ActorID: p.AccountID, Action: action, RequestID: p.RequestID}
	if o.Kind == portico.PortalKind {
		event.OrganizationID, event.PortalID = o.ParentID, o.ID
	}
	return event, err
}

// operatorEvent returns an audit record of an operator's command.
func operatorEvent(organizationID string, action portico.Action, subjectID string, d detail) portico.Event {
	return portico.Event{
		OrganizationID: organizationID, ActorID: portico.OperatorActor, Action: action, SubjectID: subjectID, Detail: d.json(),
	}
}

// detail is what an audit record says beside who, what and when. It never
// holds a secret.
type detail map[string]any

func (d detail) json() string {
	if d == nil {
		return ""
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic("control: a detail of plain values did not marshal: " + err.Error())
	}
	return string(text)
}

// notMember replaces the missing row of a caller's own membership.
func notMember(err error) error {
	if portico.KindOf(err) == portico.KindNotFound {
		return portico.Errorf(portico.KindForbidden, "This account is no member of the organization any more.")
	}
	return err
}
