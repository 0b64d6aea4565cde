package control

import (
	"context"

	"portico"
	"portico/internal/lifecycle"
	"portico/internal/store"
)

// Invitation is an invitation as of a time.
type Invitation struct {
	store.InvitationRow

	OrganizationID string // the production organization
	Status         portico.InvitationStatus
}

// Invitations returns a page of a portal's invitations, oldest first. An empty
// status is every one.
func (c *Control) Invitations(ctx context.Context, by portico.Principal, portalID string, page store.Page, status portico.InvitationStatus) ([]Invitation, error) {
	if err := by.MayAdministerPortals(portico.ScopePortalUserRead); err != nil {
		return nil, err
	}
	var all []Invitation
	err := c.store.View(ctx, func(tx *store.Tx) error {
		row, err := findServing(tx, by, portalID)
		if err != nil {
			return err
		}
		rows, err := tx.Invitations(row.ID, page, status)
		all = make([]Invitation, len(rows))
		for i, r := range rows {
			all[i] = Invitation{r, row.OrganizationID, r.StatusAt(tx.Now)}
		}
		return err
	})
	return all, err
}

// Resent is what sending one invitation again did.
type Resent struct {
	ID     string
	Email  string // empty when there is no such invitation
	Detail string // why it was not sent again; empty when it was
}

// ResendInvitation makes a new generation of an invitation, which voids the one
// before, and sends it.
func (c *Control) ResendInvitation(ctx context.Context, by portico.Principal, once Once, portalID, id string) (Invitation, error) {
	var result Invitation
	err := c.changeInvitations(ctx, by, once, portalID, &result, func(tx *store.Tx, v *renewal) error {
		detail, err := v.renew(tx, id)
		if err != nil {
			return err
		}
		if err := refusedResend(detail); err != nil {
			return err
		}
		if err := v.save(tx); err != nil {
			return err
		}
		r, err := tx.Invitation(v.row.ID, id)
		result = Invitation{r, v.row.OrganizationID, r.StatusAt(tx.Now)}
		return err
	})
	return result, err
}

// refusedResend returns the error for an invitation that is not sent again.
func refusedResend(detail string) error {
	text := map[string]string{
		portico.DetailAccepted: "The invitation was accepted already.",
		portico.DetailRevoked:  "The invitation was revoked. Invite the guest again.",
		portico.DetailBlocked:  "Mail to this address is blocked.",
		portico.DetailChanged:  "The invitation changed just now. Look at it, and try again.",
	}[detail]
	switch detail {
	case "":
		return nil
	case portico.DetailNotFound:
		return errNotFound
	}
	return portico.Errorf(portico.KindConflict, "%s", text)
}

// ResendInvitations sends invitations again and returns one result for each id,
// in the order sent. One that cannot be sent never fails the others.
func (c *Control) ResendInvitations(ctx context.Context, by portico.Principal, once Once, portalID string, ids []string) ([]Resent, error) {
	var results []Resent
	err := c.changeInvitations(ctx, by, once, portalID, &results, func(tx *store.Tx, v *renewal) error {
		results = make([]Resent, len(ids))
		first := make(map[string]Resent, len(ids))
		for i, id := range ids {
			if r, ok := first[id]; ok {
				r.Detail = string(portico.VerdictDuplicate)
				results[i] = r
				continue
			}
			detail, err := v.renew(tx, id)
			if err != nil {
				return err
			}
			results[i] = Resent{ID: id, Email: v.last.Email, Detail: detail}
			first[id] = results[i]
		}
		return v.save(tx)
	})
	return results, err
}

