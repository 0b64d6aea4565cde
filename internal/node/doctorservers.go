package node

import (
	"context"
	"fmt"

	"portico"
	"portico/internal/store"
	"portico/internal/store/postgres"
)

// nodeConnections is how many connections a node makes to a server at most.
const nodeConnections = 104

// checkServers looks at the PostgreSQL servers: none on SQLite.
func (c *Core) checkServers(ctx context.Context) []Check {
	pg, ok := c.engine.(*postgres.Engine)
	if !ok {
		return nil
	}
	var all []store.ClusterRow
	err := c.Store.View(ctx, func(tx *store.Tx) (err error) {
		all, err = tx.Clusters()
		return err
	})
	if err != nil {
		return []Check{{Name: "clusters", Status: CheckFail, Text: err.Error()}}
	}
	var checks []Check
	for _, row := range all {
		checks = append(checks, checkServer(ctx, pg, row.Cluster)...)
	}
	return checks
}

func checkServer(ctx context.Context, pg *postgres.Engine, cluster portico.Cluster) []Check {
	name := "cluster " + cluster.Name
	condition, err := pg.Examine(ctx, cluster.ID)
	if err != nil {
		return []Check{{Name: name, Status: CheckFail, Text: err.Error()}}
	}
	checks := []Check{{Name: name, Status: CheckOK, Text: fmt.Sprintf("PostgreSQL %s, %s, %d of at most %d portals",
		condition.Version, cluster.Standing(), cluster.Portals, cluster.Cap)}}
	warn := func(format string, args ...any) {
		checks = append(checks, Check{Name: name, Status: CheckWarn, Text: fmt.Sprintf(format, args...)})
	}
	if !condition.Durable {
		warn("a power loss takes committed data with it: set fsync, synchronous_commit and full_page_writes to on")
	}
	if condition.SyncMethod == "fsync" {
		warn("the start after a crash takes a minute for some 3,000 databases, and there are %d: set recovery_init_sync_method = syncfs", condition.Databases)
	}
	if condition.MaxConnections < nodeConnections {
		warn("max_connections is %d; one node may need %d, and apps have their own: raise it", condition.MaxConnections, nodeConnections)
	}
	if cluster.Standing() == portico.ClusterFull {
		warn("it is full: raise its cap, or add a cluster with 'portico cluster add'")
	}
	if condition.PublicOpen {
		warn("apps can make tables in schema public, which no backup and no move takes along: before PostgreSQL 15 only a superuser can close it; use 15 or newer")
	}
	if !condition.SeesFolders {
		warn("folders that a crash in CREATE DATABASE left are not looked for; as a superuser: GRANT EXECUTE ON FUNCTION pg_ls_dir(text), pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean) TO the role")
	}
	return checks
}
