package httpapi

import (
	"time"

	"portico"
	"portico/internal/control"
	"portico/internal/schema"
	"portico/internal/store"
)

var recipientRequest = schema.Object("PortalUserInvite",
	schema.Required("email", func(r *portico.Recipient) *string { return &r.Email }, schema.String().Len(-1, maxAddress)).
		Doc("The person's address. One that is no address fails alone.").Example("ada@example.com"),
	schema.Optional("first_name", func(r *portico.Recipient) *string { return &r.FirstName }, schema.String().Len(-1, maxName), "").Example("Ada"),
	schema.Optional("last_name", func(r *portico.Recipient) *string { return &r.LastName }, schema.String().Len(-1, maxName), "").Example("Lovelace"),
)

// invite is a PortalUserInviteRequest as it is read.
type invite struct {
	users           []portico.Recipient
	message         *string
	sendEmail, test bool
}

var inviteRequest = schema.Object("PortalUserInviteRequest",
	schema.Required("users", func(i *invite) *[]portico.Recipient { return &i.users },
		schema.Array(recipientRequest).Len(1, portico.MaxRecipients).Lift("email")).
		Doc("Whom to invite: objects, or bare addresses.").Example([]portico.Recipient{{Email: "ada@example.com", FirstName: "Ada", LastName: "Lovelace"}}),
	schema.Optional("message", func(i *invite) **string { return &i.message },
		schema.Null(schema.String().Len(-1, maxMessage).Rule(cleanMessage)), nil).
		Doc("A word to go with the invitation.").Example(new("Welcome aboard.")),
	schema.Optional("send_email", func(i *invite) *bool { return &i.sendEmail }, schema.Bool(), true).
		Doc("Send the invitations by mail. Whoever is linked at once is always told.").Example(true),
	schema.Optional("dry_run", func(i *invite) *bool { return &i.test }, schema.Bool(), false).
		Doc("Say what would happen and change nothing.").Example(false),
)

func cleanMessage(s string) (string, error) { return portico.CleanText(s, maxMessage) }

// inviteAnswer is one result as it is written.
type inviteAnswer struct {
	email, status  string
	userID, detail *string
}

var inviteResult = schema.Object("PortalUserInviteResult",
	schema.Required("email", func(r *inviteAnswer) *string { return &r.email }, schema.String()).
		Doc("As stored, or as sent when failed.").Example("ada@example.com"),
	schema.Required("user_id", func(r *inviteAnswer) **string { return &r.userID }, schema.Null(schema.String())).Example(new(exampleUser)),
	schema.Required("status", func(r *inviteAnswer) *string { return &r.status },
		schema.String().Enum("invited", "linked", "already_member", "already_invited", "duplicate", "failed")).Example("invited"),
	schema.Required("detail", func(r *inviteAnswer) **string { return &r.detail }, schema.Null(schema.String())).
		Doc("Why it failed: invalid_address, blocked or over_quota."),
)

type inviteAnswers struct {
	added []string
	users []inviteAnswer
}

var inviteResponse = schema.Object("PortalUserInviteResponse",
	schema.Required("added_users", func(r *inviteAnswers) *[]string { return &r.added }, schema.Array(schema.String())).
		Doc("The addresses that have, or are invited to, access now.").Example([]string{"ada@example.com"}),
	schema.Required("users", func(r *inviteAnswers) *[]inviteAnswer { return &r.users }, schema.Array(inviteResult)).
		Doc("One result for each user, in the order sent.").
		Example([]inviteAnswer{{email: "ada@example.com", status: "invited", userID: new(exampleUser)}}),
)

