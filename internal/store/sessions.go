package store

import (
	"time"

	"portico"
)

// Session is a signed-in account: one family of refresh tokens, of which the
// newest has number Rotation. No token is stored.
type Session struct {
	ID             string
	AccountID      string
	OrganizationID string
	Audience       string
	ParentID       string // of a portal's: the one at the sign-in host that it came of
	Rotation       int64
	RotatedAt      time.Time
	CreatedAt      time.Time
	ExpiresAt      time.Time
}

// Holder is who a session or token belongs to, as the registry has it now.
type Holder struct {
	portico.Principal

	Proven bool // the account is
}

// holderColumns and holderJoins load a Holder beside a table c that has an
// account and an organization. A holder that is no member has no role.
const (
	holderColumns = `o.kind, o.suspended + COALESCE(p.suspended, 0), COALESCE(m.role, ''), a.proven`
	holderJoins   = `JOIN accounts a ON a.id = c.account_id
		JOIN organizations o ON o.id = c.organization_id
		LEFT JOIN organizations p ON p.id = o.parent_id
		LEFT JOIN memberships m ON m.organization_id = c.organization_id AND m.account_id = c.account_id`
)

// InsertSession writes a new session.
func (tx *Tx) InsertSession(s Session) error {
	_, err := tx.q.Exec(`INSERT INTO sessions (id, account_id, organization_id, audience, rotation,
		rotated_at, created_at, expires_at, parent_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		s.ID, s.AccountID, s.OrganizationID, s.Audience, s.Rotation,
		micros(s.RotatedAt), micros(s.CreatedAt), micros(s.ExpiresAt), s.ParentID)
	return err
}

// Session returns a session with its holder, in one query.
func (tx *Tx) Session(id string) (Session, Holder, error) {
	if !portico.ValidID(id, portico.PrefixSession) {
		id = ""
	}
	var s Session
	var h Holder
	var rotated, created, expires, suspended int64
	err := tx.q.QueryRow(`SELECT c.id, c.account_id, c.organization_id, c.audience, c.rotation,
		c.rotated_at, c.created_at, c.expires_at, `+holderColumns+`
		FROM sessions c `+holderJoins+` WHERE c.id = $1`, id).
		Scan(&s.ID, &s.AccountID, &s.OrganizationID, &s.Audience, &s.Rotation,
			&rotated, &created, &expires, &h.Kind, &suspended, &h.Role, &h.Proven)
	if err != nil {
		return Session{}, Holder{}, notFound(err)
	}
	s.RotatedAt, s.CreatedAt, s.ExpiresAt = fromMicros(rotated), fromMicros(created), fromMicros(expires)
	h.AccountID, h.OrganizationID, h.SessionID, h.Suspended = s.AccountID, s.OrganizationID, s.ID, suspended > 0
	return s, h, nil
}

// RotateSession moves a session on from a rotation and lets it last until
// expires. It reports false, and changes nothing, when the session is not at
// that rotation any more.
func (tx *Tx) RotateSession(id string, from int64, expires time.Time) (bool, error) {
	n, err := tx.q.Exec(`UPDATE sessions SET rotation = rotation + 1, rotated_at = $3, expires_at = $4
		WHERE id = $1 AND rotation = $2`, id, from, micros(tx.Now), micros(expires))
	return n == 1, err
}

// DeleteSession ends a session and reports whether there was one.
func (tx *Tx) DeleteSession(id string) (bool, error) {
	n, err := tx.q.Exec(`DELETE FROM sessions WHERE id = $1`, id)
	return n == 1, err
}

// DeleteSessions ends all sessions of an account but one; keep may be empty.
func (tx *Tx) DeleteSessions(accountID, keep string) error {
	_, err := tx.q.Exec(`DELETE FROM sessions WHERE account_id = $1 AND id <> $2`, accountID, keep)
	return err
}

// DeleteExpiredSessions removes the sessions that ran out, and returns how many.
func (tx *Tx) DeleteExpiredSessions() (int64, error) {
	return tx.q.Exec(`DELETE FROM sessions WHERE expires_at <= $1`, micros(tx.Now))
}
