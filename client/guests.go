package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// MaxRecipients is how many people one call may invite.
const MaxRecipients = 1000

// Recipient is somebody to be invited.
type Recipient struct {
	Email     string `json:"email"`
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
}

// Invite is a request to invite people to a portal (PortalUserInviteRequest).
type Invite struct {
	Users     []Recipient `json:"users"`                // 1 to MaxRecipients
	Message   *string     `json:"message,omitempty"`    // goes with the mail, at most 1,000 characters
	SendEmail *bool       `json:"send_email,omitempty"` // nil: yes
	DryRun    bool        `json:"dry_run,omitempty"`    // say what would happen and change nothing
}

// The verdicts on one recipient.
const (
	Invited        = "invited"
	Linked         = "linked" // has an account: a member at once
	AlreadyMember  = "already_member"
	AlreadyInvited = "already_invited" // no second mail
	Duplicate      = "duplicate"       // earlier in this request
	Failed         = "failed"          // Detail says why
)

// InviteResult is what became of one recipient.
type InviteResult struct {
	Email  string  `json:"email"` // as stored, or as sent when failed
	UserID *string `json:"user_id"`
	Status string  `json:"status"`
	Detail *string `json:"detail"` // of Failed: invalid_address, blocked or over_quota
}

// InviteResponse is the answer to an invitation (PortalUserInviteResponse).
type InviteResponse struct {
	AddedUsers []string       `json:"added_users"` // addresses that have, or are invited to, access now
	Users      []InviteResult `json:"users"`       // one for each recipient, in the order sent
}

// Guest is somebody registered in a portal (PortalUserResponse).
type Guest struct {
	ID             string    `json:"id"`
	Name           string    `json:"name"`
	Email          string    `json:"email"`
	FirstName      string    `json:"first_name"`
	LastName       string    `json:"last_name"`
	Status         string    `json:"status"`    // invited, active, expired or bounced
	IsActive       bool      `json:"is_active"` // may enter now
	IsPortalUser   bool      `json:"is_portal_user"`
	PortalID       string    `json:"portal_id"`
	OrganizationID string    `json:"organization_id"`
	CreatedDate    time.Time `json:"created_date"`
	ModifiedDate   time.Time `json:"modified_date"`
	CreatedBy      string    `json:"created_by"`
	ModifiedBy     string    `json:"modified_by"`
}

// Filter narrows a list of guests. What is empty is not asked for.
type Filter struct {
	Status string // invited, active, expired or bounced
	Query  string // part of a name or an address
}

func (f Filter) values() url.Values {
	v := url.Values{}
	if f.Status != "" {
		v.Set("status", f.Status)
	}
	if f.Query != "" {
		v.Set("q", f.Query)
	}
	return v
}

// InviteGuests invites people to a portal in one call. One bad address never
// fails the others: each result says for itself.
func (c *Client) InviteGuests(ctx context.Context, portalID string, in Invite) (*InviteResponse, error) {
	return call[InviteResponse](ctx, c, http.MethodPost, portalPath(portalID)+"/users", in)
}

// Guests yields everybody registered in a portal, oldest first. It reads page
// by page.
func (c *Client) Guests(ctx context.Context, portalID string, filter Filter) iter.Seq2[Guest, error] {
	return list[Guest](ctx, c, portalPath(portalID)+"/users", filter.values())
}

// RemoveGuest ends a guest's access to a portal from the next request on. The
// account stays, with its other portals.
func (c *Client) RemoveGuest(ctx context.Context, portalID, userID string) error {
	_, err := c.exchange(ctx, http.MethodDelete, portalPath(portalID)+"/users/"+url.PathEscape(userID), nil, nil)
	return err
}
