package store

import (
	"portico"
)

const invitationColumns = `i.id, i.portal_id, i.account_id, a.email, i.state, i.generation, i.first_name, i.last_name,
	i.message, i.expires_at, i.created_at, i.created_by, i.modified_at, i.modified_by`

const fromInvitations = ` FROM invitations i JOIN accounts a ON a.id = i.account_id `

func scanInvitation(row scanner, more ...any) (portico.Invitation, error) {
	var i portico.Invitation
	var expires, created, modified int64
	err := row.Scan(append([]any{&i.ID, &i.PortalID, &i.AccountID, &i.Email, &i.State, &i.Generation, &i.FirstName, &i.LastName,
		&i.Message, &expires, &created, &i.CreatedBy, &modified, &i.ModifiedBy}, more...)...)
	i.ExpiresAt, i.CreatedAt, i.ModifiedAt = fromMicros(expires), fromMicros(created), fromMicros(modified)
	return i, notFound(err)
}

// SaveInvitations writes invitations: new ones, and new generations of the ones
// that the portal already has for the same account. Mail of earlier generations
// goes.
func (tx *Tx) SaveInvitations(invitations []portico.Invitation) error {
	for _, i := range invitations {
		if i.Generation == 1 {
			continue
		}
		if _, err := tx.q.Exec(`DELETE FROM outbox WHERE invitation_id = $1 AND generation < $2`, i.ID, i.Generation); err != nil {
			return err
		}
	}
	return insertRows(tx.q, `INSERT INTO invitations (id, portal_id, account_id, state, generation, first_name,
		last_name, message, expires_at, created_at, created_by, modified_at, modified_by, search)`,
		`ON CONFLICT (portal_id, account_id) DO UPDATE SET state = excluded.state, generation = excluded.generation,
		first_name = excluded.first_name, last_name = excluded.last_name, message = excluded.message,
		expires_at = excluded.expires_at, modified_at = excluded.modified_at, modified_by = excluded.modified_by,
		search = excluded.search`,
		14, invitations, func(args []any, i portico.Invitation) []any {
			return append(args, i.ID, i.PortalID, i.AccountID, string(i.State), i.Generation, i.FirstName,
				i.LastName, i.Message, micros(i.ExpiresAt), micros(i.CreatedAt), i.CreatedBy, micros(i.ModifiedAt), i.ModifiedBy,
				portico.SearchKey(i.Email, i.Name()))
		})
}

// InvitationsOf returns a portal's invitations of accounts, by account id.
func (tx *Tx) InvitationsOf(portalID string, accountIDs []string) (map[string]portico.Invitation, error) {
	found := make(map[string]portico.Invitation, len(accountIDs))
	err := selectIn(tx.q, func(list string) string {
		return `SELECT ` + invitationColumns + fromInvitations + `WHERE i.portal_id = $1 AND i.account_id IN ` + list
	}, []any{portalID}, accountIDs, func(row scanner) error {
		i, err := scanInvitation(row)
		found[i.AccountID] = i
		return err
	})
	return found, err
}

// MembersOf returns which accounts are members of an organization.
func (tx *Tx) MembersOf(organizationID string, accountIDs []string) (map[string]bool, error) {
	found := make(map[string]bool, len(accountIDs))
	err := selectIn(tx.q, func(list string) string {
		return `SELECT account_id FROM memberships WHERE organization_id = $1 AND account_id IN ` + list
	}, []any{organizationID}, accountIDs, func(row scanner) error {
		var id string
		err := row.Scan(&id)
		found[id] = true
		return err
	})
	return found, err
}

// BlockedAddresses returns which of the canonical addresses mail may not go to.
func (tx *Tx) BlockedAddresses(keys []string) (map[string]bool, error) {
	found := map[string]bool{}
	err := selectIn(tx.q, func(list string) string {
		return `SELECT email_key FROM blocked_addresses WHERE email_key IN ` + list
	}, nil, keys, func(row scanner) error {
		var key string
		err := row.Scan(&key)
		found[key] = true
		return err
	})
	return found, err
}

// BlockAddress bars mail to a canonical address, and reports whether it was not
// barred before.
func (tx *Tx) BlockAddress(key, reason string) (bool, error) {
	n, err := tx.q.Exec(`INSERT INTO blocked_addresses (email_key, reason, created_at) VALUES ($1, $2, $3)
		ON CONFLICT (email_key) DO NOTHING`, key, reason, micros(tx.Now))
	return n == 1, err
}

