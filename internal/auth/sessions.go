package auth

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"portico"
	"portico/internal/store"
)

const (
	// SessionLife is how long a session lasts after its last rotation.
	SessionLife = 30 * 24 * time.Hour

	// RefreshGrace is how long the refresh token before the newest is still
	// answered, so that a client that lost an answer can ask again.
	RefreshGrace = 10 * time.Second
)

// PortalAudience is the audience of guests' sessions on a portal's own pages.
// Sessions for the API have AccessTokenAudience; neither is good for the other.
func PortalAudience(portalID string) string { return PortalAudiencePrefix + portalID }

// Tokens are what a client holds of a session.
type Tokens struct {
	AccessToken  string
	RefreshToken string
}

// NewSession begins a session of an account in an organization. One for the API
// or the console makes it the organization last used. Whether the account may is the caller's
// to decide, in the same transaction.
func (a *Auth) NewSession(tx *store.Tx, accountID, organizationID, audience string) (store.Session, error) {
	s := store.Session{
		ID:             tx.NewID(portico.PrefixSession),
		AccountID:      accountID,
		OrganizationID: organizationID,
		Audience:       audience,
		Rotation:       1,
		RotatedAt:      tx.Now,
		CreatedAt:      tx.Now,
		ExpiresAt:      tx.Now.Add(SessionLife),
	}
	if audience == ConsoleAudience {
		s.ExpiresAt = tx.Now.Add(ConsoleLife)
	}
	if err := tx.InsertSession(s); err != nil {
		return store.Session{}, err
	}
	if audience != AccessTokenAudience && audience != ConsoleAudience {
		return s, nil
	}
	return s, tx.SetLastOrganization(accountID, organizationID)
}

// Refresh is a refresh token that was read: it is authentic, which does not
// say that its session still lives or that it is the newest.
type Refresh struct {
	sessionID string
	rotation  int64
}

// maxRefreshToken bounds what is decoded.
const maxRefreshToken = 256

// ReadRefresh checks a refresh token without the registry: prefix, session,
// rotation, MAC. It is KindUnauthorized unless this installation made it.
func (a *Auth) ReadRefresh(token string) (Refresh, error) {
	text, ok := strings.CutPrefix(token, string(RefreshToken))
	parts := strings.Split(text, ".")
	if !ok || len(token) > maxRefreshToken || len(parts) != 3 {
		return Refresh{}, refuse("the refresh token has another form")
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	// The decoder skips line breaks, which would give a token a second spelling.
	if err != nil || len(parts[2]) != base64.RawURLEncoding.EncodedLen(len(sum)) || !a.refresh.Equal(sum, parts[0], parts[1]) {
		return Refresh{}, refuse("the refresh token is not authentic")
	}
	rotation, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return Refresh{}, refuseFor(err)
	}
	return Refresh{sessionID: parts[0], rotation: rotation}, nil
}

// Issue returns the tokens of a session at its newest rotation.
func (a *Auth) Issue(s store.Session) (Tokens, error) {
	access, _, err := a.access.Issue(s.AccountID, s.OrganizationID, s.ID)
	if err != nil {
		return Tokens{}, err
	}
	number := strconv.FormatInt(s.Rotation, 10)
	sum := a.refresh.Sum(s.ID, number)
	refresh := string(RefreshToken) + s.ID + "." + number + "." + base64.RawURLEncoding.EncodeToString(sum[:])
	return Tokens{AccessToken: access, RefreshToken: refresh}, nil
}

// Rotate moves the session of a refresh token on, and returns it for Issue.
// Only the newest token moves it. The one before it gets the newest again
// within RefreshGrace: an answer was lost, or two requests ran at once. Any
// other was used before, by its holder or by a thief, and nobody can tell by
// whom: then the session is deleted and ended is true, as it is when the
// account is no member of the organization any more. The caller commits that,
// and refuses.
func (a *Auth) Rotate(tx *store.Tx, r Refresh, audience string) (s store.Session, ended bool, err error) {
	s, holder, err := tx.Session(r.sessionID)
	switch {
	case err != nil:
		return store.Session{}, false, refuseAbsent(err)
	case s.Audience != audience, !tx.Now.Before(s.ExpiresAt), !holder.Proven:
		return store.Session{}, false, refuse("the session ended, or is for another audience")
	case holder.Role == "":
		return end(tx, s)
	}
	expires := tx.Now.Add(SessionLife)
	moved, err := tx.RotateSession(s.ID, r.rotation, expires)
	if err != nil {
		return store.Session{}, false, err
	}
	if moved {
		s.Rotation, s.RotatedAt, s.ExpiresAt = r.rotation+1, tx.Now, expires
		return s, false, nil
	}
	// Read again: another refresh may have moved it since the first reading.
	if s, _, err = tx.Session(r.sessionID); err != nil {
		return store.Session{}, false, refuseAbsent(err)
	}
	if r.rotation == s.Rotation-1 && tx.Now.Sub(s.RotatedAt) <= RefreshGrace {
		return s, false, nil
	}
	return end(tx, s)
}

func end(tx *store.Tx, s store.Session) (store.Session, bool, error) {
	ended, err := tx.DeleteSession(s.ID)
	if err == nil && !ended {
		err = refuse("the session ended")
	}
	return s, ended, err
}
