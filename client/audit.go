package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"time"
)

// AuditRecord is what was done, by whom and to what (AuditRecordResponse).
type AuditRecord struct {
	ID        string          `json:"id"`
	At        time.Time       `json:"at"`
	Action    string          `json:"action"`   // such as guest.invited
	ActorID   string          `json:"actor_id"` // a user, operator or system
	Actor     string          `json:"actor"`    // the address now; the id where there is none
	SubjectID *string         `json:"subject_id"`
	Subject   *string         `json:"subject"`
	PortalID  *string         `json:"portal_id"` // nil: it is about no portal
	Portal    *string         `json:"portal"`
	RequestID *string         `json:"request_id"`
	Detail    json.RawMessage `json:"detail"` // an object
}

// AuditFilter narrows a list of audit records. What is empty is not asked for.
type AuditFilter struct {
	Action   string
	Actor    string // an address or an id
	Subject  string // an address or an id
	PortalID string
	From     time.Time // this time or later
	Until    time.Time // earlier than this
}

func (f AuditFilter) values() url.Values {
	v := url.Values{}
	for name, text := range map[string]string{"action": f.Action, "actor": f.Actor, "subject": f.Subject, "portal_id": f.PortalID} {
		if text != "" {
			v.Set(name, text)
		}
	}
	for name, at := range map[string]time.Time{"from": f.From, "until": f.Until} {
		if !at.IsZero() {
			v.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	return v
}

// Audit yields what was done in the token's organization, the newest first. It
// reads page by page. An owner or admin may, with a token that is not limited to
// scopes.
func (c *Client) Audit(ctx context.Context, filter AuditFilter) iter.Seq2[AuditRecord, error] {
	return list[AuditRecord](ctx, c, "/v1/audit", filter.values())
}
