package auth

import (
	"context"
	"encoding/hex"

	"portico"
	"portico/internal/store"
)

// place names where somebody comes from who has an address, or says so: a MAC
// of both, so that the registry tells nobody where its accounts live. It is the
// key of a count of its own, too.
func (a *Auth) place(key, remote string) string {
	sum := a.places.Sum(key, network(remote))
	return hex.EncodeToString(sum[:])
}

// knows reports whether an account came in from a place lately, at any node.
func (a *Auth) knows(ctx context.Context, place string) (known bool, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) (err error) {
		known, err = tx.KnowsPlace(place)
		return err
	})
	return known, err
}

// Came notes, in the transaction that lets an account in, where it came from.
func (a *Auth) Came(tx *store.Tx, account portico.Account, remote string) error {
	return tx.NotePlace(account.ID, a.place(account.EmailKey, remote))
}
