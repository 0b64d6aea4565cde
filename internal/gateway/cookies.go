package gateway

import (
	"net/http"
	"strings"
	"time"

	"portico/internal/auth"
)

// The cookies. Each is for one host: with the prefix __Host- no other host,
// a sibling portal's least of all, can set or read it.
const (
	sessionCookie = "portico_session" // of the portal's or the sign-in host
	enterCookie   = "portico_enter"   // of a portal's host: the secret of a way in, and where it leads
	browserCookie = "portico_browser" // of the sign-in host: the secret that a mailed code is bound to
)

// waitingLife is how long a browser may take between two hosts, or for a mail.
const waitingLife = time.Hour

// cookies writes and reads the cookies. Over plain HTTP, which is for a
// developer's own machine, browsers refuse the prefix.
type cookies struct{ secure bool }

func (c cookies) name(name string) string {
	if c.secure {
		return "__Host-" + name
	}
	return name
}

func (c cookies) set(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure is left out over plain HTTP only
		Name: c.name(name), Value: value, Path: "/", MaxAge: int(life.Seconds()),
		Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (c cookies) clear(w http.ResponseWriter, name string) { c.set(w, name, "", -time.Second) }

// get returns a cookie's value. One that was sent twice is none: a host that
// shares a part of the name may have added it.
func (c cookies) get(r *http.Request, name string) string {
	all := r.CookiesNamed(c.name(name))
	if len(all) != 1 {
		return ""
	}
	return all[0].Value
}

// secret returns the secret of a browser, which it makes where there is none.
func (c cookies) secret(w http.ResponseWriter, r *http.Request, name string) string {
	value, _, _ := strings.Cut(c.get(r, name), ".")
	if validSecret(value) {
		return value
	}
	value, _ = auth.NewSecret()
	c.set(w, name, value, waitingLife)
	return value
}

func validSecret(s string) bool {
	return len(s) >= 26 && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '2' || r > '7')
	})
}
