package auth

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"

	"portico"
	"portico/internal/keyring"
)

// An invitation's token is base64url of: invitation id, generation (4 bytes),
// MAC. With the 30 bytes of an id that is 66 bytes and 88 characters, without
// padding or spare bits, so that a token has one spelling.
const generationSize = 4

// maxInvitationToken bounds what is decoded.
const maxInvitationToken = 256

// InvitationToken returns the token of one generation of an invitation. It is
// a function of the ids and the installation's secret: the link is made while
// it is sent or shown, and nothing usable is stored.
func InvitationToken(mac *keyring.MAC, portalID, invitationID string, generation int) string {
	sum := mac.Sum(invitationParts(portalID, invitationID, generation)...)
	raw := make([]byte, 0, len(invitationID)+generationSize+len(sum))
	raw = append(raw, invitationID...)
	raw = binary.BigEndian.AppendUint32(raw, uint32(generation))
	raw = append(raw, sum[:]...)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// ParseInvitationToken returns which generation of which invitation a token is
// of, if InvitationToken made it for this portal; otherwise a KindNotFound
// error, the same for every reason. Whether that invitation still waits, and
// for this generation, only the registry can say.
func ParseInvitationToken(mac *keyring.MAC, portalID, token string) (invitationID string, generation int, err error) {
	unknown := portico.Errorf(portico.KindNotFound, "Not found")
	if len(token) > maxInvitationToken {
		return "", 0, unknown
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	// The decoder skips line breaks, so the length has to be what it should.
	if err != nil || base64.RawURLEncoding.EncodedLen(len(raw)) != len(token) {
		return "", 0, unknown
	}
	idSize := len(raw) - generationSize - keyring.MACSize
	if idSize <= 0 {
		return "", 0, unknown
	}
	invitationID = string(raw[:idSize])
	count := binary.BigEndian.Uint32(raw[idSize:])
	good := mac.Equal(raw[idSize+generationSize:], invitationParts(portalID, invitationID, int(count))...)
	if !good || !portico.ValidID(invitationID, portico.PrefixInvitation) {
		return "", 0, unknown
	}
	return invitationID, int(count), nil
}

func invitationParts(portalID, invitationID string, generation int) []string {
	return []string{invitationID, strconv.Itoa(generation), portalID}
}
