package portico

import "time"

// OrganizationKind says what an organization is for.
type OrganizationKind string

// The kinds of organization. A sandbox is the child of a production
// organization; a portal too.
const (
	Production OrganizationKind = "production"
	Sandbox    OrganizationKind = "sandbox"
	PortalKind OrganizationKind = "portal"
)

// Organization is a tenant. A portal's organization id is its portal id.
type Organization struct {
	ID        string
	Kind      OrganizationKind
	ParentID  string // the production organization of a sandbox or portal, else empty
	Name      string
	Suspended bool
	CreatedAt time.Time
}
