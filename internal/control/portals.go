package control

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"

	"portico"
	"portico/internal/lifecycle"
	"portico/internal/store"
)

// CreatePortal reserves an address label, makes the portal's database and
// returns the portal once it is active. When the process dies in between, the
// portal is finished under the same id after the next start.
func (c *Control) CreatePortal(ctx context.Context, by portico.Principal, once Once, in portico.PortalCreate) (portico.Portal, error) {
	ctx, cancel := detached(store.WithStages(ctx, store.NewStages()))
	defer cancel()
	row, replayed, err := c.reservePortal(ctx, by, once, in)
	if err != nil || replayed {
		return row.Portal, err
	}
	row, err = c.lifecycle.Settle(ctx, row.ID, row.Fence)
	if portico.KindOf(err) == portico.KindNotFound { // given up by another node
		err = portico.WrapError(portico.KindUnavailable, err, "The portal could not be created. Try again in a moment.")
	}
	if err != nil {
		return portico.Portal{}, err
	}
	return row.Portal, c.config.Failpoints.Hit(ctx, PointAnswering)
}

// StartPortal is CreatePortal for who looks on: it returns the id of the portal
// as soon as that is reserved, and Creation says how it goes on.
func (c *Control) StartPortal(ctx context.Context, by portico.Principal, in portico.PortalCreate) (id string, err error) {
	ctx, cancel := detached(store.WithStages(ctx, store.NewStages()))
	defer cancel()
	row, _, err := c.reservePortal(ctx, by, Once{}, in)
	if err != nil {
		return "", err
	}
	c.lifecycle.Resume(ctx, row.ID, row.Fence)
	return row.ID, nil
}

// reservePortal writes the intent to make a portal. The answer to a repeated
// request comes as replayed.
func (c *Control) reservePortal(ctx context.Context, by portico.Principal, once Once, in portico.PortalCreate) (row store.PortalRow, replayed bool, err error) {
	if err := by.MayAdministerPortals(portico.ScopePortalWrite); err != nil {
		return store.PortalRow{}, false, err
	}
	if err := c.cleanCreate(&in); err != nil {
		return store.PortalRow{}, false, err
	}
	if err := c.config.Failpoints.Hit(ctx, PointIntent); err != nil {
		return store.PortalRow{}, false, err
	}
	cluster, noPlace := c.lifecycle.Place(ctx)
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		row = store.PortalRow{}
		done, inFlight, err := once.replay(tx, by, &row.Portal)
		replayed = done
		if err != nil || done {
			return err
		}
		if inFlight != "" {
			return errInFlight
		}
		if noPlace != nil {
			return noPlace
		}
		row, err = c.insertPortal(tx, by, in, cluster)
		if err != nil {
			return err
		}
		return once.keep(tx, by, row.ID, nil)
	})
	if err == nil && !replayed {
		store.StagesOf(ctx).Done(portico.StageReserved)
		err = c.config.Failpoints.Hit(ctx, PointRecorded)
	}
	if err != nil {
		c.resume(ctx, row.ID, row.Fence, err)
		return store.PortalRow{}, false, err
	}
	return row, replayed, nil
}

// resume has an operation finished that may have begun although its request
// failed: the outcome of a commit that failed is not known.
func (c *Control) resume(ctx context.Context, portalID string, fence int64, failure error) {
	switch portico.KindOf(failure) {
	case portico.KindInternal, portico.KindUnavailable, portico.KindStorageFull:
		c.lifecycle.Resume(ctx, portalID, fence)
	}
}

