package lifecycle

import (
	"context"
	"time"

	"portico"
	"portico/internal/store"
)

// shunFor is how long a cluster that failed a creation is passed over.
const shunFor = 30 * time.Second

// clusters returns the clusters that the registry lists: none on SQLite.
func (l *Lifecycle) clusters(ctx context.Context) (all []portico.Cluster, err error) {
	err = l.store.Look(ctx, func(tx *store.Tx) error {
		rows, err := tx.Clusters()
		all = make([]portico.Cluster, len(rows))
		for i, row := range rows {
			all[i] = row.Cluster
		}
		return err
	})
	return all, err
}

// Place returns the cluster that the next portal's database is to be made on.
// It is asked before the transaction that needs it: there, the count of portals
// would make each creation collide with every other.
func (l *Lifecycle) Place(ctx context.Context) (cluster string, err error) {
	all, err := l.clusters(ctx)
	if err != nil || len(all) == 0 {
		return "", err
	}
	chosen, ok := portico.ChooseCluster(all, l.shuns)
	if !ok {
		l.log.Error("no cluster takes another portal: add one with 'portico cluster add', or raise a cap")
		return "", portico.Errorf(portico.KindStorageFull, "There is no room for another portal. Its operator has been told.")
	}
	return chosen.ID, nil
}

func (l *Lifecycle) shuns(cluster string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.shunned[cluster])
}

// goElsewhere gives a portal that is being created another cluster, when there
// is one, because its own could not make the database. What may still come to
// be there is dropped by its tombstone.
func (l *Lifecycle) goElsewhere(ctx context.Context, row store.PortalRow, fence int64, cause error) error {
	switch portico.KindOf(cause) {
	case portico.KindUnavailable, portico.KindStorageFull:
	default:
		return nil
	}
	if row.Cluster == "" {
		return nil
	}
	l.mu.Lock()
	l.shunned[row.Cluster] = time.Now().Add(shunFor)
	l.mu.Unlock()
	cluster, err := l.Place(ctx)
	if err != nil || cluster == row.Cluster {
		return err
	}
	l.log.Warn("a cluster could not make a database; the portal goes to another", "portal", row.ID, "cluster", row.Cluster, "cause", cause)
	return l.store.Update(ctx, func(tx *store.Tx) error { return relocate(tx, row, fence, cluster) })
}

// relocate gives a portal that is being created its next database on another
// cluster. One that has taken no more portals since it was chosen is left alone:
// the next attempt chooses anew.
func relocate(tx *store.Tx, row store.PortalRow, fence int64, cluster string) error {
	open, err := tx.ClusterOpen(cluster)
	if err != nil || !open {
		return err
	}
	now, err := tx.PortalByID(row.ID)
	if err != nil || now.State != portico.PortalCreating {
		return err
	}
	left := tombstone(row, row.Generation)
	left.Reason, left.ActorID = store.TombstoneAborted, portico.SystemActor
	if err := tx.InsertTombstone(left); err != nil {
		return err
	}
	return tx.SetPortalGeneration(row.ID, fence, row.Generation, row.Generation+1, cluster)
}
