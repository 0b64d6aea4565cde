package auth

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"portico"
	"portico/internal/keyring"
)

// MailedCode returns the six digits of a challenge. They are a function of its
// id and the installation's secret, made while the mail is sent and while an
// attempt is compared.
func MailedCode(mac *keyring.MAC, challengeID string) string {
	sum := mac.Sum(challengeID)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(sum[:])%1_000_000)
}

// ResetToken returns the token of the link that sets another password.
func ResetToken(mac *keyring.MAC, challengeID string) string {
	sum := mac.Sum(challengeID)
	return strings.TrimPrefix(challengeID, portico.PrefixChallenge) + "." + base64.RawURLEncoding.EncodeToString(sum[:])
}
