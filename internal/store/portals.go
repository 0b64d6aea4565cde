package store

import (
	"database/sql"
	"strings"
	"time"
	"unicode/utf8"

	"portico"
)

// PortalRow is a portal with what only its life cycle needs.
type PortalRow struct {
	portico.Portal

	DomainVerifiedAt *time.Time
	Version          int64  // grows with each change by UpdatePortal
	Attempts         int    // failed attempts of the operation under way
	LastError        string // of the last attempt, for operators
	LeaseUntil       time.Time
	Fence            int64  // grows each time the lease changes hands
	RequestID        string // of the request that began the operation under way
	Cluster          string // that holds the database; see Place
}

const portalColumns = `p.id, o.parent_id, o.name, p.api_name, p.description, p.custom_domain,
	p.domain_status, p.domain_verified_at, p.state, p.generation, p.attempts, p.last_error,
	p.lease_until, p.fence, p.request_id, p.version, p.cluster_id, o.created_at, p.created_by, p.modified_at, p.modified_by`

type scanner interface{ Scan(dest ...any) error }

func scanPortal(row scanner, more ...any) (PortalRow, error) {
	var p PortalRow
	var verified sql.NullInt64
	var lease, created, modified int64
	err := row.Scan(append([]any{
		&p.ID, &p.OrganizationID, &p.Name, &p.APIName, &p.Description, &p.CustomDomain,
		&p.DomainStatus, &verified, &p.State, &p.Generation, &p.Attempts, &p.LastError,
		&lease, &p.Fence, &p.RequestID, &p.Version, &p.Cluster, &created, &p.CreatedBy, &modified, &p.ModifiedBy,
	}, more...)...)
	if err != nil {
		return PortalRow{}, notFound(err)
	}
	if verified.Valid {
		at := fromMicros(verified.Int64)
		p.DomainVerifiedAt = &at
	}
	p.LeaseUntil, p.CreatedAt, p.ModifiedAt = fromMicros(lease), fromMicros(created), fromMicros(modified)
	return p, nil
}

// InsertPortal writes a new portal with its organization and takes its address
// label for ever.
func (tx *Tx) InsertPortal(p PortalRow) error {
	err := tx.InsertOrganization(portico.Organization{
		ID: p.ID, Kind: portico.PortalKind, ParentID: p.OrganizationID, Name: p.Name, CreatedAt: p.CreatedAt,
	})
	if err != nil {
		return err
	}
	if _, err := tx.q.Exec(`INSERT INTO api_names (api_name, portal_id) VALUES ($1, $2)`, p.APIName, p.ID); err != nil {
		return err
	}
	_, err = tx.q.Exec(`INSERT INTO portals (id, api_name, description, custom_domain, domain_status,
		domain_verified_at, state, generation, attempts, last_error, lease_until, fence, request_id,
		search, created_by, modified_at, modified_by, cluster_id)
		VALUES ($1, $2, $3, $4, $5, NULL, $6, $7, 0, '', $8, $9, $10, $11, $12, $13, $14, $15)`,
		p.ID, p.APIName, p.Description, p.CustomDomain, string(p.DomainStatus), string(p.State), p.Generation,
		micros(p.LeaseUntil), p.Fence, p.RequestID, portalSearch(p.Portal), p.CreatedBy, micros(p.ModifiedAt), p.ModifiedBy, p.Cluster)
	return err
}

func portalSearch(p portico.Portal) string {
	parts := []string{p.Name, p.APIName}
	if p.CustomDomain != nil {
		parts = append(parts, *p.CustomDomain)
	}
	return portico.SearchKey(parts...)
}

// Portal returns a portal of an organization. It is one query whatever the
// answer, so that an unknown id, a malformed one and another organization's
// are not told apart.
func (tx *Tx) Portal(id, organizationID string) (PortalRow, error) {
	if !portico.ValidID(id, portico.PrefixPortal) {
		id = "" // what a driver may refuse (NUL, bad UTF-8) never reaches it
	}
	return scanPortal(tx.q.QueryRow(`SELECT `+portalColumns+`
		FROM portals p JOIN organizations o ON o.id = p.id
		WHERE p.id = $1 AND o.parent_id = $2`, id, organizationID))
}

// PortalByID returns a portal whatever its organization, for the life cycle.
func (tx *Tx) PortalByID(id string) (PortalRow, error) {
	return scanPortal(tx.q.QueryRow(`SELECT `+portalColumns+`
		FROM portals p JOIN organizations o ON o.id = p.id WHERE p.id = $1`, id))
}

// Page is a position in a list that is ordered by creation time, then id.
type Page struct {
	AfterTime time.Time // zero: from the start
	AfterID   string
	Limit     int
	Query     string // what to search for; empty: everything
}

func (p Page) after() int64 {
	if p.AfterTime.IsZero() {
		return -1 << 62
	}
	return micros(p.AfterTime)
}

// pattern returns the LIKE pattern, escaped by a backslash, for a page's query.
// A query that is no text finds nothing: PostgreSQL refuses it as a value.
func (p Page) pattern() string {
	switch {
	case p.Query == "":
		return "%"
	case strings.ContainsRune(p.Query, 0) || !utf8.ValidString(p.Query):
		return "\x01" // the whole of nothing that is stored
	}
	escape := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
	return "%" + escape.Replace(portico.SearchKey(p.Query)) + "%"
}

