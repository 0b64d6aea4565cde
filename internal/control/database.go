package control

import (
	"context"

	"portico"
	"portico/internal/store"
)

// PortalDatabase returns how the platform's own app reaches the database of a
// portal. Each call is recorded: the answer is a secret.
func (c *Control) PortalDatabase(ctx context.Context, by portico.Principal, portalID string) (store.AppAddress, error) {
	return c.appAddress(ctx, by, portalID, portico.ActionDatabaseShown, false)
}

// RotateDatabase is PortalDatabase with another password. When it returns, the
// earlier one is void and nobody who used it is connected.
func (c *Control) RotateDatabase(ctx context.Context, by portico.Principal, portalID string) (store.AppAddress, error) {
	return c.appAddress(ctx, by, portalID, portico.ActionDatabaseRotated, true)
}

func (c *Control) appAddress(ctx context.Context, by portico.Principal, portalID string, action portico.Action, rotate bool) (store.AppAddress, error) {
	if err := by.MayAdministerPortals(portico.ScopePortalDatabase); err != nil {
		return store.AppAddress{}, err
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	if err := c.config.Failpoints.Hit(ctx, PointIntent); err != nil {
		return store.AppAddress{}, err
	}
	secret := c.lifecycle.KeepAppSecret
	if rotate {
		secret = c.lifecycle.RotateAppSecret
	}
	var row store.PortalRow
	err := c.store.Update(ctx, func(tx *store.Tx) (err error) {
		if row, err = findServing(tx, by, portalID); err != nil {
			return err
		}
		if err := secret(tx, row.ID); err != nil {
			return err
		}
		return tx.InsertEvents(event(by, action, row.ID, row.ID))
	})
	if err != nil {
		return store.AppAddress{}, err
	}
	if err := c.config.Failpoints.Hit(ctx, PointRecorded); err != nil {
		return store.AppAddress{}, err
	}
	return c.lifecycle.AdmitApp(ctx, row, rotate)
}
