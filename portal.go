package portico

import (
	"fmt"
	"time"
)

// PortalState is where a portal is in its life (docs/storage.md).
type PortalState string

// The states. A portal's row and tombstone outlive its database, never the
// other way round.
const (
	PortalCreating    PortalState = "creating"
	PortalActive      PortalState = "active"
	PortalUnavailable PortalState = "unavailable" // its database is missing, damaged or another's
	PortalDeleting    PortalState = "deleting"
	PortalAborting    PortalState = "aborting" // creation failed three times
)

// DomainStatus is how far a custom domain has come; empty without one.
type DomainStatus string

// The states of a custom domain.
const (
	DomainPendingDNS DomainStatus = "pending_dns"
	DomainIssuing    DomainStatus = "issuing_certificate"
	DomainActive     DomainStatus = "active"
	DomainFailed     DomainStatus = "error"
)

// DomainQuarantine is how long a verified domain that was given up is kept
// from other organizations.
const DomainQuarantine = 30 * 24 * time.Hour

// MaxCreateAttempts is the number of failures after which a creation is given
// up.
const MaxCreateAttempts = 3

// Portal is a child tenant of one production organization, with a database and
// an address of its own.
type Portal struct {
	ID             string
	OrganizationID string // the parent
	Name           string
	APIName        string // the address label: fixed, and never used again
	Description    *string
	CustomDomain   *string
	DomainStatus   DomainStatus
	State          PortalState
	Generation     int // of its database; grows when a database replaces another
	CreatedAt      time.Time
	CreatedBy      string
	ModifiedAt     time.Time
	ModifiedBy     string
}

// Found reports whether reads of the portal find it: active and unavailable
// portals are found, all others are the same 404 as one that never was.
func (p Portal) Found() bool { return p.State == PortalActive || p.State == PortalUnavailable }

// Serving reports whether the portal's database may be used.
func (p Portal) Serving() bool { return p.State == PortalActive }

// DatabaseName returns the name of the portal's database of a generation:
// p_<26 characters of the id>_g<generation>. It is never made from input and
// never used again.
func DatabaseName(portalID string, generation int) string {
	return fmt.Sprintf("p_%s_g%d", portalID[len(PrefixPortal):], generation)
}

// ParseDatabaseName splits a name that DatabaseName made.
func ParseDatabaseName(name string) (portalID string, generation int, ok bool) {
	var raw string
	if len(name) < len("p_")+idLength+len("_g1") || name[:2] != "p_" {
		return "", 0, false
	}
	raw = name[2 : 2+idLength]
	if !ValidID(PrefixPortal+raw, PrefixPortal) {
		return "", 0, false
	}
	if _, err := fmt.Sscanf(name[2+idLength:], "_g%d", &generation); err != nil || generation < 1 {
		return "", 0, false
	}
	portalID = PrefixPortal + raw
	return portalID, generation, DatabaseName(portalID, generation) == name
}

// PortalCreate is a request to create a portal.
type PortalCreate struct {
	Name         string
	Description  *string
	CustomDomain *string
}

// Change is one field of an update: absent (Set false), cleared (Set, nil
// Value), or a new value.
type Change struct {
	Set   bool
	Value *string
}

// PortalUpdate is a request to update a portal. A nil Name is unchanged.
type PortalUpdate struct {
	Name         *string
	Description  Change
	CustomDomain Change
}

// Empty reports whether the update asks for nothing.
func (u PortalUpdate) Empty() bool {
	return u.Name == nil && !u.Description.Set && !u.CustomDomain.Set
}