func (a *API) inviteUsers(q *request, in invite) error {
	request := portico.Invite{Recipients: in.users, SendEmail: in.sendEmail, DryRun: in.test}
	if in.message != nil {
		request.Message = *in.message
	}
	results, err := a.control.InviteGuests(q.ctx(), q.by, q.once, q.param("portal_id"), request)
	if err != nil {
		return err
	}
	out := inviteAnswers{added: make([]string, 0, len(results)), users: make([]inviteAnswer, len(results))}
	for i, r := range results {
		v := inviteAnswer{email: r.Email, status: string(r.Verdict), userID: orNull(r.UserID), detail: orNull(r.Detail)}
		if r.Verdict != portico.VerdictFailed && r.Verdict != portico.VerdictDuplicate {
			out.added = append(out.added, r.Email)
		}
		out.users[i] = v
	}
	return answer(q, inviteResponse, out)
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// userAnswer is a PortalUserResponse as it is written.
type userAnswer struct {
	portico.PortalUser

	name, status   string
	active, guest  bool
	portalID, orgs string
}

var userResponse = schema.Object("PortalUserResponse",
	schema.Required("id", func(u *userAnswer) *string { return &u.ID }, schema.String()).Example(exampleUser),
	schema.Required("name", func(u *userAnswer) *string { return &u.name }, schema.String()).Example("Ada Lovelace"),
	schema.Required("email", func(u *userAnswer) *string { return &u.Email }, schema.String()).Example("ada@example.com"),
	schema.Required("first_name", func(u *userAnswer) *string { return &u.FirstName }, schema.String()).Example("Ada"),
	schema.Required("last_name", func(u *userAnswer) *string { return &u.LastName }, schema.String()).Example("Lovelace"),
	schema.Required("status", func(u *userAnswer) *string { return &u.status },
		schema.String().Enum("invited", "active", "expired", "bounced")).Example("invited"),
	schema.Required("is_active", func(u *userAnswer) *bool { return &u.active }, schema.Bool()).Doc("May enter now.").Example(false),
	schema.Required("is_portal_user", func(u *userAnswer) *bool { return &u.guest }, schema.Bool()).Example(true),
	schema.Required("portal_id", func(u *userAnswer) *string { return &u.portalID }, schema.String()).Example(examplePortal),
	schema.Required("organization_id", func(u *userAnswer) *string { return &u.orgs }, schema.String()).
		Doc("The production organization.").Example(exampleOrg),
	schema.Required("created_date", func(u *userAnswer) *time.Time { return &u.CreatedAt }, schema.Time()).Example(exampleTime()),
	schema.Required("modified_date", func(u *userAnswer) *time.Time { return &u.ModifiedAt }, schema.Time()).Example(exampleTime()),
	schema.Required("created_by", func(u *userAnswer) *string { return &u.CreatedBy }, schema.String()).Example(exampleUser),
	schema.Required("modified_by", func(u *userAnswer) *string { return &u.ModifiedBy }, schema.String()).Example(exampleUser),
)

func (a *API) listUsers(q *request, in page) error {
	at := in.first()
	filter := store.UserFilter{Page: at}
	var err error
	if in.status != nil {
		if filter.Status, err = portico.ParseGuestStatus(*in.status); err != nil {
			return err
		}
	}
	out := newArray(q)
	sent := 0
	var last portico.PortalUser // of those sent: where the next page begins after
	var v userAnswer            // one for all: encoding moves it to the heap
	err = a.control.Guests(q.ctx(), q.by, q.param("portal_id"), filter, func(page control.GuestPage) error {
		users := page.Users
		if at.Limit > 0 && sent+len(users) == at.Limit {
			users = users[:len(users)-1] // the one more was only looked for
			if len(users) > 0 {
				last = users[len(users)-1]
			}
			q.link(a.cursors.next(q, last.CreatedAt, last.ID))
		}
		if sent > 0 && at.Limit == 0 {
			if err := out.flush(); err != nil {
				return err
			}
		}
		sent += len(users)
		if len(users) > 0 {
			last = users[len(users)-1]
		}
		for i := range users {
			status := users[i].StatusAt(page.Now)
			v = userAnswer{
				PortalUser: users[i], name: users[i].Name(), status: string(status), active: status == portico.GuestActive,
				guest: true, portalID: page.Portal.ID, orgs: page.Portal.OrganizationID,
			}
			out.buf = userResponse.AppendJSON(out.item(), &v)
		}
		return nil
	})
	if err != nil {
		return out.fail(err)
	}
	return out.end()
}

func (a *API) removeUser(q *request) error {
	err := a.control.RemoveGuest(q.ctx(), q.by, q.once, q.param("portal_id"), q.param("user_id"))
	if err != nil {
		return err
	}
	return q.done()
}
