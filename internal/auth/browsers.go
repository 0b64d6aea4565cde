package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"portico"
	"portico/internal/store"
)

// SignInAudience is the audience of guests' sessions at the sign-in host. One
// is good for nothing but to get a session for a portal.
const SignInAudience = "portico-sign-in"

// PortalAudiencePrefix is what PortalAudience begins with.
const PortalAudiencePrefix = "portico-portal:"

// EntryLife is how long a portal's host may take to redeem a code for a
// session.
const EntryLife = time.Minute

// NewBrowserSession begins a session of a browser: at the sign-in host, where
// parent is nil, or at a portal's host, where it lasts no longer than its
// parent.
func (a *Auth) NewBrowserSession(tx *store.Tx, accountID, portalID string, parent *store.Session) (store.Session, error) {
	s := store.Session{
		ID: tx.NewID(portico.PrefixSession), AccountID: accountID, OrganizationID: portalID, Audience: SignInAudience,
		RotatedAt: tx.Now, CreatedAt: tx.Now, ExpiresAt: tx.Now.Add(SessionLife),
	}
	if parent != nil {
		s.Audience, s.ParentID, s.ExpiresAt = PortalAudience(portalID), parent.ID, parent.ExpiresAt
	}
	return s, tx.InsertSession(s)
}

// BrowserCookie returns the value of a session's cookie: its id and a MAC, so
// that what the registry stores is worth nothing.
func (a *Auth) BrowserCookie(sessionID string) string {
	sum := a.browsers.Sum(sessionID)
	return strings.TrimPrefix(sessionID, portico.PrefixSession) + "." + base64.RawURLEncoding.EncodeToString(sum[:])
}

// ReadBrowserCookie returns the id of the session whose cookie this is, and an
// empty one for everything that BrowserCookie did not make. What the session is
// for, and whether it lasts, the registry says.
func (a *Auth) ReadBrowserCookie(value string) string {
	raw, mac, _ := strings.Cut(value, ".")
	id := portico.PrefixSession + raw
	if !portico.ValidID(id, portico.PrefixSession) {
		return ""
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(mac)
	// The decoder skips line breaks, which would give a cookie a second spelling.
	if err != nil || len(mac) != base64.RawURLEncoding.EncodedLen(len(sum)) || !a.browsers.Equal(sum, id) {
		return ""
	}
	return id
}

// NewSecret returns a random text for a cookie or a code, and the hash by which
// it is stored.
func NewSecret() (secret, hash string) {
	secret = rand.Text()
	return secret, HashSecret(secret)
}

// HashSecret returns the hash by which a secret of NewSecret is stored.
func HashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