// insertPortal writes the intent: the row in state creating, under a lease of
// this process.
func (c *Control) insertPortal(tx *store.Tx, by portico.Principal, in portico.PortalCreate, cluster string) (store.PortalRow, error) {
	if cluster != "" {
		open, err := tx.ClusterOpen(cluster)
		if err != nil {
			return store.PortalRow{}, err
		}
		if !open {
			return store.PortalRow{}, portico.Errorf(portico.KindUnavailable, "The portal's place was taken out of use just now. Try again.")
		}
	}
	id := tx.NewID(portico.PrefixPortal)
	label, err := freeLabel(tx, in.Name)
	if err != nil {
		return store.PortalRow{}, err
	}
	row := store.PortalRow{
		Portal: portico.Portal{
			ID: id, OrganizationID: by.OrganizationID, Name: in.Name, APIName: label,
			Description: in.Description, State: portico.PortalCreating, Generation: 1,
			CreatedAt: tx.Now, CreatedBy: by.AccountID, ModifiedAt: tx.Now, ModifiedBy: by.AccountID,
		},
		LeaseUntil: tx.Now.Add(lifecycle.LeaseLife), Fence: 1, RequestID: by.RequestID, Cluster: cluster,
	}
	if err := claimDomain(tx, &row, in.CustomDomain); err != nil {
		return store.PortalRow{}, err
	}
	return row, tx.InsertPortal(row)
}

// maxLabel is the longest address label.
const maxLabel = 40

// freeLabel returns the label for a name: its slug, with a random suffix when
// that is reserved or was ever given out.
func freeLabel(tx *store.Tx, name string) (string, error) {
	slug := portico.Slug(name)
	label := slug
	for {
		taken := portico.ReservedLabel(label)
		if !taken {
			var err error
			if taken, err = tx.APINameTaken(label); err != nil {
				return "", err
			}
		}
		if !taken {
			return label, nil
		}
		suffix := "-" + strings.ToLower(rand.Text()[:6])
		label = strings.TrimRight(slug[:min(len(slug), maxLabel-len(suffix))], "-") + suffix
	}
}

var errDomainTaken = portico.Errorf(portico.KindConflict,
	"This domain is in use by another portal, or was given up by another organization less than 30 days ago.")

// claimDomain sets or clears a portal's domain. A claim is not proof: others
// may claim the same host until one of them has verified it.
func claimDomain(tx *store.Tx, row *store.PortalRow, host *string) error {
	if host != nil {
		taken, err := tx.DomainTaken(*host, row.ID, row.OrganizationID, tx.Now.Add(-portico.DomainQuarantine))
		if err != nil {
			return err
		}
		if taken {
			return errDomainTaken
		}
	}
	if row.CustomDomain != nil && row.DomainVerifiedAt != nil {
		if err := tx.ReleaseDomain(*row.CustomDomain, row.OrganizationID); err != nil {
			return err
		}
	}
	row.CustomDomain, row.DomainStatus, row.DomainVerifiedAt = host, "", nil
	if host != nil {
		row.DomainStatus = portico.DomainPendingDNS
	}
	return nil
}

// Portal returns a portal of the caller's organization.
func (c *Control) Portal(ctx context.Context, by portico.Principal, portalID string) (portico.Portal, error) {
	if err := by.MayAdministerPortals(portico.ScopePortalRead); err != nil {
		return portico.Portal{}, err
	}
	var row store.PortalRow
	err := c.store.Look(ctx, func(tx *store.Tx) (err error) {
		row, err = findPortal(tx, by, portalID)
		return err
	})
	return row.Portal, err
}

// Portals returns a page of the caller's organization's portals, oldest first.
func (c *Control) Portals(ctx context.Context, by portico.Principal, page store.Page) ([]portico.Portal, error) {
	if err := by.MayAdministerPortals(portico.ScopePortalRead); err != nil {
		return nil, err
	}
	var portals []portico.Portal
	err := c.store.Look(ctx, func(tx *store.Tx) (err error) {
		portals, err = tx.Portals(by.OrganizationID, page)
		return err
	})
	return portals, err
}

var errNotFound = portico.Errorf(portico.KindNotFound, "Not found")

// findPortal returns a portal that reads find. Every other one is the same
// error, by the same query.
func findPortal(tx *store.Tx, by portico.Principal, portalID string) (store.PortalRow, error) {
	row, err := tx.Portal(portalID, by.OrganizationID)
	if err == nil && !row.Found() {
		err = errNotFound
	}
	return row, err
}

