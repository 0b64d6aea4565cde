package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Invitation is what brings a guest into a portal (PortalInvitationResponse).
type Invitation struct {
	ID             string    `json:"id"`
	UserID         string    `json:"user_id"` // the guest's
	Name           string    `json:"name"`
	Email          string    `json:"email"`
	FirstName      string    `json:"first_name"`
	LastName       string    `json:"last_name"`
	Message        *string   `json:"message"`
	Status         string    `json:"status"`     // pending, accepted, expired, revoked or bounced
	Generation     int       `json:"generation"` // grows each time that it is sent again
	ExpiresDate    time.Time `json:"expires_date"`
	MailStatus     *string   `json:"mail_status"` // waiting, sent, bounced or dropped; nil: none was asked for
	MailDetail     *string   `json:"mail_detail"` // why the mail waits or did not arrive
	PortalID       string    `json:"portal_id"`
	OrganizationID string    `json:"organization_id"`
	CreatedDate    time.Time `json:"created_date"`
	ModifiedDate   time.Time `json:"modified_date"`
	CreatedBy      string    `json:"created_by"`
	ModifiedBy     string    `json:"modified_by"`
}

// Resent is the status of an invitation that was sent again.
const Resent = "resent"

// ResendResult is what became of one invitation that was to be sent again.
type ResendResult struct {
	ID     string  `json:"id"`
	Email  *string `json:"email"`  // nil: there is no such invitation
	Status string  `json:"status"` // Resent, Duplicate or Failed
	Detail *string `json:"detail"` // of Failed: not_found, accepted, revoked, blocked or changed
}

func invitationPath(portalID, id string) string {
	return portalPath(portalID) + "/invitations/" + url.PathEscape(id)
}

// Invitations yields a portal's invitations, oldest first. It reads page by
// page. The filter's status is one of Invitation's.
func (c *Client) Invitations(ctx context.Context, portalID string, filter Filter) iter.Seq2[Invitation, error] {
	return list[Invitation](ctx, c, portalPath(portalID)+"/invitations", filter.values())
}

// ResendInvitation sends an invitation again, with a new link; the one sent
// before is void.
func (c *Client) ResendInvitation(ctx context.Context, portalID, id string) (*Invitation, error) {
	return call[Invitation](ctx, c, http.MethodPost, invitationPath(portalID, id)+"/resend", nil)
}

// ResendInvitations sends up to MaxRecipients invitations again in one call. One
// that cannot be sent never fails the others: each result says for itself.
func (c *Client) ResendInvitations(ctx context.Context, portalID string, ids []string) ([]ResendResult, error) {
	answer, err := call[struct {
		Invitations []ResendResult `json:"invitations"`
	}](ctx, c, http.MethodPost, portalPath(portalID)+"/invitations/resend", map[string][]string{"invitations": ids})
	if err != nil {
		return nil, err
	}
	return answer.Invitations, nil
}

// RevokeInvitation ends an invitation that was not accepted. It stays in the
// list as revoked; the guest is no longer registered in the portal.
func (c *Client) RevokeInvitation(ctx context.Context, portalID, id string) error {
	_, err := c.exchange(ctx, http.MethodDelete, invitationPath(portalID, id), nil, nil)
	return err
}