// BounceInvitation marks a generation of an invitation that still waits as one
// whose address takes no mail, and reports whether it did.
func (tx *Tx) BounceInvitation(id string, generation int) (bool, error) {
	n, err := tx.q.Exec(`UPDATE invitations SET state = 'bounced', modified_at = $3, modified_by = $4
		WHERE id = $1 AND generation = $2 AND state = 'pending'`, id, generation, micros(tx.Now), portico.SystemActor)
	return n == 1, err
}

// CountGuests returns how many accounts have, or are invited to, access to any
// portal of an organization.
func (tx *Tx) CountGuests(organizationID string) (int, error) {
	var n int
	err := tx.q.QueryRow(`SELECT COUNT(DISTINCT i.account_id) FROM organizations o
		JOIN invitations i ON i.portal_id = o.id
		WHERE o.parent_id = $1 AND i.state IN ('pending', 'accepted', 'bounced')`, organizationID).Scan(&n)
	return n, err
}

// CountedGuests returns which accounts CountGuests counts.
func (tx *Tx) CountedGuests(organizationID string, accountIDs []string) (map[string]bool, error) {
	found := map[string]bool{}
	err := selectIn(tx.q, func(list string) string {
		return `SELECT i.account_id FROM organizations o JOIN invitations i ON i.portal_id = o.id
			WHERE o.parent_id = $1 AND i.state IN ('pending', 'accepted', 'bounced') AND i.account_id IN ` + list
	}, []any{organizationID}, accountIDs, func(row scanner) error {
		var id string
		err := row.Scan(&id)
		found[id] = true
		return err
	})
	return found, err
}

// RemoveGuest deletes what gives an account access to a portal, now or later:
// membership, invitation, mail that waits, sessions and tokens; and the account
// itself where it was a stub held by nothing else. It reports whether there was
// anything to remove; the removal is then open until CloseRemoval.
func (tx *Tx) RemoveGuest(portalID, accountID string) (bool, error) {
	var removed int64
	for _, statement := range []string{
		`DELETE FROM outbox WHERE invitation_id = (SELECT id FROM invitations WHERE portal_id = $1 AND account_id = $2)`,
		`DELETE FROM invitations WHERE portal_id = $1 AND account_id = $2`,
		`DELETE FROM memberships WHERE organization_id = $1 AND account_id = $2`,
	} {
		n, err := tx.q.Exec(statement, portalID, accountID)
		if err != nil {
			return false, err
		}
		removed += n
	}
	if removed == 0 {
		return false, nil
	}
	for _, statement := range []string{
		`DELETE FROM outbox WHERE portal_id = $1 AND account_id = $2`,
		`DELETE FROM sessions WHERE organization_id = $1 AND account_id = $2`,
		`DELETE FROM tokens WHERE organization_id = $1 AND account_id = $2`,
	} {
		if _, err := tx.q.Exec(statement, portalID, accountID); err != nil {
			return false, err
		}
	}
	_, err := tx.q.Exec(`DELETE FROM accounts WHERE id = $1 AND proven = 0
		AND NOT EXISTS (SELECT 1 FROM invitations i WHERE i.account_id = accounts.id)
		AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.account_id = accounts.id)`, accountID)
	if err != nil {
		return false, err
	}
	return true, tx.openRemoval(portalID, accountID)
}

// ReleasePortal deletes all that the registry holds for a portal that is being
// deleted: guests as RemoveGuest does, mail, jobs, and unfinished answers but
// those of the delete itself.
func (tx *Tx) ReleasePortal(portalID string) error {
	for _, statement := range []string{
		`DELETE FROM accounts WHERE proven = 0
			AND id IN (SELECT account_id FROM invitations WHERE portal_id = $1)
			AND NOT EXISTS (SELECT 1 FROM invitations i WHERE i.account_id = accounts.id AND i.portal_id <> $1)
			AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.account_id = accounts.id AND m.organization_id <> $1)`,
		`DELETE FROM outbox WHERE portal_id = $1`,
		`DELETE FROM invitations WHERE portal_id = $1`,
		`DELETE FROM memberships WHERE organization_id = $1`,
		`DELETE FROM sessions WHERE organization_id = $1`,
		`DELETE FROM tokens WHERE organization_id = $1`,
		`DELETE FROM jobs WHERE portal_id = $1`,
		`DELETE FROM removals WHERE portal_id = $1`,
	} {
		if _, err := tx.q.Exec(statement, portalID); err != nil {
			return err
		}
	}
	return nil
}
