package auth

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"portico"
)

// The terms of access tokens.
const (
	AccessTokenLife     = 15 * time.Minute
	AccessTokenAudience = "portico-api"

	// accessTokenSkew is how far another node's clock may be ahead. It is not
	// granted at the end of a token's life: clients refresh on 401.
	accessTokenSkew = 60 * time.Second

	maxAccessToken  = 4096 // bytes, before anything is decoded
	cachedTokens    = 4096 // verified signatures that are remembered
	jtiPrefix       = "jti_"
	accessTokenType = "JWT"
)

// AccessClaims is what a good access token says. It says who is calling; what
// they may do is read from the registry at every request.
type AccessClaims struct {
	AccountID      string
	OrganizationID string
	SessionID      string
	TokenID        string
	IssuedAt       time.Time
	ExpiresAt      time.Time
}

// AccessTokens makes and checks access tokens: JWTs signed with EdDSA. It is
// safe for concurrent use.
type AccessTokens struct {
	key    ed25519.PrivateKey
	public ed25519.PublicKey
	kid    string
	header string // the encoded header that every good token has
	now    func() time.Time
	ids    *portico.IDSource
	parser *jwt.Parser

	mu       sync.Mutex
	verified *recent[[sha256.Size]byte, accessPayload]
}

// NewAccessTokens returns the tokens of a signing key.
func NewAccessTokens(key ed25519.PrivateKey, now func() time.Time, ids *portico.IDSource) *AccessTokens {
	public := ed25519.PublicKey(key[ed25519.PrivateKeySize-ed25519.PublicKeySize:]) // RFC 8032's layout
	digest := sha256.Sum256(public)
	t := &AccessTokens{
		key:      key,
		public:   public,
		kid:      hex.EncodeToString(digest[:8]),
		now:      now,
		ids:      ids,
		verified: newRecent[[sha256.Size]byte, accessPayload](cachedTokens),
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
			jwt.WithStrictDecoding(),
			jwt.WithoutClaimsValidation(), // validAt does, on cached tokens too
		),
	}
	// Three strings marshal to the same bytes each time: maps are sorted.
	header, err := json.Marshal(t.unsigned(nil).Header)
	if err != nil {
		panic("auth: three strings do not marshal: " + err.Error())
	}
	t.header = base64.RawURLEncoding.EncodeToString(header)
	return t
}

func (t *AccessTokens) unsigned(claims jwt.Claims) *jwt.Token {
	return &jwt.Token{
		Header: map[string]any{"alg": jwt.SigningMethodEdDSA.Alg(), "kid": t.kid, "typ": accessTokenType},
		Claims: claims,
		Method: jwt.SigningMethodEdDSA,
	}
}

// Issue returns a token for a session of an account in an organization.
func (t *AccessTokens) Issue(accountID, organizationID, sessionID string) (string, AccessClaims, error) {
	issued := t.now().Truncate(time.Second)
	p := accessPayload{
		Subject:      accountID,
		Organization: organizationID,
		Session:      sessionID,
		ID:           t.ids.New(jtiPrefix),
		Audience:     AccessTokenAudience,
		IssuedAt:     issued.Unix(),
		ExpiresAt:    issued.Add(AccessTokenLife).Unix(),
	}
	token, err := t.unsigned(&p).SignedString(t.key)
	if err != nil {
		return "", AccessClaims{}, fmt.Errorf("signing an access token: %w", err)
	}
	return token, p.claims(), nil
}

// Parse returns the claims of a token that Issue made and that is valid now,
// and a KindUnauthorized error for everything else. It never fetches anything,
// and the header is the one that Issue writes, byte for byte: no other
// algorithm, type or key, no reference to a key, and no extension.
func (t *AccessTokens) Parse(token string) (AccessClaims, error) {
	if len(token) > maxAccessToken {
		return AccessClaims{}, refuse("the token is too long")
	}
	sum := sha256.Sum256([]byte(token))
	t.mu.Lock()
	p, ok := t.verified.get(sum)
	t.mu.Unlock()
	if !ok {
		var err error
		if p, err = t.authentic(token); err != nil {
			return AccessClaims{}, err
		}
		t.mu.Lock()
		t.verified.put(sum, p)
		t.mu.Unlock()
	}
	if err := p.validAt(t.now()); err != nil {
		return AccessClaims{}, err
	}
	return p.claims(), nil
}

