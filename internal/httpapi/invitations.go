package httpapi

import (
	"time"

	"portico"
	"portico/internal/control"
	"portico/internal/schema"
	"portico/internal/store"
)

const exampleInvitation = "inv_06h0k1tdeo0000n3g9s1b7q2vk"

// invitationAnswer is a PortalInvitationResponse as it is written.
type invitationAnswer struct {
	control.Invitation

	name, status                    string
	message, mailStatus, mailDetail *string
}

var invitationResponse = schema.Object("PortalInvitationResponse",
	schema.Required("id", func(i *invitationAnswer) *string { return &i.ID }, schema.String()).Example(exampleInvitation),
	schema.Required("user_id", func(i *invitationAnswer) *string { return &i.AccountID }, schema.String()).
		Doc("The guest's, in the portal's list of users.").Example(exampleUser),
	schema.Required("name", func(i *invitationAnswer) *string { return &i.name }, schema.String()).Example("Ada Lovelace"),
	schema.Required("email", func(i *invitationAnswer) *string { return &i.Email }, schema.String()).Example("ada@example.com"),
	schema.Required("first_name", func(i *invitationAnswer) *string { return &i.FirstName }, schema.String()).Example("Ada"),
	schema.Required("last_name", func(i *invitationAnswer) *string { return &i.LastName }, schema.String()).Example("Lovelace"),
	schema.Required("message", func(i *invitationAnswer) **string { return &i.message }, schema.Null(schema.String())).
		Doc("The word that went with it."),
	schema.Required("status", func(i *invitationAnswer) *string { return &i.status },
		schema.String().Enum("pending", "accepted", "expired", "revoked", "bounced")).Example("pending"),
	schema.Required("generation", func(i *invitationAnswer) *int { return &i.Generation }, schema.Int()).
		Doc("Grows each time that it is sent again; the links of earlier ones are void.").Example(1),
	schema.Required("expires_date", func(i *invitationAnswer) *time.Time { return &i.ExpiresAt }, schema.Time()).
		Doc("Until when it can be accepted.").Example(exampleTime().Add(portico.InvitationLife)),
	schema.Required("mail_status", func(i *invitationAnswer) **string { return &i.mailStatus },
		schema.Null(schema.String().Enum("waiting", "sent", "bounced", "dropped"))).
		Doc("What became of its mail; null when none was asked for.").Example(new("sent")),
	schema.Required("mail_detail", func(i *invitationAnswer) **string { return &i.mailDetail }, schema.Null(schema.String())).
		Doc("Why the mail waits or did not arrive: address_limit, blocked, expired, organization_suspended, or the mail server's words."),
	schema.Required("portal_id", func(i *invitationAnswer) *string { return &i.PortalID }, schema.String()).Example(examplePortal),
	schema.Required("organization_id", func(i *invitationAnswer) *string { return &i.OrganizationID }, schema.String()).
		Doc("The production organization.").Example(exampleOrg),
	schema.Required("created_date", func(i *invitationAnswer) *time.Time { return &i.CreatedAt }, schema.Time()).Example(exampleTime()),
	schema.Required("modified_date", func(i *invitationAnswer) *time.Time { return &i.ModifiedAt }, schema.Time()).Example(exampleTime()),
	schema.Required("created_by", func(i *invitationAnswer) *string { return &i.CreatedBy }, schema.String()).Example(exampleUser),
	schema.Required("modified_by", func(i *invitationAnswer) *string { return &i.ModifiedBy }, schema.String()).Example(exampleUser),
)

func newInvitationAnswer(i control.Invitation) invitationAnswer {
	return invitationAnswer{
		Invitation: i, name: i.Name(), status: string(i.Status), message: orNull(i.Message),
		mailStatus: orNull(string(i.MailState)), mailDetail: orNull(i.MailDetail),
	}
}

