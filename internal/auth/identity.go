package auth

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"portico/internal/keyring"
)

// IdentityLife is how long a statement about a guest holds: the app behind a
// portal is given a new one with each request.
const IdentityLife = time.Minute

// Identity is what the app behind a portal is told about a guest.
type Identity struct {
	Issuer       string // the sign-in host's address
	Audience     string // the portal's address
	AccountID    string
	Email        string
	Name         string
	PortalID     string
	Organization string // the id of the portal's organization
}

// Identities signs statements about guests, for apps that check them with the
// public key of JWKS. They are worth nothing here: no credential of ours has
// their key. It is safe for concurrent use.
type Identities struct {
	key ed25519.PrivateKey
	kid string
	now func() time.Time
	set []byte

	mu     sync.Mutex
	signed *recent[Identity, statement]
}

// statement is a JWT with the second in which it was made.
type statement struct {
	token  string
	issued int64
}

// statementsKept is how many statements are remembered within their second.
const statementsKept = 4096

// NewIdentities returns the statements of an installation.
func NewIdentities(ring *keyring.Ring, now func() time.Time) *Identities {
	key := ring.Ed25519(keyring.LabelIdentity)
	public := key[ed25519.PrivateKeySize-ed25519.PublicKeySize:] // RFC 8032's layout
	digest := sha256.Sum256(public)
	i := &Identities{key: key, kid: hex.EncodeToString(digest[:8]), now: now, signed: newRecent[Identity, statement](statementsKept)}
	var err error
	i.set, err = json.Marshal(map[string]any{"keys": []map[string]string{{
		"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": jwt.SigningMethodEdDSA.Alg(), "kid": i.kid,
		"x": base64.RawURLEncoding.EncodeToString(public),
	}}})
	if err != nil {
		panic("auth: six strings do not marshal: " + err.Error())
	}
	return i
}

// JWKS returns the public key as a JSON Web Key Set.
func (i *Identities) JWKS() []byte { return i.set }

// Sign returns a JWT that says who a guest is, for IdentityLife. Within a second
// it is the same one, byte for byte, and made once: a page asks for many things.
func (i *Identities) Sign(who Identity) (string, error) {
	issued := i.now().Unix()
	i.mu.Lock()
	kept, ok := i.signed.get(who)
	i.mu.Unlock()
	if ok && kept.issued == issued {
		return kept.token, nil
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": who.Issuer, "aud": who.Audience, "sub": who.AccountID, "email": who.Email, "name": who.Name,
		"portal": who.PortalID, "organization": who.Organization,
		"iat": issued, "exp": issued + int64(IdentityLife/time.Second),
	})
	token.Header["kid"] = i.kid
	text, err := token.SignedString(i.key)
	if err != nil {
		return "", err
	}
	i.mu.Lock()
	i.signed.put(who, statement{text, issued})
	i.mu.Unlock()
	return text, nil
}
