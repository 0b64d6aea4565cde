package httpapi

import (
	"time"

	"portico"
	"portico/internal/control"
	"portico/internal/schema"
	"portico/internal/store"
)

type memberCreate struct{ email, role string }

func roleField() *schema.StringType {
	return schema.String().Enum(string(portico.Owner), string(portico.Admin), string(portico.Member))
}

var memberRequest = schema.Object("MemberCreateRequest",
	schema.Required("email", func(m *memberCreate) *string { return &m.email }, schema.String().Len(1, maxAddress)).
		Doc("The address of somebody who can sign in already.").Example("grace@example.com"),
	schema.Optional("role", func(m *memberCreate) *string { return &m.role }, roleField(), string(portico.Member)).
		Doc("Owners and admins manage portals and members.").Example("admin"),
)

type memberUpdate struct{ role string }

var memberPatch = schema.Object("MemberUpdateRequest",
	schema.Required("role", func(m *memberUpdate) *string { return &m.role }, roleField()).
		Doc("Only an owner may make or unmake an owner.").Example("member"),
)

type memberAnswer struct {
	store.Member

	role string
}

var memberResponse = schema.Object("MemberResponse",
	schema.Required("id", func(m *memberAnswer) *string { return &m.AccountID }, schema.String()).Example(exampleUser),
	schema.Required("email", func(m *memberAnswer) *string { return &m.Email }, schema.String()).Example("grace@example.com"),
	schema.Required("name", func(m *memberAnswer) *string { return &m.Name }, schema.String()).Example("Grace Hopper"),
	schema.Required("role", func(m *memberAnswer) *string { return &m.role }, roleField()).Example("admin"),
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
		out.buf = memberResponse.AppendJSON(out.item(), &memberAnswer{m, string(m.Role)})
	}
	return out.end()
}

func (a *API) addMember(q *request, in memberCreate) error {
	m, err := a.control.AddMember(q.ctx(), q.by, control.MemberAdd{Email: in.email, Role: portico.Role(in.role)})
	if err != nil {
		return err
	}
	return answer(q, memberResponse, memberAnswer{m, string(m.Role)})
}

func (a *API) changeMember(q *request, in memberUpdate) error {
	m, err := a.control.ChangeRole(q.ctx(), q.by, q.param("user_id"), portico.Role(in.role))
	if err != nil {
		return err
	}
	return answer(q, memberResponse, memberAnswer{m, string(m.Role)})
}

func (a *API) dropMember(q *request) error {
	if err := a.control.DropMember(q.ctx(), q.by, q.param("user_id")); err != nil {
		return err
	}
	return q.done()
}
