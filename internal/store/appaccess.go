package store

// AppSecret returns the sealed password of a portal's app.
func (tx *Tx) AppSecret(portalID string) (sealed string, err error) {
	err = tx.q.QueryRow(`SELECT sealed FROM app_access WHERE portal_id = $1`, portalID).Scan(&sealed)
	return sealed, notFound(err)
}

// SetAppSecret keeps another sealed password for a portal's app.
func (tx *Tx) SetAppSecret(portalID, sealed string) error {
	_, err := tx.q.Exec(`INSERT INTO app_access (portal_id, sealed, rotated_at) VALUES ($1, $2, $3)
		ON CONFLICT (portal_id) DO UPDATE SET sealed = excluded.sealed, rotated_at = excluded.rotated_at`,
		portalID, sealed, micros(tx.Now))
	return err
}
