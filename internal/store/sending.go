package store

import (
	"database/sql"
	"errors"
	"time"

	"portico"
)

// Queue names the mails that leave one after the other, in the order in which
// they were put into the outbox: those of one organization to one mail domain.
// What people wait for in front of a page is in queues of its own.
type Queue struct {
	OrganizationID, Host string
	Solicited            bool
}

// solicited is Template.Solicited of a mail (x), as 0 or 1.
const solicited = `CASE WHEN x.template IN ('code', 'reset') THEN 1 ELSE 0 END`

// due says which mails (x) of the outbox may leave at $1.
const due = `x.state = 'waiting' AND x.run_at <= $1 AND x.lease_until <= $1
	AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = x.held_by)`

// DueQueues returns the queues with a mail that may leave, in a fixed order.
func (tx *Tx) DueQueues() ([]Queue, error) {
	var queues []Queue
	err := scanAll(tx.q, `SELECT DISTINCT x.organization_id, x.host, `+solicited+` FROM outbox x WHERE `+due+`
		ORDER BY 1, 2, 3`, []any{micros(tx.Now)}, func(row scanner) error {
		var q Queue
		err := row.Scan(&q.OrganizationID, &q.Host, &q.Solicited)
		queues = append(queues, q)
		return err
	})
	return queues, err
}

// NextMail returns when the next mail that nothing holds may leave, or ok =
// false when there is none.
func (tx *Tx) NextMail() (at time.Time, ok bool, err error) {
	var next sql.NullInt64
	err = tx.q.QueryRow(`SELECT MIN(CASE WHEN x.lease_until > x.run_at THEN x.lease_until ELSE x.run_at END)
		FROM outbox x WHERE x.state = 'waiting'
		AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = x.held_by)`).Scan(&next)
	return fromMicros(next.Int64), next.Valid, err
}

// LeaseMail takes the first mail of a queue that may leave, or ok = false when
// none may. Until the lease ends nobody else takes it.
func (tx *Tx) LeaseMail(q Queue, life time.Duration) (page MailPage, ok bool, err error) {
	var id string
	err = tx.q.QueryRow(`UPDATE outbox SET lease_until = $2, fence = fence + 1, attempts = attempts + 1
		WHERE id = (SELECT x.id FROM outbox x WHERE x.organization_id = $3 AND x.host = $4 AND `+solicited+` = $5
			AND `+due+` ORDER BY x.id LIMIT 1)
		AND state = 'waiting' AND lease_until <= $1 RETURNING id`,
		micros(tx.Now), micros(tx.Now.Add(life)), q.OrganizationID, q.Host, boolInt(q.Solicited)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return MailPage{}, false, nil
	}
	if err != nil {
		return MailPage{}, false, err
	}
	page, err = tx.MailByID(id)
	return page, err == nil, err
}

// SettleMail says what became of a leased mail and gives the lease back: its
// state, why, and when a waiting one is tried again. It reports false, and
// writes nothing, when the lease went to another or the mail is gone.
func (tx *Tx) SettleMail(m Mail) (bool, error) {
	n, err := tx.q.Exec(`UPDATE outbox SET state = $3, detail = $4, run_at = $5, attempts = $6, lease_until = 0
		WHERE id = $1 AND fence = $2 AND state = 'waiting'`,
		m.ID, m.Fence, string(m.State), m.Detail, micros(m.RunAt), m.Attempts)
	return n == 1, err
}

// VoidMailLeases ends every lease on a mail. Only who bars all other processes
// may call it.
func (tx *Tx) VoidMailLeases() error {
	_, err := tx.q.Exec(`UPDATE outbox SET lease_until = 0 WHERE lease_until > 0`)
	return err
}

// SentLately returns when the address of a mail was sent others that count with
// it, within portico.MailWindow, oldest first.
func (tx *Tx) SentLately(m MailPage) ([]time.Time, error) {
	var at []time.Time
	err := scanAll(tx.q, `SELECT sent_at FROM sent_mails
		WHERE email_key = $1 AND solicited = $2 AND sent_at > $3 AND mail_id <> $4 ORDER BY sent_at`,
		[]any{m.ToKey, boolInt(m.Template.Solicited()), micros(tx.Now.Add(-portico.MailWindow)), m.ID},
		func(row scanner) error {
			var us int64
			err := row.Scan(&us)
			at = append(at, fromMicros(us))
			return err
		})
	return at, err
}

// CountMail counts a mail against the limits of its address, before it is sent,
// in the transaction that asked SentLately. One that is tried again counts once.
func (tx *Tx) CountMail(m MailPage) error {
	_, err := tx.q.Exec(`INSERT INTO sent_mails (mail_id, email_key, solicited, sent_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (mail_id) DO UPDATE SET sent_at = excluded.sent_at`,
		m.ID, m.ToKey, boolInt(m.Template.Solicited()), micros(tx.Now))
	return err
}

// ForgetMails deletes what nothing asks for any more: counts that are older
// than the window, and finished mails that no invitation shows and that do not
// say that another one was asked for.
func (tx *Tx) ForgetMails() error {
	_, err := tx.q.Exec(`DELETE FROM sent_mails WHERE sent_at <= $1`, micros(tx.Now.Add(-portico.MailWindow)))
	if err != nil {
		return err
	}
	_, err = tx.q.Exec(`DELETE FROM outbox WHERE state <> 'waiting' AND template NOT IN ('invited', 'linked', 'asked') AND created_at <= $1`,
		micros(tx.Now.Add(-portico.MailWindow)))
	return err
}
