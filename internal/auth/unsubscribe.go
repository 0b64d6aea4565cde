package auth

import (
	"encoding/base64"

	"portico"
	"portico/internal/keyring"
)

// maxUnsubscribeToken bounds what is decoded: the longest address, sealed.
const maxUnsubscribeToken = 512

// UnsubscribeToken returns the token of the link that ends mail to a canonical
// address. The address is sealed in it: it works as long as the installation
// does, whatever became of the account, and shows the address to nobody. Two
// tokens of one address differ.
func UnsubscribeToken(ring *keyring.Ring, emailKey string) string {
	return base64.RawURLEncoding.EncodeToString(ring.Seal(keyring.LabelUnsubscribe, []byte(emailKey), nil))
}

// ReadUnsubscribe returns the canonical address that a token is of, if
// UnsubscribeToken made it; otherwise a KindNotFound error, the same for every
// reason.
func ReadUnsubscribe(ring *keyring.Ring, token string) (emailKey string, err error) {
	unknown := portico.Errorf(portico.KindNotFound, "Not found")
	if len(token) > maxUnsubscribeToken {
		return "", unknown
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	// The decoder skips line breaks, so the length has to be what it should.
	if err != nil || base64.RawURLEncoding.EncodedLen(len(sealed)) != len(token) {
		return "", unknown
	}
	key, err := ring.Open(keyring.LabelUnsubscribe, sealed, nil)
	if err != nil {
		return "", unknown
	}
	return string(key), nil
}
