package console

import (
	"portico"
	"portico/internal/control"
	"portico/internal/web"
)

// memberPage lists the organization's members and who is invited, and invites
// others.
type memberPage struct {
	Rows   []memberRow
	Roles  []portico.Role
	Email  string
	Role   portico.Role
	Equal  []web.Code
	Errors fieldErrors
}

// memberRow is a member as the table shows it.
type memberRow struct {
	control.Member

	Self  bool
	Fixed bool // the caller may not change it
}

// Invited reports whether the row is of an invitation that was not accepted.
func (r memberRow) Invited() bool { return r.Status != portico.GuestActive }

func (c *Console) listMembers(q *request) error {
	return c.members(q, memberPage{Role: portico.Member})
}

func (c *Console) members(q *request, page memberPage, change ...func(*web.Page)) error {
	all, err := c.control.Members(q.ctx(), q.by)
	if err != nil {
		return err
	}
	page.Roles = []portico.Role{portico.Member, portico.Admin, portico.Owner}
	for _, m := range all {
		page.Rows = append(page.Rows, memberRow{m, m.AccountID == q.by.AccountID, q.by.Role.MayChange(m.Role, m.Role) != nil})
	}
	page.Equal = []web.Code{
		{Label: "The same with curl", Text: c.curl("POST", "/v1/members", `{"email": "grace@example.com", "role": "admin"}`)},
		{Label: "The same by an operator", Text: "portico account create grace@example.com --org " + q.by.OrganizationID + " --role admin"},
	}
	return q.show("members", "Members", page, change...)
}

func (c *Console) inviteMember(q *request) error {
	page := memberPage{Email: q.value("email"), Role: portico.Role(q.value("role"))}
	_, failed := c.control.InviteMember(q.ctx(), q.by, control.MemberInvite{Email: page.Email, Role: page.Role})
	return c.membersDone(q, failed, "member-invited", page)
}

func (c *Console) resendMember(q *request) error {
	_, failed := c.control.ResendMember(q.ctx(), q.by, q.param("invitation"))
	return c.membersDone(q, failed, "invitation-resent", memberPage{Role: portico.Member})
}

func (c *Console) revokeMember(q *request) error {
	failed := c.control.RevokeMember(q.ctx(), q.by, q.param("invitation"))
	return c.membersDone(q, failed, "invitation-revoked", memberPage{Role: portico.Member})
}

func (c *Console) changeMember(q *request) error {
	_, failed := c.control.ChangeRole(q.ctx(), q.by, q.param("user"), portico.Role(q.value("role")))
	return c.membersDone(q, failed, "member-changed", memberPage{Role: portico.Member})
}

func (c *Console) removeMember(q *request) error {
	failed := c.control.DropMember(q.ctx(), q.by, q.param("user"))
	return c.membersDone(q, failed, "member-removed", memberPage{Role: portico.Member})
}

// membersDone answers a form of this page.
func (c *Console) membersDone(q *request, failed error, did string, page memberPage) error {
	if failed == nil {
		return q.seeOther("/members?did=" + did)
	}
	var err error
	if page.Errors, err = formError(failed); err != nil {
		return err
	}
	return c.members(q, page, as(failed))
}
