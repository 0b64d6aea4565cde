package lifecycle

import (
	"context"
	"crypto/rand"
	"encoding/base64"

	"portico"
	"portico/internal/keyring"
	"portico/internal/store"
)

// The password of a portal's app stands in the registry, sealed, and is
// written to the engine from there whenever somebody asks for the address: of
// the two the registry is the truth.

// KeepAppSecret makes sure, in a transaction, that a portal's app has a
// password.
func (l *Lifecycle) KeepAppSecret(tx *store.Tx, portalID string) error {
	_, err := tx.AppSecret(portalID)
	if portico.KindOf(err) == portico.KindNotFound {
		return l.RotateAppSecret(tx, portalID)
	}
	return err
}

// RotateAppSecret gives a portal's app another password, in a transaction. It
// has force from AdmitApp on.
func (l *Lifecycle) RotateAppSecret(tx *store.Tx, portalID string) error {
	sealed := l.config.Ring.Seal(keyring.LabelAppAccess, []byte(rand.Text()), []byte(portalID))
	return tx.SetAppSecret(portalID, base64.StdEncoding.EncodeToString(sealed))
}

func (l *Lifecycle) appSecret(ctx context.Context, portalID string) (string, error) {
	var sealed string
	err := l.store.View(ctx, func(tx *store.Tx) (err error) {
		sealed, err = tx.AppSecret(portalID)
		return err
	})
	if err != nil {
		return "", err
	}
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return "", err
	}
	secret, err := l.config.Ring.Open(keyring.LabelAppAccess, raw, []byte(portalID))
	return string(secret), err
}

// AdmitApp lets an active portal's app reach its database with the password
// that the registry holds, and returns how. With alone, connections made with
// an earlier one end.
func (l *Lifecycle) AdmitApp(ctx context.Context, p store.PortalRow, alone bool) (store.AppAddress, error) {
	handle, err := l.Open(ctx, p)
	if err != nil {
		return store.AppAddress{}, err
	}
	defer handle.Release()
	// Asked inside, where a move that begins now waits to bar the app.
	at, err := handle.App().Admit(ctx, func() (string, error) {
		if err := l.endMove(ctx, p); err != nil {
			return "", err
		}
		return l.appSecret(ctx, p.ID)
	}, alone)
	if err == nil {
		return at, nil
	}
	if portico.KindOf(err) == portico.KindInternal {
		l.log.Error("an app cannot be let into its database", "portal", p.ID, "error", err)
	}
	return store.AppAddress{}, l.openFailed(ctx, p, portico.WrapError(portico.KindUnavailable, err,
		"The portal's database cannot be reached by its app now. Try again in a moment."))
}
