package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Portal is a portal as the API answers it (PortalResponse).
type Portal struct {
	ID                 string    `json:"id"`
	Name               string    `json:"name"`
	APIName            string    `json:"api_name"` // the address label: fixed, never used again
	Description        *string   `json:"description"`
	OrganizationID     string    `json:"organization_id"` // the production organization
	URL                string    `json:"url"`             // where guests enter
	CustomDomain       *string   `json:"custom_domain"`
	CustomDomainStatus *string   `json:"custom_domain_status"` // pending_dns, issuing_certificate, active or error
	IsActive           bool      `json:"is_active"`            // serving now
	CreatedDate        time.Time `json:"created_date"`
	ModifiedDate       time.Time `json:"modified_date"`
	CreatedBy          string    `json:"created_by"`
	ModifiedBy         string    `json:"modified_by"`
}

// PortalCreate is a request to create a portal.
type PortalCreate struct {
	Name         string  `json:"name"`                    // 1 to 80 characters
	Description  *string `json:"description,omitempty"`   // at most 2,000
	CustomDomain *string `json:"custom_domain,omitempty"` // a public host name
}

// Change is a field of an update. The zero value leaves the field as it is.
type Change struct {
	set   bool
	value *string
}

// Set changes a field to a value.
func Set(value string) Change { return Change{true, &value} }

// Clear empties a field; a custom domain is detached.
func Clear() Change { return Change{set: true} }

// IsZero reports whether the field stays as it is; encoding/json asks.
func (c Change) IsZero() bool { return !c.set }

// MarshalJSON implements json.Marshaler.
func (c Change) MarshalJSON() ([]byte, error) { return json.Marshal(c.value) }

// PortalUpdate is a request to change a portal. What is empty stays.
type PortalUpdate struct {
	Name         string `json:"name,omitempty"`
	Description  Change `json:"description,omitzero"`
	CustomDomain Change `json:"custom_domain,omitzero"`
}

func portalPath(id string) string { return "/v1/portal/" + url.PathEscape(id) }

// CreatePortal creates a portal. Its database is there when it returns.
func (c *Client) CreatePortal(ctx context.Context, in PortalCreate) (*Portal, error) {
	return call[Portal](ctx, c, http.MethodPost, "/v1/portal", in)
}

// Portal returns one portal of the organization.
func (c *Client) Portal(ctx context.Context, id string) (*Portal, error) {
	return call[Portal](ctx, c, http.MethodGet, portalPath(id), nil)
}

// Portals yields the organization's portals, oldest first, whose name, address
// label or domain contains query; all of them when it is empty. It reads page
// by page.
func (c *Client) Portals(ctx context.Context, query string) iter.Seq2[Portal, error] {
	q := url.Values{}
	if query != "" {
		q.Set("q", query)
	}
	return list[Portal](ctx, c, "/v1/portal", q)
}

// UpdatePortal changes a portal and returns it as it is then.
func (c *Client) UpdatePortal(ctx context.Context, id string, in PortalUpdate) (*Portal, error) {
	return call[Portal](ctx, c, http.MethodPatch, portalPath(id), in)
}

// DeletePortal deletes a portal with its database and everybody's access. It
// returns when the database is gone.
func (c *Client) DeletePortal(ctx context.Context, id string) error {
	_, err := c.exchange(ctx, http.MethodDelete, portalPath(id), nil, nil)
	return err
}
