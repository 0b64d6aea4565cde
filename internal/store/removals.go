package store

import "time"

// RemovalLife is how long a removal that was not answered 200 is remembered.
const RemovalLife = 24 * time.Hour

// OpenRemoval remembers that a guest was removed by a call that is not answered
// yet.
func (tx *Tx) OpenRemoval(portalID, accountID string) error {
	_, err := tx.q.Exec(`INSERT INTO removals (portal_id, account_id, created_at) VALUES ($1, $2, $3)
		ON CONFLICT (portal_id, account_id) DO UPDATE SET created_at = excluded.created_at`,
		portalID, accountID, micros(tx.Now))
	return err
}

// RemovalOpen reports whether a guest was removed and nobody was told so: the
// call that did it was answered 503, or is not answered yet.
func (tx *Tx) RemovalOpen(portalID, accountID string) (bool, error) {
	return tx.exists(`SELECT COUNT(*) FROM removals WHERE portal_id = $1 AND account_id = $2 AND created_at > $3`,
		portalID, accountID, micros(tx.Now.Add(-RemovalLife)))
}

// CloseRemoval notes that somebody is told of a removal now: from here on there
// is no such guest.
func (tx *Tx) CloseRemoval(portalID, accountID string) error {
	_, err := tx.q.Exec(`DELETE FROM removals WHERE portal_id = $1 AND account_id = $2`, portalID, accountID)
	return err
}

// ForgetRemovals removes what is remembered longer than RemovalLife.
func (tx *Tx) ForgetRemovals() error {
	_, err := tx.q.Exec(`DELETE FROM removals WHERE created_at <= $1`, micros(tx.Now.Add(-RemovalLife)))
	return err
}
