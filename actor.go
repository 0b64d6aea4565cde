package portico

import "slices"

// Scope is one permission that a personal access token can be limited to.
type Scope string

// The scopes.
const (
	ScopePortalRead      Scope = "portal:read"
	ScopePortalWrite     Scope = "portal:write"
	ScopePortalUserRead  Scope = "portal_user:read"
	ScopePortalUserWrite Scope = "portal_user:write"
	ScopePortalDatabase  Scope = "portal:database"
)

// Scopes returns all scopes in the order of the documentation.
func Scopes() []Scope {
	return []Scope{ScopePortalRead, ScopePortalWrite, ScopePortalUserRead, ScopePortalUserWrite, ScopePortalDatabase}
}

// ParseScope returns the scope that s names.
func ParseScope(s string) (Scope, error) {
	if slices.Contains(Scopes(), Scope(s)) {
		return Scope(s), nil
	}
	return "", FieldErrorf("scopes", "%q is no scope; known are %v", s, Scopes())
}

// Principal is a caller whose credential was good, with what the registry says
// of it at this request: never what a token said when it was made.
type Principal struct {
	AccountID      string
	OrganizationID string
	Kind           OrganizationKind
	Suspended      bool // the organization, or a sandbox's or portal's parent
	Role           Role // empty when the account is no member any more

	SessionID string  // of an access token, else empty
	TokenID   string  // of a personal access token, else empty
	Scopes    []Scope // of a personal access token; nil means all

	RequestID string // of the request that it makes now, for the audit log
}

// Has reports whether the credential carries the scope.
func (p Principal) Has(s Scope) bool { return p.Scopes == nil || slices.Contains(p.Scopes, s) }

// MayAdministerPortals decides whether the principal may use an operation on
// the portals of its organization. Every front calls this one function. The
// texts are the published ones.
func (p Principal) MayAdministerPortals(need Scope) error {
	if p.Kind != Production || p.Suspended || !p.Role.Administers() {
		return Errorf(KindForbidden, "Only accessible by production organization administrators.")
	}
	if !p.Has(need) {
		return Errorf(KindForbidden, "Missing scope: %s", need)
	}
	return nil
}

// MayManageOrganization decides whether the principal may see and change who
// is a member of its organization, and read its audit log: its owners and
// admins, unless the organization is a portal, whose guests are managed from
// the organization above it. A personal token limited to scopes may not: none
// of them is about members.
func (p Principal) MayManageOrganization() error {
	if p.Kind == PortalKind || p.Suspended || !p.Role.Administers() {
		return Errorf(KindForbidden, "Only accessible by the organization's owners and admins.")
	}
	if p.Scopes != nil {
		return Errorf(KindForbidden, "This token is limited to scopes, and none of them is about the organization itself.")
	}
	return nil
}

// MayManageTokens decides whether the principal may list, make or revoke
// personal access tokens, or switch organizations: a personal token can do
// neither.
func (p Principal) MayManageTokens() error {
	if p.TokenID != "" {
		return Errorf(KindForbidden, "A personal access token cannot manage tokens or switch organizations. Sign in instead.")
	}
	return nil
}
