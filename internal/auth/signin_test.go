package auth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
)

// TestSignIn is A58: whoever it is that cannot sign in, the answer, the number
// of hashes and the number of tries allowed are the same.
func TestSignIn(t *testing.T) { //nolint:tparallel // the cases are counted on one registry
	t.Parallel()
	w := newWorld(t)
	w.account("ada@example.com")
	w.update(func(tx *store.Tx) error {
		for _, a := range []portico.Account{
			{ID: tx.NewID(portico.PrefixAccount), EmailKey: "stub@example.com"},
			{ID: tx.NewID(portico.PrefixAccount), EmailKey: "bare@example.com", Proven: true},
		} {
			if err := tx.InsertAccount(a); err != nil {
				return err
			}
			if !a.Proven { // planted, as A39 has it
				_, hash, err := tx.PasswordByKey("ada@example.com")
				if err != nil {
					return err
				}
				if err := tx.SetPassword(a.ID, hash); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for _, tt := range []struct {
		name, email, password string
		ok                    bool
	}{
		{"right", "ada@example.com", goodPassword, true},
		{"right, spelled otherwise", " Ada <ADA@Example.COM> ", goodPassword, true},
		{"wrong password", "ada@example.com", goodPassword + "r", false},
		{"empty password", "ada@example.com", "", false},
		{"unknown address", "bob@example.com", goodPassword, false},
		{"no address", "nobody", goodPassword, false},
		{"an address with NUL", "ada@example.com\x00", goodPassword, false},
		{"a stub with a planted password", "stub@example.com", goodPassword, false},
		{"proven, without a password", "bare@example.com", goodPassword, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, statements := w.hasher.Count(), w.statements.Count()
			proof, err := w.SignIn(t.Context(), tt.email, tt.password, "192.0.2.1")
			if n := w.hasher.Count() - before; n != 1 {
				t.Errorf("%d hashes, want 1", n)
			}
			if n := w.statements.Count() - statements; n != 2 {
				t.Errorf("%d statements, want 2", n)
			}
			if !tt.ok {
				want(t, err, portico.KindUnauthorized, wrongPassword)
				return
			}
			if err != nil || proof.Account.EmailKey != "ada@example.com" {
				t.Errorf("got %+v, %v", proof, err)
			}
		})
	}
	t.Run("too long to hash, known or not", func(t *testing.T) {
		before := w.hasher.Count()
		for _, email := range []string{"ada@example.com", "bob@example.com"} {
			_, err := w.SignIn(t.Context(), email, strings.Repeat("x", MaxPasswordBytes+1), "192.0.2.1")
			want(t, err, portico.KindUnauthorized, wrongPassword)
		}
		if n := w.hasher.Count() - before; n != 0 {
			t.Errorf("%d hashes", n)
		}
	})
}

func TestSignInLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account("ada@example.com")
	for _, email := range []string{"ada@example.com", "bob@example.com"} {
		for range SignInRate().Events {
			_, err := w.SignIn(t.Context(), email, "wrong", "192.0.2.1")
			want(t, err, portico.KindUnauthorized, wrongPassword)
		}
		before := w.hasher.Count()
		_, err := w.SignIn(t.Context(), strings.ToUpper(email), goodPassword, "192.0.2.9")
		want(t, err, portico.KindRateLimited, "Too many sign-ins for this account. Try again later.")
		if portico.RetryAfterOf(err) <= 0 || w.hasher.Count() != before {
			t.Errorf("retry after %v, %d hashes", portico.RetryAfterOf(err), w.hasher.Count()-before)
		}
	}
	w.pass(time.Minute)
	if _, err := w.SignIn(t.Context(), "ada@example.com", goodPassword, "192.0.2.1"); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

// TestGuessingKeepsNobodyOut: whoever guesses at an account from elsewhere does
// not use up what its holder has where they signed in before.
func TestGuessingKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.account("ada@example.com")
	signIn := func(remote, password string) error {
		proof, err := w.SignIn(t.Context(), a.Email, password, remote)
		if err == nil {
			w.update(func(tx *store.Tx) error {
				_, err := proof.Redeem(tx)
				return err
			})
		}
		return err
	}
	if err := signIn("192.0.2.1", goodPassword); err != nil {
		t.Fatal(err)
	}
	w.Auth = w.auth() // another node, which nobody signed in to yet
	for range 3 * SignInRate().Events {
		_ = signIn("198.51.100.7", "guess") // refused, then limited
		// No address, but spelled as where its holder is counted.
		_, _ = w.SignIn(t.Context(), a.Email+"\n192.0.2.1", "guess", "198.51.100.7")
	}
	want(t, signIn("198.51.100.7", goodPassword), portico.KindRateLimited, "Too many sign-ins for this account. Try again later.")
	for range SignInRate().Events {
		if err := signIn("192.0.2.1", goodPassword); err != nil {
			t.Fatalf("the holder: %v", err)
		}
	}
	want(t, signIn("192.0.2.1", goodPassword), portico.KindRateLimited, "Too many sign-ins for this account. Try again later.")
}

// TestPlaces: of an account's places the latest stay, for as long as it comes
// from there, and none that a thief may have been at. Their rows tell nobody
// where that is.
func TestPlaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.account("ada@example.com")
	came := func(remote string) {
		w.update(func(tx *store.Tx) error { return w.Came(tx, a, remote) })
	}
	knows := func(remote string) bool {
		known, err := w.auth().knows(t.Context(), w.place(a.EmailKey, remote))
		if err != nil {
			t.Fatal(err)
		}
		return known
	}
	remote := func(i int) string { return fmt.Sprintf("192.0.2.%d", i) }
	for i := range portico.MaxPlaces + 3 {
		came(remote(i))
		w.pass(time.Second)
	}
	for i := range portico.MaxPlaces + 3 {
		if knows(remote(i)) != (i >= 3) {
			t.Errorf("%s is known: %v", remote(i), knows(remote(i)))
		}
	}
	w.pass(portico.PlaceLife - time.Hour)
	came(remote(3))
	w.pass(time.Hour)
	if !knows(remote(3)) || knows(remote(4)) {
		t.Error("a place is known for as long as its account comes from there")
	}
	w.update(func(tx *store.Tx) error { return tx.ForgetPlaces() })
	var rows []string
	err := w.store.Engine().Registry().View(t.Context(), func(q store.SQL) error {
		all, err := q.Query(`SELECT place || ' ' || account_id FROM places`)
		if err != nil {
			return err
		}
		defer all.Close()
		for all.Next() {
			rows = append(rows, "")
			if err := all.Scan(&rows[len(rows)-1]); err != nil {
				return err
			}
		}
		return all.Err()
	})
	if err != nil || len(rows) != 1 || strings.Contains(rows[0], "192.0.2") || strings.Contains(rows[0], "ada@") {
		t.Errorf("the registry has %q, %v", rows, err)
	}
	w.update(func(tx *store.Tx) error { return ChangePassword(tx, a.ID, "another", "") })
	if knows(remote(3)) {
		t.Error("a place outlived a change of password")
	}
}

// TestFailedSignInsOfAnAddress: spraying over many accounts runs into the limit
// of the address it comes from.
func TestFailedSignInsOfAnAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range FailureRate().Events {
		_, err := w.SignIn(t.Context(), "user"+strings.Repeat("x", i%50)+string(rune('a'+i/50))+"@example.com", "wrong", "192.0.2.1")
		want(t, err, portico.KindUnauthorized, wrongPassword)
	}
	a := w.account("ada@example.com")
	for _, password := range []string{"wrong", goodPassword} {
		_, err := w.SignIn(t.Context(), a.Email, password, "192.0.2.1")
		want(t, err, portico.KindRateLimited, "Too many failed attempts. Try again later.")
	}
	if _, err := w.SignIn(t.Context(), a.Email, goodPassword, "192.0.2.2"); err != nil {
		t.Errorf("from another address: %v", err)
	}
}

