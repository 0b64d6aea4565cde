package portico

import "time"

// Account is a person, once for the whole installation, known by one canonical
// address. Until it is proven it is a stub: it has no credential and nothing
// can sign in to it.
type Account struct {
	ID        string
	Email     string // the stored address, to which mail goes
	EmailKey  string // the canonical form, on which uniqueness rests
	Name      string
	Proven    bool // control of the mailbox was shown, or an operator made it
	CreatedAt time.Time

	// LastOrganizationID is the organization last signed in to; empty at first.
	LastOrganizationID string
}

// CredentialKind says what an account signs in with.
type CredentialKind string

// PasswordCredential is a credential whose secret is an argon2id hash.
const PasswordCredential CredentialKind = "password"

// Credential is what an account signs in with. Identity at an outside issuer
// is (Issuer, Subject), never an address; for a password both are empty.
type Credential struct {
	ID         string
	AccountID  string
	Kind       CredentialKind
	Issuer     string
	Subject    string
	SecretHash string
	CreatedAt  time.Time
}

// How long, how exactly and how many of the places are kept that an account
// comes in from.
const (
	PlaceLife       = 90 * 24 * time.Hour // since it last came from there
	PlaceResolution = 24 * time.Hour
	MaxPlaces       = 16 // of one account
)
