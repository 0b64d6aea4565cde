package client

import (
	"context"
	"net/http"
)

// Database is how the platform's own app reaches the database of a portal
// (PortalDatabaseResponse). It is a secret: it holds a password.
type Database struct {
	Engine string  `json:"engine"` // postgres or sqlite
	URL    *string `json:"url"`    // of PostgreSQL
	Path   *string `json:"path"`   // of SQLite's file, on the service's machine
}

// Address returns the URL or the path, whichever there is.
func (d Database) Address() string {
	switch {
	case d.URL != nil:
		return *d.URL
	case d.Path != nil:
		return *d.Path
	}
	return ""
}

// PortalDatabase returns how the app reaches a portal's database. An app asks
// when it starts and whenever the address does not work any more: a portal that
// is moved or restored has another.
func (c *Client) PortalDatabase(ctx context.Context, id string) (*Database, error) {
	return call[Database](ctx, c, http.MethodGet, portalPath(id)+"/database", nil)
}

// RotatePortalDatabase gives the app another password. The earlier one is void
// when it returns, and the connections made with it are cut.
func (c *Client) RotatePortalDatabase(ctx context.Context, id string) (*Database, error) {
	return call[Database](ctx, c, http.MethodPost, portalPath(id)+"/database/rotate", nil)
}
