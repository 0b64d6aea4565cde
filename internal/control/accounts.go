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
	fresh, err := c.newAccount(ctx, in)
	if err != nil {
		return AccountCreated{}, err
	}
	var out AccountCreated
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		o, err := ordinaryOrganization(tx, in.OrganizationID)
		if err != nil {
			return err
		}
		out, err = fresh.create(tx, o)
		return err
	})
	if err != nil {
		return AccountCreated{}, err
	}
	return out, nil
}

// newAccount is an account that may be written: everything about it that can
// be refused without the registry was not.
type newAccount struct {
	address portico.Address
	name    string
	hash    string // of the password; empty without one
	role    portico.Role
}

func (c *Control) newAccount(ctx context.Context, in AccountCreate) (newAccount, error) {
	address, err := portico.ParseAddress(in.Email)
	if err != nil {
		return newAccount{}, err
	}
	if _, err := portico.ParseRole(string(in.Role)); err != nil {
		return newAccount{}, err
	}
	n := newAccount{address: address, name: portico.CleanPersonName(in.Name), role: in.Role}
	if in.Password != "" {
		n.hash, err = c.auth.HashPassword(ctx, in.Password, auth.PasswordOwner{Email: address.Stored})
	}
	return n, err
}

// create writes the account, if there is none, and its membership.
func (n newAccount) create(tx *store.Tx, o portico.Organization) (AccountCreated, error) {
	out, err := provenAccount(tx, n.address, n.name, n.hash)
	if err != nil {
		return AccountCreated{}, err
	}
	if err := addMember(tx, o, out.Account, n.role, portico.OperatorActor); err != nil {
		return AccountCreated{}, err
	}
	return out, tx.InsertEvents(operatorEvent(o.ID, portico.ActionAccountCreated, out.Account.ID,
		detail{"email": out.Account.Email, "role": n.role, "linked": !out.New}))
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
