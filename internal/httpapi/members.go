package httpapi

import (
	"time"

	"portico"
	"portico/internal/control"
	"portico/internal/schema"
)

type memberCreate struct{ email, role string }

func roleField() *schema.StringType {
	return schema.String().Enum(string(portico.Owner), string(portico.Admin), string(portico.Member))
}

var memberRequest = schema.Object("MemberCreateRequest",
	schema.Required("email", func(m *memberCreate) *string { return &m.email }, schema.String().Len(1, maxAddress)).
		Doc("Where the invitation is mailed.").Example("grace@example.com"),
	schema.Optional("role", func(m *memberCreate) *string { return &m.role }, roleField(), string(portico.Member)).
		Doc("Owners and admins manage portals and members.").Example("admin"),
)

type memberUpdate struct{ role string }

var memberPatch = schema.Object("MemberUpdateRequest",
	schema.Required("role", func(m *memberUpdate) *string { return &m.role }, roleField()).
		Doc("Only an owner may make or unmake an owner.").Example("member"),
)

type memberAnswer struct {
	control.Member

	role, status string
	expires      *time.Time
}

func newMemberAnswer(m control.Member) memberAnswer {
	a := memberAnswer{Member: m, role: string(m.Role), status: string(m.Status)}
	if !m.ExpiresAt.IsZero() {
		a.expires = &m.ExpiresAt
	}
	return a
}

var memberResponse = schema.Object("MemberResponse",
	schema.Required("id", func(m *memberAnswer) *string { return &m.ID }, schema.String()).
		Doc("The user's; of who did not accept yet, the invitation's.").Example(exampleUser),
	schema.Required("email", func(m *memberAnswer) *string { return &m.Email }, schema.String()).Example("grace@example.com"),
	schema.Required("name", func(m *memberAnswer) *string { return &m.Name }, schema.String()).
		Doc("Empty until the invitation is accepted.").Example("Grace Hopper"),
	schema.Required("role", func(m *memberAnswer) *string { return &m.role }, roleField()).Example("admin"),
	schema.Required("status", func(m *memberAnswer) *string { return &m.status },
		schema.String().Enum("active", "invited", "expired", "bounced")).Example("active"),
	schema.Required("expires_date", func(m *memberAnswer) **time.Time { return &m.expires }, schema.Null(schema.Time())).
		Doc("Until when the invitation can be accepted; null for a member."),
	schema.Required("organization_id", func(m *memberAnswer) *string { return &m.OrganizationID }, schema.String()).Example(exampleOrg),
	schema.Required("created_date", func(m *memberAnswer) *time.Time { return &m.CreatedAt }, schema.Time()).Example(exampleTime()),
	schema.Required("modified_date", func(m *memberAnswer) *time.Time { return &m.ModifiedAt }, schema.Time()).Example(exampleTime()),
	schema.Required("created_by", func(m *memberAnswer) *string { return &m.CreatedBy }, schema.String()).Example(exampleUser),
	schema.Required("modified_by", func(m *memberAnswer) *string { return &m.ModifiedBy }, schema.String()).Example(exampleUser),
)

func (a *API) listMembers(q *request) error {
	all, err := a.control.Members(q.ctx(), q.by)
	if err != nil {
		return err
	}
	out := newArray(q)
	for _, m := range all {
		out.buf = memberResponse.AppendJSON(out.item(), new(newMemberAnswer(m)))
	}
	return out.end()
}

func (a *API) inviteMember(q *request, in memberCreate) error {
	m, err := a.control.InviteMember(q.ctx(), q.by, control.MemberInvite{Email: in.email, Role: portico.Role(in.role)})
	if err != nil {
		return err
	}
	return answer(q, memberResponse, newMemberAnswer(m))
}

func (a *API) changeMember(q *request, in memberUpdate) error {
	m, err := a.control.ChangeRole(q.ctx(), q.by, q.param("user_id"), portico.Role(in.role))
	if err != nil {
		return err
	}
	return answer(q, memberResponse, newMemberAnswer(m))
}

func (a *API) dropMember(q *request) error {
	if err := a.control.DropMember(q.ctx(), q.by, q.param("user_id")); err != nil {
		return err
	}
	return q.done()
}

func (a *API) resendMember(q *request) error {
	m, err := a.control.ResendMember(q.ctx(), q.by, q.param("invitation_id"))
	if err != nil {
		return err
	}
	return answer(q, memberResponse, newMemberAnswer(m))
}

func (a *API) revokeMember(q *request) error {
	if err := a.control.RevokeMember(q.ctx(), q.by, q.param("invitation_id")); err != nil {
		return err
	}
	return q.done()
}
