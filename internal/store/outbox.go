package store

import (
	"strings"
	"time"

	"portico"
)

// Template names a kind of mail.
type Template string

// The templates. What each is about is in Mail's fields; who puts one into the
// outbox calls InsertMails, in the transaction of its cause.
const (
	// TemplateInvited lets an address accept an invitation: to a portal, or
	// without PortalID to be a member of the organization.
	TemplateInvited Template = "invited"
	// TemplateLinked tells a proven account that it became a guest.
	TemplateLinked Template = "linked"
	// TemplateAsked tells an inviter that the invitation's guest asks for a new
	// one. AccountID is the inviter's. There is one for each generation.
	TemplateAsked Template = "asked"
	// TemplateCode brings a six-digit code: auth.MailedCode of ChallengeID and
	// Generation. PortalID may be empty, for the sign-in host.
	TemplateCode Template = "code"
	// TemplateReset brings a link that lets an account set another password:
	// auth.ResetToken of ChallengeID and Generation. PortalID may be empty.
	TemplateReset Template = "reset"
)

// Templates returns all templates.
func Templates() []Template {
	return []Template{TemplateInvited, TemplateLinked, TemplateAsked, TemplateCode, TemplateReset}
}

// Solicited reports whether who receives the mail asked for it.
func (t Template) Solicited() bool { return t == TemplateCode || t == TemplateReset }

// Mail is a mail in the outbox. It holds no address, link, token or code: those
// are read and made while it is sent or shown.
type Mail struct {
	ID             string
	Template       Template
	OrganizationID string // the production organization; empty for mail of the sign-in host
	PortalID       string
	AccountID      string // who receives it
	InvitationID   string
	Generation     int    // of the invitation, or the count of the challenge's code
	ChallengeID    string // what a code or a reset link is made of
	InviterID      string
	Host           string    // the recipient's mail domain, of MailHost
	ExpiresAt      time.Time // when it is of no use any more; zero: never, or when the invitation expires
	HeldBy         string    // the job that must end before the mail may leave
	State          portico.MailState
	Detail         string // why it is in its state
	Attempts       int
	Fence          int64
	RunAt          time.Time
	CreatedAt      time.Time
}

// MailHost returns the mail domain of a canonical address.
func MailHost(emailKey string) string {
	_, host, _ := strings.Cut(emailKey, "@")
	return host
}

// InsertMails puts mails into the outbox; ids, states and times are its own.
// One for the same invitation, generation, template and challenge is there at
// most once.
func (tx *Tx) InsertMails(mails []Mail) error {
	now := micros(tx.Now)
	return insertRows(tx.q, `INSERT INTO outbox (id, template, organization_id, portal_id, account_id, invitation_id,
		generation, inviter_id, held_by, state, attempts, run_at, created_at, host, challenge_id, expires_at)`,
		`ON CONFLICT (invitation_id, generation, template, challenge_id) DO NOTHING`,
		16, mails, func(args []any, m Mail) []any {
			expires := int64(0)
			if !m.ExpiresAt.IsZero() {
				expires = micros(m.ExpiresAt)
			}
			return append(args, tx.NewID(portico.PrefixMail), string(m.Template), m.OrganizationID, m.PortalID,
				m.AccountID, m.InvitationID, m.Generation, m.InviterID, m.HeldBy, string(portico.MailWaiting), 0, now, now,
				m.Host, m.ChallengeID, expires)
		})
}

// AskedAgain reports whether the outbox has a mail that asks for another
// invitation in place of this generation of one.
func (tx *Tx) AskedAgain(invitationID string, generation int) (bool, error) {
	return tx.exists(`SELECT COUNT(*) FROM outbox WHERE invitation_id = $1 AND generation = $2 AND template = 'asked'`,
		invitationID, generation)
}

