package console

import (
	"portico"
	"portico/internal/control"
	"portico/internal/store"
	"portico/internal/web"
)

// memberPage lists the organization's members and adds others.
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
	store.Member

	Self  bool
	Fixed bool // the caller may not change it
}

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
		page.Rows = append(page.Rows, memberRow{m, m.AccountID == q.by.AccountID, q.by.Role.MayChange(m.Role, "") != nil})
	}
	page.Equal = []web.Code{
		{Label: "The same with curl", Text: c.curl("POST", "/v1/members", `{"email": "grace@example.com", "role": "admin"}`)},
		{Label: "The same by an operator", Text: "portico account create grace@example.com --org " + q.by.OrganizationID + " --role admin"},
	}
	return q.show("members", "Members", page, change...)
}

func (c *Console) addMember(q *request) error {
	page := memberPage{Email: q.value("email"), Role: portico.Role(q.value("role"))}
	_, failed := c.control.AddMember(q.ctx(), q.by, control.MemberAdd{Email: page.Email, Role: page.Role})
	return c.membersDone(q, failed, "member-added", page)
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
