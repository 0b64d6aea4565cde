package store

import "portico"

// KnowsPlace reports whether the account of a place came in from there lately.
func (tx *Tx) KnowsPlace(place string) (bool, error) {
	return tx.exists(`SELECT COUNT(*) FROM places WHERE place = $1 AND seen_at > $2`, place, micros(tx.Now.Add(-portico.PlaceLife)))
}

// NotePlace notes that an account came in from a place. Of an account's places
// the latest portico.MaxPlaces stay; coming from one again is written once a day.
func (tx *Tx) NotePlace(accountID, place string) error {
	n, err := tx.q.Exec(`INSERT INTO places (place, account_id, seen_at) VALUES ($1, $2, $3)
		ON CONFLICT (place) DO UPDATE SET seen_at = excluded.seen_at WHERE places.seen_at <= $4`,
		place, accountID, micros(tx.Now), micros(tx.Now.Add(-portico.PlaceResolution)))
	if err != nil || n == 0 {
		return err
	}
	_, err = tx.q.Exec(`DELETE FROM places WHERE account_id = $1 AND place NOT IN
		(SELECT place FROM places WHERE account_id = $1 ORDER BY seen_at DESC, place LIMIT $2)`, accountID, portico.MaxPlaces)
	return err
}

// DeletePlaces deletes all places of an account.
func (tx *Tx) DeletePlaces(accountID string) error {
	_, err := tx.q.Exec(`DELETE FROM places WHERE account_id = $1`, accountID)
	return err
}

// ForgetPlaces deletes the places that nobody came from for portico.PlaceLife.
func (tx *Tx) ForgetPlaces() error {
	_, err := tx.q.Exec(`DELETE FROM places WHERE seen_at <= $1`, micros(tx.Now.Add(-portico.PlaceLife)))
	return err
}
