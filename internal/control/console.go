package control

import (
	"context"

	"portico"
	"portico/internal/auth"
	"portico/internal/store"
)

// SignInConsole begins a session of the console and returns its cookie. One
// that the browser has already ends: nobody keeps the id of a session that
// somebody else signs in to. A person who is a guest only has no place here.
func (c *Control) SignInConsole(ctx context.Context, email, password, cookie string, from Origin) (string, error) {
	to := consoleEntry()
	to.replaces, _ = c.auth.ReadConsoleCookie(cookie) // a bad one names no session
	s, err := c.signIn(ctx, email, password, from, to)
	if err != nil {
		return "", err
	}
	return c.auth.ConsoleCookie(s), nil
}

func consoleEntry() entry {
	return entry{audience: auth.ConsoleAudience, enters: func(kind portico.OrganizationKind) bool { return kind != portico.PortalKind }}
}

// SwitchConsole begins a session of the caller in another of their
// organizations, in place of the one that asked, and returns its cookie.
func (c *Control) SwitchConsole(ctx context.Context, by portico.Principal, organizationID string) (string, error) {
	if by.SessionID == "" {
		return "", portico.Errorf(portico.KindForbidden, "Only a session switches organizations. Sign in instead.")
	}
	var s store.Session
	err := c.store.Update(ctx, func(tx *store.Tx) error {
		m, err := tx.Membership(organizationID, by.AccountID)
		if err != nil {
			return err
		}
		o, err := tx.Organization(m.OrganizationID)
		if err != nil {
			return err
		}
		if !consoleEntry().enters(o.Kind) {
			return errNotFound
		}
		ended, err := tx.DeleteSession(by.SessionID)
		if err != nil {
			return err
		}
		if !ended { // signed out meanwhile
			return portico.Errorf(portico.KindUnauthorized, "Could not validate credentials")
		}
		if s, err = c.auth.NewSession(tx, m.AccountID, m.OrganizationID, auth.ConsoleAudience); err != nil {
			return err
		}
		return c.recordSession(tx, s, portico.ActionSignedIn, by.RequestID, detail{"switched_from": by.OrganizationID})
	})
	if err != nil {
		return "", err
	}
	return c.auth.ConsoleCookie(s), nil
}
