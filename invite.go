package portico

import "time"

// Known is what the registry knows of one recipient of an invitation.
type Known struct {
	Blocked    bool        // mail to the address is barred
	Account    *Account    // nil: nobody has the address
	Member     bool        // of the portal
	Invitation *Invitation // to the portal; nil: none
}

// DecideInvite returns what inviting a recipient does. Only a proven account
// is linked at once; an invitation counts only while it is live.
func DecideInvite(k Known, now time.Time) (Verdict, string) {
	switch {
	case k.Member:
		return VerdictAlreadyMember, ""
	case k.Invitation != nil && k.Invitation.Live(now):
		return VerdictAlreadyInvited, ""
	case k.Blocked:
		return VerdictFailed, DetailBlocked
	case k.Account != nil && k.Account.Proven:
		return VerdictLinked, ""
	}
	return VerdictInvited, ""
}
