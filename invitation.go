package portico

import "time"

// InvitationState is what became of an invitation. Whether a pending one has
// expired is read from its time, never stored.
type InvitationState string

// The states of an invitation.
const (
	InvitationPending  InvitationState = "pending"
	InvitationAccepted InvitationState = "accepted"
	InvitationRevoked  InvitationState = "revoked"
	InvitationBounced  InvitationState = "bounced"
)

// The limits of invitations.
const (
	InvitationLife    = 7 * 24 * time.Hour  // default
	MaxInvitationLife = 30 * 24 * time.Hour // most that may be configured
	MaxRecipients     = 1000                // in one call
)

// Invitation is a pending membership of a portal, or of another organization. A
// resend or a new invitation of the same account makes a new generation, which
// voids the old token.
type Invitation struct {
	ID         string
	PortalID   string // the organization's id, which is a portal's unless Role is another than Guest
	Role       Role   // what the account becomes there
	AccountID  string
	Email      string // the account's, to which mail goes
	State      InvitationState
	Generation int
	FirstName  string
	LastName   string
	Message    string
	ExpiresAt  time.Time
	CreatedAt  time.Time
	CreatedBy  string
	ModifiedAt time.Time
	ModifiedBy string
}

// Live reports whether the invitation can still be accepted.
func (i Invitation) Live(now time.Time) bool {
	return i.State == InvitationPending && now.Before(i.ExpiresAt)
}

// Name returns the invited person's name, or the address when none was given.
func (i Invitation) Name() string { return nameOf(i.FirstName, i.LastName, i.Email) }

// InvitationStatus tells invitations apart in a list: the state, or expired.
type InvitationStatus string

// InvitationExpired is the status of a pending invitation that ran out.
const InvitationExpired InvitationStatus = "expired"

// ParseInvitationStatus returns the status that a filter names.
func ParseInvitationStatus(s string) (InvitationStatus, error) {
	switch InvitationState(s) {
	case InvitationPending, InvitationAccepted, InvitationRevoked, InvitationBounced:
		return InvitationStatus(s), nil
	}
	if InvitationStatus(s) == InvitationExpired {
		return InvitationExpired, nil
	}
	return "", FieldErrorf("status", "%q is no status", s)
}

// MemberStatusAt returns what a list of members says of an invitation that was
// not accepted.
func (i Invitation) MemberStatusAt(now time.Time) GuestStatus {
	switch {
	case i.State == InvitationBounced:
		return GuestBounced
	case i.Live(now):
		return GuestInvited
	}
	return GuestExpired
}

// StatusAt returns the status at a time.
func (i Invitation) StatusAt(now time.Time) InvitationStatus {
	if i.State == InvitationPending && !i.Live(now) {
		return InvitationExpired
	}
	return InvitationStatus(i.State)
}

// The details of an invitation that is not sent again.
const (
	DetailNotFound = "not_found"
	DetailAccepted = "accepted"
	DetailRevoked  = "revoked"
	DetailChanged  = "changed" // by somebody else, meanwhile
)

// DecideResend returns why an invitation is not sent again, or nothing: one that
// waits, ran out or bounced is. A revoked one takes a new invitation.
func DecideResend(i Invitation, blocked bool) (detail string) {
	switch {
	case i.State == InvitationAccepted:
		return DetailAccepted
	case i.State == InvitationRevoked:
		return DetailRevoked
	case blocked:
		return DetailBlocked
	}
	return ""
}

// Recipient is one person of a bulk invitation, as sent.
type Recipient struct {
	Email     string
	FirstName string
	LastName  string
}

// Invite is a request to invite recipients to a portal.
type Invite struct {
	Recipients []Recipient
	Message    string
	SendEmail  bool
	DryRun     bool
}

// Verdict is what an invitation did for one recipient.
type Verdict string

// The verdicts. All but VerdictFailed and VerdictDuplicate mean that the
// address has, or is invited to, access now.
const (
	VerdictInvited        Verdict = "invited"
	VerdictLinked         Verdict = "linked"
	VerdictAlreadyMember  Verdict = "already_member"
	VerdictAlreadyInvited Verdict = "already_invited"
	VerdictDuplicate      Verdict = "duplicate"
	VerdictFailed         Verdict = "failed"
)

// The details of a failed verdict.
const (
	DetailInvalidAddress = "invalid_address"
	DetailBlocked        = "blocked"
	DetailOverQuota      = "over_quota"
)

// InviteResult is the verdict on one recipient, in the order sent.
type InviteResult struct {
	Email   string // as stored, or as sent when failed
	UserID  string // empty when failed, and in a dry run for an address not known in the portal
	Verdict Verdict
	Detail  string
}

// GuestStatus tells guests, and members, apart in a list.
type GuestStatus string

// The statuses of a portal's user, or of an organization's member.
const (
	GuestInvited GuestStatus = "invited"
	GuestActive  GuestStatus = "active"
	GuestExpired GuestStatus = "expired"
	GuestBounced GuestStatus = "bounced"
)

// ParseGuestStatus returns the status that a filter names.
func ParseGuestStatus(s string) (GuestStatus, error) {
	switch g := GuestStatus(s); g {
	case GuestInvited, GuestActive, GuestExpired, GuestBounced:
		return g, nil
	}
	return "", FieldErrorf("status", "%q is no status", s)
}

// PortalUser is a person registered in a portal's own database.
type PortalUser struct {
	ID         string // the account's id
	Email      string
	FirstName  string
	LastName   string
	Status     GuestStatus
	ExpiresAt  time.Time // of the invitation; zero for a member
	CreatedAt  time.Time
	CreatedBy  string
	ModifiedAt time.Time
	ModifiedBy string
}

// StatusAt returns the status at a time: an invitation that was not accepted
// before it ran out is expired.
func (u PortalUser) StatusAt(now time.Time) GuestStatus {
	if u.Status == GuestInvited && !now.Before(u.ExpiresAt) {
		return GuestExpired
	}
	return u.Status
}

// Name returns the person's name, or the address when none was given.
func (u PortalUser) Name() string { return nameOf(u.FirstName, u.LastName, u.Email) }

func nameOf(first, last, email string) string {
	switch {
	case first != "" && last != "":
		return first + " " + last
	case first != "":
		return first
	case last != "":
		return last
	}
	return email
}
