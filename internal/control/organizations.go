package control

import (
	"context"

	"portico"
	"portico/internal/store"
)

// OrganizationCreate is an operator's request to create an organization.
type OrganizationCreate struct {
	Name     string
	Kind     portico.OrganizationKind // Production or Sandbox; portals are made by CreatePortal
	ParentID string                   // of a sandbox: the production organization that it belongs to
}

// CreateOrganization creates a production organization or a sandbox. It is an
// operator's command: no request reaches it.
func (c *Control) CreateOrganization(ctx context.Context, in OrganizationCreate) (portico.Organization, error) {
	name, err := cleanName(in.Name)
	if err != nil {
		return portico.Organization{}, err
	}
	in.Name = name
	var o portico.Organization
	err = c.store.Update(ctx, func(tx *store.Tx) (err error) {
		if err := mayHaveParent(tx, in.Kind, in.ParentID); err != nil {
			return err
		}
		o, err = createOrganization(tx, in)
		return err
	})
	return o, err
}

// createOrganization writes an organization whose name is clean.
func createOrganization(tx *store.Tx, in OrganizationCreate) (portico.Organization, error) {
	o := portico.Organization{
		ID: tx.NewID(portico.PrefixOrganization), Kind: in.Kind, ParentID: in.ParentID, Name: in.Name, CreatedAt: tx.Now,
	}
	if err := tx.InsertOrganization(o); err != nil {
		return portico.Organization{}, err
	}
	return o, tx.InsertEvents(operatorEvent(o.ID, portico.ActionOrganizationCreated, o.ID, detail{"name": o.Name, "kind": o.Kind}))
}

func mayHaveParent(tx *store.Tx, kind portico.OrganizationKind, parentID string) error {
	switch kind {
	case portico.Production:
		if parentID != "" {
			return portico.FieldErrorf("parent", "a production organization has no parent")
		}
		return nil
	case portico.Sandbox:
		parent, err := tx.Organization(parentID)
		if portico.KindOf(err) == portico.KindNotFound || (err == nil && parent.Kind != portico.Production) {
			return portico.FieldErrorf("parent", "a sandbox belongs to a production organization; %q is none", parentID)
		}
		return err
	default:
		return portico.FieldErrorf("kind", "%q is no kind of organization to create; use production or sandbox", kind)
	}
}

// Organizations returns all production organizations and sandboxes, oldest
// first. It is an operator's command.
func (c *Control) Organizations(ctx context.Context) (all []portico.Organization, err error) {
	err = c.store.View(ctx, func(tx *store.Tx) (err error) {
		all, err = tx.Organizations()
		return err
	})
	return all, err
}

// SuspendOrganization takes an organization, with its sandboxes and portals,
// out of use from the next request on. It is an operator's command, and
// harmless when repeated.
func (c *Control) SuspendOrganization(ctx context.Context, id string) error {
	return c.setSuspended(ctx, id, true, portico.ActionOrganizationSuspended)
}

// ActivateOrganization ends a suspension. It is an operator's command, and
// harmless when repeated.
func (c *Control) ActivateOrganization(ctx context.Context, id string) error {
	return c.setSuspended(ctx, id, false, portico.ActionOrganizationActivated)
}

func (c *Control) setSuspended(ctx context.Context, id string, suspended bool, action portico.Action) error {
	return c.store.Update(ctx, func(tx *store.Tx) error {
		o, err := ordinaryOrganization(tx, id)
		if err != nil {
			return err
		}
		changed, err := tx.SetOrganizationSuspended(o.ID, suspended)
		if err != nil || !changed {
			return err
		}
		return tx.InsertEvents(operatorEvent(o.ID, action, o.ID, nil))
	})
}

// ordinaryOrganization returns an organization that operators manage: one that
// is no portal. Portals are managed by their organization's administrators.
func ordinaryOrganization(tx *store.Tx, id string) (portico.Organization, error) {
	o, err := tx.Organization(id)
	if portico.KindOf(err) == portico.KindNotFound || (err == nil && o.Kind == portico.PortalKind) {
		return portico.Organization{}, portico.Errorf(portico.KindNotFound, "There is no organization %q.", id)
	}
	return o, err
}