var invitationQuery = schema.Object("InvitationQuery", append(pageFields(),
	schema.Optional("status", func(p *page) **string { return &p.status },
		schema.Null(schema.String().Enum("pending", "accepted", "expired", "revoked", "bounced")), nil).
		Doc("Only invitations of this status."))...)

func (a *API) listInvitations(q *request, in page) (err error) {
	var status portico.InvitationStatus
	if in.status != nil {
		if status, err = portico.ParseInvitationStatus(*in.status); err != nil {
			return err
		}
	}
	return list(a, q, in, listing[control.Invitation]{
		read: func(at store.Page) ([]control.Invitation, error) {
			return a.control.Invitations(q.ctx(), q.by, q.param("portal_id"), at, status)
		},
		place: func(i control.Invitation) position { return position{i.CreatedAt, i.ID} },
		append: func(dst []byte, i control.Invitation) []byte {
			v := newInvitationAnswer(i)
			return invitationResponse.AppendJSON(dst, &v)
		},
	})
}

func (a *API) resendInvitation(q *request) error {
	i, err := a.control.ResendInvitation(q.ctx(), q.by, q.once, q.param("portal_id"), q.param("invitation_id"))
	if err != nil {
		return err
	}
	return answer(q, invitationResponse, newInvitationAnswer(i))
}

func (a *API) revokeInvitation(q *request) error {
	err := a.control.RevokeInvitation(q.ctx(), q.by, q.once, q.param("portal_id"), q.param("invitation_id"))
	if err != nil {
		return err
	}
	return q.done()
}

// resend is a PortalInvitationResendRequest as it is read.
type resend struct{ invitations []string }

var resendRequest = schema.Object("PortalInvitationResendRequest",
	schema.Required("invitations", func(r *resend) *[]string { return &r.invitations },
		schema.Array(schema.String()).Len(1, portico.MaxRecipients)).
		Doc("The ids of the invitations to send again.").Example([]string{exampleInvitation}),
)

// resendAnswer is one result as it is written.
type resendAnswer struct {
	id, status    string
	email, detail *string
}

var resendResult = schema.Object("PortalInvitationResendResult",
	schema.Required("id", func(r *resendAnswer) *string { return &r.id }, schema.String()).Example(exampleInvitation),
	schema.Required("email", func(r *resendAnswer) **string { return &r.email }, schema.Null(schema.String())).
		Doc("Null when there is no such invitation.").Example(new("ada@example.com")),
	schema.Required("status", func(r *resendAnswer) *string { return &r.status },
		schema.String().Enum("resent", "duplicate", "failed")).Example("resent"),
	schema.Required("detail", func(r *resendAnswer) **string { return &r.detail }, schema.Null(schema.String())).
		Doc("Why it failed: not_found, accepted, revoked, blocked or changed."),
)

type resendAnswers struct{ invitations []resendAnswer }

var resendResponse = schema.Object("PortalInvitationResendResponse",
	schema.Required("invitations", func(r *resendAnswers) *[]resendAnswer { return &r.invitations }, schema.Array(resendResult)).
		Doc("One result for each invitation, in the order sent.").
		Example([]resendAnswer{{id: exampleInvitation, email: new("ada@example.com"), status: "resent"}}),
)

func (a *API) resendInvitations(q *request, in resend) error {
	results, err := a.control.ResendInvitations(q.ctx(), q.by, q.once, q.param("portal_id"), in.invitations)
	if err != nil {
		return err
	}
	out := resendAnswers{invitations: make([]resendAnswer, len(results))}
	for i, r := range results {
		v := resendAnswer{id: r.ID, email: orNull(r.Email), status: "failed", detail: orNull(r.Detail)}
		switch r.Detail {
		case "":
			v.status = "resent"
		case string(portico.VerdictDuplicate):
			v.status, v.detail = r.Detail, nil
		}
		out.invitations[i] = v
	}
	return answer(q, resendResponse, out)
}
