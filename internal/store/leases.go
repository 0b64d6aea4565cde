package store

import (
	"database/sql"
	"errors"
	"time"

	"portico"
)

// ErrLeaseLost is returned when an operation on a portal finds that its lease
// went to another: what it was about to write was not written.
var ErrLeaseLost = errors.New("store: the lease on the portal was lost")

// ErrLeaseHeld is returned when another holds the lease on a portal.
var ErrLeaseHeld = errors.New("store: another holds the lease on the portal")

// TakeLease takes the lease on a portal if it is free, and returns the fencing
// number under which this holder writes. force takes it from a holder, whose
// writes are refused from then on.
func (tx *Tx) TakeLease(portalID string, life time.Duration, force bool) (int64, error) {
	var fence int64
	err := tx.q.QueryRow(`UPDATE portals SET fence = fence + 1, lease_until = $2
		WHERE id = $1 AND (lease_until <= $3 OR $4 = 1) RETURNING fence`,
		portalID, micros(tx.Now.Add(life)), micros(tx.Now), boolInt(force)).Scan(&fence)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrLeaseHeld
	}
	return fence, err
}

// RenewLease lengthens a lease that was neither taken by another nor given
// back. One that ran out and that nobody took is held again.
func (tx *Tx) RenewLease(portalID string, fence int64, life time.Duration) error {
	return tx.fenced(`UPDATE portals SET lease_until = $3 WHERE id = $1 AND fence = $2 AND lease_until > 0`,
		portalID, fence, micros(tx.Now.Add(life)))
}

// ReleaseLease gives a lease back, if it is still held.
func (tx *Tx) ReleaseLease(portalID string, fence int64) error {
	_, err := tx.q.Exec(`UPDATE portals SET lease_until = 0 WHERE id = $1 AND fence = $2`, portalID, fence)
	return err
}

// VoidLeases ends every lease. Only who bars all other processes may call it.
func (tx *Tx) VoidLeases() error {
	_, err := tx.q.Exec(`UPDATE portals SET lease_until = 0, fence = fence + 1 WHERE lease_until > 0`)
	return err
}

// SetPortalState moves a portal from one state to another under a lease, and
// gives the lease back when the portal is settled with that. Anything else than
// exactly that is ErrLeaseLost.
func (tx *Tx) SetPortalState(portalID string, fence int64, from, to portico.PortalState) error {
	return tx.fenced(`UPDATE portals SET state = $4, attempts = 0, last_error = '',
		lease_until = CASE WHEN $4 = 'aborting' THEN lease_until ELSE 0 END
		WHERE id = $1 AND fence = $2 AND state = $3`, portalID, fence, string(from), string(to))
}

// SetPortalGeneration points a portal at another generation of its database, on
// another cluster perhaps.
func (tx *Tx) SetPortalGeneration(portalID string, fence int64, from, to int, cluster string) error {
	return tx.fenced(`UPDATE portals SET generation = $4, cluster_id = $5 WHERE id = $1 AND fence = $2 AND generation = $3`,
		portalID, fence, from, to, cluster)
}

// RecordFailure counts a failed attempt of the operation under way and returns
// how many there were.
func (tx *Tx) RecordFailure(portalID string, fence int64, cause string) (int, error) {
	var attempts int
	err := tx.q.QueryRow(`UPDATE portals SET attempts = attempts + 1, last_error = $3
		WHERE id = $1 AND fence = $2 RETURNING attempts`, portalID, fence, cause).Scan(&attempts)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrLeaseLost
	}
	return attempts, err
}

// MarkUnavailable moves an active portal to unavailable and back, without a
// lease: it changes what is routed, not the database. It reports whether the
// portal was in the state from.
func (tx *Tx) MarkUnavailable(portalID string, generation int, unavailable bool, cause string) (bool, error) {
	from, to := portico.PortalActive, portico.PortalUnavailable
	if !unavailable {
		from, to = to, from
	}
	n, err := tx.q.Exec(`UPDATE portals SET state = $4, last_error = $5
		WHERE id = $1 AND generation = $2 AND state = $3`, portalID, generation, string(from), string(to), cause)
	return n == 1, err
}

// BeginDelete moves a portal that reads find to deleting, takes its lease from
// whoever holds it, and returns the row: the fencing number, and which database
// of which server it had at that moment.
func (tx *Tx) BeginDelete(portalID, actorID, requestID string, life time.Duration) (PortalRow, error) {
	n, err := tx.q.Exec(`UPDATE portals SET state = 'deleting', fence = fence + 1, lease_until = $2,
		attempts = 0, last_error = '', request_id = $3, version = version + 1, modified_at = $4, modified_by = $5
		WHERE id = $1 AND state IN ('active', 'unavailable')`,
		portalID, micros(tx.Now.Add(life)), requestID, micros(tx.Now), actorID)
	if err != nil {
		return PortalRow{}, err
	}
	if n != 1 {
		return PortalRow{}, notFound(sql.ErrNoRows)
	}
	return tx.PortalByID(portalID)
}

// DeletePortalRow removes a portal and its organization, and what is known of
// its database, the last step of a delete or an abort.
func (tx *Tx) DeletePortalRow(portalID string, fence int64) error {
	if err := tx.fenced(`DELETE FROM portals WHERE id = $1 AND fence = $2`, portalID, fence); err != nil {
		return err
	}
	for _, text := range []string{
		`DELETE FROM app_access WHERE portal_id = $1`,
		`DELETE FROM portal_schemas WHERE portal_id = $1`,
		`DELETE FROM organizations WHERE id = $1`,
	} {
		if _, err := tx.q.Exec(text, portalID); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) fenced(query string, args ...any) error {
	n, err := tx.q.Exec(query, args...)
	if err == nil && n != 1 {
		err = ErrLeaseLost
	}
	return err
}
