package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash/crc32"
	"strings"
)

// SecretKind is a kind of opaque token: a random secret that is shown once and
// stored as a hash. Its value is the prefix of its tokens, by which people and
// secret scanners recognise them.
type SecretKind string

// The kinds of opaque tokens.
const (
	PersonalToken SecretKind = "portico_pat_"
	RefreshToken  SecretKind = "portico_ref_" //nolint:gosec // a prefix, no token
	SetupToken    SecretKind = "portico_set_" // of the link that makes the first administrator
)

// A token is prefix, secret, checksum. 43 characters of 62 are 256 bits; 6 hold
// any CRC-32.
const (
	secretChars   = 43
	checksumChars = 6
)

// tokenAlphabet has 62 characters, in the order of ASCII.
const tokenAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// New returns a new token and the hash by which it is stored and found.
func (k SecretKind) New() (token, hash string) {
	buf := make([]byte, 0, len(k)+secretChars+checksumChars)
	buf = append(buf, k...)
	var random [64]byte
	for len(buf) < len(k)+secretChars {
		rand.Read(random[:]) // never returns an error: the program stops instead
		for _, b := range random {
			// Six bits of each byte; the two values past the alphabet are
			// thrown away, so that each character is equally likely.
			if i := int(b & 63); i < len(tokenAlphabet) && len(buf) < len(k)+secretChars {
				buf = append(buf, tokenAlphabet[i])
			}
		}
	}
	token = string(appendChecksum(buf))
	return token, hashToken(token)
}

// Owns reports whether a credential says that it is a token of this kind. It
// may still be malformed.
func (k SecretKind) Owns(credential string) bool { return strings.HasPrefix(credential, string(k)) }

// Hash returns the hash of a token for a look-up. It is KindUnauthorized for
// what cannot have come from New: a slip or a guess costs no query.
func (k SecretKind) Hash(token string) (string, error) {
	if len(token) != len(k)+secretChars+checksumChars || !k.Owns(token) {
		return "", refuse("the token has another form")
	}
	body := token[:len(token)-checksumChars]
	if string(appendChecksum([]byte(body))) != token {
		return "", refuse("the token's checksum is wrong")
	}
	for _, c := range []byte(body[len(k):]) {
		if strings.IndexByte(tokenAlphabet, c) < 0 {
			return "", refuse("the token has another alphabet")
		}
	}
	return hashToken(token), nil
}

// SameHash compares two hashes in a time that does not tell where they differ.
func SameHash(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// appendChecksum appends the CRC-32 of the prefix and the secret. It finds
// slips; it protects nothing, and may.
func appendChecksum(body []byte) []byte {
	sum := crc32.ChecksumIEEE(body)
	var digits [checksumChars]byte
	for i := range digits {
		digits[checksumChars-1-i] = tokenAlphabet[sum%62]
		sum /= 62
	}
	return append(body, digits[:]...)
}

// hashToken needs no salt and no work factor: what it hashes is random.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
