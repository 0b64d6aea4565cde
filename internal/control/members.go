package control

import (
	"context"

	"portico"
	"portico/internal/store"
)

// MemberAdd is a request to make the holder of an address a member of the
// caller's organization.
type MemberAdd struct {
	Email string
	Role  portico.Role
}

// Members returns the members of the caller's organization, oldest first.
func (c *Control) Members(ctx context.Context, by portico.Principal) ([]store.Member, error) {
	if err := by.MayManageOrganization(); err != nil {
		return nil, err
	}
	var all []store.Member
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		all, err = tx.Members(by.OrganizationID)
		return err
	})
	return all, err
}

// AddMember makes the holder of a proven account a member of the caller's
// organization. It makes no account: whoever adds an address has not shown
// that it is theirs to sign in with.
func (c *Control) AddMember(ctx context.Context, by portico.Principal, in MemberAdd) (store.Member, error) {
	if err := by.MayManageOrganization(); err != nil {
		return store.Member{}, err
	}
	address, err := parseMemberAddress(in.Email)
	if err != nil {
		return store.Member{}, err
	}
	role, err := portico.ParseRole(string(in.Role))
	if err != nil {
		return store.Member{}, err
	}
	var m store.Member
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		o, self, err := lockedOrganization(tx, by)
		if err != nil {
			return err
		}
		if err := self.Role.MayChange("", role); err != nil {
			return err
		}
		a, err := tx.AccountByKey(address.Key)
		if portico.KindOf(err) == portico.KindNotFound || (err == nil && !a.Proven) {
			return portico.Errorf(portico.KindConflict,
				"Nobody can sign in as %s yet, so that address cannot be added. The operator makes accounts: portico account create.", address.Stored)
		}
		if err != nil {
			return err
		}
		if err := addMember(tx, o, a, role, by.AccountID); err != nil {
			return err
		}
		if m, err = tx.Member(o.ID, a.ID); err != nil {
			return err
		}
		e := event(by, portico.ActionMemberAdded, "", a.ID)
		e.Detail = detail{"role": role}.json()
		return tx.InsertEvents(e)
	})
	return m, err
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
func (c *Control) ChangeRole(ctx context.Context, by portico.Principal, accountID string, role portico.Role) (store.Member, error) {
	if err := by.MayManageOrganization(); err != nil {
		return store.Member{}, err
	}
	if _, err := portico.ParseRole(string(role)); err != nil {
		return store.Member{}, err
	}
	var m store.Member
	err := c.store.Update(ctx, func(tx *store.Tx) (err error) {
		if err := changeOwnMember(tx, by, accountID, role); err != nil {
			return err
		}
		m, err = tx.Member(by.OrganizationID, accountID)
		return err
	})
	return m, err
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
	_, err := tx.Membership(o.ID, a.ID)
	if err == nil {
		return portico.Errorf(portico.KindConflict, "%s is a member of %s already.", a.Email, o.Name)
	}
	if portico.KindOf(err) != portico.KindNotFound {
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