// findServing returns a portal whose database may be used.
func findServing(tx *store.Tx, by portico.Principal, portalID string) (store.PortalRow, error) {
	row, err := findPortal(tx, by, portalID)
	if err == nil {
		err = lifecycle.CheckServing(row.Portal)
	}
	return row, err
}

// UpdatePortal changes what the request names and nothing else.
func (c *Control) UpdatePortal(ctx context.Context, by portico.Principal, once Once, portalID string, in portico.PortalUpdate) (portico.Portal, error) {
	if err := by.MayAdministerPortals(portico.ScopePortalWrite); err != nil {
		return portico.Portal{}, err
	}
	if err := c.cleanUpdate(&in); err != nil {
		return portico.Portal{}, err
	}
	if err := c.config.Failpoints.Hit(ctx, PointIntent); err != nil {
		return portico.Portal{}, err
	}
	var row store.PortalRow
	err := c.store.Update(ctx, func(tx *store.Tx) error {
		row = store.PortalRow{}
		done, _, err := once.replay(tx, by, &row.Portal)
		if err != nil || done {
			return err
		}
		if row, err = findServing(tx, by, portalID); err != nil {
			return err
		}
		changed, err := applyUpdate(tx, &row, in)
		if err != nil {
			return err
		}
		if len(changed) > 0 {
			if err := recordUpdate(tx, by, &row, changed); err != nil {
				return err
			}
		}
		return once.keep(tx, by, row.ID, row.Portal)
	})
	if err != nil {
		return portico.Portal{}, err
	}
	return row.Portal, c.config.Failpoints.Hit(ctx, PointAnswering)
}

// applyUpdate changes the row and returns the names of the fields that differ
// now.
func applyUpdate(tx *store.Tx, row *store.PortalRow, in portico.PortalUpdate) ([]string, error) {
	var changed []string
	if in.Name != nil && *in.Name != row.Name {
		row.Name = *in.Name
		changed = append(changed, "name")
	}
	if in.Description.Set && !equal(in.Description.Value, row.Description) {
		row.Description = in.Description.Value
		changed = append(changed, "description")
	}
	if in.CustomDomain.Set && !equal(in.CustomDomain.Value, row.CustomDomain) {
		if err := claimDomain(tx, row, in.CustomDomain.Value); err != nil {
			return nil, err
		}
		changed = append(changed, "custom_domain")
	}
	return changed, nil
}

func recordUpdate(tx *store.Tx, by portico.Principal, row *store.PortalRow, changed []string) error {
	row.ModifiedAt, row.ModifiedBy = tx.Now, by.AccountID
	if err := tx.UpdatePortal(*row); err != nil {
		return err
	}
	detail, err := json.Marshal(map[string][]string{"changed": changed})
	if err != nil {
		return err
	}
	e := event(by, portico.ActionPortalUpdated, row.ID, row.ID)
	e.Detail = string(detail)
	return tx.InsertEvents(e)
}

