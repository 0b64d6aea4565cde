package store_test

import (
	"errors"
	"testing"

	"portico"
	"portico/internal/store"
)

// insertPortal writes an active portal that claims a host.
func insertPortal(t *testing.T, s *store.Store, organizationID, label, host string) (row store.PortalRow) {
	t.Helper()
	updateRegistry(t, s, func(tx *store.Tx) error {
		id := tx.NewID(portico.PrefixPortal)
		err := tx.InsertPortal(store.PortalRow{Portal: portico.Portal{
			ID: id, OrganizationID: organizationID, Name: label, APIName: label, CustomDomain: &host,
			DomainStatus: portico.DomainPendingDNS, State: portico.PortalActive, Generation: 1,
			CreatedAt: tx.Now, ModifiedAt: tx.Now,
		}})
		if err == nil {
			row, err = tx.PortalByID(id)
		}
		return err
	})
	return row
}

// verified writes that a portal's host was proven.
func verified(s *store.Store, t *testing.T, row store.PortalRow) error {
	t.Helper()
	return s.Update(t.Context(), func(tx *store.Tx) error {
		row.DomainVerifiedAt, row.DomainStatus = &tx.Now, portico.DomainActive
		return tx.UpdatePortal(row)
	})
}

// TestOneVerifiedClaim: two portals of two organizations claim one host, and
// both are about to be verified. The registry's constraint lets one.
func TestOneVerifiedClaim(t *testing.T) {
	t.Parallel()
	t.Run("F22 one host for two organizations", oneVerifiedClaim)
}

func oneVerifiedClaim(t *testing.T) {
	t.Parallel()
	s := openRegistry(t)
	ours := insertPortal(t, s, "org_a", "a", "shop.example.com")
	theirs := insertPortal(t, s, "org_b", "b", "shop.example.com")
	if err := verified(s, t, ours); err != nil {
		t.Fatal(err)
	}
	err := verified(s, t, theirs)
	if !errors.Is(err, store.ErrUnique) || portico.KindOf(err) != portico.KindUnavailable {
		t.Errorf("the second claim: %v", err)
	}
	updateRegistry(t, s, func(tx *store.Tx) error {
		for _, c := range []struct {
			row   store.PortalRow
			taken bool
		}{{ours, false}, {theirs, true}} {
			taken, err := tx.DomainTaken("shop.example.com", c.row.ID, c.row.OrganizationID, tx.Now)
			if err != nil || taken != c.taken {
				t.Errorf("taken for %s: %v, %v", c.row.APIName, taken, err)
			}
		}
		now, err := tx.PortalByID(theirs.ID)
		if now.DomainVerifiedAt != nil {
			t.Error("two have verified one host")
		}
		return err
	})
}

// TestUpdatePortalOfAnOldRow: what was read before another's change, or before
// the portal's deletion began, is not written over it.
func TestUpdatePortalOfAnOldRow(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*store.Tx, store.PortalRow) error{
		"changed": func(tx *store.Tx, row store.PortalRow) error {
			row.Name = "theirs"
			return tx.UpdatePortal(row)
		},
		"deleted": func(tx *store.Tx, row store.PortalRow) error {
			deleting, err := tx.BeginDelete(row.ID, "user_a", "req_1", 0)
			if err == nil && (deleting.State != portico.PortalDeleting || deleting.Fence != row.Fence+1 || deleting.Cluster != row.Cluster) {
				t.Errorf("%+v began to be deleted as %+v", row, deleting)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openRegistry(t)
			old := insertPortal(t, s, "org_a", "a", "shop.example.com")
			var before store.PortalRow
			updateRegistry(t, s, func(tx *store.Tx) (err error) {
				if err := change(tx, old); err != nil {
					return err
				}
				before, err = tx.PortalByID(old.ID)
				return err
			})
			tries := 0
			err := s.Update(t.Context(), func(tx *store.Tx) error {
				tries++
				old.Name = "ours"
				return tx.UpdatePortal(old)
			})
			if !errors.Is(err, store.ErrStale) || portico.KindOf(err) != portico.KindUnavailable || tries < 2 {
				t.Errorf("after %d tries: %v", tries, err)
			}
			updateRegistry(t, s, func(tx *store.Tx) error {
				now, err := tx.PortalByID(old.ID)
				if now.Name != before.Name || now.State != before.State || now.Version != before.Version {
					t.Errorf("it became %+v", now)
				}
				return err
			})
		})
	}
}

// TestLease: a lease is renewed as long as it was neither taken nor given back,
// even when it ran out in between.
func TestLease(t *testing.T) {
	t.Parallel()
	const life = 10
	for name, tt := range map[string]struct {
		then func(*store.Tx, string, int64) error
		lost bool
	}{
		"held":       {func(*store.Tx, string, int64) error { return nil }, false},
		"run out":    {func(tx *store.Tx, id string, fence int64) error { return tx.RenewLease(id, fence, -1000) }, false},
		"given back": {func(tx *store.Tx, id string, fence int64) error { return tx.ReleaseLease(id, fence) }, true},
		"taken": {func(tx *store.Tx, id string, _ int64) error {
			_, err := tx.TakeLease(id, life, true)
			return err
		}, true},
		"settled": {func(tx *store.Tx, id string, fence int64) error {
			return tx.SetPortalState(id, fence, portico.PortalActive, portico.PortalActive)
		}, true},
		"void": {func(tx *store.Tx, _ string, _ int64) error { return tx.VoidLeases() }, true},
		"to be aborted": {func(tx *store.Tx, id string, fence int64) error {
			return tx.SetPortalState(id, fence, portico.PortalActive, portico.PortalAborting)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openRegistry(t)
			row := insertPortal(t, s, "org_a", "a", "shop.example.com")
			updateRegistry(t, s, func(tx *store.Tx) error {
				fence, err := tx.TakeLease(row.ID, life*1000, false)
				if err != nil {
					return err
				}
				if _, err := tx.TakeLease(row.ID, life, false); !errors.Is(err, store.ErrLeaseHeld) {
					t.Errorf("taken twice: %v", err)
				}
				if err := tt.then(tx, row.ID, fence); err != nil {
					return err
				}
				if err := tx.RenewLease(row.ID, fence, life*1000); errors.Is(err, store.ErrLeaseLost) != tt.lost {
					t.Errorf("renewed: %v", err)
				}
				return nil
			})
		})
	}
}
