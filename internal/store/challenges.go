package store

import (
	"database/sql"
	"errors"
	"time"

	"portico"
)

// ChallengeKind says what a challenge proves a mailbox for.
type ChallengeKind string

// The kinds.
const (
	ChallengeSignIn ChallengeKind = "sign_in" // a mailed code signs in
	ChallengeAccept ChallengeKind = "accept"  // a mailed code accepts an invitation
	ChallengeReset  ChallengeKind = "reset"   // a mailed link sets another password
)

// Challenge is a proof of a mailbox under way. The code or link is a function
// of the id and the installation's secret and is stored nowhere.
type Challenge struct {
	ID           string
	Kind         ChallengeKind
	AccountID    string // empty: nobody has the address, and no mail goes out
	Browser      string // hash of what the browser that asked holds
	PortalID     string // where it was going; may be empty
	InvitationID string // of ChallengeAccept
	Generation   int
	Attempts     int
	CreatedAt    time.Time
	ExpiresAt    time.Time
}

const challengeColumns = `id, kind, account_id, browser, portal_id, invitation_id, generation, attempts, created_at, expires_at`

func scanChallenge(row scanner) (Challenge, error) {
	var c Challenge
	var created, expires int64
	err := row.Scan(&c.ID, &c.Kind, &c.AccountID, &c.Browser, &c.PortalID, &c.InvitationID, &c.Generation,
		&c.Attempts, &created, &expires)
	c.CreatedAt, c.ExpiresAt = fromMicros(created), fromMicros(expires)
	return c, notFound(err)
}

// InsertChallenge writes a challenge.
func (tx *Tx) InsertChallenge(c Challenge) error {
	_, err := tx.q.Exec(`INSERT INTO challenges (`+challengeColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9)`,
		c.ID, string(c.Kind), c.AccountID, c.Browser, c.PortalID, c.InvitationID, c.Generation,
		micros(tx.Now), micros(c.ExpiresAt))
	return err
}

func challengeID(id string) string {
	if portico.ValidID(id, portico.PrefixChallenge) {
		return id
	}
	return ""
}

// Challenge returns a challenge whose time is not over.
func (tx *Tx) Challenge(id string) (Challenge, error) {
	return scanChallenge(tx.q.QueryRow(`SELECT `+challengeColumns+` FROM challenges
		WHERE id = $1 AND expires_at > $2`, challengeID(id), micros(tx.Now)))
}

// TryChallenge counts an attempt at a challenge by the browser that asked for
// it. It reports false when there is none, its time is over, or it was tried
// as often as it may be: attempts at once are counted one by one.
func (tx *Tx) TryChallenge(id, browser string, most int) (c Challenge, ok bool, err error) {
	c, err = scanChallenge(tx.q.QueryRow(`UPDATE challenges SET attempts = attempts + 1
		WHERE id = $1 AND browser = $2 AND attempts < $3 AND expires_at > $4 RETURNING `+challengeColumns,
		challengeID(id), browser, most, micros(tx.Now)))
	if portico.KindOf(err) == portico.KindNotFound {
		return Challenge{}, false, nil
	}
	return c, err == nil, err
}

// TakeChallenge ends a challenge and reports whether this call did: of several
// that met it at once, one.
func (tx *Tx) TakeChallenge(id string) (bool, error) {
	n, err := tx.q.Exec(`DELETE FROM challenges WHERE id = $1`, id)
	return n == 1, err
}

// DeleteChallenges ends all of an account's challenges.
func (tx *Tx) DeleteChallenges(accountID string) error {
	_, err := tx.q.Exec(`DELETE FROM challenges WHERE account_id = $1`, accountID)
	return err
}

// DeleteExpiredChallenges removes challenges and entries whose time is over.
func (tx *Tx) DeleteExpiredChallenges() error {
	for _, query := range []string{
		`DELETE FROM challenges WHERE expires_at <= $1`,
		`DELETE FROM entries WHERE expires_at <= $1`,
	} {
		if _, err := tx.q.Exec(query, micros(tx.Now)); err != nil {
			return err
		}
	}
	return nil
}

// Entry is a code by which a portal's host gets a session: for one portal, one
// browser, one use.
type Entry struct {
	Hash      string
	PortalID  string
	SessionID string // at the sign-in host
	Browser   string // hash of what the browser holds at the portal's host
	ExpiresAt time.Time
}

// InsertEntry writes an entry.
func (tx *Tx) InsertEntry(e Entry) error {
	_, err := tx.q.Exec(`INSERT INTO entries (hash, portal_id, session_id, browser, expires_at) VALUES ($1, $2, $3, $4, $5)`,
		e.Hash, e.PortalID, e.SessionID, e.Browser, micros(e.ExpiresAt))
	return err
}

// TakeEntry uses up an entry of a portal and a browser and returns the session
// at the sign-in host that it stands for, or ok = false.
func (tx *Tx) TakeEntry(hash, portalID, browser string) (sessionID string, ok bool, err error) {
	err = tx.q.QueryRow(`DELETE FROM entries WHERE hash = $1 AND portal_id = $2 AND browser = $3 AND expires_at > $4
		RETURNING session_id`, hash, portalID, browser, micros(tx.Now)).Scan(&sessionID)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return sessionID, err == nil, err
}
