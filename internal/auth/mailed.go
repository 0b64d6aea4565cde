package auth

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"portico"
	"portico/internal/keyring"
)

// The terms of what is mailed to prove a mailbox.
const (
	CodeLife     = 10 * time.Minute
	CodeAttempts = 5 // at one code; of a million codes
	ResetLife    = time.Hour
)

// MailRequestRate is how many codes and links one address, and half of how many
// one remote address, may ask for. Where the account was not signed in to lately
// may ask for no more in a whole day: fewer than portico.MaxSolicitedMail, so
// that some are left to its holder.
func MailRequestRate() Rate { return Rate{Events: 6, Per: time.Hour} }

// MailedCode returns the six digits of a challenge. They are a function of its
// id and the installation's secret, made while the mail is sent and while an
// attempt is compared.
func MailedCode(mac *keyring.MAC, challengeID string) string {
	sum := mac.Sum(challengeID)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(sum[:])%1_000_000)
}

// CodeIs reports whether a person's text is a challenge's code; blanks and
// hyphens in it do not matter.
func (a *Auth) CodeIs(challengeID, text string) bool {
	digits := strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(text)
	return SameHash(MailedCode(a.codes, challengeID), digits)
}

// ResetToken returns the token of the link that sets another password.
func ResetToken(mac *keyring.MAC, challengeID string) string {
	sum := mac.Sum(challengeID)
	return strings.TrimPrefix(challengeID, portico.PrefixChallenge) + "." + base64.RawURLEncoding.EncodeToString(sum[:])
}

// ReadReset returns the challenge that a token of ResetToken is of; otherwise a
// KindNotFound error, the same for every reason.
func (a *Auth) ReadReset(token string) (challengeID string, err error) {
	raw, mac, _ := strings.Cut(token, ".")
	id := portico.PrefixChallenge + raw
	sum, err := base64.RawURLEncoding.Strict().DecodeString(mac)
	good := err == nil && len(mac) == base64.RawURLEncoding.EncodedLen(len(sum)) &&
		portico.ValidID(id, portico.PrefixChallenge) && a.resets.Equal(sum, id)
	if !good {
		return "", portico.Errorf(portico.KindNotFound, "Not found")
	}
	return id, nil
}

// ReadInvitation is ParseInvitationToken with the installation's key.
func (a *Auth) ReadInvitation(portalID, token string) (invitationID string, generation int, err error) {
	return ParseInvitationToken(a.invitations, portalID, token)
}

// PeekInvitation returns which invitation a token says that it is of, without
// having checked that it is authentic: to find the portal that it may be for.
func PeekInvitation(token string) (invitationID string) {
	raw, err := base64.RawURLEncoding.DecodeString(token[:min(len(token), maxInvitationToken)])
	if idSize := len(raw) - generationSize - keyring.MACSize; err == nil && idSize > 0 {
		return string(raw[:idSize])
	}
	return ""
}

// strangersDay is in how many times its Per strangers may ask for a rate's events.
const strangersDay = 24

// MayAskForMail counts a request for a code or a link for an address, from a
// remote address. It is KindRateLimited when there were too many, whether
// anybody has the address or not. Where its account was signed in to before has
// a count of its own, as in SignIn: whoever asks elsewhere keeps no holder out.
func (a *Auth) MayAskForMail(ctx context.Context, key, remote string) error {
	type count struct {
		of  *Limiter
		key string
	}
	counts := []count{{a.mailFrom, network(remote)}, {a.mailTo, key}, {a.mailStrangers, key}}
	own := a.place(key, remote)
	known, err := a.knows(ctx, own)
	if err != nil {
		return err
	}
	if known {
		counts = []count{{a.mailFrom, network(remote)}, {a.mailTo, own}}
	}
	for _, c := range counts {
		if wait, ok := c.of.Take(c.key); !ok {
			return rateLimited(wait, "Too many mails were asked for. Try again later.")
		}
	}
	return nil
}
