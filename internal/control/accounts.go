package control

import (
	"context"

	"portico"
	"portico/internal/auth"
	"portico/internal/store"
)

// AccountCreate is an operator's request to make somebody a member of an
// organization.
type AccountCreate struct {
	Email          string
	Name           string // optional
	Password       string // needed unless the account exists and is proven
	OrganizationID string // production or sandbox
	Role           portico.Role
}

// AccountCreated says what CreateAccount did.
type AccountCreated struct {
	Account     portico.Account
	New         bool // the account was made by this call
	PasswordSet bool // the password is the one given; false: the account kept its own
}

// CreateAccount makes the holder of an address a member of an organization. An
// address that nobody has becomes a proven account: the operator answers for
// it. A stub becomes proven too, and whatever was planted for it is void. A
// proven account is linked and keeps its password. It is an operator's command.
func (c *Control) CreateAccount(ctx context.Context, in AccountCreate) (AccountCreated, error) {
	address, err := portico.ParseAddress(in.Email)
	if err != nil {
		return AccountCreated{}, err
	}
	if _, err := portico.ParseRole(string(in.Role)); err != nil {
		return AccountCreated{}, err
	}
	in.Name = portico.CleanPersonName(in.Name)
	hash := ""
	if in.Password != "" {
		if hash, err = c.auth.HashPassword(ctx, in.Password, auth.PasswordOwner{Email: address.Stored}); err != nil {
			return AccountCreated{}, err
		}
	}
	var out AccountCreated
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		o, err := ordinaryOrganization(tx, in.OrganizationID)
		if err != nil {
			return err
		}
		if out, err = provenAccount(tx, address, in.Name, hash); err != nil {
			return err
		}
		if err := addMember(tx, o, out.Account, in.Role); err != nil {
			return err
		}
		return tx.InsertEvents(operatorEvent(o.ID, portico.ActionAccountCreated, out.Account.ID,
			detail{"email": out.Account.Email, "role": in.Role, "linked": !out.New}))
	})
	if err != nil {
		return AccountCreated{}, err
	}
	return out, nil
}

// provenAccount returns the proven account of an address, which it makes or
// proves when there is none.
func provenAccount(tx *store.Tx, address portico.Address, name, hash string) (AccountCreated, error) {
	a, err := tx.AccountByKey(address.Key)
	fresh := portico.KindOf(err) == portico.KindNotFound
	switch {
	case err != nil && !fresh:
		return AccountCreated{}, err
	case err == nil && a.Proven:
		return AccountCreated{Account: a}, nil
	case hash == "":
		return AccountCreated{}, portico.FieldErrorf("password", "a new account needs a password")
	case fresh:
		a = portico.Account{
			ID: tx.NewID(portico.PrefixAccount), Email: address.Stored, EmailKey: address.Key, Name: name, CreatedAt: tx.Now,
		}
		if err := tx.InsertAccount(a); err != nil {
			return AccountCreated{}, err
		}
	case name != "":
		a.Name = name
		if err := tx.SetAccountName(a.ID, name); err != nil {
			return AccountCreated{}, err
		}
	}
	a.Proven = true
	_, err = auth.Prove(tx, a.ID, hash)
	return AccountCreated{Account: a, New: fresh, PasswordSet: true}, err
}

func addMember(tx *store.Tx, o portico.Organization, a portico.Account, role portico.Role) error {
	_, err := tx.Membership(o.ID, a.ID)
	if err == nil {
		return portico.Errorf(portico.KindConflict, "%s is a member of %s already.", a.Email, o.Name)
	}
	if portico.KindOf(err) != portico.KindNotFound {
		return err
	}
	return tx.InsertMembership(portico.Membership{
		OrganizationID: o.ID, AccountID: a.ID, Role: role,
		CreatedAt: tx.Now, CreatedBy: portico.OperatorActor, ModifiedAt: tx.Now, ModifiedBy: portico.OperatorActor,
	})
}

// SetRole changes what a member may do in an organization. The last owner or
// admin keeps a role that administers. It is an operator's command.
func (c *Control) SetRole(ctx context.Context, organizationID, email string, role portico.Role) error {
	if _, err := portico.ParseRole(string(role)); err != nil {
		return err
	}
	return c.changeMember(ctx, organizationID, email, role)
}

// RemoveMember ends a membership, with the sessions and tokens that rest on
// it. The last owner or admin stays. It is an operator's command.
func (c *Control) RemoveMember(ctx context.Context, organizationID, email string) error {
	return c.changeMember(ctx, organizationID, email, "")
}

// changeMember gives a member another role, or none. The organization is
// locked before its administrators are counted, so that of two changes at once
// the second sees the first.
func (c *Control) changeMember(ctx context.Context, organizationID, email string, role portico.Role) error {
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
		if err != nil || m.Role == role {
			return err
		}
		if m.Role.Administers() && !role.Administers() {
			others, err := tx.CountAdministrators(o.ID, m.AccountID)
			if err != nil {
				return err
			}
			if others == 0 {
				return portico.Errorf(portico.KindConflict,
					"%s is the last owner or admin of %s. Give that role to somebody else first.", address.Stored, o.Name)
			}
		}
		action := portico.ActionRoleChanged
		if role == "" {
			action = portico.ActionMemberRemoved
			_, err = tx.DeleteMembership(o.ID, m.AccountID)
		} else {
			_, err = tx.SetRole(o.ID, m.AccountID, role, portico.OperatorActor)
		}
		if err != nil {
			return err
		}
		return tx.InsertEvents(operatorEvent(o.ID, action, m.AccountID, detail{"from": m.Role, "to": role}))
	})
}

func memberByKey(tx *store.Tx, o portico.Organization, address portico.Address) (portico.Membership, error) {
	a, err := tx.AccountByKey(address.Key)
	var m portico.Membership
	if err == nil {
		m, err = tx.Membership(o.ID, a.ID)
	}
	if portico.KindOf(err) == portico.KindNotFound {
		return m, portico.Errorf(portico.KindNotFound, "%s is no member of %s.", address.Stored, o.Name)
	}
	return m, err
}
