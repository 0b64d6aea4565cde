package node

import (
	"context"
	"os"

	"portico"
	"portico/internal/lifecycle"
	"portico/internal/store"
)

// appSteps reads the steps of the app's schema that are configured, and holds
// them against those that were ever applied.
func (c *Core) appSteps() ([]store.AppStep, error) {
	dir := c.Config.AppMigrations
	if dir == "" {
		return nil, nil
	}
	steps, err := store.ReadAppSteps(os.DirFS(dir))
	var taken []store.AppStep
	if err == nil {
		err = c.Store.View(context.Background(), func(tx *store.Tx) (err error) {
			taken, err = tx.AppSteps()
			return err
		})
	}
	if err == nil {
		err = store.CheckAppSteps(steps, taken)
	}
	if err != nil {
		kind := portico.KindOf(err)
		if kind == portico.KindInternal { // the folder cannot be read
			kind = portico.KindInvalid
		}
		return nil, portico.Errorf(kind, "The app's schema in %s (PORTICO_APP_MIGRATIONS) cannot be used: %s", dir, err)
	}
	return steps, nil
}

// openLifecycle opens the life cycle, which knows the newest schemas.
func (c *Core) openLifecycle(sole bool, o Options) error {
	own, err := store.PortalMigrations()
	if err != nil {
		return err
	}
	steps, err := c.appSteps()
	if err != nil {
		return err
	}
	c.Lifecycle = lifecycle.New(lifecycle.Config{
		Store: c.Store, Jobs: c.Jobs, Ring: c.Ring, Log: o.Log, Failpoints: o.Failpoints, SoleProcess: sole, Mover: c.mover,
		SchemaVersion: len(own) + len(o.MorePortalSteps), AppSteps: steps,
	})
	c.onClose(c.Lifecycle.Stop)
	return nil
}
