package control

import (
	"context"
	"encoding/json"
	"time"

	"portico"
	"portico/internal/lifecycle"
	"portico/internal/store"
)

// guestPage is how many guests a long list reads at once.
const guestPage = 500

// GuestPage is a part of a list of guests, as of a time.
type GuestPage struct {
	Portal portico.Portal
	Users  []portico.PortalUser
	Now    time.Time
}

// Guests calls yield with page after page of a portal's guests, oldest first,
// until there are no more or filter.Limit is reached; 0 is no limit. The
// portal's database is not held while yield runs, so that a slow reader never
// holds a deletion up.
func (c *Control) Guests(ctx context.Context, by portico.Principal, portalID string, filter store.UserFilter, yield func(GuestPage) error) error {
	if err := by.MayAdministerPortals(portico.ScopePortalUserRead); err != nil {
		return err
	}
	var row store.PortalRow
	err := c.store.Look(ctx, func(tx *store.Tx) (err error) {
		filter.Now = tx.Now
		row, err = findServing(tx, by, portalID)
		return err
	})
	if err != nil {
		return err
	}
	most := filter.Limit
	for read := 0; ; {
		filter.Limit = guestPage
		if most > 0 {
			filter.Limit = min(guestPage, most-read)
		}
		page, err := c.guestPage(ctx, row, filter)
		if err != nil {
			return err
		}
		if err := yield(GuestPage{row.Portal, page, filter.Now}); err != nil || len(page) < filter.Limit {
			return err
		}
		if read += len(page); read == most {
			return nil
		}
		last := page[len(page)-1]
		filter.AfterTime, filter.AfterID = last.CreatedAt, last.ID
	}
}

func (c *Control) guestPage(ctx context.Context, row store.PortalRow, filter store.UserFilter) ([]portico.PortalUser, error) {
	var page []portico.PortalUser
	err := c.lifecycle.Use(ctx, row, func(portal store.Handle) (err error) {
		page, err = store.Users(ctx, portal, filter)
		return err
	})
	return page, err
}

// RemoveGuest ends a guest's access from the next request on and removes what
// the portal's database holds of them. The account stays, with its other
// portals. Whoever is told of the success ends the matter: after that there is
// no such guest. Until then, after an answer that was KindUnavailable, a repeat
// finishes what is left and is told.
func (c *Control) RemoveGuest(ctx context.Context, by portico.Principal, once Once, portalID, userID string) error {
	if err := by.MayAdministerPortals(portico.ScopePortalUserWrite); err != nil {
		return err
	}
	if err := c.config.Failpoints.Hit(ctx, PointIntent); err != nil {
		return err
	}
	var row store.PortalRow
	var jobID string
	err := c.store.Update(store.WithReserve(ctx), func(tx *store.Tx) error {
		row, jobID = store.PortalRow{}, ""
		var nothing struct{}
		replayed, _, err := once.replay(tx, by, &nothing)
		if err != nil {
			return err
		}
		p, err := findServing(tx, by, portalID)
		if replayed && portico.KindOf(err) == portico.KindNotFound {
			return nil // the answer of then stands, though the portal is gone now
		}
		if err != nil {
			return err
		}
		if row = p; replayed {
			return nil
		}
		if jobID, err = removeGuest(tx, by, row, userID); err != nil {
			return err
		}
		return once.keep(tx, by, row.ID, nothing)
	})
	if err != nil || row.ID == "" {
		return err
	}
	if err := c.config.Failpoints.Hit(ctx, PointRecorded); err != nil {
		return err
	}
	if err := c.finishRemoval(ctx, row, jobID, userID); err != nil {
		return err
	}
	return c.config.Failpoints.Hit(ctx, PointAnswering)
}

// removeGuest ends the access in the registry and leaves the job that clears
// the portal's database. The job is empty when the access was ended before, by
// a call that nobody was told the success of.
func removeGuest(tx *store.Tx, by portico.Principal, row store.PortalRow, userID string) (jobID string, err error) {
	if !portico.ValidID(userID, portico.PrefixAccount) {
		return "", errNotFound
	}
	removed, err := tx.RemoveGuest(row.ID, userID)
	if err != nil {
		return "", err
	}
	if !removed {
		open, err := tx.RemovalOpen(row.ID, userID)
		if err == nil && !open {
			err = errNotFound
		}
		return "", err
	}
	if err := tx.OpenRemoval(row.ID, userID); err != nil {
		return "", err
	}
	detail, err := json.Marshal(map[string]string{"portal": row.Name})
	if err != nil {
		return "", err
	}
	e := event(by, portico.ActionGuestRemoved, row.ID, userID)
	e.Detail = string(detail)
	if err := tx.InsertEvents(e); err != nil {
		return "", err
	}
	return lifecycle.EnqueueProjection(tx, row.ID, []string{userID})
}

// finishRemoval makes the portal's database follow and closes the removal, so
// that it is told once. A repeat finishes what the first call may have left.
func (c *Control) finishRemoval(ctx context.Context, row store.PortalRow, jobID, userID string) (err error) {
	if jobID != "" {
		err = c.lifecycle.Project(ctx, row.ID, jobID, []string{userID})
	} else {
		err = c.lifecycle.FinishProjections(ctx, row)
	}
	if err != nil {
		return err
	}
	return c.store.Update(store.WithReserve(ctx), func(tx *store.Tx) error {
		return tx.CloseRemoval(row.ID, userID)
	})
}