func equal(a, b *string) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// DeletePortal ends a portal at once and returns when its database is gone. A
// repeated call joins the one under way. After half a minute the answer is
// KindUnavailable and the operation goes on.
func (c *Control) DeletePortal(ctx context.Context, by portico.Principal, once Once, portalID string) error {
	if err := by.MayAdministerPortals(portico.ScopePortalWrite); err != nil {
		return err
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	if err := c.config.Failpoints.Hit(ctx, PointIntent); err != nil {
		return err
	}
	var fence int64
	var replayed bool
	err := c.store.Update(store.WithReserve(ctx), func(tx *store.Tx) error {
		fence = 0
		var nothing struct{}
		done, inFlight, err := once.replay(tx, by, &nothing)
		replayed = done
		if err != nil || done || inFlight != "" {
			return err
		}
		row, err := tx.Portal(portalID, by.OrganizationID)
		switch {
		case err != nil:
			return err
		case row.State == portico.PortalDeleting:
		case !row.Found():
			return errNotFound
		default:
			if fence, err = buryPortal(tx, by, row); err != nil {
				return err
			}
		}
		return once.keep(tx, by, row.ID, nil)
	})
	if err != nil || replayed {
		c.resume(ctx, portalID, fence, err)
		return err
	}
	if err := c.config.Failpoints.Hit(ctx, PointRecorded); err != nil {
		c.resume(ctx, portalID, fence, err)
		return err
	}
	// What was joined may have begun before the portal was buried, and end with
	// it active: only its being gone is the end of this.
	for {
		_, err := c.lifecycle.Settle(ctx, portalID, fence)
		if portico.KindOf(err) == portico.KindNotFound {
			break
		}
		if err != nil {
			return err
		}
	}
	return c.config.Failpoints.Hit(ctx, PointAnswering)
}

// buryPortal is the transaction from which on the portal is no more: tombstone
// and audit record, and everything that gave access to it.
func buryPortal(tx *store.Tx, by portico.Principal, row store.PortalRow) (fence int64, err error) {
	row, err = tx.BeginDelete(row.ID, by.AccountID, by.RequestID, lifecycle.LeaseLife)
	if err != nil {
		return 0, err
	}
	err = tx.InsertTombstone(store.Tombstone{
		DatabaseName: portico.DatabaseName(row.ID, row.Generation), PortalID: row.ID,
		OrganizationID: row.OrganizationID, Cluster: row.Cluster, Reason: store.TombstoneDeleted, ActorID: by.AccountID,
	})
	if err != nil {
		return 0, err
	}
	if err := tx.ReleasePortal(row.ID); err != nil {
		return 0, err
	}
	detail, err := json.Marshal(map[string]string{"name": row.Name, "api_name": row.APIName})
	if err != nil {
		return 0, err
	}
	e := event(by, portico.ActionPortalDeleted, row.ID, row.ID)
	e.Detail = string(detail)
	return row.Fence, tx.InsertEvents(e)
}

// maxDescription is the longest description, in code points.
const maxDescription = 2000

// CleanDescription returns a description in the form in which it is stored.
func CleanDescription(s string) (string, error) { return portico.CleanText(s, maxDescription) }

// CleanDomain returns a custom domain in the form in which it is stored, or
// the rule that it breaks.
func (c *Control) CleanDomain(host string) (string, error) {
	host, err := portico.ParseHostname(host)
	if err != nil {
		return "", err
	}
	if portico.BelowDomain(host, c.config.PortalDomain) {
		return "", portico.FieldErrorf("custom_domain",
			"%s belongs to this service; use a domain of your own", c.config.PortalDomain)
	}
	return host, nil
}

func (c *Control) cleanCreate(in *portico.PortalCreate) error {
	update := portico.PortalUpdate{
		Name:         &in.Name,
		Description:  portico.Change{Set: true, Value: in.Description},
		CustomDomain: portico.Change{Set: true, Value: in.CustomDomain},
	}
	if err := c.cleanUpdate(&update); err != nil {
		return err
	}
	*in = portico.PortalCreate{Name: *update.Name, Description: update.Description.Value, CustomDomain: update.CustomDomain.Value}
	return nil
}

// cleanUpdate normalises what is set. It repeats what a front did already, so
// that no front can leave it out.
func (c *Control) cleanUpdate(in *portico.PortalUpdate) error {
	for _, field := range []struct {
		name  string
		value **string
		clean func(string) (string, error)
	}{
		{"name", &in.Name, portico.CleanName},
		{"description", &in.Description.Value, CleanDescription},
		{"custom_domain", &in.CustomDomain.Value, c.CleanDomain},
	} {
		if *field.value == nil {
			continue
		}
		clean, err := field.clean(**field.value)
		if err != nil {
			return portico.FieldErrorf(field.name, "%s", portico.MessageOf(err))
		}
		*field.value = &clean
	}
	return nil
}
