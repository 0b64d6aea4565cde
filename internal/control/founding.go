package control

import (
	"context"

	"portico"
	"portico/internal/store"
)

// Founding is an operator's wish for a first organization and its owner.
type Founding struct {
	Organization string
	Email        string
	Password     string
}

// Found makes the first organization together with its owner, or neither: what
// is refused about either leaves nothing. While there is an organization
// already it does nothing and returns no id. It is an operator's command.
func (c *Control) Found(ctx context.Context, in Founding) (organizationID string, err error) {
	if all, err := c.Organizations(ctx); err != nil || len(all) > 0 {
		return "", err
	}
	organization := OrganizationCreate{Name: in.Organization, Kind: portico.Production}
	if organization.Name, err = cleanName(in.Organization); err != nil {
		return "", err
	}
	owner, err := c.newAccount(ctx, AccountCreate{Email: in.Email, Password: in.Password, Role: portico.Owner})
	if err != nil {
		return "", err
	}
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		organizationID = ""
		all, err := tx.Organizations()
		if err != nil || len(all) > 0 {
			return err
		}
		o, err := createOrganization(tx, organization)
		if err != nil {
			return err
		}
		organizationID = o.ID
		_, err = owner.create(tx, o)
		return err
	})
	return organizationID, err
}
