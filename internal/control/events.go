package control

import (
	"context"
	"maps"
	"slices"
	"strings"

	"portico"
	"portico/internal/store"
)

// MaxEvents is the most audit records of one page. One more may be asked for, to
// see whether there is a next one.
const MaxEvents = 1000

// Record is an audit record with the names of who and what it tells of: the
// address of an account or an invitation, the name of a portal. Who is gone is
// named by id.
type Record struct {
	portico.Event

	Actor, Subject, Portal string
}

// EventPage is a page of the audit log.
type EventPage struct {
	Records []Record
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
	if limit < 1 || limit > MaxEvents+1 {
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
		events, err := tx.FindEvents(by.OrganizationID, filter)
		if err != nil {
			return err
		}
		page.Next = ""
		if len(events) > limit {
			events = events[:limit]
			page.Next = events[limit-1].ID
		}
		page.Records, err = named(tx, by.OrganizationID, events)
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

// named returns audit records with the names of what they tell of.
func named(tx *store.Tx, organizationID string, events []portico.Event) ([]Record, error) {
	names, err := eventNames(tx, organizationID, events)
	if err != nil {
		return nil, err
	}
	name := func(id string) string {
		if n := names[id]; n != "" {
			return n
		}
		return id
	}
	records := make([]Record, len(events))
	for i, e := range events {
		records[i] = Record{e, name(e.ActorID), name(e.SubjectID), name(e.PortalID)}
	}
	return records, nil
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