// MailPage is a mail with what is shown of it.
type MailPage struct {
	Mail

	Held         bool // the job that holds it has not ended
	Suspended    bool // its organization is
	Blocked      bool // mail to the address is barred
	To           string
	ToKey        string
	PortalName   string         // empty for mail of the sign-in host
	Portal       portico.Portal // what its address is made of only
	Organization string
	InviterName  string
	InviterEmail string
	Guest        string // the invitation's address; empty without one
	Message      string
	Invitation   portico.Invitation // role, state, generation and expiry only; zero without one
}

// Void reports whether what the mail is about is over.
func (m MailPage) Void() bool {
	var states []portico.InvitationState
	switch m.Template {
	case TemplateInvited:
		states = []portico.InvitationState{portico.InvitationPending}
	case TemplateLinked:
		states = []portico.InvitationState{portico.InvitationAccepted}
	case TemplateAsked:
		states = []portico.InvitationState{portico.InvitationPending, portico.InvitationBounced}
	case TemplateCode, TemplateReset:
		return false
	}
	for _, state := range states {
		if m.Invitation.State == state && m.Invitation.Generation == m.Generation {
			return false
		}
	}
	return true
}

// Expires returns when the mail is of no use any more; zero: never.
func (m MailPage) Expires() time.Time {
	if m.Template == TemplateInvited {
		return m.Invitation.ExpiresAt
	}
	return m.ExpiresAt
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
		x.generation, x.challenge_id, x.inviter_id, x.host, x.expires_at, x.held_by, x.state, x.detail, x.attempts,
		x.fence, x.run_at, x.created_at,
		COALESCE(j.id, ''), COALESCE(parent.suspended, 0), COALESCE(b.email_key, ''), a.email, a.email_key,
		COALESCE(o.name, ''), COALESCE(p.api_name, ''), p.custom_domain, COALESCE(p.domain_status, ''), COALESCE(parent.name, ''),
		COALESCE(inviter.name, ''), COALESCE(inviter.email, ''), COALESCE(guest.email, ''),
		COALESCE(i.message, ''), COALESCE(i.state, ''), COALESCE(i.generation, 0), COALESCE(i.expires_at, 0), COALESCE(i.role, '')
		FROM outbox x
		JOIN accounts a ON a.id = x.account_id
		LEFT JOIN organizations o ON o.id = x.portal_id
		LEFT JOIN portals p ON p.id = x.portal_id
		LEFT JOIN organizations parent ON parent.id = x.organization_id
		LEFT JOIN invitations i ON i.id = x.invitation_id
		LEFT JOIN accounts guest ON guest.id = i.account_id
		LEFT JOIN accounts inviter ON inviter.id = x.inviter_id
		LEFT JOIN blocked_addresses b ON b.email_key = a.email_key
		LEFT JOIN jobs j ON j.id = x.held_by `+where, args, func(row scanner) error {
		var m MailPage
		var run, created, expires, ends, suspended int64
		var job, blocked string
		err := row.Scan(&m.ID, &m.Template, &m.OrganizationID, &m.PortalID, &m.AccountID, &m.InvitationID,
			&m.Generation, &m.ChallengeID, &m.InviterID, &m.Host, &expires, &m.HeldBy, &m.State, &m.Detail, &m.Attempts,
			&m.Fence, &run, &created,
			&job, &suspended, &blocked, &m.To, &m.ToKey,
			&m.PortalName, &m.Portal.APIName, &m.Portal.CustomDomain, &m.Portal.DomainStatus, &m.Organization,
			&m.InviterName, &m.InviterEmail, &m.Guest,
			&m.Message, &m.Invitation.State, &m.Invitation.Generation, &ends, &m.Invitation.Role)
		m.RunAt, m.CreatedAt = fromMicros(run), fromMicros(created)
		if expires != 0 {
			m.ExpiresAt = fromMicros(expires)
		}
		if ends != 0 {
			m.Invitation.ExpiresAt = fromMicros(ends)
		}
		m.Held, m.Suspended, m.Blocked = job != "", suspended != 0, blocked != ""
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
