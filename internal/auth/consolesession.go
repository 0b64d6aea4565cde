package auth

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"portico"
	"portico/internal/store"
)

// ConsoleAudience is the audience of administrators' sessions in the console:
// their cookies are worth nothing to the API, and its tokens nothing here.
// ConsoleAccess is the one way from the first to the second.
const ConsoleAudience = "portico-console"

// ConsoleLife is how long a session of the console lasts: a working day, after
// which the password is asked for again.
const ConsoleLife = 12 * time.Hour

// maxConsoleCookie bounds what is decoded.
const maxConsoleCookie = 256

// ConsoleCookie returns the value of the cookie of a session: its id, and a MAC
// by which the registry's rows alone make no cookie.
func (a *Auth) ConsoleCookie(s store.Session) string {
	sum := a.console.Sum(s.ID)
	return s.ID + "." + base64.RawURLEncoding.EncodeToString(sum[:])
}

// ReadConsoleCookie returns the session that a cookie is of, if this
// installation made it; whether that lives only the registry can say.
func (a *Auth) ReadConsoleCookie(value string) (sessionID string, err error) {
	id, code, ok := strings.Cut(value, ".")
	if !ok || len(value) > maxConsoleCookie {
		return "", refuse("the cookie has another form")
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(code)
	// The decoder skips line breaks, which would give a cookie a second spelling.
	if err != nil || len(code) != base64.RawURLEncoding.EncodedLen(len(sum)) || !a.console.Equal(sum, id) {
		return "", refuse("the cookie is not authentic")
	}
	return id, nil
}

// ConsoleSession returns who sent a cookie of the console, with what the
// registry says now, read in one query. It is KindUnauthorized otherwise.
func (a *Auth) ConsoleSession(ctx context.Context, value string) (portico.Principal, error) {
	id, err := a.ReadConsoleCookie(value)
	if err != nil {
		return portico.Principal{}, err
	}
	var s store.Session
	var holder store.Holder
	err = a.store.View(ctx, func(tx *store.Tx) (err error) {
		s, holder, err = tx.Session(id)
		return err
	})
	if err != nil {
		return portico.Principal{}, refuseAbsent(err)
	}
	if !holder.Proven || s.Audience != ConsoleAudience || !a.store.Now().Before(s.ExpiresAt) {
		return portico.Principal{}, refuse("the session ended, or is for another audience")
	}
	if holder.Role == "" {
		return portico.Principal{}, refuse("the account is no member of the organization any more")
	}
	return holder.Principal, nil
}

// ConsoleAccess returns an access token of a session of the console, for pages
// of the same origin that run operations of the API: as short-lived as any, with
// nothing to renew it by, and worth nothing once the session ends.
func (a *Auth) ConsoleAccess(by portico.Principal) (string, error) {
	token, _, err := a.access.Issue(by.AccountID, by.OrganizationID, by.SessionID)
	return token, err
}
