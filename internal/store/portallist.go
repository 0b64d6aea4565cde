package store

import (
	"portico"
)

// PortalOrder is an order of a list of portals.
type PortalOrder string

// The orders of a list of portals.
const (
	PortalsNewest PortalOrder = "newest"
	PortalsOldest PortalOrder = "oldest"
	PortalsByName PortalOrder = "name"
)

// portalOrders are the orders as SQL. A name is compared as it is searched by,
// so that letter case does not part what belongs together.
var portalOrders = map[PortalOrder]string{
	PortalsNewest: `o.created_at DESC, o.id DESC`,
	PortalsOldest: `o.created_at, o.id`,
	PortalsByName: `p.search, o.id`,
}

// PortalSearch says which part of an organization's portals a list shows.
type PortalSearch struct {
	Query  string // empty: all
	Order  PortalOrder
	Offset int
	Limit  int
}

// ListedPortal is a portal in a list, with how many guests it has.
type ListedPortal struct {
	portico.Portal

	Active  int
	Invited int // whose invitation can still be accepted
}

// SearchPortals returns a part of an organization's portals that reads find,
// and how many there are of them in all.
func (tx *Tx) SearchPortals(organizationID string, s PortalSearch) (list []ListedPortal, total int, err error) {
	const from = ` FROM organizations o JOIN portals p ON p.id = o.id
		WHERE o.parent_id = $1 AND p.state IN ('active', 'unavailable') AND p.search LIKE $2 ESCAPE '\'`
	pattern := Page{Query: s.Query}.pattern()
	if err := tx.q.QueryRow(`SELECT COUNT(*)`+from, organizationID, pattern).Scan(&total); err != nil {
		return nil, 0, err
	}
	order, ok := portalOrders[s.Order]
	if !ok {
		order = portalOrders[PortalsNewest]
	}
	// The page is cut out first: what is counted beside it is counted for it alone.
	err = scanAll(tx.q, `SELECT `+portalColumns+`,
		(SELECT COUNT(*) FROM invitations i WHERE i.portal_id = p.id AND i.state = 'accepted'),
		(SELECT COUNT(*) FROM invitations i WHERE i.portal_id = p.id AND i.state = 'pending' AND i.expires_at > $3)
		FROM (SELECT p.id`+from+` ORDER BY `+order+` LIMIT $4 OFFSET $5) shown
		JOIN organizations o ON o.id = shown.id JOIN portals p ON p.id = shown.id ORDER BY `+order,
		[]any{organizationID, pattern, micros(tx.Now), s.Limit, s.Offset}, func(row scanner) error {
			var listed ListedPortal
			p, err := scanPortal(row, &listed.Active, &listed.Invited)
			listed.Portal = p.Portal
			list = append(list, listed)
			return err
		})
	return list, total, err
}

// GuestCounts is how many guests a portal has of each status.
type GuestCounts struct {
	Active, Invited, Expired, Bounced int
}

// All is the number of a portal's guests.
func (c GuestCounts) All() int { return c.Active + c.Invited + c.Expired + c.Bounced }

// CountGuestsOf counts a portal's guests by what the registry says of them.
func (tx *Tx) CountGuestsOf(portalID string) (GuestCounts, error) {
	var c GuestCounts
	err := tx.q.QueryRow(`SELECT
		COALESCE(SUM(CASE WHEN state = 'accepted' THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN state = 'pending' AND expires_at > $2 THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN state = 'pending' AND expires_at <= $2 THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN state = 'bounced' THEN 1 ELSE 0 END), 0)
		FROM invitations WHERE portal_id = $1`, portalID, micros(tx.Now)).
		Scan(&c.Active, &c.Invited, &c.Expired, &c.Bounced)
	return c, err
}
