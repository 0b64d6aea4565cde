package store

import (
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
// the zero Visit.
func (tx *Tx) Visit(host Host, sessionID, audiencePrefix string) (portico.Visit, error) {
	where, name := `p.api_name = $1`, host.Label
	if host.Domain != "" {
		where, name = `p.custom_domain = $1 AND p.domain_verified_at IS NOT NULL AND p.domain_status = 'active'`, host.Domain
	}
	return tx.visit(where, name, sessionID, audiencePrefix)
}

// VisitPortal is Visit for a portal's id, and nobody's session.
func (tx *Tx) VisitPortal(portalID string) (portico.Visit, error) {
	if !portico.ValidID(portalID, portico.PrefixPortal) {
		portalID = ""
	}
	return tx.visit(`p.id = $1`, portalID, "", "")
}

func (tx *Tx) visit(where, name, sessionID, audiencePrefix string) (portico.Visit, error) {
	if !portico.ValidID(sessionID, portico.PrefixSession) {
		sessionID = ""
	}
	var v portico.Visit
	var expires, created int64
	row, err := scanPortal(tx.q.QueryRow(`SELECT `+portalColumns+`, parent.name, parent.suspended,
		COALESCE(s.id, ''), COALESCE(s.expires_at, 0), COALESCE(a.id, ''), COALESCE(a.email, ''), COALESCE(a.email_key, ''),
		COALESCE(a.name, ''), COALESCE(a.proven, 0), COALESCE(a.created_at, 0), COALESCE(m.role, ''),
		COALESCE(m.first_name, ''), COALESCE(m.last_name, '')
		FROM portals p JOIN organizations o ON o.id = p.id JOIN organizations parent ON parent.id = o.parent_id
		LEFT JOIN sessions s ON s.id = $2 AND s.organization_id = p.id AND s.audience = $3 || p.id
		LEFT JOIN accounts a ON a.id = s.account_id
		LEFT JOIN memberships m ON m.organization_id = p.id AND m.account_id = s.account_id
		WHERE `+where, name, sessionID, audiencePrefix),
		&v.Organization, &v.Suspended, &v.SessionID, &expires, &v.Account.ID, &v.Account.Email, &v.Account.EmailKey,
		&v.Account.Name, &v.Account.Proven, &created, &v.Role, &v.FirstName, &v.LastName)
	if portico.KindOf(err) == portico.KindNotFound {
		return portico.Visit{}, nil
	}
	v.Portal, v.ExpiresAt, v.Account.CreatedAt = row.Portal, fromMicros(expires), fromMicros(created)
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
// codes that came of it.
func (tx *Tx) EndBrowser(sessionID string) error {
	if sessionID == "" { // of which most sessions come
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

// PortalsOf returns the portals that an account can enter now, in the order in
// which it became a guest.
func (tx *Tx) PortalsOf(accountID string) ([]portico.Portal, error) {
	rows, err := tx.portalRows(`SELECT `+portalColumns+`
		FROM memberships m JOIN portals p ON p.id = m.organization_id JOIN organizations o ON o.id = p.id
		JOIN organizations parent ON parent.id = o.parent_id
		WHERE m.account_id = $1 AND m.role = 'guest' AND p.state IN ('active', 'unavailable') AND parent.suspended = 0
		ORDER BY m.created_at, p.id`, accountID)
	portals := make([]portico.Portal, len(rows))
	for i, row := range rows {
		portals[i] = row.Portal
	}
	return portals, err
}
