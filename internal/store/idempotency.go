package store

import (
	"database/sql"
	"errors"
	"time"
)

// IdempotencyLife is how long an answer is kept for a repeated write.
const IdempotencyLife = 24 * time.Hour

// Answer is what the registry keeps of a write that carried an
// Idempotency-Key: while the write is in flight without a snapshot, then with
// the snapshot of its result. The scope of a key is organization and account.
type Answer struct {
	OrganizationID string
	AccountID      string
	Key            string
	Fingerprint    string
	PortalID       string
	Snapshot       *string
}

// Answer returns what is kept for a key, or ok = false when nothing is, or
// nothing any more.
func (tx *Tx) Answer(organizationID, accountID, key string) (a Answer, ok bool, err error) {
	a = Answer{OrganizationID: organizationID, AccountID: accountID, Key: key}
	var created int64
	err = tx.q.QueryRow(`SELECT fingerprint, snapshot, portal_id, created_at FROM idempotency
		WHERE organization_id = $1 AND account_id = $2 AND name = $3`,
		organizationID, accountID, key).Scan(&a.Fingerprint, &a.Snapshot, &a.PortalID, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return Answer{}, false, nil
	}
	if err != nil || (a.Snapshot != nil && fromMicros(created).Add(IdempotencyLife).Before(tx.Now)) {
		return Answer{}, false, err
	}
	return a, true, nil
}

// ErrAnswerTaken is returned when another write with the same key got there
// first.
var ErrAnswerTaken = errors.New("store: another write with the same key is in flight")

// PutAnswer keeps an answer. One whose time has run out is replaced; any other
// under the same key is ErrAnswerTaken.
func (tx *Tx) PutAnswer(a Answer) error {
	n, err := tx.q.Exec(`INSERT INTO idempotency (organization_id, account_id, name, fingerprint, snapshot, portal_id,
		created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (organization_id, account_id, name) DO UPDATE SET fingerprint = excluded.fingerprint,
		snapshot = excluded.snapshot, portal_id = excluded.portal_id, created_at = excluded.created_at
		WHERE idempotency.snapshot IS NOT NULL AND idempotency.created_at < $8`,
		a.OrganizationID, a.AccountID, a.Key, a.Fingerprint, a.Snapshot, a.PortalID, micros(tx.Now),
		micros(tx.Now.Add(-IdempotencyLife)))
	if err == nil && n != 1 {
		err = ErrAnswerTaken
	}
	return err
}

// FinishAnswers gives the answers that are in flight for a portal their
// snapshot.
func (tx *Tx) FinishAnswers(portalID, snapshot string) error {
	_, err := tx.q.Exec(`UPDATE idempotency SET snapshot = $2 WHERE portal_id = $1 AND snapshot IS NULL`, portalID, snapshot)
	return err
}

// DropAnswers forgets the answers that are in flight for a portal, so that the
// same key may try again.
func (tx *Tx) DropAnswers(portalID string) error {
	_, err := tx.q.Exec(`DELETE FROM idempotency WHERE portal_id = $1 AND snapshot IS NULL`, portalID)
	return err
}

// ExpireAnswers removes the answers whose time has run out.
func (tx *Tx) ExpireAnswers() error {
	_, err := tx.q.Exec(`DELETE FROM idempotency WHERE created_at < $1 AND snapshot IS NOT NULL`,
		micros(tx.Now.Add(-IdempotencyLife)))
	return err
}