// Portals returns a page of an organization's portals that reads find, oldest
// first.
func (tx *Tx) Portals(organizationID string, page Page) ([]portico.Portal, error) {
	rows, err := tx.portalRows(`SELECT `+portalColumns+`
		FROM organizations o JOIN portals p ON p.id = o.id
		WHERE o.parent_id = $1 AND (o.created_at, o.id) > ($2, $3)
		AND p.state IN ('active', 'unavailable') AND p.search LIKE $4 ESCAPE '\'
		ORDER BY o.created_at, o.id LIMIT $5`,
		organizationID, page.after(), page.AfterID, page.pattern(), page.Limit)
	portals := make([]portico.Portal, len(rows))
	for i, row := range rows {
		portals[i] = row.Portal
	}
	return portals, err
}

// PortalNames returns the names of an organization's portals, by id.
func (tx *Tx) PortalNames(organizationID string, ids []string) (map[string]string, error) {
	names := make(map[string]string, len(ids))
	err := selectIn(tx.q, func(list string) string {
		return `SELECT id, name FROM organizations WHERE parent_id = $1 AND id IN ` + list
	}, []any{organizationID}, ids, func(row scanner) error {
		var id, name string
		err := row.Scan(&id, &name)
		names[id] = name
		return err
	})
	return names, err
}

// UnsettledPortals returns every portal that is not active.
func (tx *Tx) UnsettledPortals() ([]PortalRow, error) {
	return tx.portalRows(`SELECT ` + portalColumns + `
		FROM portals p JOIN organizations o ON o.id = p.id WHERE p.state <> 'active' ORDER BY p.id`)
}

// PortalsAfter returns up to limit portals of all organizations in order of id.
func (tx *Tx) PortalsAfter(id string, limit int) ([]PortalRow, error) {
	return tx.portalRows(`SELECT `+portalColumns+`
		FROM portals p JOIN organizations o ON o.id = p.id WHERE p.id > $1 ORDER BY p.id LIMIT $2`, id, limit)
}

func (tx *Tx) portalRows(query string, args ...any) ([]PortalRow, error) {
	rows, err := tx.q.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var portals []PortalRow
	for rows.Next() {
		p, err := scanPortal(rows)
		if err != nil {
			return nil, err
		}
		portals = append(portals, p)
	}
	return portals, rows.Err()
}

// CountPortals returns how many portals there are in each state.
func (tx *Tx) CountPortals() (map[portico.PortalState]int, error) {
	rows, err := tx.q.Query(`SELECT state, COUNT(*) FROM portals GROUP BY state`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counts := make(map[portico.PortalState]int)
	for rows.Next() {
		var state portico.PortalState
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return nil, err
		}
		counts[state] = n
	}
	return counts, rows.Err()
}

// UpdatePortal writes what an update may change: name, description, domain and
// who changed it when. It is ErrStale, and the transaction runs again, when
// another change of the same portal came after p was read, so that neither
// undoes what the other did.
func (tx *Tx) UpdatePortal(p PortalRow) error {
	var verified any
	if p.DomainVerifiedAt != nil {
		verified = micros(*p.DomainVerifiedAt)
	}
	n, err := tx.q.Exec(`UPDATE portals SET description = $2, custom_domain = $3, domain_status = $4,
		domain_verified_at = $5, search = $6, modified_at = $7, modified_by = $8, version = version + 1
		WHERE id = $1 AND version = $9`,
		p.ID, p.Description, p.CustomDomain, string(p.DomainStatus), verified, portalSearch(p.Portal),
		micros(p.ModifiedAt), p.ModifiedBy, p.Version)
	if err == nil && n != 1 {
		err = ErrStale
	}
	if err == nil {
		_, err = tx.q.Exec(`UPDATE organizations SET name = $2 WHERE id = $1`, p.ID, p.Name)
	}
	return err
}

// APINameTaken reports whether a label was ever given to a portal.
func (tx *Tx) APINameTaken(label string) (bool, error) {
	return tx.exists(`SELECT COUNT(*) FROM api_names WHERE api_name = $1`, label)
}

// DomainTaken reports whether another portal has verified the host, or another
// organization gave it up since a time. It is for a good answer; that two
// portals never have the same host verified is the registry's own constraint.
func (tx *Tx) DomainTaken(host, portalID, organizationID string, since time.Time) (bool, error) {
	taken, err := tx.exists(`SELECT COUNT(*) FROM portals
		WHERE custom_domain = $1 AND domain_verified_at IS NOT NULL AND id <> $2`, host, portalID)
	if err != nil || taken {
		return taken, err
	}
	return tx.exists(`SELECT COUNT(*) FROM released_domains
		WHERE host = $1 AND organization_id <> $2 AND released_at > $3`, host, organizationID, micros(since))
}

// ReleaseDomain notes that an organization gave up a verified host.
func (tx *Tx) ReleaseDomain(host, organizationID string) error {
	_, err := tx.q.Exec(`INSERT INTO released_domains (host, organization_id, released_at) VALUES ($1, $2, $3)
		ON CONFLICT (host) DO UPDATE SET organization_id = excluded.organization_id, released_at = excluded.released_at`,
		host, organizationID, micros(tx.Now))
	return err
}

func (tx *Tx) exists(query string, args ...any) (bool, error) {
	var n int
	err := tx.q.QueryRow(query, args...).Scan(&n)
	return n > 0, err
}