// authentic checks everything but the time.
func (t *AccessTokens) authentic(token string) (accessPayload, error) {
	header, rest, _ := strings.Cut(token, ".")
	if header != t.header {
		return accessPayload{}, refuse("the token has another header")
	}
	// Base64 decoders skip line breaks, which would give a token more than one
	// spelling.
	if strings.Count(rest, ".") != 1 || strings.ContainsAny(rest, "\r\n") {
		return accessPayload{}, refuse("the token has another form")
	}
	var p accessPayload
	_, err := t.parser.ParseWithClaims(token, &p, func(*jwt.Token) (any, error) { return t.public, nil })
	if err != nil {
		return accessPayload{}, refuseFor(err)
	}
	return p, p.complete()
}

// accessPayload is the claims set as it is written. Its times are whole
// seconds.
type accessPayload struct {
	Subject      string `json:"sub"`
	Organization string `json:"org"`
	Session      string `json:"sid"`
	ID           string `json:"jti"`
	Audience     string `json:"aud"`
	IssuedAt     int64  `json:"iat"`
	ExpiresAt    int64  `json:"exp"`

	notBefore int64 // read, never written
}

// UnmarshalJSON is stricter than the package would be: a claim that is there
// twice is an error, and names match exactly. Claims that a later version may
// add are passed over, but not an issuer, which ours never name.
func (p *accessPayload) UnmarshalJSON(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return errors.New("the claims are no object")
	}
	fields := map[string]any{
		"sub": &p.Subject, "org": &p.Organization, "sid": &p.Session, "jti": &p.ID,
		"aud": &p.Audience, "iat": &p.IssuedAt, "exp": &p.ExpiresAt, "nbf": &p.notBefore,
	}
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			return errors.New("a key is no string")
		}
		if seen[name] {
			return errors.New("a claim is there twice")
		}
		seen[name] = true
		if name == "iss" {
			return errors.New("the token names an issuer")
		}
		field, known := fields[name]
		if !known {
			field = new(json.RawMessage)
		}
		if err := dec.Decode(field); err != nil {
			return fmt.Errorf("a claim has another type: %w", err)
		}
	}
	return nil
}

func (p *accessPayload) complete() error {
	switch {
	case p.Audience != AccessTokenAudience:
		return refuse("the token is for another audience")
	case p.Subject == "" || p.Organization == "" || p.Session == "" || p.ID == "":
		return refuse("the token lacks a claim")
	case p.IssuedAt <= 0 || p.ExpiresAt <= p.IssuedAt:
		return refuse("the token lacks its times")
	}
	return nil
}

func (p *accessPayload) validAt(now time.Time) error {
	latest := now.Add(accessTokenSkew).Unix()
	switch {
	case !now.Before(time.Unix(p.ExpiresAt, 0)):
		return refuse("the token has expired")
	case p.IssuedAt > latest || p.notBefore > latest:
		return refuse("the token is from the future")
	}
	return nil
}

func (p *accessPayload) claims() AccessClaims {
	return AccessClaims{
		AccountID:      p.Subject,
		OrganizationID: p.Organization,
		SessionID:      p.Session,
		TokenID:        p.ID,
		IssuedAt:       time.Unix(p.IssuedAt, 0).UTC(),
		ExpiresAt:      time.Unix(p.ExpiresAt, 0).UTC(),
	}
}

// The methods below make accessPayload a jwt.Claims. The package asks for them
// only when it validates claims itself, which is off.

// GetExpirationTime returns exp.
func (p *accessPayload) GetExpirationTime() (*jwt.NumericDate, error) { return date(p.ExpiresAt), nil }

// GetIssuedAt returns iat.
func (p *accessPayload) GetIssuedAt() (*jwt.NumericDate, error) { return date(p.IssuedAt), nil }

// GetNotBefore returns nbf.
func (p *accessPayload) GetNotBefore() (*jwt.NumericDate, error) { return date(p.notBefore), nil }

// GetIssuer returns nothing: tokens name no issuer.
func (p *accessPayload) GetIssuer() (string, error) { return "", nil }

// GetSubject returns sub.
func (p *accessPayload) GetSubject() (string, error) { return p.Subject, nil }

// GetAudience returns aud.
func (p *accessPayload) GetAudience() (jwt.ClaimStrings, error) {
	return jwt.ClaimStrings{p.Audience}, nil
}

func date(seconds int64) *jwt.NumericDate { return jwt.NewNumericDate(time.Unix(seconds, 0)) }
