package control

import (
	"context"
	"encoding/json"

	"portico"
	"portico/internal/auth"
	"portico/internal/keyring"
	"portico/internal/lifecycle"
	"portico/internal/mail"
	"portico/internal/store"
)

// mailKeys make what is usable in a mail, while it is sent or shown.
type mailKeys struct{ invitations, codes, resets *keyring.MAC }

func newMailKeys(ring *keyring.Ring) mailKeys {
	return mailKeys{
		ring.MAC(keyring.LabelInvitations), ring.MAC(keyring.LabelMailedCodes), ring.MAC(keyring.LabelResets),
	}
}

// MailTarget makes what a mail leads to: its link, its code, and the page that
// ends mail to the address. None of them is stored anywhere, and their hosts
// are the installation's own, whatever host the request named that put the mail
// into the outbox.
func (c *Control) MailTarget(page store.MailPage) mail.Target {
	service := c.config.PublicURL.Scheme + "://" + c.config.PublicURL.Host
	t := mail.Target{Link: c.SignInURL()}
	if page.PortalID != "" {
		t.Link = c.PortalURL(page.Portal)
	}
	switch page.Template {
	case store.TemplateInvited:
		to := page.PortalID
		if to == "" {
			to = page.OrganizationID
			t.Link += "/join/" + to
		} else {
			t.Link += "/invite"
		}
		t.Link += "/" + auth.InvitationToken(c.mails.invitations, to, page.InvitationID, page.Generation)
	case store.TemplateLinked:
	case store.TemplateAsked:
		t.Link = service + "/portals/" + page.PortalID + "/guests"
	case store.TemplateCode:
		t.Code = auth.MailedCode(c.mails.codes, page.ChallengeID)
	case store.TemplateReset:
		t.Link = c.SignInURL() + "/reset/" + auth.ResetToken(c.mails.resets, page.ChallengeID)
	}
	if !page.Template.Solicited() {
		t.Unsubscribe = c.SignInURL() + "/unsubscribe/" + auth.UnsubscribeToken(c.config.Ring, page.ToKey)
	}
	return t
}

// MailBounced records, in the transaction that settles a mail, that its address
// takes none: a pending invitation is bounced, and the portal's database says
// so soon.
func (c *Control) MailBounced(tx *store.Tx, page store.MailPage) error {
	if page.Template != store.TemplateInvited {
		return nil
	}
	bounced, err := tx.BounceInvitation(page.InvitationID, page.Generation)
	if err != nil || !bounced {
		return err
	}
	raw, err := json.Marshal(map[string]string{"reason": page.Detail})
	if err != nil {
		return err
	}
	err = tx.InsertEvents(portico.Event{
		OrganizationID: page.OrganizationID, PortalID: page.PortalID, ActorID: portico.SystemActor,
		Action: portico.ActionInvitationBounced, SubjectID: page.InvitationID, Detail: string(raw),
	})
	if err != nil || page.PortalID == "" {
		return err
	}
	_, err = lifecycle.EnqueueProjection(tx, page.PortalID, []string{page.AccountID})
	return err
}

// UnsubscribeAddress returns the address, masked, that the token of a mail's
// unsubscribe link is of. It changes nothing: mail scanners follow links. Who
// holds the token may end the mail with Unsubscribe.
func (c *Control) UnsubscribeAddress(token string) (masked string, err error) {
	key, err := auth.ReadUnsubscribe(c.config.Ring, token)
	return portico.MaskAddress(key), err
}

// Unsubscribe ends mail to the address that a token is of, over the whole
// installation: invitations and what follows from them. Codes and reset links
// that the person asks for are still sent. It is harmless when repeated; a page
// calls it on POST only, List-Unsubscribe-Post of RFC 8058 among them.
func (c *Control) Unsubscribe(ctx context.Context, token, requestID string) error {
	key, err := auth.ReadUnsubscribe(c.config.Ring, token)
	if err != nil {
		return err
	}
	return c.store.Update(ctx, func(tx *store.Tx) error {
		blocked, err := tx.BlockAddress(key, "unsubscribed")
		if err != nil || !blocked {
			return err
		}
		e := portico.Event{ActorID: portico.SystemActor, Action: portico.ActionAddressBlocked, RequestID: requestID}
		accounts, err := tx.AccountsByKeys([]string{key})
		if err != nil {
			return err
		}
		if a, ok := accounts[key]; ok {
			e.ActorID, e.SubjectID = a.ID, a.ID
		}
		return tx.InsertEvents(e)
	})
}
