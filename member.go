package portico

import "time"

// Role is what a membership allows in its organization.
type Role string

// The roles. Guest is the only role in a portal and exists nowhere else.
const (
	Owner  Role = "owner"
	Admin  Role = "admin"
	Member Role = "member"
	Guest  Role = "guest"
)

// Administers reports whether the role manages its organization.
func (r Role) Administers() bool { return r == Owner || r == Admin }

// MayChange decides whether a member with role r may give another member the
// role to in place of from; empty is no membership. Only an owner makes or
// unmakes an owner: an admin must not be able to lock the owners out.
func (r Role) MayChange(from, to Role) error {
	if r != Owner && (from == Owner || to == Owner) {
		return Errorf(KindForbidden, "Only an owner may make or unmake an owner.")
	}
	return nil
}

// MayInvite reports whether a member with role r may invite somebody as to.
func (r Role) MayInvite(to Role) bool { return r.Administers() && r.MayChange("", to) == nil }

// ParseRole returns the role for an organization that is not a portal.
func ParseRole(s string) (Role, error) {
	switch r := Role(s); r {
	case Owner, Admin, Member:
		return r, nil
	}
	return "", FieldErrorf("role", "%q is no role; use owner, admin or member", s)
}

// Membership ties an account to an organization.
type Membership struct {
	OrganizationID string
	AccountID      string
	Role           Role
	FirstName      string // as invited here; guests only
	LastName       string
	CreatedAt      time.Time
	CreatedBy      string
	ModifiedAt     time.Time
	ModifiedBy     string
}
