package store_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
	"portico/internal/store/sqlite"
)

func openRegistry(t *testing.T) *store.Store {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 6, 29, 14, 41, 35, 355000000, time.UTC) }
	engine, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := store.New(engine, now, portico.NewIDSource(now))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func updateRegistry(t *testing.T, s *store.Store, fn func(*store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// TestManyAccounts writes and finds numbers of accounts and memberships on both
// sides of what one statement carries.
func TestManyAccounts(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 63, 64, 65, 1000} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			s := openRegistry(t)
			updateRegistry(t, s, func(tx *store.Tx) error {
				o := portico.Organization{ID: tx.NewID(portico.PrefixOrganization), Kind: portico.Production, Name: "o", CreatedAt: tx.Now}
				accounts := make([]portico.Account, n)
				memberships := make([]portico.Membership, n)
				keys := []string{"nobody@example.com"}
				for i := range n {
					key := fmt.Sprintf("user%d@example.com", i)
					accounts[i] = portico.Account{
						ID: tx.NewID(portico.PrefixAccount), Email: key, EmailKey: key, Name: "ö", Proven: i%2 == 0, CreatedAt: tx.Now,
					}
					memberships[i] = portico.Membership{
						OrganizationID: o.ID, AccountID: accounts[i].ID, Role: portico.Admin, FirstName: "F", LastName: "L",
						CreatedAt: tx.Now, CreatedBy: "a", ModifiedAt: tx.Now, ModifiedBy: "b",
					}
					keys = append(keys, key)
				}
				if err := tx.InsertOrganization(o); err != nil {
					return err
				}
				if err := tx.InsertAccounts(accounts); err != nil {
					return err
				}
				if err := tx.InsertMemberships(memberships); err != nil {
					return err
				}
				found, err := tx.AccountsByKeys(keys)
				if err != nil {
					return err
				}
				if len(found) != n {
					t.Errorf("found %d of %d", len(found), n)
				}
				for _, a := range accounts {
					if found[a.EmailKey] != a {
						t.Errorf("wrote %+v, found %+v", a, found[a.EmailKey])
					}
				}
				members, err := tx.Memberships(o.ID)
				if err != nil {
					return err
				}
				if len(members) != n || n > 0 && members[n-1] != memberships[n-1] {
					t.Errorf("found %d of %d memberships", len(members), n)
				}
				administrators, err := tx.CountAdministrators(o.ID, "")
				if administrators != (n+1)/2 {
					t.Errorf("%d administrators that can sign in", administrators)
				}
				return err
			})
		})
	}
}

// TestAbsent asks for what is not there, with ids that a request may send.
func TestAbsent(t *testing.T) {
	t.Parallel()
	s := openRegistry(t)
	for _, id := range []string{"", "x", "\x00", "\xff", "org_00000000000000000000000000", "user_00000000000000000000000000", "sess_00000000000000000000000000"} {
		updateRegistry(t, s, func(tx *store.Tx) error {
			for name, look := range map[string]func() error{
				"Organization": func() error { _, err := tx.Organization(id); return err },
				"Account":      func() error { _, err := tx.Account(id); return err },
				"AccountByKey": func() error { _, err := tx.AccountByKey("nobody@example.com"); return err },
				"Membership":   func() error { _, err := tx.Membership(id, id); return err },
				"Session":      func() error { _, _, err := tx.Session(id); return err },
				"TokenByHash":  func() error { _, _, err := tx.TokenByHash("0"); return err },
			} {
				if err := look(); portico.KindOf(err) != portico.KindNotFound || portico.MessageOf(err) != "Not found" {
					t.Errorf("%s(%q): %v", name, id, err)
				}
			}
			for name, change := range map[string]func() (bool, error){
				"SetOrganizationSuspended": func() (bool, error) { return tx.SetOrganizationSuspended(id, true) },
				"SetAccountProven":         func() (bool, error) { return tx.SetAccountProven("user_x") },
				"SetRole":                  func() (bool, error) { return tx.SetRole("org_x", "user_x", portico.Owner, "") },
				"DeleteMembership":         func() (bool, error) { return tx.DeleteMembership("org_x", "user_x") },
				"DeleteSession":            func() (bool, error) { return tx.DeleteSession("sess_x") },
				"RotateSession":            func() (bool, error) { return tx.RotateSession("sess_x", 1, tx.Now) },
				"DeleteToken":              func() (bool, error) { return tx.DeleteToken(id, "user_x", "org_x") },
			} {
				if changed, err := change(); changed || err != nil {
					t.Errorf("%s(%q): %v, %v", name, id, changed, err)
				}
			}
			return nil
		})
	}
}

// TestOneAccountAnAddress: the canonical address is unique.
func TestOneAccountAnAddress(t *testing.T) {
	t.Parallel()
	s := openRegistry(t)
	insert := func(tx *store.Tx) error {
		return tx.InsertAccount(portico.Account{ID: tx.NewID(portico.PrefixAccount), Email: "A@example.com", EmailKey: "a@example.com", CreatedAt: tx.Now})
	}
	updateRegistry(t, s, insert)
	if err := s.Update(t.Context(), insert); !errors.Is(err, store.ErrUnique) {
		t.Errorf("got %v", err)
	}
}

func TestExpiredSessions(t *testing.T) {
	t.Parallel()
	s := openRegistry(t)
	updateRegistry(t, s, func(tx *store.Tx) error {
		for _, after := range []time.Duration{-time.Hour, 0, time.Microsecond} {
			err := tx.InsertSession(store.Session{ID: tx.NewID(portico.PrefixSession), ExpiresAt: tx.Now.Add(after), RotatedAt: tx.Now, CreatedAt: tx.Now})
			if err != nil {
				return err
			}
		}
		n, err := tx.DeleteExpiredSessions()
		if n != 2 {
			t.Errorf("%d went", n)
		}
		return err
	})
}

// TestEndOfNoBrowser: of an empty id come the sessions of everybody who signed
// in, to the API and to the console too.
func TestEndOfNoBrowser(t *testing.T) {
	t.Parallel()
	s := openRegistry(t)
	updateRegistry(t, s, func(tx *store.Tx) error {
		id := tx.NewID(portico.PrefixSession)
		if err := tx.InsertSession(store.Session{ID: id, ExpiresAt: tx.Now.Add(time.Hour), RotatedAt: tx.Now, CreatedAt: tx.Now}); err != nil {
			return err
		}
		if err := tx.EndBrowser(""); err != nil {
			return err
		}
		ended, err := tx.DeleteSession(id)
		if !ended {
			t.Error("nobody's browser took a session along")
		}
		return err
	})
}
