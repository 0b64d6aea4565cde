package node

import (
	"context"
	"fmt"

	"portico"
	"portico/internal/control"
	"portico/internal/store"
	"portico/internal/store/postgres"
	"portico/internal/store/sqlite"
)

// openStorage opens the engine that is configured, and the registry over it.
func (c *Core) openStorage(exclusive bool, o Options, ids *portico.IDSource) (err error) {
	if c.engine, err = c.openEngine(exclusive, o); err != nil {
		return err
	}
	c.onClose(func() {
		if err := c.engine.Close(); err != nil {
			c.Log.Error("the storage did not close cleanly", "error", err)
		}
	})
	engine := c.engine
	if o.Watch != nil {
		engine = o.Watch(engine)
	}
	if c.Store, err = store.New(engine, o.clock(), ids); err != nil {
		return fmt.Errorf("open the registry: %w", err)
	}
	if pg, ok := c.engine.(*postgres.Engine); ok {
		c.servers, c.mover = pg, pg
		return c.Store.Update(context.Background(), func(tx *store.Tx) error { return tx.EnsureFirstCluster(pg.OwnServer()) })
	}
	return nil
}

// clusters reads the registry's list of servers, for the engine.
func (c *Core) clusters(ctx context.Context) (all []postgres.Cluster, err error) {
	var rows []store.ClusterRow
	err = c.Store.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.Clusters()
		return err
	})
	for _, row := range rows {
		url, err := control.OpenClusterURL(c.Ring, row)
		if err != nil {
			err = fmt.Errorf("the address of the cluster %s: %w", row.Name, err)
		}
		all = append(all, postgres.Cluster{ID: row.ID, URL: url, ServerID: row.ServerID, Err: err})
	}
	return all, err
}

func (c *Core) openEngine(exclusive bool, o Options) (store.Engine, error) {
	config := c.Config
	if config.DatabaseURL != "" {
		if config.SecretKey == "" {
			return nil, errSecretRequired
		}
		e, err := postgres.Open(context.Background(), postgres.Config{
			URL: config.DatabaseURL, Existing: o.Existing, MaxHandles: config.OpenPortals, Now: o.Now, Log: o.Log, Failpoints: o.Failpoints,
			MorePortalSteps: o.MorePortalSteps, Clusters: c.clusters,
		})
		if err != nil {
			return nil, err
		}
		return e, nil
	}
	e, err := sqlite.Open(context.Background(), sqlite.Config{
		Dir: config.Data, Exclusive: exclusive, MaxHandles: config.OpenPortals,
		Now: o.Now, Log: o.Log, Failpoints: o.Failpoints, Synchronous: o.Synchronous, MorePortalSteps: o.MorePortalSteps,
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}
