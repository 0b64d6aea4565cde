package store

import "portico"

const membershipColumns = `m.organization_id, m.account_id, m.role, m.first_name, m.last_name,
	m.created_at, m.created_by, m.modified_at, m.modified_by`

func scanMembership(row scanner, more ...any) (portico.Membership, error) {
	var m portico.Membership
	var created, modified int64
	dest := append([]any{&m.OrganizationID, &m.AccountID, &m.Role, &m.FirstName, &m.LastName,
		&created, &m.CreatedBy, &modified, &m.ModifiedBy}, more...)
	if err := row.Scan(dest...); err != nil {
		return portico.Membership{}, notFound(err)
	}
	m.CreatedAt, m.ModifiedAt = fromMicros(created), fromMicros(modified)
	return m, nil
}

// InsertMembership writes a new membership.
func (tx *Tx) InsertMembership(m portico.Membership) error {
	return tx.InsertMemberships([]portico.Membership{m})
}

// InsertMemberships writes new memberships, several to a statement.
func (tx *Tx) InsertMemberships(memberships []portico.Membership) error {
	return insertRows(tx.q, `INSERT INTO memberships (organization_id, account_id, role, first_name, last_name,
		created_at, created_by, modified_at, modified_by)`,
		"", 9, memberships, func(args []any, m portico.Membership) []any {
			return append(args, m.OrganizationID, m.AccountID, string(m.Role), m.FirstName, m.LastName,
				micros(m.CreatedAt), m.CreatedBy, micros(m.ModifiedAt), m.ModifiedBy)
		})
}

// Membership returns an account's membership of an organization.
func (tx *Tx) Membership(organization, account string) (portico.Membership, error) {
	if !portico.ValidID(account, portico.PrefixAccount) {
		account = ""
	}
	return scanMembership(tx.q.QueryRow(`SELECT `+membershipColumns+` FROM memberships m
		WHERE m.organization_id = $1 AND m.account_id = $2`, organizationID(organization), account))
}

// Memberships returns all memberships of an organization, oldest first.
func (tx *Tx) Memberships(organization string) ([]portico.Membership, error) {
	var all []portico.Membership
	err := scanAll(tx.q, `SELECT `+membershipColumns+` FROM memberships m
		WHERE m.organization_id = $1 ORDER BY m.created_at, m.account_id`, []any{organizationID(organization)},
		func(row scanner) error {
			m, err := scanMembership(row)
			all = append(all, m)
			return err
		})
	return all, err
}

// Member is a membership with whose it is.
type Member struct {
	portico.Membership

	Email string
	Name  string
}

// Members returns the members of an organization, oldest first.
func (tx *Tx) Members(organization string) ([]Member, error) {
	var all []Member
	err := scanAll(tx.q, memberQuery+` ORDER BY m.created_at, m.account_id`, []any{organizationID(organization)},
		func(row scanner) error {
			m, err := scanMember(row)
			all = append(all, m)
			return err
		})
	return all, err
}

// Member returns a member of an organization.
func (tx *Tx) Member(organization, account string) (Member, error) {
	if !portico.ValidID(account, portico.PrefixAccount) {
		account = ""
	}
	return scanMember(tx.q.QueryRow(memberQuery+` AND m.account_id = $2`, organizationID(organization), account))
}

const memberQuery = `SELECT ` + membershipColumns + `, a.email, a.name
	FROM memberships m JOIN accounts a ON a.id = m.account_id WHERE m.organization_id = $1`

func scanMember(row scanner) (m Member, err error) {
	m.Membership, err = scanMembership(row, &m.Email, &m.Name)
	return m, err
}

// Affiliation is an organization as one of its members sees it.
type Affiliation struct {
	portico.Organization

	Role portico.Role
}

// Affiliations returns the organizations that an account is in: production
// ones first, portals last, each kind in the order of joining.
func (tx *Tx) Affiliations(accountID string) ([]Affiliation, error) {
	var all []Affiliation
	err := scanAll(tx.q, `SELECT `+organizationColumns+`, m.role
		FROM memberships m JOIN organizations o ON o.id = m.organization_id
		WHERE m.account_id = $1
		ORDER BY CASE o.kind WHEN 'production' THEN 0 WHEN 'sandbox' THEN 1 ELSE 2 END, m.created_at, o.id`,
		[]any{accountID}, func(row scanner) (err error) {
			var a Affiliation
			a.Organization, err = scanOrganization(row, &a.Role)
			all = append(all, a)
			return err
		})
	return all, err
}

// SetRole changes the role of a member and reports whether there is one.
func (tx *Tx) SetRole(organization, account string, role portico.Role, by string) (bool, error) {
	n, err := tx.q.Exec(`UPDATE memberships SET role = $3, modified_at = $4, modified_by = $5
		WHERE organization_id = $1 AND account_id = $2`, organization, account, string(role), micros(tx.Now), by)
	return n == 1, err
}

// DeleteMembership ends a membership, with the invitation that it came of and
// the account's sessions and tokens for the organization, and reports whether
// there was one.
func (tx *Tx) DeleteMembership(organization, account string) (bool, error) {
	if _, err := tx.dropInvitation(organization, account); err != nil {
		return false, err
	}
	n, err := tx.q.Exec(`DELETE FROM memberships WHERE organization_id = $1 AND account_id = $2`, organization, account)
	if err != nil {
		return false, err
	}
	for _, query := range []string{
		`DELETE FROM sessions WHERE account_id = $2 AND organization_id = $1`,
		`DELETE FROM tokens WHERE account_id = $2 AND organization_id = $1`,
	} {
		if _, err := tx.q.Exec(query, organization, account); err != nil {
			return false, err
		}
	}
	return n == 1, nil
}

// CountAdministrators returns how many owners and admins an organization has
// beside one account, counting only accounts that can sign in. Where a rule
// rests on it, LockOrganization comes first.
func (tx *Tx) CountAdministrators(organization, beside string) (int, error) {
	var n int
	err := tx.q.QueryRow(`SELECT COUNT(*) FROM memberships m JOIN accounts a ON a.id = m.account_id
		WHERE m.organization_id = $1 AND m.account_id <> $2 AND m.role IN ('owner', 'admin') AND a.proven = 1`,
		organization, beside).Scan(&n)
	return n, err
}

// Administered reports whether anybody can sign in as an owner or admin of a
// production organization.
func (tx *Tx) Administered() (bool, error) {
	return tx.exists(`SELECT COUNT(*) FROM memberships m JOIN accounts a ON a.id = m.account_id
		JOIN organizations o ON o.id = m.organization_id
		WHERE o.kind = 'production' AND m.role IN ('owner', 'admin') AND a.proven = 1`)
}
