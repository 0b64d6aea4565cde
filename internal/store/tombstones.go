package store

import (
	"database/sql"
	"time"
)

// TombstoneReason says why a database was given up.
type TombstoneReason string

// The reasons. Only a deleted one was ever an active portal's last database.
const (
	TombstoneDeleted  TombstoneReason = "deleted"
	TombstoneAborted  TombstoneReason = "aborted"
	TombstoneReplaced TombstoneReason = "replaced"
)

// Tombstone is the lasting record that a database was given up: the only thing
// in whose name one may be dropped.
type Tombstone struct {
	DatabaseName   string
	Cluster        string // that the database was on; see Place
	PortalID       string
	OrganizationID string
	Reason         TombstoneReason
	ActorID        string
	CreatedAt      time.Time
	GoneAt         *time.Time // nil while the database may still be there
	Evidence       string
}

// Place returns where the database was.
func (t Tombstone) Place() Place { return Place{Cluster: t.Cluster, Name: t.DatabaseName} }

// InsertTombstone writes a tombstone; one that is there already stays as it is.
func (tx *Tx) InsertTombstone(t Tombstone) error {
	_, err := tx.q.Exec(`INSERT INTO tombstones (database_name, portal_id, organization_id, reason, actor_id,
		created_at, gone_at, evidence, cluster_id) VALUES ($1, $2, $3, $4, $5, $6, NULL, '', $7) ON CONFLICT (database_name) DO NOTHING`,
		t.DatabaseName, t.PortalID, t.OrganizationID, string(t.Reason), t.ActorID, micros(tx.Now), t.Cluster)
	return err
}

// CloseTombstone notes that the database is gone, and how that was seen.
func (tx *Tx) CloseTombstone(databaseName, evidence string) error {
	_, err := tx.q.Exec(`UPDATE tombstones SET gone_at = $2, evidence = $3
		WHERE database_name = $1 AND gone_at IS NULL`, databaseName, micros(tx.Now), evidence)
	return err
}

const tombstoneColumns = `database_name, portal_id, organization_id, reason, actor_id, created_at, gone_at, evidence, cluster_id`

// Tombstone returns the tombstone of a database name.
func (tx *Tx) Tombstone(databaseName string) (Tombstone, error) {
	return scanTombstone(tx.q.QueryRow(`SELECT `+tombstoneColumns+`
		FROM tombstones WHERE database_name = $1`, databaseName))
}

// OpenTombstones returns the tombstones whose databases may still be there, of
// one portal, or of all when portalID is empty.
func (tx *Tx) OpenTombstones(portalID string) ([]Tombstone, error) {
	var all []Tombstone
	err := scanAll(tx.q, `SELECT `+tombstoneColumns+` FROM tombstones
		WHERE gone_at IS NULL AND ($1 = '' OR portal_id = $1) ORDER BY database_name`, []any{portalID},
		func(row scanner) error {
			t, err := scanTombstone(row)
			all = append(all, t)
			return err
		})
	return all, err
}

func scanTombstone(row scanner) (Tombstone, error) {
	var t Tombstone
	var created int64
	var gone sql.NullInt64
	err := row.Scan(&t.DatabaseName, &t.PortalID, &t.OrganizationID, &t.Reason, &t.ActorID, &created, &gone, &t.Evidence, &t.Cluster)
	if err != nil {
		return Tombstone{}, notFound(err)
	}
	t.CreatedAt = fromMicros(created)
	if gone.Valid {
		at := fromMicros(gone.Int64)
		t.GoneAt = &at
	}
	return t, nil
}

// RevokeTombstone removes a tombstone that was written ahead of a database,
// once a portal's row names that database.
func (tx *Tx) RevokeTombstone(databaseName string) error {
	_, err := tx.q.Exec(`DELETE FROM tombstones WHERE database_name = $1`, databaseName)
	return err
}
