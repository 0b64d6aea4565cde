package portico

import "time"

// Holding is what the registry knows when somebody shows the authentic token
// of an invitation: of a generation of it, for a portal or another organization.
type Holding struct {
	Portal    Admission // what the portal, or the organization, says to everybody
	Elsewhere bool      // the token is for another portal than the one asked
	Inviter   Role      // now, in an organization that is no portal, of who sent the generation

	Invitation *Invitation // nil: removed, with the guest or by hand
	Generation int         // of the token
	Account    Account     // whom it is for

	SignedIn string // the account that the browser is signed in as; empty: none
}

// AcceptStep is what comes next for who shows an invitation's token. Only
// StepProve, StepSignIn and StepJoin lead into the portal, and none of them
// without a proof: a password set or a mailed code, a sign-in, a session.
type AcceptStep string

// The steps.
const (
	StepUnknown  AcceptStep = "unknown"  // there is no such portal
	StepWrong    AcceptStep = "wrong"    // the token is for another portal
	StepClosed   AcceptStep = "closed"   // the portal takes nobody in now
	StepRemoved  AcceptStep = "removed"  // there is no such invitation any more
	StepRevoked  AcceptStep = "revoked"  // it was taken back
	StepReplaced AcceptStep = "replaced" // a newer mail holds
	StepExpired  AcceptStep = "expired"  // its time is over, or its mail came back
	StepOther    AcceptStep = "other"    // the browser is signed in as somebody else
	StepDone     AcceptStep = "done"     // it was accepted before: the token opens nothing
	StepProve    AcceptStep = "prove"    // nobody proved the address yet
	StepSignIn   AcceptStep = "sign_in"  // the account is proven: it signs in
	StepJoin     AcceptStep = "join"     // signed in as the one invited
)

// DecideAccept returns what comes next. An invitation that was accepted is
// worth nothing more: its token leads to the sign-in as everybody's does. A
// browser that is signed in as somebody else is told so before anything else,
// so that no account is ever joined with another's invitation silently. An
// invitation that gives a role holds as long as its inviter may still give it:
// who was demoted or removed leaves no way back in behind.
func DecideAccept(h Holding, now time.Time) AcceptStep {
	i := h.Invitation
	switch {
	case h.Portal == AdmitNobody:
		return StepUnknown
	case h.Elsewhere:
		return StepWrong
	case h.Portal == AdmitClosed || h.Portal == AdmitLater:
		return StepClosed
	case i == nil:
		return StepRemoved
	case i.State == InvitationRevoked:
		return StepRevoked
	case i.Generation != h.Generation:
		return StepReplaced
	case i.State == InvitationAccepted:
		return StepDone
	case !i.Live(now):
		return StepExpired
	case i.Role != Guest && !h.Inviter.MayInvite(i.Role):
		return StepRevoked
	case h.SignedIn != "" && h.SignedIn != h.Account.ID:
		return StepOther
	case !h.Account.Proven:
		return StepProve
	case h.SignedIn == "":
		return StepSignIn
	}
	return StepJoin
}

// Open reports whether the step leads into the portal once its proof is given.
func (s AcceptStep) Open() bool {
	return s == StepProve || s == StepSignIn || s == StepJoin || s == StepOther
}

// Renewable reports whether who holds the token may ask the inviter for
// another invitation.
func (s AcceptStep) Renewable() bool { return s == StepExpired }
