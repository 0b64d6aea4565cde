package console

import (
	"portico"
	"portico/internal/control"
	"portico/internal/web"
)

// setupForm is the page on which the first administrator makes themselves. Its
// address is a secret.
type setupForm struct {
	Organization, Name, Email string
	Errors                    fieldErrors
}

func secret(page *web.Page) { page.Secret = true }

func (c *Console) showSetup(q *request) error {
	if err := c.control.CheckSetup(q.ctx(), q.param("token"), q.from()); err != nil {
		return setupGone(q, err)
	}
	return q.show("setup", "Set up", setupForm{}, narrow, secret)
}

func (c *Console) setUp(q *request) error {
	form := setupForm{Organization: q.value("organization"), Name: q.value("name"), Email: q.value("email")}
	cookie, failed := c.control.SetUp(q.ctx(), q.param("token"), control.Setup{
		Organization: form.Organization, Name: form.Name, Email: form.Email, Password: q.value("password"),
	}, q.from())
	if failed == nil {
		q.keepCookie(cookie)
		return q.seeOther("/portals?did=installation-up")
	}
	var err error
	if form.Errors, err = formError(failed); err != nil {
		return setupGone(q, failed)
	}
	return q.show("setup", "Set up", form, narrow, secret, as(failed))
}

// setupGone says what to do about a link that is good no more. It passes on
// every other error.
func setupGone(q *request, err error) error {
	if portico.KindOf(err) != portico.KindNotFound {
		return err
	}
	q.pages.FailIn(q.w, q.r, web.Page{Secret: true}, web.Problem{
		Status: statuses[portico.KindNotFound], Title: "This link cannot be used",
		Text:   "A setup link works once, for 30 minutes, and only while there is no administrator. For a new one run: portico setup-link",
		Action: web.Link{Href: "/sign-in", Text: "Sign in"},
	})
	return nil
}
