package control

import (
	"context"
	"time"

	"portico"
	"portico/internal/store"
)

// Member is who is a member of an organization, or invited to be one.
type Member struct {
	store.Member

	// ID is the account's or, of who did not accept yet, the invitation's: what
	// account an address has, or whether it has one, is not told before that.
	ID        string
	Status    portico.GuestStatus
	ExpiresAt time.Time // of the invitation; zero for a member
}

func newMember(m store.Member) Member {
	return Member{Member: m, ID: m.AccountID, Status: portico.GuestActive}
}

// Members returns the members of the caller's organization, and then who is
// invited to be one, each oldest first.
func (c *Control) Members(ctx context.Context, by portico.Principal) ([]Member, error) {
	if err := by.MayManageOrganization(); err != nil {
		return nil, err
	}
	var all []Member
	err := c.store.View(ctx, func(tx *store.Tx) error {
		all = nil
		members, err := tx.Members(by.OrganizationID)
		if err != nil {
			return err
		}
		for _, m := range members {
			all = append(all, newMember(m))
		}
		invited, err := tx.OpenInvitations(by.OrganizationID)
		for _, i := range invited {
			all = append(all, invitedMember(i, tx.Now))
		}
		return err
	})
	return all, err
}

func parseMemberAddress(email string) (portico.Address, error) {
	address, err := portico.ParseAddress(email)
	if err != nil {
		return address, portico.FieldErrorf("email", "%s", portico.MessageOf(err))
	}
	return address, nil
}

// ChangeRole gives a member of the caller's organization another role. The
// last owner or admin keeps one that administers.
func (c *Control) ChangeRole(ctx context.Context, by portico.Principal, accountID string, role portico.Role) (Member, error) {
	if err := by.MayManageOrganization(); err != nil {
		return Member{}, err
	}
	if _, err := portico.ParseRole(string(role)); err != nil {
		return Member{}, err
	}
	var m store.Member
	err := c.store.Update(ctx, func(tx *store.Tx) (err error) {
		if err := changeOwnMember(tx, by, accountID, role); err != nil {
			return err
		}
		m, err = tx.Member(by.OrganizationID, accountID)
		return err
	})
	return newMember(m), err
}

// DropMember ends a membership of the caller's organization, with the sessions
// and tokens that rest on it. The last owner or admin stays.
func (c *Control) DropMember(ctx context.Context, by portico.Principal, accountID string) error {
	if err := by.MayManageOrganization(); err != nil {
		return err
	}
	return c.store.Update(ctx, func(tx *store.Tx) error { return changeOwnMember(tx, by, accountID, "") })
}

// changeOwnMember changes a member of the caller's organization; role empty
// ends the membership.
func changeOwnMember(tx *store.Tx, by portico.Principal, accountID string, role portico.Role) error {
	o, self, err := lockedOrganization(tx, by)
	if err != nil {
		return err
	}
	m, err := tx.Member(o.ID, accountID)
	if err != nil {
		return err
	}
	if err := self.Role.MayChange(m.Role, role); err != nil {
		return err
	}
	return changeMember(tx, o, m, role, event(by, "", "", m.AccountID))
}

// lockedOrganization returns the caller's organization, locked against other
// changes of its members, with the caller's membership as it is under the
// lock: of two administrators who demote each other at once, the second is no
// administrator any more.
func lockedOrganization(tx *store.Tx, by portico.Principal) (portico.Organization, portico.Membership, error) {
	if err := tx.LockOrganization(by.OrganizationID); err != nil {
		return portico.Organization{}, portico.Membership{}, err
	}
	o, err := tx.Organization(by.OrganizationID)
	if err != nil {
		return o, portico.Membership{}, err
	}
	m, err := tx.Membership(o.ID, by.AccountID)
	if err != nil {
		return o, m, notMember(err)
	}
	by.Role = m.Role
	return o, m, by.MayManageOrganization()
}

// changeMember gives a member another role, or none, and records it as e says
// who did it. The organization is locked, so that of two changes at once the
// second counts what the first left.
func changeMember(tx *store.Tx, o portico.Organization, m store.Member, role portico.Role, e portico.Event) error {
	if m.Role == role {
		return nil
	}
	if m.Role.Administers() && !role.Administers() {
		others, err := tx.CountAdministrators(o.ID, m.AccountID)
		if err != nil {
			return err
		}
		if others == 0 {
			return portico.Errorf(portico.KindConflict,
				"%s is the last owner or admin of %s. Give that role to somebody else first.", m.Email, o.Name)
		}
	}
	var err error
	e.Action = portico.ActionRoleChanged
	if role == "" {
		e.Action = portico.ActionMemberRemoved
		_, err = tx.DeleteMembership(o.ID, m.AccountID)
	} else {
		_, err = tx.SetRole(o.ID, m.AccountID, role, e.ActorID)
	}
	if err != nil {
		return err
	}
	e.Detail = detail{"from": m.Role, "to": role}.json()
	return tx.InsertEvents(e)
}

func addMember(tx *store.Tx, o portico.Organization, a portico.Account, role portico.Role, by string) error {
	if err := noMember(tx, o, a.ID, a.Email); err != nil {
		return err
	}
	return tx.InsertMembership(portico.Membership{
		OrganizationID: o.ID, AccountID: a.ID, Role: role,
		CreatedAt: tx.Now, CreatedBy: by, ModifiedAt: tx.Now, ModifiedBy: by,
	})
}

// SetRole changes what a member may do in an organization. The last owner or
// admin keeps a role that administers. It is an operator's command.
func (c *Control) SetRole(ctx context.Context, organizationID, email string, role portico.Role) error {
	if _, err := portico.ParseRole(string(role)); err != nil {
		return err
	}
	return c.changeMemberOf(ctx, organizationID, email, role)
}

// RemoveMember ends a membership, with the sessions and tokens that rest on
// it. The last owner or admin stays. It is an operator's command.
func (c *Control) RemoveMember(ctx context.Context, organizationID, email string) error {
	return c.changeMemberOf(ctx, organizationID, email, "")
}

func (c *Control) changeMemberOf(ctx context.Context, organizationID, email string, role portico.Role) error {
	address, err := portico.ParseAddress(email)
	if err != nil {
		return err
	}
	return c.store.Update(ctx, func(tx *store.Tx) error {
		o, err := ordinaryOrganization(tx, organizationID)
		if err != nil {
			return err
		}
		if err := tx.LockOrganization(o.ID); err != nil {
			return err
		}
		m, err := memberByKey(tx, o, address)
		if err != nil {
			return err
		}
		return changeMember(tx, o, m, role, operatorEvent(o.ID, "", m.AccountID, nil))
	})
}

func memberByKey(tx *store.Tx, o portico.Organization, address portico.Address) (store.Member, error) {
	a, err := tx.AccountByKey(address.Key)
	var m store.Member
	if err == nil {
		m, err = tx.Member(o.ID, a.ID)
	}
	if portico.KindOf(err) == portico.KindNotFound {
		return m, portico.Errorf(portico.KindNotFound, "%s is no member of %s.", address.Stored, o.Name)
	}
	return m, err
}
