// Package keyring owns the one secret of an installation and every key that is
// derived from it: signing keys, message authentication keys, sealing keys.
// None of them is ever stored; whoever holds the secret holds them all, and a
// restore needs the secret and the databases, nothing else.
//
// It is a leaf: it imports the standard library only, and nothing of Portico.
//
// Start with labels.go (the table of purposes), then Ring in this file, then
// file.go (where the secret is kept).
package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// SecretSize is the number of bytes of the secret.
const SecretSize = 32

// minDistinct is the number of different bytes below which a secret is taken
// for a placeholder. 32 random bytes have fewer once in about 10^23 times.
const minDistinct = 8

// howToMake ends each message about a secret that cannot be used.
const howToMake = "it must be 32 random bytes as 64 hex digits or as base64; make one with: openssl rand -hex 32"

// Ring derives keys from the secret. Equal secrets give equal keys, in every
// process and version. It is safe for concurrent use, and no way of printing
// or marshalling it shows the secret.
type Ring struct {
	// Behind a function, because fmt reads the unexported fields of a struct
	// that holds a Ring without asking the Ring's methods, and with a verb that
	// does not fit it even follows pointers; of a function it knows the address.
	secret func() []byte
}

func newRing(secret [SecretSize]byte) *Ring {
	return &Ring{secret: func() []byte { return secret[:] }}
}

// Parse reads a secret: 32 bytes as hex or as base64 (standard or URL alphabet,
// padded or not), with white space around it. No error repeats the text.
func Parse(text string) (*Ring, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errors.New("the secret key is empty; " + howToMake)
	}
	raw, ok := decode(text)
	if !ok {
		return nil, errors.New("the secret key cannot be read; " + howToMake)
	}
	distinct := make(map[byte]bool, SecretSize)
	for _, b := range raw {
		distinct[b] = true
	}
	if len(distinct) < minDistinct {
		return nil, errors.New("the secret key is a placeholder, not random; " + howToMake)
	}
	return newRing([SecretSize]byte(raw)), nil
}

// Generate returns a ring with a new random secret, and the secret as hex text
// for the file that keeps it.
func Generate() (ring *Ring, text string) {
	var raw [SecretSize]byte
	rand.Read(raw[:]) // never returns an error: the program stops instead
	return newRing(raw), hex.EncodeToString(raw[:])
}

func decode(text string) ([]byte, bool) {
	if len(text) == hex.EncodedLen(SecretSize) {
		raw, err := hex.DecodeString(text)
		return raw, err == nil
	}
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	raw, err := encoding.Strict().DecodeString(strings.TrimSuffix(text, "="))
	return raw, err == nil && len(raw) == SecretSize
}

// derive returns n bytes for a purpose. The kind of key is part of what is
// derived, so that one label used in two ways gives unrelated keys.
func (r *Ring) derive(kind string, label Label, n int) []byte {
	key, err := hkdf.Key(sha256.New, r.secret(), nil, "portico "+kind+" "+string(label), n)
	if err != nil {
		panic("keyring: HKDF refused a fixed length: " + err.Error())
	}
	return key
}

// Ed25519 returns the signing key of a purpose.
func (r *Ring) Ed25519(label Label) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(r.derive("ed25519", label, ed25519.SeedSize))
}

// MAC returns the message authentication key of a purpose. Keep it: deriving
// costs more than using it.
func (r *Ring) MAC(label Label) *MAC { return newMAC(r.derive("mac", label, sha256.Size)) }

// sealVersion is the first byte of what Seal returns, so that a later version
// can change the cipher and still open what was sealed before.
const sealVersion = 1

// Seal encrypts a secret that has to be stored (a certificate's key, a password
// for another service) with AES-256-GCM and a random nonce, which is good for
// 2^32 calls with one label. ad is not part of the result but must be the same
// for Open: give it what identifies the row, so that one row's secret cannot be
// put into another.
func (r *Ring) Seal(label Label, plaintext, ad []byte) []byte {
	return r.aead(label).Seal([]byte{sealVersion}, nil, plaintext, ad) //nolint:gosec // the AEAD draws its nonces itself
}

// Open returns what was given to Seal with the same label and ad. It fails when
// any bit differs, and when the ring is another one.
func (r *Ring) Open(label Label, sealed, ad []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return nil, errors.New("keyring: the sealed value has no known form")
	}
	plaintext, err := r.aead(label).Open(nil, nil, sealed[1:], ad)
	if err != nil {
		return nil, fmt.Errorf("keyring: the value was sealed with another secret key than %s, or changed since", r.Fingerprint())
	}
	return plaintext, nil
}

func (r *Ring) aead(label Label) cipher.AEAD {
	block, err := aes.NewCipher(r.derive("seal", label, 32))
	if err != nil {
		panic("keyring: AES refused a fixed key size: " + err.Error())
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("keyring: GCM refused AES: " + err.Error())
	}
	return aead
}

// Fingerprint returns 16 hex digits that tell rings apart and tell nothing of
// the secret. The registry keeps it, so that a start with another secret than
// the data was made with is refused rather than half working.
func (r *Ring) Fingerprint() string {
	return hex.EncodeToString(r.derive("fingerprint", labelFingerprint, 8))
}

// String returns the fingerprint, marked as such.
func (r *Ring) String() string {
	if r == nil {
		return "keyring(none)"
	}
	return "keyring(" + r.Fingerprint() + ")"
}

// GoString returns the same as String.
func (r *Ring) GoString() string { return r.String() }

// Format prints the same as String whatever the verb: the verbs for numbers
// would otherwise print the fields.
func (r *Ring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// MarshalJSON returns String as a JSON string.
func (r *Ring) MarshalJSON() ([]byte, error) { return []byte(`"` + r.String() + `"`), nil }

// LogValue returns the same as String.
func (r *Ring) LogValue() slog.Value { return slog.StringValue(r.String()) }