// RevokeInvitation ends an invitation that was not accepted: its link is void,
// its mail does not leave, and the guest is gone from the portal's own database.
// The invitation stays in the list as revoked. It is harmless when repeated.
func (c *Control) RevokeInvitation(ctx context.Context, by portico.Principal, once Once, portalID, id string) error {
	var nothing struct{}
	return c.changeInvitations(ctx, by, once, portalID, &nothing, func(tx *store.Tx, v *renewal) error {
		r, err := tx.Invitation(v.row.ID, id)
		if err != nil {
			return err
		}
		if r.State == portico.InvitationRevoked {
			v.behind = true
			return nil
		}
		revoked, err := tx.RevokeInvitation(r.ID, by.AccountID)
		if err != nil {
			return err
		}
		if !revoked {
			return portico.Errorf(portico.KindConflict, "The invitation was accepted. Remove the guest instead.")
		}
		v.changed = append(v.changed, r.AccountID)
		v.events = append(v.events, event(by, portico.ActionInvitationRevoked, v.row.ID, r.ID))
		return v.save(tx)
	})
}

// renewal is a change of some of a portal's invitations being written.
type renewal struct {
	follow

	by     portico.Principal
	config Config
	last   store.InvitationRow // that renew was about
	events []portico.Event
	mails  []store.Mail
}

// renew makes a new generation of one invitation, or says why not.
func (v *renewal) renew(tx *store.Tx, id string) (detail string, err error) {
	v.last, err = tx.Invitation(v.row.ID, id)
	if portico.KindOf(err) == portico.KindNotFound {
		return portico.DetailNotFound, nil
	}
	if err != nil {
		return "", err
	}
	if detail := portico.DecideResend(v.last.Invitation, v.last.Blocked); detail != "" {
		return detail, nil
	}
	generation, err := tx.RenewInvitation(v.last.ID, tx.Now.Add(v.config.InvitationLife), v.by.AccountID)
	if err != nil {
		return "", err
	}
	if generation == 0 {
		return portico.DetailChanged, nil
	}
	v.changed = append(v.changed, v.last.AccountID)
	v.events = append(v.events, event(v.by, portico.ActionInvitationResent, v.row.ID, v.last.ID))
	next := v.last.Invitation
	next.Generation = generation
	v.mails = append(v.mails, invitedMail(v.by, next, v.last.EmailKey))
	return "", nil
}

func (v *renewal) save(tx *store.Tx) (err error) {
	if len(v.changed) == 0 {
		return nil
	}
	if v.jobID, err = lifecycle.EnqueueProjection(tx, v.row.ID, v.changed); err != nil {
		return err
	}
	for i := range v.mails {
		v.mails[i].HeldBy = v.jobID
	}
	if err := tx.InsertEvents(v.events...); err != nil {
		return err
	}
	return tx.InsertMails(v.mails)
}

// changeInvitations runs one change of a portal's invitations: permission, the
// replay of a repeated request, the write with its answer, and the portal's own
// database after it. result is what the answer is kept from, once write has
// filled it in.
func (c *Control) changeInvitations(ctx context.Context, by portico.Principal, once Once, portalID string, result any,
	write func(*store.Tx, *renewal) error,
) error {
	if err := by.MayAdministerPortals(portico.ScopePortalUserWrite); err != nil {
		return err
	}
	if err := c.config.Failpoints.Hit(ctx, PointIntent); err != nil {
		return err
	}
	var left *follow
	err := c.store.Update(ctx, func(tx *store.Tx) error {
		left = nil
		done, _, err := once.replay(tx, by, result)
		if err != nil || done {
			return err
		}
		row, err := findServing(tx, by, portalID)
		if err != nil {
			return err
		}
		v := &renewal{follow: follow{row: row}, by: by, config: c.config}
		if err := write(tx, v); err != nil {
			return err
		}
		left = &v.follow
		return once.keep(tx, by, row.ID, result)
	})
	if err != nil {
		return err
	}
	if err := c.config.Failpoints.Hit(ctx, PointRecorded); err != nil {
		return err
	}
	if err := c.follow(ctx, by, portalID, left); err != nil {
		return err
	}
	return c.config.Failpoints.Hit(ctx, PointAnswering)
}
