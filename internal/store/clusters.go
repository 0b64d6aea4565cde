package store

import (
	"portico"
)

// ClusterRow is a cluster with how it is reached.
type ClusterRow struct {
	portico.Cluster

	SealedURL string // empty: the registry's own server
	ServerID  string // what the server calls itself
}

const clusterColumns = `c.id, c.name, c.state, c.cap, c.sealed_url, c.server_id, c.created_at,
	(SELECT COUNT(*) FROM portals p WHERE p.cluster_id = c.id)`

func scanCluster(row scanner) (ClusterRow, error) {
	var c ClusterRow
	var created int64
	err := row.Scan(&c.ID, &c.Name, &c.State, &c.Cap, &c.SealedURL, &c.ServerID, &created, &c.Portals)
	c.CreatedAt = fromMicros(created)
	return c, notFound(err)
}

// Clusters returns all clusters, oldest first: none on SQLite.
func (tx *Tx) Clusters() ([]ClusterRow, error) {
	var all []ClusterRow
	err := scanAll(tx.q, `SELECT `+clusterColumns+` FROM clusters c ORDER BY c.id`, nil, func(row scanner) error {
		c, err := scanCluster(row)
		all = append(all, c)
		return err
	})
	return all, err
}

// Cluster returns the cluster of a name.
func (tx *Tx) Cluster(name string) (ClusterRow, error) {
	return scanCluster(tx.q.QueryRow(`SELECT `+clusterColumns+` FROM clusters c WHERE c.name = $1`, name))
}

// InsertCluster writes a new cluster.
func (tx *Tx) InsertCluster(c ClusterRow) error {
	_, err := tx.q.Exec(`INSERT INTO clusters (id, name, state, cap, sealed_url, server_id, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, c.ID, c.Name, string(c.State), c.Cap, c.SealedURL, c.ServerID, micros(c.CreatedAt))
	return err
}

// UpdateCluster writes a cluster's state, cap and address.
func (tx *Tx) UpdateCluster(c ClusterRow) error {
	n, err := tx.q.Exec(`UPDATE clusters SET state = $2, cap = $3, sealed_url = $4, server_id = $5 WHERE id = $1`,
		c.ID, string(c.State), c.Cap, c.SealedURL, c.ServerID)
	if err == nil && n != 1 {
		err = portico.Errorf(portico.KindNotFound, "Not found")
	}
	return err
}

// DeleteCluster removes a cluster that holds nothing, and reports whether it
// did: neither a portal nor a database that was given up and may still be there.
func (tx *Tx) DeleteCluster(id string) (bool, error) {
	n, err := tx.q.Exec(`DELETE FROM clusters WHERE id = $1
		AND NOT EXISTS (SELECT 1 FROM portals WHERE cluster_id = $1)
		AND NOT EXISTS (SELECT 1 FROM tombstones WHERE cluster_id = $1 AND gone_at IS NULL)`, id)
	return n == 1, err
}

// ClusterListed reports whether a cluster is there. Who reads it in the
// transaction that gives it a portal keeps it from being removed meanwhile.
func (tx *Tx) ClusterListed(id string) (bool, error) {
	var n int
	err := tx.q.QueryRow(`SELECT COUNT(*) FROM clusters WHERE id = $1`, id).Scan(&n)
	return n == 1, err
}

// ClusterOpen is ClusterListed for a cluster that takes new portals.
func (tx *Tx) ClusterOpen(id string) (bool, error) {
	var n int
	err := tx.q.QueryRow(`SELECT COUNT(*) FROM clusters WHERE id = $1 AND state = $2`, id, string(portico.ClusterOpen)).Scan(&n)
	return n == 1, err
}

// EnsureFirstCluster puts the registry's own server among the clusters, with
// the portals that are on it already.
func (tx *Tx) EnsureFirstCluster(serverID string) error {
	all, err := tx.Clusters()
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.SealedURL != "" {
			continue
		}
		if c.ServerID == serverID {
			return nil
		}
		c.ServerID = serverID // the registry was put onto another server
		return tx.UpdateCluster(c)
	}
	c := ClusterRow{ServerID: serverID, Cluster: portico.Cluster{
		ID: tx.NewID(portico.PrefixCluster), Name: portico.FirstCluster, State: portico.ClusterOpen,
		Cap: portico.DefaultClusterCap, CreatedAt: tx.Now,
	}}
	if err := tx.InsertCluster(c); err != nil {
		return err
	}
	for _, table := range []string{"portals", "tombstones"} {
		if _, err := tx.q.Exec(`UPDATE `+table+` SET cluster_id = $1 WHERE cluster_id = ''`, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// GatherOnFirst puts every portal onto the registry's own server, and takes all
// others off the list.
func (tx *Tx) GatherOnFirst() error {
	for _, text := range []string{
		`UPDATE portals SET cluster_id = (SELECT id FROM clusters WHERE sealed_url = '')`,
		`UPDATE tombstones SET cluster_id = (SELECT id FROM clusters WHERE sealed_url = '')`,
		`DELETE FROM clusters WHERE sealed_url <> ''`,
	} {
		if _, err := tx.q.Exec(text); err != nil {
			return err
		}
	}
	return nil
}
