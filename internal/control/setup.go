package control

import (
	"context"
	"strconv"
	"strings"
	"time"

	"portico"
	"portico/internal/auth"
	"portico/internal/store"
)

// SetupLife is how long a setup link can be used.
const SetupLife = 30 * time.Minute

// metaSetup is the name in the registry of the hash of the one setup token, and
// when it ends.
const metaSetup = "setup"

var errAdministered = portico.Errorf(portico.KindConflict,
	"There is an administrator already. Sign in, or have an operator run: portico account create.")

// NeedsSetup reports whether nobody administers any organization yet.
func (c *Control) NeedsSetup(ctx context.Context) (bool, error) {
	var administered bool
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		administered, err = tx.Administered()
		return err
	})
	return !administered, err
}

// NewSetupLink returns the address at which the first administrator makes
// themselves, once, within SetupLife. An earlier link is void. It is an
// operator's command, and KindConflict once there is an administrator.
func (c *Control) NewSetupLink(ctx context.Context) (string, error) {
	token, hash := auth.SetupToken.New()
	err := c.store.Update(ctx, func(tx *store.Tx) error {
		administered, err := tx.Administered()
		if err != nil {
			return err
		}
		if administered {
			return errAdministered
		}
		return tx.SetMeta(metaSetup, hash+" "+strconv.FormatInt(tx.Now.Add(SetupLife).Unix(), 10))
	})
	if err != nil {
		return "", err
	}
	return c.config.PublicURL.JoinPath("setup", token).String(), nil
}

// setupOf returns the registry's note of a setup token that is good now. All
// others are the same error.
func setupOf(tx *store.Tx, hash string) (note string, err error) {
	if note, err = tx.Meta(metaSetup); err != nil {
		return "", err
	}
	kept, until, _ := strings.Cut(note, " ")
	seconds, err := strconv.ParseInt(until, 10, 64)
	if err != nil || !auth.SameHash(kept, hash) || tx.Now.Unix() >= seconds {
		return "", errNotFound
	}
	administered, err := tx.Administered()
	if err == nil && administered {
		err = errNotFound
	}
	return note, err
}

// CheckSetup says whether a setup token is good now: nil, or KindNotFound.
// Looking uses nothing up.
func (c *Control) CheckSetup(ctx context.Context, token string, from Origin) error {
	hash, err := auth.SetupToken.Hash(token)
	if err == nil {
		err = c.store.View(ctx, func(tx *store.Tx) error {
			_, err := setupOf(tx, hash)
			return err
		})
	} else {
		err = errNotFound
	}
	if portico.KindOf(err) == portico.KindNotFound {
		return c.auth.Refused(from.Remote, err)
	}
	return err
}

// Setup is what the first administrator says of themselves.
type Setup struct {
	Organization string
	Name         string
	Email        string
	Password     string
}

// SetUp makes the first organization with its owner, uses the token up, and
// begins a session of the console, or does nothing of it. It returns the
// session's cookie.
func (c *Control) SetUp(ctx context.Context, token string, in Setup, from Origin) (string, error) {
	if err := c.CheckSetup(ctx, token, from); err != nil { // before a password is hashed for a stranger
		return "", err
	}
	hash, err := auth.SetupToken.Hash(token)
	if err != nil {
		return "", errNotFound
	}
	organization := OrganizationCreate{Kind: portico.Production}
	if organization.Name, err = portico.CleanName(in.Organization); err != nil {
		return "", portico.FieldErrorf("organization", "%s", portico.MessageOf(err))
	}
	if _, err := parseMemberAddress(in.Email); err != nil {
		return "", err
	}
	if in.Password == "" {
		return "", portico.FieldErrorf("password", "Choose a password.")
	}
	owner, err := c.newAccount(ctx, AccountCreate{Email: in.Email, Name: in.Name, Password: in.Password, Role: portico.Owner})
	if err != nil {
		return "", err
	}
	var s store.Session
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		note, err := setupOf(tx, hash)
		if err != nil {
			return err
		}
		taken, err := tx.TakeMeta(metaSetup, note)
		if err != nil {
			return err
		}
		if !taken { // another one was faster
			return errNotFound
		}
		o, err := createOrganization(tx, organization)
		if err != nil {
			return err
		}
		made, err := owner.create(tx, o)
		if err != nil {
			return err
		}
		if !made.PasswordSet { // the link is no way into an account that somebody has
			return portico.FieldErrorf("email", "Somebody signs in with this address already. Have an operator run: portico account create.")
		}
		if s, err = c.auth.NewSession(tx, made.Account.ID, o.ID, auth.ConsoleAudience); err != nil {
			return err
		}
		return c.recordSession(tx, s, portico.ActionSignedIn, from.RequestID, detail{"setup": true})
	})
	if err != nil {
		return "", err
	}
	return c.auth.ConsoleCookie(s), nil
}
