package control

import (
	"context"
	"encoding/base64"
	"errors"

	"portico"
	"portico/internal/keyring"
	"portico/internal/store"
)

// Servers is what an engine on many servers can tell of one.
type Servers interface {
	// Probe looks whether the server at an address can hold portals' databases,
	// and returns what it calls itself. The error says what to do.
	Probe(ctx context.Context, url string) (serverID string, err error)

	// Clear drops what is certainly ours and holds nobody's data on a server that
	// holds no portals any more. It returns what a person may want to look at.
	Clear(ctx context.Context, url string) (left []string, err error)
}

// ClusterChange is an operator's request to change a cluster. What is nil stays.
type ClusterChange struct {
	State *portico.ClusterState
	Cap   *int
	URL   *string
}

var errNoClusters = portico.Errorf(portico.KindInvalid,
	"Clusters are PostgreSQL servers, and this installation is on SQLite. Name its registry with --database-url or PORTICO_DATABASE_URL.")

// AddCluster adds a server to those that portals' databases are made on. It is
// an operator's command, as all of this file.
func (c *Control) AddCluster(ctx context.Context, name, url string) (portico.Cluster, error) {
	if err := portico.CheckClusterName(name); err != nil {
		return portico.Cluster{}, err
	}
	serverID, err := c.probe(ctx, url)
	if err != nil {
		return portico.Cluster{}, err
	}
	var row store.ClusterRow
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		row = store.ClusterRow{ServerID: serverID, Cluster: portico.Cluster{
			ID: tx.NewID(portico.PrefixCluster), Name: name, State: portico.ClusterOpen,
			Cap: portico.DefaultClusterCap, CreatedAt: tx.Now,
		}}
		if err := checkServer(tx, row); err != nil {
			return err
		}
		row.SealedURL = c.sealURL(row.ID, url)
		if err := tx.InsertCluster(row); err != nil {
			return err
		}
		return tx.InsertEvents(operatorEvent("", portico.ActionClusterAdded, row.ID, detail{"name": name}))
	})
	return row.Cluster, err
}

func (c *Control) probe(ctx context.Context, url string) (serverID string, err error) {
	if c.config.Servers == nil {
		return "", errNoClusters
	}
	return c.config.Servers.Probe(ctx, url)
}

// checkServer refuses a name that is taken, and a server that is listed: its
// databases would be found twice.
func checkServer(tx *store.Tx, row store.ClusterRow) error {
	all, err := tx.Clusters()
	if err != nil {
		return err
	}
	for _, other := range all {
		switch {
		case other.ID == row.ID:
		case other.Name == row.Name:
			return portico.Errorf(portico.KindConflict, "There is a cluster %s. See 'portico cluster list'.", row.Name)
		case other.ServerID == row.ServerID:
			return portico.Errorf(portico.KindConflict, "The server at this address is the cluster %s already, or a copy of it.", other.Name)
		}
	}
	return nil
}

// Clusters returns all clusters, oldest first.
func (c *Control) Clusters(ctx context.Context) (all []portico.Cluster, err error) {
	if c.config.Servers == nil {
		return nil, errNoClusters
	}
	err = c.store.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Clusters()
		all = nil
		for _, row := range rows {
			all = append(all, row.Cluster)
		}
		return err
	})
	return all, err
}

