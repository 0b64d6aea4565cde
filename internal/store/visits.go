package store

import (
	"database/sql"
	"errors"
	"slices"

	"portico"
)

// Host is a portal's host name, taken apart: below the portal domain it is a
// label, elsewhere a domain that the portal's organization brought.
type Host struct {
	Label  string
	Domain string
}

// Visit returns what the registry says of a request to a host by who holds a
// session of audience prefix + portal id: the portal, its organization, and
// the session's account and role, in one query. A host that is nobody's gives
// the zero Visit. Of portal and account it has what guests' pages show.
func (tx *Tx) Visit(host Host, sessionID, audiencePrefix string) (portico.Visit, error) {
	if host.Domain != "" {
		return tx.visit(visitQuery+byDomain, host.Domain, sessionID, audiencePrefix)
	}
	return tx.visit(visitQuery+byLabel, host.Label, sessionID, audiencePrefix)
}

// VisitPortal is Visit for a portal's id, and nobody's session.
func (tx *Tx) VisitPortal(portalID string) (portico.Visit, error) {
	if !portico.ValidID(portalID, portico.PrefixPortal) {
		portalID = ""
	}
	return tx.visit(visitQuery+`p.id = $1`, portalID, "", "")
}

// Home is Visit with the other portals that the session's account can enter
// now, whatever that session is worth, in the same query; these are in no order,
// with what links to them show.
func (tx *Tx) Home(host Host, sessionID, audiencePrefix string) (v portico.Visit, others []portico.Portal, err error) {
	if !portico.ValidID(sessionID, portico.PrefixSession) {
		sessionID = ""
	}
	query, name := homeQuery+byLabel, host.Label
	if host.Domain != "" {
		query, name = homeQuery+byDomain, host.Domain
	}
	rows, err := tx.q.Query(query, name, sessionID, audiencePrefix)
	if err != nil {
		return portico.Visit{}, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p portico.Portal
		if v, err = scanVisit(rows, linkOf(&p)...); err != nil {
			return portico.Visit{}, nil, err
		}
		if p.OrganizationID != "" {
			others = append(others, p)
		}
	}
	return v, others, rows.Err()
}

const (
	visitColumns = `p.id, o.parent_id, o.name, p.api_name, p.description, p.custom_domain, p.domain_status, p.state,
		parent.name, parent.suspended, COALESCE(s.id, ''), COALESCE(s.expires_at, 0), COALESCE(a.id, ''), COALESCE(a.email, ''),
		COALESCE(a.name, ''), COALESCE(a.proven, 0), COALESCE(m.role, ''), COALESCE(m.first_name, ''), COALESCE(m.last_name, '')`
	visitTables = `FROM portals p JOIN organizations o ON o.id = p.id JOIN organizations parent ON parent.id = o.parent_id
		LEFT JOIN sessions s ON s.id = $2 AND s.organization_id = p.id AND s.audience = $3 || p.id
		LEFT JOIN accounts a ON a.id = s.account_id
		LEFT JOIN memberships m ON m.organization_id = p.id AND m.account_id = s.account_id`

	visitQuery = `SELECT ` + visitColumns + ` ` + visitTables + ` WHERE `
	homeQuery  = `SELECT ` + visitColumns + `, COALESCE(theirs.id, ''), COALESCE(other.id, ''), COALESCE(named.name, ''),
		COALESCE(other.api_name, ''), other.custom_domain, COALESCE(other.domain_status, ''), COALESCE(other.state, '')
		` + visitTables + `
		LEFT JOIN memberships g ON g.account_id = a.id AND g.role = 'guest' AND g.organization_id <> p.id
		LEFT JOIN portals other ON other.id = g.organization_id AND other.state IN ('active', 'unavailable')
		LEFT JOIN organizations named ON named.id = other.id
		LEFT JOIN organizations theirs ON theirs.id = named.parent_id AND theirs.suspended = 0
		WHERE `

	// The conditions that find a host's portal.
	byLabel  = `p.api_name = $1`
	byDomain = `p.custom_domain = $1 AND p.domain_verified_at IS NOT NULL AND p.domain_status = 'active'`
)

