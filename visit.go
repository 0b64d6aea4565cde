package portico

import "time"

// Visit is what the registry says of one request to a portal's host: read at
// that request, so that whatever ended before it has ended.
type Visit struct {
	Portal       Portal // zero when the host is nobody's
	Organization string // the parent's name
	Suspended    bool   // the parent is

	SessionID string // of this portal and this browser; empty: none
	ExpiresAt time.Time
	Account   Account
	Role      Role // in the portal; empty: no member
	FirstName string
	LastName  string
}

// Admission is what a request to a portal's host meets.
type Admission string

// The admissions, in the order in which they are judged.
const (
	AdmitNobody   Admission = "nobody"   // there is no such portal
	AdmitClosed   Admission = "closed"   // its organization is suspended
	AdmitLater    Admission = "later"    // its database is not available
	AdmitStranger Admission = "stranger" // nobody known: sign in
	AdmitGuest    Admission = "guest"
)

// Admit decides on a visit. A session counts only while its account is proven
// and a guest of this portal.
func (v Visit) Admit(now time.Time) Admission {
	switch {
	case !v.Portal.Found():
		return AdmitNobody
	case v.Suspended:
		return AdmitClosed
	case !v.Portal.Serving():
		return AdmitLater
	case v.SessionID == "" || !now.Before(v.ExpiresAt) || !v.Account.Proven || v.Role != Guest:
		return AdmitStranger
	}
	return AdmitGuest
}

// Name returns what the guest is called: by the name that they chose, else as
// invited here, else by the address.
func (v Visit) Name() string {
	if v.Account.Name != "" {
		return v.Account.Name
	}
	return PortalUser{Email: v.Account.Email, FirstName: v.FirstName, LastName: v.LastName}.Name()
}
