package auth

import (
	"context"
	"strings"

	"portico"
	"portico/internal/store"
)

// Proof is an account that showed its password.
type Proof struct {
	Account portico.Account

	place   string // where it was shown
	hash    string // what the password was compared with
	renewed string // its hash at today's cost, when that is another
}

// SignIn compares an address and a password with what the registry has. It is
// KindUnauthorized, with one text, for a wrong password, an address nobody
// has, a stub, and an account without a password: all take two queries and one
// hash. It is KindRateLimited when too many were tried for the address lately,
// right ones included, or too much failed from the caller's. Where the account
// was signed in to before has a count of its own, so that whoever guesses
// elsewhere does not keep its holder out.
func (a *Auth) SignIn(ctx context.Context, email, password, remote string) (Proof, error) {
	address, err := portico.ParseAddress(email)
	bucket := address.Key
	if err != nil { // nobody's address, which is looked up all the same, and counted as nobody's
		bucket = "\n" + strings.ToLower(email[:min(len(email), portico.MaxAddressLength)])
	}
	if err := a.MayTry(remote); err != nil {
		return Proof{}, err
	}
	own := a.place(bucket, remote)
	known, err := a.knows(ctx, own)
	if err != nil {
		return Proof{}, err
	}
	if known {
		bucket = own
	}
	if wait, ok := a.signIns.Take(bucket); !ok {
		return Proof{}, rateLimited(wait, "Too many sign-ins for this account. Try again later.")
	}
	proof, err := a.checkPassword(ctx, address.Key, password)
	if err == nil && !known {
		a.signIns.Take(own) // this one counts there as well
	}
	proof.place = own
	if portico.KindOf(err) == portico.KindUnauthorized {
		err = a.Refused(remote, err)
	}
	return proof, err
}

func (a *Auth) checkPassword(ctx context.Context, key, password string) (Proof, error) {
	var account portico.Account
	var hash string
	err := a.store.View(ctx, func(tx *store.Tx) (err error) {
		account, hash, err = tx.PasswordByKey(key)
		return err
	})
	if err != nil {
		return Proof{}, err
	}
	if !account.Proven {
		hash = ""
	}
	ok, err := a.hasher.Verify(ctx, hash, password)
	if err != nil {
		return Proof{}, err
	}
	if !ok {
		return Proof{}, errWrongPassword()
	}
	proof := Proof{Account: account, hash: hash}
	if a.hasher.Outdated(hash) {
		proof.renewed, err = a.hasher.Hash(ctx, password)
	}
	return proof, err
}

// Redeem checks, in the transaction that acts on a proof, that the password was
// not changed or voided since, and returns the account as it is now. Where it
// was shown is noted, and a hash of another cost than today's is replaced.
func (p Proof) Redeem(tx *store.Tx) (portico.Account, error) {
	account, hash, err := tx.PasswordByAccount(p.Account.ID)
	switch {
	case err != nil:
		return portico.Account{}, err
	case hash != p.hash || !account.Proven:
		return portico.Account{}, errWrongPassword()
	case p.renewed != "":
		err = tx.SetPassword(account.ID, p.renewed)
	}
	if err != nil {
		return portico.Account{}, err
	}
	return account, tx.NotePlace(account.ID, p.place)
}

// HashPassword returns the hash of a new password for an account, if it is a
// good one: otherwise the error is on the field "password".
func (a *Auth) HashPassword(ctx context.Context, password string, owner PasswordOwner) (string, error) {
	if err := a.rules.Check(password, owner); err != nil {
		return "", err
	}
	return a.hasher.Hash(ctx, password)
}

func errWrongPassword() error {
	return portico.Errorf(portico.KindUnauthorized, "Incorrect username or password")
}

// Prove makes an account proven, with this password hash as its only
// credential, or with none where the hash is empty: whatever was planted for it
// before is void. One that is proven already is left as it is; it reports which.
func Prove(tx *store.Tx, accountID, passwordHash string) (bool, error) {
	fresh, err := tx.SetAccountProven(accountID)
	if err != nil || !fresh {
		return false, err
	}
	if err := tx.VoidAccess(accountID); err != nil {
		return false, err
	}
	if passwordHash == "" {
		return true, nil
	}
	return true, tx.SetPassword(accountID, passwordHash)
}

// ChangePassword gives a proven account another password and ends its
// sessions, all but keep, which may be empty, and every code and link that was
// mailed to it. Where it came in from counts for nothing any more: a thief may
// have been there. Personal access tokens stay.
func ChangePassword(tx *store.Tx, accountID, passwordHash, keep string) error {
	if err := tx.SetPassword(accountID, passwordHash); err != nil {
		return err
	}
	if err := tx.DeleteChallenges(accountID); err != nil {
		return err
	}
	if err := tx.DeletePlaces(accountID); err != nil {
		return err
	}
	return tx.DeleteSessions(accountID, keep)
}
