package node

import (
	"context"
	"fmt"
	"log/slog"

	"portico"
	"portico/internal/store"
	"portico/internal/store/postgres"
)

// restoringMark is the value of importMeta while everything is restored.
const restoringMark = "restore"

// ontoServer restores everything into an empty registry in PostgreSQL. All
// portals come to be on the registry's own server, whose list of servers begins
// anew: what is on the others by now is not this backup's to touch.
func (r *restore) ontoServer(ctx context.Context, o Options) error {
	registry, err := r.manifest.registry()
	if err != nil {
		return err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	config := postgres.Config{URL: r.config.DatabaseURL, Log: o.Log, Failpoints: o.Failpoints}
	mark := func(q store.SQL) error { return store.SetMeta(q, importMeta, restoringMark) }
	if err := postgres.RestoreRegistry(ctx, config, registry.path(r.dir), mark); err != nil {
		return fmt.Errorf("restore the registry: %w", err)
	}
	r.report(len(r.manifest.Files)+1, registry.Size)
	c := &Core{Config: r.config, Log: o.Log}
	defer c.Close()
	if err := c.openStorage(true, o, portico.NewIDSource(o.clock())); err != nil {
		return err
	}
	if err := c.Store.Update(ctx, func(tx *store.Tx) error { return tx.GatherOnFirst() }); err != nil {
		return err
	}
	if err := r.portals(ctx, c); err != nil {
		return err
	}
	return c.Store.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.TakeMeta(importMeta, restoringMark)
		return err
	})
}
