package store

import "portico"

const organizationColumns = `o.id, o.kind, o.parent_id, o.name, o.suspended, o.created_at`

func scanOrganization(row scanner, more ...any) (portico.Organization, error) {
	var o portico.Organization
	var created int64
	dest := append([]any{&o.ID, &o.Kind, &o.ParentID, &o.Name, &o.Suspended, &created}, more...)
	if err := row.Scan(dest...); err != nil {
		return portico.Organization{}, notFound(err)
	}
	o.CreatedAt = fromMicros(created)
	return o, nil
}

// InsertOrganization writes a new organization.
func (tx *Tx) InsertOrganization(o portico.Organization) error {
	_, err := tx.q.Exec(`INSERT INTO organizations (id, kind, parent_id, name, suspended, created_at)
		VALUES ($1, $2, $3, $4, $5, $6)`,
		o.ID, string(o.Kind), o.ParentID, o.Name, boolInt(o.Suspended), micros(o.CreatedAt))
	return err
}

// Organization returns an organization of any kind.
func (tx *Tx) Organization(id string) (portico.Organization, error) {
	return scanOrganization(tx.q.QueryRow(`SELECT `+organizationColumns+`
		FROM organizations o WHERE o.id = $1`, organizationID(id)))
}

// organizationID returns an id that a request sent, or empty when it can be
// none: what a driver may refuse (NUL, bad UTF-8) never reaches it.
func organizationID(id string) string {
	if portico.ValidID(id, portico.PrefixOrganization) || portico.ValidID(id, portico.PrefixPortal) {
		return id
	}
	return ""
}

// Organizations returns the production organizations and sandboxes, oldest
// first.
func (tx *Tx) Organizations() ([]portico.Organization, error) {
	return tx.organizations(`SELECT ` + organizationColumns + ` FROM organizations o
		WHERE o.kind <> 'portal' ORDER BY o.created_at, o.id`)
}

// ChildOrganizations returns an organization's children of a kind, oldest
// first.
func (tx *Tx) ChildOrganizations(parentID string, kind portico.OrganizationKind) ([]portico.Organization, error) {
	return tx.organizations(`SELECT `+organizationColumns+` FROM organizations o
		WHERE o.parent_id = $1 AND o.kind = $2 ORDER BY o.created_at, o.id`, organizationID(parentID), string(kind))
}

func (tx *Tx) organizations(query string, args ...any) ([]portico.Organization, error) {
	var all []portico.Organization
	err := scanAll(tx.q, query, args, func(row scanner) error {
		o, err := scanOrganization(row)
		all = append(all, o)
		return err
	})
	return all, err
}

// SetOrganizationSuspended suspends an organization or ends its suspension,
// and reports whether that changed anything.
func (tx *Tx) SetOrganizationSuspended(id string, suspended bool) (bool, error) {
	n, err := tx.q.Exec(`UPDATE organizations SET suspended = $2 WHERE id = $1 AND suspended <> $2`,
		organizationID(id), boolInt(suspended))
	return n == 1, err
}

// LockOrganization makes every other transaction that calls it for the same
// organization wait until this one ends, so that a rule over all of its
// memberships is decided by one at a time.
func (tx *Tx) LockOrganization(id string) error {
	_, err := tx.q.Exec(`UPDATE organizations SET name = name WHERE id = $1`, organizationID(id))
	return err
}
