package store

import (
	"time"

	"portico"
)

// Template names a kind of mail.
type Template string

// The templates.
const (
	TemplateInvited Template = "invited" // accept an invitation
	TemplateLinked  Template = "linked"  // a proven account became a guest
)

// Mail is a mail in the outbox. It holds no address, link or token: those are
// read and made while it is sent or shown.
type Mail struct {
	ID             string
	Template       Template
	OrganizationID string
	PortalID       string
	AccountID      string
	InvitationID   string
	Generation     int
	InviterID      string
	HeldBy         string // the job that must end before the mail may leave
	State          string
	Attempts       int
	RunAt          time.Time
	CreatedAt      time.Time
}

// InsertMails puts mails into the outbox. One for the same invitation,
// generation and template is there at most once.
func (tx *Tx) InsertMails(mails []Mail) error {
	now := micros(tx.Now)
	return insertRows(tx.q, `INSERT INTO outbox (id, template, organization_id, portal_id, account_id, invitation_id,
		generation, inviter_id, held_by, state, attempts, run_at, created_at)`,
		`ON CONFLICT (invitation_id, generation, template) DO NOTHING`,
		13, mails, func(args []any, m Mail) []any {
			return append(args, tx.NewID(portico.PrefixMail), string(m.Template), m.OrganizationID, m.PortalID,
				m.AccountID, m.InvitationID, m.Generation, m.InviterID, m.HeldBy, "waiting", 0, now, now)
		})
}

// MailPage is a mail with what is shown of it.
type MailPage struct {
	Mail
	Held         bool // the job that holds it has not ended
	To           string
	PortalName   string
	PortalLabel  string
	Organization string
	InviterName  string
	InviterEmail string
	Message      string
	ExpiresAt    time.Time
}

// Mails returns the newest mails of the outbox, with what a rendering needs.
func (tx *Tx) Mails(limit int) ([]MailPage, error) {
	return tx.mailPages(`ORDER BY x.id DESC LIMIT $1`, limit)
}

// MailByID returns one mail of the outbox, with what a rendering needs.
func (tx *Tx) MailByID(id string) (MailPage, error) {
	pages, err := tx.mailPages(`WHERE x.id = $1`, id)
	if err != nil {
		return MailPage{}, err
	}
	if len(pages) == 0 {
		return MailPage{}, portico.Errorf(portico.KindNotFound, "Not found")
	}
	return pages[0], nil
}

func (tx *Tx) mailPages(where string, args ...any) ([]MailPage, error) {
	var pages []MailPage
	err := scanAll(tx.q, `SELECT x.id, x.template, x.organization_id, x.portal_id, x.account_id, x.invitation_id,
		x.generation, x.inviter_id, x.held_by, x.state, x.attempts, x.run_at, x.created_at,
		COALESCE(j.id, ''), a.email, o.name, p.api_name, parent.name, COALESCE(by.name, ''), COALESCE(by.email, ''),
		i.message, i.expires_at
		FROM outbox x
		JOIN accounts a ON a.id = x.account_id
		JOIN organizations o ON o.id = x.portal_id
		JOIN portals p ON p.id = x.portal_id
		JOIN organizations parent ON parent.id = x.organization_id
		JOIN invitations i ON i.id = x.invitation_id
		LEFT JOIN accounts by ON by.id = x.inviter_id
		LEFT JOIN jobs j ON j.id = x.held_by `+where, args, func(row scanner) error {
		var m MailPage
		var run, created, expires int64
		var job string
		err := row.Scan(&m.ID, &m.Template, &m.OrganizationID, &m.PortalID, &m.AccountID, &m.InvitationID,
			&m.Generation, &m.InviterID, &m.HeldBy, &m.State, &m.Attempts, &run, &created,
			&job, &m.To, &m.PortalName, &m.PortalLabel, &m.Organization, &m.InviterName, &m.InviterEmail,
			&m.Message, &expires)
		m.RunAt, m.CreatedAt, m.ExpiresAt, m.Held = fromMicros(run), fromMicros(created), fromMicros(expires), job != ""
		pages = append(pages, m)
		return err
	})
	return pages, err
}

// OutboxDepth returns how many mails wait, and since when the oldest does.
func (tx *Tx) OutboxDepth() (waiting int, oldest time.Time, err error) {
	var at int64
	err = tx.q.QueryRow(`SELECT COUNT(*), COALESCE(MIN(created_at), 0) FROM outbox WHERE state = 'waiting'`).Scan(&waiting, &at)
	if waiting > 0 {
		oldest = fromMicros(at)
	}
	return waiting, oldest, err
}
