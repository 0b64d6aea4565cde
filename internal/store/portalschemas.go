package store

import (
	"time"

	"portico"
)

// PortalSchema is what is known of the schema versions of a portal's database.
type PortalSchema struct {
	PortalID   string
	Generation int
	Version    int       // of our tables; 0: not known
	AppVersion int       // steps of the app's schema
	Attempts   int       // that failed since the last success
	Error      string    // of the last one; empty: it came to its end
	UpdatedAt  time.Time // zero: never looked at
}

// FleetRow is a portal that is found, with its schema versions.
type FleetRow struct {
	PortalRow

	Schema PortalSchema // zero but for PortalID where nothing is known of the generation
}

// Behind reports whether the portal's database has an older schema, or is not
// known to have the newest.
func (r FleetRow) Behind(version, appVersion int) bool {
	return r.Schema.Error != "" || r.Schema.Version < version || r.Schema.AppVersion < appVersion
}

// Fleet returns up to limit portals of all organizations that are found, in
// order of id.
func (tx *Tx) Fleet(afterID string, limit int) ([]FleetRow, error) {
	portals, err := tx.portalRows(`SELECT `+portalColumns+` FROM portals p JOIN organizations o ON o.id = p.id
		WHERE p.id > $1 AND p.state IN ('active', 'unavailable') ORDER BY p.id LIMIT $2`, afterID, limit)
	if err != nil || len(portals) == 0 {
		return nil, err
	}
	known := make(map[string]PortalSchema, len(portals))
	err = scanAll(tx.q, `SELECT `+schemaColumns+` FROM portal_schemas WHERE portal_id > $1 AND portal_id <= $2`,
		[]any{afterID, portals[len(portals)-1].ID}, func(row scanner) error {
			s, err := scanSchema(row)
			known[s.PortalID] = s
			return err
		})
	rows := make([]FleetRow, len(portals))
	for i, p := range portals {
		rows[i] = FleetRow{p, PortalSchema{PortalID: p.ID}}
		if s := known[p.ID]; s.Generation == p.Generation {
			rows[i].Schema = s
		}
	}
	return rows, err
}

const schemaColumns = `portal_id, generation, version, app_version, attempts, error, updated_at`

func scanSchema(row scanner) (PortalSchema, error) {
	var s PortalSchema
	var updated int64
	err := row.Scan(&s.PortalID, &s.Generation, &s.Version, &s.AppVersion, &s.Attempts, &s.Error, &updated)
	s.UpdatedAt = fromMicros(updated)
	return s, err
}

// PutPortalSchema writes what was seen of a portal's schema versions. With an
// error the attempts are one more than before, without one none.
func (tx *Tx) PutPortalSchema(s PortalSchema) error {
	_, err := tx.q.Exec(`INSERT INTO portal_schemas (`+schemaColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (portal_id) DO UPDATE SET generation = excluded.generation, version = excluded.version,
		app_version = excluded.app_version, error = excluded.error, updated_at = excluded.updated_at,
		attempts = CASE WHEN excluded.attempts = 0 THEN 0 WHEN portal_schemas.generation <> excluded.generation THEN 1
			ELSE portal_schemas.attempts + 1 END`,
		s.PortalID, s.Generation, s.Version, s.AppVersion, boolInt(s.Error != ""), s.Error, micros(tx.Now))
	return err
}

// FailedSchemas returns the errors of the portals whose databases could not be
// brought to a newer schema, by portal. What is known of another generation is
// left out.
func (tx *Tx) FailedSchemas() (map[string]string, error) {
	failed := make(map[string]string)
	err := scanAll(tx.q, `SELECT s.portal_id, s.error FROM portal_schemas s JOIN portals p ON p.id = s.portal_id
		WHERE s.error <> '' AND s.generation = p.generation`, nil, func(row scanner) error {
		var id, text string
		err := row.Scan(&id, &text)
		failed[id] = text
		return err
	})
	return failed, err
}

// SettleFound gives back the lease on a portal that is found, and moves it from
// one state to another, or leaves it in it.
func (tx *Tx) SettleFound(portalID string, fence int64, from, to portico.PortalState, cause string) error {
	return tx.fenced(`UPDATE portals SET state = $4, last_error = $5, lease_until = 0
		WHERE id = $1 AND fence = $2 AND state = $3`, portalID, fence, string(from), string(to), cause)
}
