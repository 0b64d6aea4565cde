package store

import (
	"database/sql"
	"errors"
	"strconv"
	"time"

	"portico"
)

const invitationColumns = `i.id, i.portal_id, i.role, i.account_id, a.email, i.state, i.generation, i.first_name, i.last_name,
	i.message, i.expires_at, i.created_at, i.created_by, i.modified_at, i.modified_by`

const fromInvitations = ` FROM invitations i JOIN accounts a ON a.id = i.account_id `

func scanInvitation(row scanner, more ...any) (portico.Invitation, error) {
	var i portico.Invitation
	var expires, created, modified int64
	err := row.Scan(append([]any{&i.ID, &i.PortalID, &i.Role, &i.AccountID, &i.Email, &i.State, &i.Generation, &i.FirstName, &i.LastName,
		&i.Message, &expires, &created, &i.CreatedBy, &modified, &i.ModifiedBy}, more...)...)
	i.ExpiresAt, i.CreatedAt, i.ModifiedAt = fromMicros(expires), fromMicros(created), fromMicros(modified)
	return i, notFound(err)
}

// SaveInvitations writes invitations: new ones, and new generations of the ones
// that the organization already has for the same account. Mail of earlier generations
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
		last_name, message, expires_at, created_at, created_by, modified_at, modified_by, search, role)`,
		`ON CONFLICT (portal_id, account_id) DO UPDATE SET state = excluded.state, generation = excluded.generation,
		first_name = excluded.first_name, last_name = excluded.last_name, message = excluded.message,
		expires_at = excluded.expires_at, modified_at = excluded.modified_at, modified_by = excluded.modified_by,
		search = excluded.search, role = excluded.role`,
		15, invitations, func(args []any, i portico.Invitation) []any {
			return append(args, i.ID, i.PortalID, i.AccountID, string(i.State), i.Generation, i.FirstName,
				i.LastName, i.Message, micros(i.ExpiresAt), micros(i.CreatedAt), i.CreatedBy, micros(i.ModifiedAt), i.ModifiedBy,
				portico.SearchKey(i.Email, i.Name()), string(i.Role))
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

// InvitationRow is an invitation with what became of its mail.
type InvitationRow struct {
	portico.Invitation

	EmailKey   string
	Blocked    bool              // mail to the address is barred
	MailState  portico.MailState // of this generation; empty: none was asked for
	MailDetail string
}

const invitationRow = invitationColumns + `, a.email_key, COALESCE(b.email_key, ''), COALESCE(x.state, ''), COALESCE(x.detail, '')
	FROM invitations i JOIN accounts a ON a.id = i.account_id
	LEFT JOIN blocked_addresses b ON b.email_key = a.email_key
	LEFT JOIN outbox x ON x.invitation_id = i.id AND x.generation = i.generation AND x.template IN ('invited', 'linked') `

func scanInvitationRow(row scanner) (r InvitationRow, err error) {
	var blocked string
	r.Invitation, err = scanInvitation(row, &r.EmailKey, &blocked, &r.MailState, &r.MailDetail)
	r.Blocked = blocked != ""
	return r, err
}

func invitationID(id string) string {
	if portico.ValidID(id, portico.PrefixInvitation) {
		return id
	}
	return ""
}

// Invitation returns an invitation of a portal.
func (tx *Tx) Invitation(portalID, id string) (InvitationRow, error) {
	return scanInvitationRow(tx.q.QueryRow(`SELECT `+invitationRow+`WHERE i.id = $1 AND i.portal_id = $2`, invitationID(id), portalID))
}

// Invitations returns a page of a portal's invitations, oldest first. An empty
// status is every one.
func (tx *Tx) Invitations(portalID string, page Page, status portico.InvitationStatus) ([]InvitationRow, error) {
	where, args := `WHERE i.portal_id = $1 AND (i.created_at, i.id) > ($2, $3)`, []any{portalID, page.after(), page.AfterID, page.Limit}
	if page.Query != "" {
		args = append(args, page.pattern())
		where += ` AND i.search LIKE $5 ESCAPE '\'`
	}
	switch status {
	case "":
	case portico.InvitationExpired, portico.InvitationStatus(portico.InvitationPending):
		operator := ">"
		if status == portico.InvitationExpired {
			operator = "<="
		}
		args = append(args, micros(tx.Now))
		where += ` AND i.state = 'pending' AND i.expires_at ` + operator + ` $` + strconv.Itoa(len(args))
	default:
		args = append(args, string(status))
		where += ` AND i.state = $` + strconv.Itoa(len(args))
	}
	rows := make([]InvitationRow, 0, min(page.Limit, 128))
	err := scanAll(tx.q, `SELECT `+invitationRow+where+` ORDER BY i.created_at, i.id LIMIT $4`, args, func(row scanner) error {
		r, err := scanInvitationRow(row)
		rows = append(rows, r)
		return err
	})
	return rows, err
}