// TestProofIsOvertaken: a password that was changed between its check and the
// transaction that acts on it is the old one there.
func TestProofIsOvertaken(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(tx *store.Tx, id string) error{
		"changed": func(tx *store.Tx, id string) error { return ChangePassword(tx, id, "another", "") },
		"voided":  func(tx *store.Tx, id string) error { return tx.VoidAccess(id) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.account("ada@example.com")
			proof, err := w.SignIn(t.Context(), a.Email, goodPassword, "192.0.2.1")
			if err != nil {
				t.Fatal(err)
			}
			w.update(func(tx *store.Tx) error { return change(tx, a.ID) })
			err = w.store.Update(t.Context(), func(tx *store.Tx) error {
				_, err := proof.Redeem(tx)
				return err
			})
			want(t, err, portico.KindUnauthorized, wrongPassword)
		})
	}
}

// TestOutdatedHash: a sign-in renews a hash of another cost, once.
func TestOutdatedHash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.account("ada@example.com")
	w.hasher = NewHasher(HasherConfig{Cost: Cost{Time: 2, MemoryKiB: 64, Threads: 1}})
	w.Auth = w.auth()
	for i, hashes := range []int64{2, 1} {
		before := w.hasher.Count()
		proof, err := w.SignIn(t.Context(), a.Email, goodPassword, "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		w.update(func(tx *store.Tx) error {
			_, err := proof.Redeem(tx)
			return err
		})
		if n := w.hasher.Count() - before; n != hashes {
			t.Errorf("sign-in %d: %d hashes, want %d", i+1, n, hashes)
		}
	}
}

func TestHashPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, password := range []string{"", "short", "ada@example.com", strings.Repeat("x", MaxPasswordBytes+1)} {
		_, err := w.HashPassword(t.Context(), password, PasswordOwner{Email: "ada@example.com"})
		if portico.KindOf(err) != portico.KindInvalid {
			t.Errorf("%.20q: got %v", password, err)
		}
	}
	if w.hasher.Count() != 0 {
		t.Error("a refused password was hashed")
	}
}

// TestOneNetwork: who has a network of IPv6 is one to every limit, whichever of
// its addresses they come from, and is told so before an attempt.
func TestOneNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range FailureRate().Events {
		remote := fmt.Sprintf("2001:db8:0:1::%x", i)
		if err := w.Refused(remote, errWrongPassword()); portico.KindOf(err) != portico.KindUnauthorized {
			t.Fatalf("%s: %v", remote, err)
		}
	}
	for i := range 2 * MailRequestRate().Events {
		if err := w.MayAskForMail(t.Context(), fmt.Sprintf("%d@example.com", i), fmt.Sprintf("2001:db8:0:1:%x::", i)); err != nil {
			t.Fatal(err)
		}
	}
	for remote, limited := range map[string]bool{
		"2001:db8:0:1:ffff::1": true, "2001:db8:0:1::": true, "2001:db8:0:1::1%eth0": true,
		"2001:db8:0:2::1": false, "192.0.2.1": false, "::ffff:192.0.2.1": false, "@": false,
	} {
		for what, err := range map[string]error{"tries": w.MayTry(remote), "asks for mail": w.MayAskForMail(t.Context(), "ada@example.com", remote)} {
			if (portico.KindOf(err) == portico.KindRateLimited) != limited || (err != nil) != limited {
				t.Errorf("%s %s: %v", remote, what, err)
			}
		}
	}
}
