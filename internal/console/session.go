package console

import (
	"encoding/json"
	"net/http"

	"portico"
	"portico/internal/auth"
	"portico/internal/web"
)

// cookieName is of the session's cookie. With the prefix __Host- no other host
// can set it. Over plain HTTP, which is for a developer's own machine, browsers
// refuse the prefix.
func (c *Console) cookieName() string {
	if c.secure() {
		return "__Host-portico_console"
	}
	return "portico_console"
}

func (c *Console) secure() bool { return c.config.PublicURL.Scheme == "https" }

// cookie returns the session's cookie. One that was sent twice is none: another
// host may have added it.
func (q *request) cookie() string {
	all := q.r.CookiesNamed(q.cookieName())
	if len(all) != 1 {
		return ""
	}
	return all[0].Value
}

func (q *request) setCookie(value string, seconds int) {
	http.SetCookie(q.w, &http.Cookie{ //nolint:gosec // Secure is left out over plain HTTP only
		Name: q.cookieName(), Value: value, Path: "/", MaxAge: seconds,
		Secure: q.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (q *request) keepCookie(value string) { q.setCookie(value, int(auth.ConsoleLife.Seconds())) }

func (q *request) clearCookie() {
	if len(q.r.CookiesNamed(q.cookieName())) > 0 {
		q.setCookie("", -1)
	}
}

func (c *Console) home(q *request) error { return q.seeOther("/portals") }

// signInForm is the page of signing in.
type signInForm struct {
	Email, Next string
	Forgotten   string // where a mailed link sets another password
	Errors      fieldErrors
}

func (c *Console) forgotten() string { return c.control.SignInURL() + "/forgotten" }

func (c *Console) showSignIn(q *request) error {
	return q.show("signin", "Sign in", signInForm{Next: q.query("next"), Forgotten: c.forgotten()}, narrow)
}

func narrow(page *web.Page) { page.Narrow = true }

func (c *Console) signIn(q *request) error {
	cookie, err := c.control.SignInConsole(q.ctx(), q.value("email"), q.value("password"), q.cookie(), q.from())
	switch portico.KindOf(err) {
	case portico.KindUnauthorized, portico.KindRateLimited, portico.KindForbidden:
		form := signInForm{
			Email: q.value("email"), Next: q.value("next"), Forgotten: c.forgotten(), Errors: fieldErrors{"": portico.MessageOf(err)},
		}
		return q.show("signin", "Sign in", form, narrow, as(err))
	}
	if err != nil {
		return err
	}
	q.keepCookie(cookie)
	return q.seeOther(ownPath(q.value("next")))
}

func (c *Console) signOut(q *request) error {
	by, err := c.config.Auth.ConsoleSession(q.ctx(), q.cookie())
	if err == nil {
		by.RequestID = q.from().RequestID
		err = c.control.Logout(q.ctx(), by)
	}
	if err != nil && portico.KindOf(err) != portico.KindUnauthorized {
		return err
	}
	q.clearCookie()
	return q.seeOther("/sign-in?did=signed-out")
}

// lendToken answers a script of a page of the same origin, which runs operations
// of the API for who is signed in, with an access token. It is a POST that only
// such a page can send, and whose answer only such a page can read. Who is not
// signed in is sent to sign in, as from any page.
func (c *Console) lendToken(q *request) error {
	token, err := c.config.Auth.ConsoleAccess(q.by)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"access_token": token})
	if err != nil {
		return err
	}
	h := q.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	_, _ = q.w.Write(body) // a reader that went away is nobody's error
	return nil
}

func (c *Console) showOrganizations(q *request) error {
	profile, err := q.load()
	if err != nil {
		return err
	}
	return q.show("organizations", "Organizations", profile)
}

func (c *Console) switchOrganization(q *request) error {
	cookie, err := c.control.SwitchConsole(q.ctx(), q.by, q.value("id"))
	if err != nil {
		return err
	}
	q.keepCookie(cookie)
	return q.seeOther("/portals?did=switched")
}
