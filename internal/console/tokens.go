package console

import (
	"strconv"

	"portico"
	"portico/internal/control"
	"portico/internal/web"
)

// tokenPage lists the caller's tokens and makes new ones. Made is shown in the
// one answer that has it.
type tokenPage struct {
	Rows   []control.Token
	Scopes []scopeBox
	Name   string
	Days   string
	Made   *control.Token
	Equal  []web.Code
	Errors fieldErrors
}

// scopeBox is a scope with whether it is ticked.
type scopeBox struct {
	Scope portico.Scope
	On    bool
}

func (c *Console) listTokens(q *request) error { return c.tokens(q, tokenPage{Days: "90"}) }

func (c *Console) tokens(q *request, page tokenPage, change ...func(*web.Page)) error {
	var err error
	if page.Rows, err = c.control.ListTokens(q.ctx(), q.by); err != nil {
		return err
	}
	for _, s := range portico.Scopes() {
		on := false
		for _, picked := range q.r.PostForm["scope"] {
			on = on || picked == string(s)
		}
		page.Scopes = append(page.Scopes, scopeBox{s, on})
	}
	page.Equal = []web.Code{
		{Label: "The same by an operator", Text: "portico token create you@example.com --org " + q.by.OrganizationID + " --scope portal:read --days 90"},
		{Label: "The same with curl", Text: c.curl("POST", "/v1/auth/pats", `{"name": "deploy script", "expires_in_days": 90, "scopes": ["portal:read"]}`)},
	}
	return q.show("tokens", "Tokens", page, change...)
}

func (c *Console) createToken(q *request) error {
	page := tokenPage{Name: q.value("name"), Days: q.value("days")}
	in := control.TokenCreate{Name: page.Name, Scopes: q.r.PostForm["scope"]}
	var failed error
	if page.Days != "" {
		days, err := strconv.Atoi(page.Days)
		if err != nil {
			failed = portico.FieldErrorf("expires_in_days", "Give a number of days, or nothing for a token without an end.")
		}
		in.ExpiresInDays = &days
	}
	if failed == nil {
		var made control.Token
		if made, failed = c.control.CreateToken(q.ctx(), q.by, in); failed == nil {
			// Shown in this answer and in no other, so there is no redirect.
			return c.tokens(q, tokenPage{Days: "90", Made: &made}, func(page *web.Page) { page.Secret = true })
		}
	}
	var err error
	if page.Errors, err = formError(failed); err != nil {
		return err
	}
	return c.tokens(q, page, as(failed))
}

func (c *Console) revokeToken(q *request) error {
	if err := c.control.RevokeToken(q.ctx(), q.by, q.param("token")); err != nil {
		return err
	}
	return q.seeOther("/tokens?did=token-revoked")
}
