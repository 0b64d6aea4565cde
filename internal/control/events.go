package control

import (
	"context"
	"maps"
	"slices"
	"strings"

	"portico"
	"portico/internal/store"
)

// MaxEvents is the most audit records of one page.
const MaxEvents = 1000

// EventPage is a page of the audit log, with the names of who and what it
// tells of.
type EventPage struct {
	Events []portico.Event
	// Names holds the address of each account and invitation and the name of each
	// portal that the records name, by id; who is gone has none.
	Names map[string]string
	// Next is where the next page begins; empty on the last one.
	Next string
}

// Events returns a page of the audit log of the caller's organization, the
// newest first. Who did something, and to whom, may be named by an address.
func (c *Control) Events(ctx context.Context, by portico.Principal, filter store.EventFilter) (EventPage, error) {
	if err := by.MayManageOrganization(); err != nil {
		return EventPage{}, err
	}
	for _, text := range []*string{&filter.PortalID, &filter.ActorID, &filter.SubjectID, &filter.BeforeID} {
		*text = strings.ToValidUTF8(strings.ReplaceAll(*text, "\x00", ""), "") // what a driver may refuse
	}
	limit := filter.Limit
	if limit < 1 || limit > MaxEvents {
		limit = MaxEvents
	}
	filter.Limit = limit + 1
	var page EventPage
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		for _, who := range []*string{&filter.ActorID, &filter.SubjectID} {
			if *who, err = accountID(tx, *who); err != nil {
				return err
			}
		}
		if page.Events, err = tx.FindEvents(by.OrganizationID, filter); err != nil {
			return err
		}
		page.Next = ""
		if len(page.Events) > limit {
			page.Events = page.Events[:limit]
			page.Next = page.Events[limit-1].ID
		}
		page.Names, err = eventNames(tx, by.OrganizationID, page.Events)
		return err
	})
	return page, err
}

// accountID returns whose an address is, and anything else as it is: no record
// is of an address that nobody has.
func accountID(tx *store.Tx, text string) (string, error) {
	address, err := portico.ParseAddress(text)
	var a portico.Account
	if err == nil {
		a, err = tx.AccountByKey(address.Key)
	}
	switch portico.KindOf(err) {
	case portico.KindInvalid, portico.KindNotFound:
		return text, nil
	}
	return a.ID, err
}

func eventNames(tx *store.Tx, organizationID string, events []portico.Event) (map[string]string, error) {
	var accounts, portals, invitations []string
	for _, e := range events {
		for _, id := range []string{e.ActorID, e.SubjectID, e.PortalID} {
			switch {
			case portico.ValidID(id, portico.PrefixAccount):
				accounts = append(accounts, id)
			case portico.ValidID(id, portico.PrefixPortal):
				portals = append(portals, id)
			case portico.ValidID(id, portico.PrefixInvitation):
				invitations = append(invitations, id)
			}
		}
	}
	names := map[string]string{}
	found, err := tx.AccountsByIDs(distinct(accounts))
	if err != nil {
		return nil, err
	}
	for id, a := range found {
		names[id] = a.Email
	}
	named, err := tx.PortalNames(organizationID, distinct(portals))
	if err != nil {
		return nil, err
	}
	maps.Copy(names, named)
	invited, err := tx.InvitedAddresses(distinct(invitations))
	maps.Copy(names, invited)
	return names, err
}

func distinct(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}