// OpenInvitations returns the invitations to an organization that were not
// accepted, oldest first.
func (tx *Tx) OpenInvitations(organizationID string) ([]InvitationRow, error) {
	var rows []InvitationRow
	err := scanAll(tx.q, `SELECT `+invitationRow+`WHERE i.portal_id = $1 AND i.state IN ('pending', 'bounced')
		ORDER BY i.created_at, i.id`, []any{organizationID}, func(row scanner) error {
		r, err := scanInvitationRow(row)
		rows = append(rows, r)
		return err
	})
	return rows, err
}

// RenewInvitation makes a new generation of an invitation that waits, ran out
// or bounced, which voids the one before and its mail, and returns its number.
// It returns 0 when the invitation is in no such state any more.
func (tx *Tx) RenewInvitation(id string, expires time.Time, by string) (generation int, err error) {
	err = tx.q.QueryRow(`UPDATE invitations SET state = 'pending', generation = generation + 1, expires_at = $2,
		modified_at = $3, modified_by = $4 WHERE id = $1 AND state IN ('pending', 'bounced') RETURNING generation`,
		id, micros(expires), micros(tx.Now), by).Scan(&generation)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	_, err = tx.q.Exec(`DELETE FROM outbox WHERE invitation_id = $1`, id)
	return generation, err
}

// RevokeInvitation ends an invitation that waits, ran out or bounced, with its
// mail. It reports false when the invitation is in no such state.
func (tx *Tx) RevokeInvitation(id, by string) (bool, error) {
	n, err := tx.q.Exec(`UPDATE invitations SET state = 'revoked', modified_at = $2, modified_by = $3
		WHERE id = $1 AND state IN ('pending', 'bounced')`, id, micros(tx.Now), by)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = tx.q.Exec(`DELETE FROM outbox WHERE invitation_id = $1`, id)
	return true, err
}

// InvitationLink is an invitation as who holds its token meets it.
type InvitationLink struct {
	portico.Invitation

	Account      portico.Account
	InviterName  string // of who sent this generation
	InviterEmail string
	InviterRole  portico.Role // now, in what the invitation is to; empty: no member
}

// InvitationLink returns an invitation to an organization.
func (tx *Tx) InvitationLink(organizationID, id string) (InvitationLink, error) {
	var l InvitationLink
	var created int64
	var err error
	l.Invitation, err = scanInvitation(tx.q.QueryRow(`SELECT `+invitationColumns+`, `+accountColumns+`,
		COALESCE(inviter.name, ''), COALESCE(inviter.email, ''), COALESCE(standing.role, '')`+fromInvitations+`
		LEFT JOIN accounts inviter ON inviter.id = i.modified_by
		LEFT JOIN memberships standing ON standing.organization_id = i.portal_id AND standing.account_id = i.modified_by
		WHERE i.id = $1 AND i.portal_id = $2`, invitationID(id), organizationID),
		&l.Account.ID, &l.Account.Email, &l.Account.EmailKey, &l.Account.Name, &l.Account.Proven, &created,
		&l.Account.LastOrganizationID, &l.InviterName, &l.InviterEmail, &l.InviterRole)
	l.Account.CreatedAt = fromMicros(created)
	return l, err
}

// InvitedAddresses returns the canonical addresses of invitations, by id. One
// that is gone is not in the map.
func (tx *Tx) InvitedAddresses(ids []string) (map[string]string, error) {
	found := make(map[string]string, len(ids))
	err := selectIn(tx.q, func(list string) string {
		return `SELECT i.id, a.email_key` + fromInvitations + `WHERE i.id IN ` + list
	}, nil, ids, func(row scanner) error {
		var id, key string
		err := row.Scan(&id, &key)
		found[id] = key
		return err
	})
	return found, err
}

// InvitationPortal returns the portal, or other organization, of an invitation.
func (tx *Tx) InvitationPortal(id string) (string, error) {
	var portalID string
	err := tx.q.QueryRow(`SELECT portal_id FROM invitations WHERE id = $1`, invitationID(id)).Scan(&portalID)
	return portalID, notFound(err)
}

// AcceptInvitation makes a live generation of an invitation accepted, and
// reports whether this call did: of several at once, one.
func (tx *Tx) AcceptInvitation(i portico.Invitation) (bool, error) {
	n, err := tx.q.Exec(`UPDATE invitations SET state = 'accepted', modified_at = $3, modified_by = account_id
		WHERE id = $1 AND generation = $2 AND state = 'pending' AND expires_at > $3`, i.ID, i.Generation, micros(tx.Now))
	return n == 1, err
}