// SetCluster changes a cluster's state, cap or address.
func (c *Control) SetCluster(ctx context.Context, name string, change ClusterChange) (portico.Cluster, error) {
	if err := checkChange(change); err != nil {
		return portico.Cluster{}, err
	}
	var serverID string
	var err error
	if change.URL != nil {
		if serverID, err = c.probe(ctx, *change.URL); err != nil {
			return portico.Cluster{}, err
		}
	}
	var row store.ClusterRow
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		if row, err = cluster(tx, name); err != nil {
			return err
		}
		said := detail{"name": name}
		if change.State != nil {
			row.State = *change.State
			said["state"] = row.State
		}
		if change.Cap != nil {
			row.Cap = *change.Cap
			said["cap"] = row.Cap
		}
		if change.URL != nil {
			if row.SealedURL == "" {
				return portico.Errorf(portico.KindInvalid, "The cluster %s is the registry's own server: its address is PORTICO_DATABASE_URL.", name)
			}
			row.ServerID, row.SealedURL = serverID, c.sealURL(row.ID, *change.URL)
			if err := checkServer(tx, row); err != nil {
				return err
			}
			said["address"] = "changed"
		}
		if err := tx.UpdateCluster(row); err != nil {
			return err
		}
		return tx.InsertEvents(operatorEvent("", portico.ActionClusterChanged, row.ID, said))
	})
	return row.Cluster, err
}

func checkChange(change ClusterChange) error {
	if s := change.State; s != nil && *s != portico.ClusterOpen && *s != portico.ClusterDraining {
		return portico.Errorf(portico.KindInvalid, "A cluster's state is set to open or draining, not %q; full is what an open one is at its cap.", *s)
	}
	if n := change.Cap; n != nil && (*n < 0 || *n > portico.MaxClusterCap) {
		return portico.Errorf(portico.KindInvalid, "A cluster's cap is a number from 0 to %d.", portico.MaxClusterCap)
	}
	return nil
}

// RemoveCluster takes a cluster that holds nothing off the list. It returns what
// remains on the server, in words: what cannot be reached is no reason to keep it.
func (c *Control) RemoveCluster(ctx context.Context, name string) (left []string, err error) {
	if c.config.Servers == nil {
		return nil, errNoClusters
	}
	var row store.ClusterRow
	err = c.store.Update(ctx, func(tx *store.Tx) (err error) {
		if row, err = cluster(tx, name); err != nil {
			return err
		}
		if row.SealedURL == "" {
			return portico.Errorf(portico.KindConflict, "The cluster %s is the registry's own server and stays; --cap 0 keeps portals off it.", name)
		}
		gone, err := tx.DeleteCluster(row.ID)
		if err != nil {
			return err
		}
		if !gone {
			return portico.Errorf(portico.KindConflict,
				"The cluster %s holds %d portals, or what a deletion has not removed yet. Set it to draining and move or delete them first.", name, row.Portals)
		}
		return tx.InsertEvents(operatorEvent("", portico.ActionClusterRemoved, row.ID, detail{"name": name}))
	})
	if err != nil {
		return nil, err
	}
	url, err := OpenClusterURL(c.config.Ring, row)
	if err == nil {
		left, err = c.config.Servers.Clear(ctx, url)
	}
	if err != nil {
		left = append(left, "databases portico_template_v… and q_…, if there are any: the server could not be cleared ("+err.Error()+")")
	}
	return left, nil
}

func cluster(tx *store.Tx, name string) (store.ClusterRow, error) {
	row, err := tx.Cluster(name)
	if portico.KindOf(err) == portico.KindNotFound {
		err = portico.Errorf(portico.KindNotFound, "There is no cluster %q. See 'portico cluster list'.", name)
	}
	return row, err
}

// sealURL returns a cluster's address as it is stored: it holds a password.
func (c *Control) sealURL(id, url string) string {
	return base64.StdEncoding.EncodeToString(c.config.Ring.Seal(keyring.LabelStored, []byte(url), sealedFor(id)))
}

// OpenClusterURL returns the address that a cluster's row holds, empty for the
// registry's own server.
func OpenClusterURL(ring *keyring.Ring, row store.ClusterRow) (string, error) {
	if row.SealedURL == "" {
		return "", nil
	}
	sealed, err := base64.StdEncoding.DecodeString(row.SealedURL)
	if err != nil {
		return "", errors.New("control: the stored address of a cluster is no base64")
	}
	url, err := ring.Open(keyring.LabelStored, sealed, sealedFor(row.ID))
	return string(url), err
}

func sealedFor(id string) []byte { return []byte("cluster url " + id) }
