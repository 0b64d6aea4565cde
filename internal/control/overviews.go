package control

import (
	"context"
	"fmt"
	"time"

	"portico"
	"portico/internal/store"
)

// SearchPortals returns a part of the caller's organization's portals, in the
// order asked for, and how many there are in all.
func (c *Control) SearchPortals(ctx context.Context, by portico.Principal, s store.PortalSearch) ([]store.ListedPortal, int, error) {
	if err := by.MayAdministerPortals(portico.ScopePortalRead); err != nil {
		return nil, 0, err
	}
	s.Query = cleanQuery(s.Query)
	var list []store.ListedPortal
	var total int
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		list, total, err = tx.SearchPortals(by.OrganizationID, s)
		return err
	})
	return list, total, err
}

// maxQuery is the longest text that is searched for, in code points.
const maxQuery = 200

// cleanQuery returns a text to search for as it may be given to a driver. What
// is no text finds nothing.
func cleanQuery(s string) string {
	clean, err := portico.CleanText(s, maxQuery)
	if err != nil {
		return "\x00"
	}
	return clean
}

// PortalOverview is a portal with how many guests it has.
type PortalOverview struct {
	portico.Portal

	Guests store.GuestCounts
}

// PortalOverview returns a portal of the caller's organization with the number
// of its guests.
func (c *Control) PortalOverview(ctx context.Context, by portico.Principal, portalID string) (PortalOverview, error) {
	if err := by.MayAdministerPortals(portico.ScopePortalRead); err != nil {
		return PortalOverview{}, err
	}
	var out PortalOverview
	err := c.store.View(ctx, func(tx *store.Tx) error {
		row, err := findPortal(tx, by, portalID)
		if err != nil {
			return err
		}
		out.Portal = row.Portal
		out.Guests, err = tx.CountGuestsOf(row.ID)
		return err
	})
	return out, err
}

// sizePatience is how long a page waits for a portal's size.
const sizePatience = 2 * time.Second

// PortalSize returns how many bytes of storage a portal of the caller's
// organization takes; KindUnavailable where that cannot be told now.
func (c *Control) PortalSize(ctx context.Context, by portico.Principal, portalID string) (size int64, err error) {
	if err := by.MayAdministerPortals(portico.ScopePortalRead); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, sizePatience)
	defer cancel()
	var row store.PortalRow
	err = c.store.View(ctx, func(tx *store.Tx) (err error) {
		row, err = findServing(tx, by, portalID)
		return err
	})
	if err != nil {
		return 0, err
	}
	err = c.lifecycle.Use(ctx, row, func(portal store.Handle) (err error) {
		size, err = portal.Size(ctx)
		return err
	})
	if ctx.Err() != nil {
		err = portico.WrapError(portico.KindUnavailable, err, "The portal's size cannot be told now.")
	}
	return size, err
}

// PortalCreation is how a portal comes, or came, to be.
type PortalCreation struct {
	portico.Portal // of one that was given up, no more than its id and state

	Stages []portico.Stage // those that ended
}

// Creation returns how a portal of the caller's organization comes to be, or
// did: in state creating, aborting when that failed, or as it is now. Another
// node's progress shows at its end.
func (c *Control) Creation(ctx context.Context, by portico.Principal, portalID string) (out PortalCreation, err error) {
	if err := by.MayAdministerPortals(portico.ScopePortalRead); err != nil {
		return out, err
	}
	out.Stages = c.lifecycle.Stages(portalID) // before the row: it is kept there in the end
	err = c.store.View(ctx, func(tx *store.Tx) error {
		row, err := tx.Portal(portalID, by.OrganizationID)
		switch {
		case portico.KindOf(err) == portico.KindNotFound:
			out, err = givenUp(tx, by, portalID)
			return err
		case err != nil:
			return err
		case row.State == portico.PortalDeleting:
			return errNotFound
		}
		out.Portal = row.Portal
		if row.Found() {
			out.Stages, err = tx.PortalStages(row.ID)
		}
		return err
	})
	if err != nil {
		return PortalCreation{}, err
	}
	return out, nil
}

// givenUp finds a portal that was never made by what the audit log says.
func givenUp(tx *store.Tx, by portico.Principal, portalID string) (out PortalCreation, err error) {
	if !portico.ValidID(portalID, portico.PrefixPortal) {
		return out, errNotFound
	}
	events, err := tx.FindEvents(by.OrganizationID, store.EventFilter{PortalID: portalID, Action: portico.ActionPortalAborted, Limit: 1})
	if err == nil && len(events) == 0 {
		err = errNotFound
	}
	out.ID, out.State = portalID, portico.PortalAborting
	return out, err
}

// GuestList is a page of a portal's guests with what a person wants to know
// beside it.
type GuestList struct {
	GuestPage

	More        bool                          // there are others after the last one
	Names       map[string]string             // the addresses of those who invited them, by account
	Invitations map[string]portico.Invitation // by the guest's account
}

// GuestList returns one page of a portal's guests, filter.Limit of them.
func (c *Control) GuestList(ctx context.Context, by portico.Principal, portalID string, filter store.UserFilter) (GuestList, error) {
	filter.Query = cleanQuery(filter.Query)
	limit := filter.Limit
	if limit < 1 || limit > guestPage {
		return GuestList{}, fmt.Errorf("control: a page of %d guests", limit)
	}
	filter.Limit++
	var out GuestList
	err := c.Guests(ctx, by, portalID, filter, func(page GuestPage) error {
		page.Users = append(out.Users, page.Users...)
		out.GuestPage = page
		return nil
	})
	if err != nil {
		return GuestList{}, err
	}
	if out.More = len(out.Users) > limit; out.More {
		out.Users = out.Users[:limit]
	}
	var guests, inviters []string
	for _, u := range out.Users {
		guests, inviters = append(guests, u.ID), append(inviters, u.CreatedBy)
	}
	out.Names = map[string]string{}
	err = c.store.View(ctx, func(tx *store.Tx) error {
		found, err := tx.AccountsByIDs(distinct(inviters))
		if err != nil {
			return err
		}
		for id, a := range found {
			out.Names[id] = a.Email
		}
		out.Invitations, err = tx.InvitationsOf(out.Portal.ID, guests)
		return err
	})
	return out, err
}

// PreviewPortal returns the address that a portal of this name would get now.
// A suffix that tells it from others is only drawn when it is made.
func (c *Control) PreviewPortal(ctx context.Context, by portico.Principal, name string) (url string, taken bool, err error) {
	if err := by.MayAdministerPortals(portico.ScopePortalWrite); err != nil {
		return "", false, err
	}
	clean, err := portico.CleanName(name)
	if err != nil {
		return "", false, err
	}
	label := portico.Slug(clean)
	taken = portico.ReservedLabel(label)
	if !taken {
		err = c.store.View(ctx, func(tx *store.Tx) (err error) {
			taken, err = tx.APINameTaken(label)
			return err
		})
	}
	return c.PortalURL(portico.Portal{APIName: label}), taken, err
}
