// Package auth owns who is calling: passwords and their rules, access tokens,
// opaque tokens, invitation tokens, and the limits on guessing any of them. It
// never says what a caller may do; the permission rules are in package portico.
//
// It never imports control or anything above it, a store's engine, or anything
// that speaks HTTP.
//
// Start with Auth in auth.go and principal.go (what a request carries), then
// accesstoken.go, secrettoken.go and
// invitationtoken.go (what else is handed out, and why nothing usable is
// stored), then password.go and passwordrules.go.
package auth

import (
	"errors"

	"portico"
)

// refuse returns the one answer to a bad credential. The reason is for the log.
func refuse(reason string) error { return refuseFor(errors.New(reason)) }

func refuseFor(cause error) error {
	return portico.WrapError(portico.KindUnauthorized, cause, "Could not validate credentials")
}
