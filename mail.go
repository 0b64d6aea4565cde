package portico

import "time"

// MailState is what became of a mail.
type MailState string

// The states of a mail. Whether a waiting one is delayed is read from its
// detail.
const (
	MailWaiting MailState = "waiting"
	MailSent    MailState = "sent"    // a mail server took it
	MailBounced MailState = "bounced" // a mail server refused it for good
	MailDropped MailState = "dropped" // it was not sent, and will not be
)

// The details of a mail that is delayed or was dropped by a rule of ours. A
// mail server's own words begin with its code, such as "550 5.1.1".
const (
	MailVoid      = "void"                   // what it was about is over
	MailExpired   = "expired"                // it would come too late
	MailBlocked   = "blocked"                // the address is barred
	MailLimited   = "address_limit"          // the address was sent enough today
	MailSuspended = "organization_suspended" // it waits until that ends
)

// The limits of mail to one address over the whole installation, in any
// MailWindow. What others cause and what the person asked for are counted
// apart, so that nobody's invitations keep a code from its owner.
const (
	MailWindow       = 24 * time.Hour
	MaxMails         = 3  // caused by others: invitations, and what follows from them
	MaxSolicitedMail = 10 // asked for by who receives them: codes, reset links
)

// suspendedWait is how long a mail of a suspended organization rests.
const suspendedWait = time.Hour

// Outgoing is what the registry knows of a mail that is about to be sent.
type Outgoing struct {
	Solicited bool        // the person asked for it
	Void      bool        // what it is about is over
	Blocked   bool        // mail to the address is barred
	Suspended bool        // its organization is
	ExpiresAt time.Time   // when it is of no use any more; zero: never
	Lately    []time.Time // when mails that count with it went to the address, oldest first
}

// DecideMail returns whether a mail leaves now: MailSent means that it may,
// MailWaiting that it rests until a time, MailDropped that it never will. The
// limits delay a mail; one that would then come too late is dropped.
func DecideMail(m Outgoing, now time.Time) (state MailState, until time.Time, detail string) {
	limit := MaxMails
	if m.Solicited {
		limit = MaxSolicitedMail
	}
	switch {
	case m.Void:
		return MailDropped, now, MailVoid
	case m.Blocked && !m.Solicited:
		return MailDropped, now, MailBlocked
	case !m.ExpiresAt.IsZero() && !now.Before(m.ExpiresAt):
		return MailDropped, now, MailExpired
	case m.Suspended:
		until, detail = now.Add(suspendedWait), MailSuspended
	case len(m.Lately) >= limit:
		until, detail = m.Lately[len(m.Lately)-limit].Add(MailWindow), MailLimited
	default:
		return MailSent, now, ""
	}
	if !m.ExpiresAt.IsZero() && !until.Before(m.ExpiresAt) {
		return MailDropped, now, detail
	}
	return MailWaiting, until, detail
}

// mailWaits are the waits after the first failed attempts; further ones wait as
// long as the last.
var mailWaits = [...]time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour,
}

// maxMailAttempts is how often a mail is tried: over two days.
const maxMailAttempts = 19

// NextMailAttempt returns how long a mail waits after its n-th attempt was put
// off by a mail server, and false when it was the last.
func NextMailAttempt(n int) (wait time.Duration, again bool) {
	return mailWaits[min(max(n, 1), len(mailWaits))-1], n < maxMailAttempts
}
