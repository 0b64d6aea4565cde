package control

import (
	"context"
	"time"

	"portico"
	"portico/internal/store"
)

// MemberInvite is a request to make the holder of an address a member of the
// caller's organization.
type MemberInvite struct {
	Email string
	Role  portico.Role
}

// invitedMember is an invitation as a list of members shows it: the same for an
// address that somebody signs in with and for one that nobody has.
func invitedMember(i store.InvitationRow, now time.Time) Member {
	return Member{
		Member: store.Member{
			Membership: portico.Membership{
				OrganizationID: i.PortalID, Role: i.Role,
				CreatedAt: i.CreatedAt, CreatedBy: i.CreatedBy, ModifiedAt: i.ModifiedAt, ModifiedBy: i.ModifiedBy,
			},
			Email: i.EmailKey,
		},
		ID: i.ID, Status: i.MemberStatusAt(now), ExpiresAt: i.ExpiresAt,
	}
}

// InviteMember invites the holder of an address to be a member of the caller's
// organization. It gives nobody a role: whoever has the address accepts, and
// shows that it is theirs. The answer does not tell whether somebody signs in
// with it.
func (c *Control) InviteMember(ctx context.Context, by portico.Principal, in MemberInvite) (Member, error) {
	if err := by.MayManageOrganization(); err != nil {
		return Member{}, err
	}
	address, err := parseMemberAddress(in.Email)
	if err != nil {
		return Member{}, err
	}
	if _, err := portico.ParseRole(string(in.Role)); err != nil {
		return Member{}, err
	}
	var m Member
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		o, self, err := lockedOrganization(tx, by)
		if err != nil {
			return err
		}
		if err := self.Role.MayChange("", in.Role); err != nil {
			return err
		}
		i, err := c.inviteMember(tx, by, o, address, in.Role)
		if err != nil {
			return err
		}
		r, err := tx.Invitation(o.ID, i.ID)
		m = invitedMember(r, tx.Now)
		return err
	})
	return m, err
}

// inviteMember writes an invitation with its audit record and its mail.
func (c *Control) inviteMember(tx *store.Tx, by portico.Principal, o portico.Organization, address portico.Address, role portico.Role) (portico.Invitation, error) {
	blocked, err := tx.BlockedAddresses([]string{address.Key})
	if err != nil {
		return portico.Invitation{}, err
	}
	if blocked[address.Key] {
		return portico.Invitation{}, refusedResend(portico.DetailBlocked)
	}
	a, err := tx.AccountByKey(address.Key)
	if portico.KindOf(err) == portico.KindNotFound {
		a = stub(tx, address)
		err = tx.InsertAccount(a)
	}
	if err != nil {
		return portico.Invitation{}, err
	}
	if err := noMember(tx, o, a.ID, address.Key); err != nil {
		return portico.Invitation{}, err
	}
	known, err := tx.InvitationsOf(o.ID, []string{a.ID})
	if err != nil {
		return portico.Invitation{}, err
	}
	var last *portico.Invitation
	if i, ok := known[a.ID]; ok {
		if i.Live(tx.Now) {
			return i, portico.Errorf(portico.KindConflict, "%s is invited already. Send the invitation again, or revoke it first.", address.Key)
		}
		last = &i
	}
	next := nextInvitation(tx, last, by.AccountID, c.config.InvitationLife)
	next.PortalID, next.Role, next.AccountID, next.Email = o.ID, role, a.ID, a.Email
	if err := tx.SaveInvitations([]portico.Invitation{next}); err != nil {
		return next, err
	}
	if err := tx.InsertMails([]store.Mail{invitedMail(by, next, address.Key)}); err != nil {
		return next, err
	}
	// The account is not named: its id would tell how old it is.
	e := event(by, portico.ActionMemberInvited, "", next.ID)
	e.Detail = detail{"role": role}.json()
	return next, tx.InsertEvents(e)
}

// noMember is the error for an account that is a member of an organization,
// which calls it by an address.
func noMember(tx *store.Tx, o portico.Organization, accountID, email string) error {
	_, err := tx.Membership(o.ID, accountID)
	switch {
	case err == nil:
		return portico.Errorf(portico.KindConflict, "%s is a member of %s already.", email, o.Name)
	case portico.KindOf(err) == portico.KindNotFound:
		return nil
	}
	return err
}

// ResendMember sends an invitation to the caller's organization again, with a
// new link that voids the one before. One that ran out or bounced waits again.
func (c *Control) ResendMember(ctx context.Context, by portico.Principal, id string) (Member, error) {
	var m Member
	err := c.changeMemberInvitation(ctx, by, id, portico.ActionInvitationResent, func(tx *store.Tx, r store.InvitationRow) error {
		if err := refusedResend(portico.DecideResend(r.Invitation, r.Blocked)); err != nil {
			return err
		}
		generation, err := tx.RenewInvitation(r.ID, tx.Now.Add(c.config.InvitationLife), by.AccountID)
		if err != nil {
			return err
		}
		if r, err = tx.Invitation(by.OrganizationID, r.ID); err != nil {
			return err
		}
		if r.Generation != generation {
			return refusedResend(portico.DetailChanged)
		}
		m = invitedMember(r, tx.Now)
		return tx.InsertMails([]store.Mail{invitedMail(by, r.Invitation, r.EmailKey)})
	})
	return m, err
}

// RevokeMember ends an invitation to the caller's organization that was not
// accepted: its link is void and its mail does not leave.
func (c *Control) RevokeMember(ctx context.Context, by portico.Principal, id string) error {
	return c.changeMemberInvitation(ctx, by, id, portico.ActionInvitationRevoked, func(tx *store.Tx, r store.InvitationRow) error {
		return tx.WithdrawInvitation(r.PortalID, r.AccountID)
	})
}

// changeMemberInvitation runs one change of an open invitation to the caller's
// organization, and records it. Who may not give its role may not touch it.
func (c *Control) changeMemberInvitation(ctx context.Context, by portico.Principal, id string, action portico.Action,
	change func(*store.Tx, store.InvitationRow) error,
) error {
	if err := by.MayManageOrganization(); err != nil {
		return err
	}
	return c.store.Update(ctx, func(tx *store.Tx) error {
		o, self, err := lockedOrganization(tx, by)
		if err != nil {
			return err
		}
		r, err := tx.Invitation(o.ID, id)
		if err != nil {
			return err
		}
		if r.State == portico.InvitationAccepted {
			return errNotFound // it is a member now
		}
		if err := self.Role.MayChange(r.Role, r.Role); err != nil {
			return err
		}
		if err := change(tx, r); err != nil {
			return err
		}
		e := event(by, action, "", r.ID)
		e.Detail = detail{"email": r.EmailKey, "role": r.Role}.json()
		return tx.InsertEvents(e)
	})
}