// MembersOf returns which accounts are members of an organization.
func (tx *Tx) MembersOf(organizationID string, accountIDs []string) (map[string]bool, error) {
	return selectSet(tx.q, `SELECT account_id FROM memberships WHERE organization_id = $1 AND account_id IN `, []any{organizationID}, accountIDs)
}

// BlockedAddresses returns which of the canonical addresses mail may not go to.
func (tx *Tx) BlockedAddresses(keys []string) (map[string]bool, error) {
	return selectSet(tx.q, `SELECT email_key FROM blocked_addresses WHERE email_key IN `, nil, keys)
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
	n, err := tx.q.Exec(`UPDATE invitations SET state = 'bounced', modified_at = $3
		WHERE id = $1 AND generation = $2 AND state = 'pending'`, id, generation, micros(tx.Now))
	return n == 1, err
}

// CountGuests returns how many accounts have, or are invited to, access to any
// portal of an organization.
func (tx *Tx) CountGuests(organizationID string) (int, error) {
	var n int
	err := tx.q.QueryRow(`SELECT COUNT(DISTINCT i.account_id) FROM organizations o
		JOIN invitations i ON i.portal_id = o.id
		WHERE o.parent_id = $1 AND o.kind = 'portal' AND i.state IN ('pending', 'accepted', 'bounced')`, organizationID).Scan(&n)
	return n, err
}

// CountedGuests returns which accounts CountGuests counts.
func (tx *Tx) CountedGuests(organizationID string, accountIDs []string) (map[string]bool, error) {
	return selectSet(tx.q, `SELECT i.account_id FROM organizations o JOIN invitations i ON i.portal_id = o.id
		WHERE o.parent_id = $1 AND o.kind = 'portal' AND i.state IN ('pending', 'accepted', 'bounced') AND i.account_id IN `,
		[]any{organizationID}, accountIDs)
}

// RemoveGuest deletes what gives an account access to a portal, now or later:
// membership, invitation, mail that waits, sessions and tokens; and the account
// itself where it was a stub held by nothing else. It reports whether there was
// anything to remove.
func (tx *Tx) RemoveGuest(portalID, accountID string) (bool, error) {
	invited, err := tx.dropInvitation(portalID, accountID)
	if err != nil {
		return false, err
	}
	member, err := tx.q.Exec(`DELETE FROM memberships WHERE organization_id = $1 AND account_id = $2`, portalID, accountID)
	if err != nil || (!invited && member == 0) {
		return false, err
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
	return true, tx.collectStub(accountID)
}

// WithdrawInvitation deletes an account's invitation to an organization, with
// its mail; and the account itself where it was a stub held by nothing else.
func (tx *Tx) WithdrawInvitation(organizationID, accountID string) error {
	if _, err := tx.dropInvitation(organizationID, accountID); err != nil {
		return err
	}
	return tx.collectStub(accountID)
}

// dropInvitation deletes an account's invitation to an organization, with its
// mail and its proofs under way, and reports whether there was one.
func (tx *Tx) dropInvitation(organizationID, accountID string) (bool, error) {
	var n int64
	for _, statement := range []string{
		`DELETE FROM outbox WHERE invitation_id = (SELECT id FROM invitations WHERE portal_id = $1 AND account_id = $2)`,
		`DELETE FROM challenges WHERE portal_id = $1 AND account_id = $2 AND kind = 'accept'`,
		`DELETE FROM invitations WHERE portal_id = $1 AND account_id = $2`,
	} {
		var err error
		if n, err = tx.q.Exec(statement, organizationID, accountID); err != nil {
			return false, err
		}
	}
	return n > 0, nil
}

// collectStub deletes an account that is not proven and that nothing holds.
func (tx *Tx) collectStub(accountID string) error {
	_, err := tx.q.Exec(`DELETE FROM accounts WHERE id = $1 AND proven = 0
		AND NOT EXISTS (SELECT 1 FROM invitations i WHERE i.account_id = accounts.id)
		AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.account_id = accounts.id)`, accountID)
	return err
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
		`DELETE FROM import_parts WHERE import_id IN (SELECT id FROM imports WHERE portal_id = $1)`,
		`DELETE FROM imports WHERE portal_id = $1`,
		`DELETE FROM challenges WHERE portal_id = $1`,
		`DELETE FROM entries WHERE portal_id = $1`,
		`DELETE FROM jobs WHERE portal_id = $1`,
		`DELETE FROM removals WHERE portal_id = $1`,
	} {
		if _, err := tx.q.Exec(statement, portalID); err != nil {
			return err
		}
	}
	return nil
}