func scanVisit(row scanner, more ...any) (portico.Visit, error) {
	var v portico.Visit
	var expires int64
	p := &v.Portal
	err := row.Scan(slices.Concat([]any{
		&p.ID, &p.OrganizationID, &p.Name, &p.APIName, &p.Description, &p.CustomDomain, &p.DomainStatus, &p.State,
		&v.Organization, &v.Suspended, &v.SessionID, &expires, &v.Account.ID, &v.Account.Email,
		&v.Account.Name, &v.Account.Proven, &v.Role, &v.FirstName, &v.LastName,
	}, more)...)
	v.ExpiresAt = fromMicros(expires)
	return v, err
}

func (tx *Tx) visit(query, name, sessionID, audiencePrefix string) (portico.Visit, error) {
	if !portico.ValidID(sessionID, portico.PrefixSession) {
		sessionID = ""
	}
	v, err := scanVisit(tx.q.QueryRow(query, name, sessionID, audiencePrefix))
	if errors.Is(err, sql.ErrNoRows) {
		return portico.Visit{}, nil
	}
	return v, err
}

// BrowserSession returns a session of an audience that is not over, with its
// account, in one query.
func (tx *Tx) BrowserSession(id, audience string) (Session, portico.Account, error) {
	if !portico.ValidID(id, portico.PrefixSession) {
		id = ""
	}
	s := Session{Audience: audience}
	var a portico.Account
	var expires, created int64
	err := tx.q.QueryRow(`SELECT s.id, s.expires_at, `+accountColumns+`
		FROM sessions s JOIN accounts a ON a.id = s.account_id
		WHERE s.id = $1 AND s.audience = $2 AND s.expires_at > $3 AND a.proven = 1`, id, audience, micros(tx.Now)).
		Scan(&s.ID, &expires, &a.ID, &a.Email, &a.EmailKey, &a.Name, &a.Proven, &created, &a.LastOrganizationID)
	s.AccountID, s.ExpiresAt, a.CreatedAt = a.ID, fromMicros(expires), fromMicros(created)
	return s, a, notFound(err)
}

// EndBrowser ends a session at the sign-in host with the portals' sessions and
// codes that came of it. An empty id, which all sessions have for a parent that
// came of none, ends nothing.
func (tx *Tx) EndBrowser(sessionID string) error {
	if sessionID == "" {
		return nil
	}
	for _, query := range []string{
		`DELETE FROM entries WHERE session_id = $1`,
		`DELETE FROM sessions WHERE parent_id = $1`,
		`DELETE FROM sessions WHERE id = $1`,
	} {
		if _, err := tx.q.Exec(query, sessionID); err != nil {
			return err
		}
	}
	return nil
}

// ParentSession returns the session at the sign-in host that a portal's session
// came of.
func (tx *Tx) ParentSession(id string) (string, error) {
	var parent string
	err := tx.q.QueryRow(`SELECT parent_id FROM sessions WHERE id = $1`, id).Scan(&parent)
	return parent, notFound(err)
}

// PortalsOf returns the portals that an account can enter now, in no order,
// with what links to them show.
func (tx *Tx) PortalsOf(accountID string) ([]portico.Portal, error) {
	rows, err := tx.q.Query(`SELECT o.parent_id, p.id, o.name, p.api_name, p.custom_domain, p.domain_status, p.state
		FROM memberships m JOIN portals p ON p.id = m.organization_id JOIN organizations o ON o.id = p.id
		JOIN organizations parent ON parent.id = o.parent_id
		WHERE m.account_id = $1 AND m.role = 'guest' AND p.state IN ('active', 'unavailable') AND parent.suspended = 0`, accountID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var portals []portico.Portal
	for rows.Next() {
		var p portico.Portal
		if err := rows.Scan(linkOf(&p)...); err != nil {
			return nil, err
		}
		portals = append(portals, p)
	}
	return portals, rows.Err()
}

// linkOf is where the columns of a link to a portal go.
func linkOf(p *portico.Portal) []any {
	return []any{&p.OrganizationID, &p.ID, &p.Name, &p.APIName, &p.CustomDomain, &p.DomainStatus, &p.State}
}
