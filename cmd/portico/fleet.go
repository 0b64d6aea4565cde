package main

import (
	"context"
	"fmt"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"portico"
	"portico/internal/node"
	"portico/internal/store"
)

func (p *program) newFleet() *cobra.Command {
	c := &cobra.Command{
		Use: "fleet", Short: "The schemas of all portals: migrate, status",
		Long: `Bring the databases of all portals to the newest schemas, ours and the one of
the platform's own app (PORTICO_APP_MIGRATIONS), and see how far they are.`,
	}
	group(c)
	c.AddCommand(p.newFleetMigrate(), p.newFleetStatus())
	return c
}

func (p *program) newFleetMigrate() *cobra.Command {
	c := &cobra.Command{
		Use: "migrate", Short: "Bring every portal's database to the newest schemas", Args: takes(),
		Long: `Bring every portal's database to the newest schemas, while the service runs: one
portal first, then five, then all. If the first fails, or two of the five, no
other is touched. Portals are served at the old schema until their turn comes. A portal
whose step fails is left as it was, and is not served until a later run
succeeds. A run that was ended goes on where it was.`,
		Example: "  portico fleet migrate --app-migrations ./migrations\n  portico fleet status",
	}
	addSettings(c.Flags(), "app-migrations")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		core, err := p.openCore(c, false)
		if err != nil {
			return err
		}
		defer core.Close()
		bar := p.newBar("migrate")
		bar.unit = "portals"
		result, err := core.Lifecycle.MigrateFleet(ctx, func(done, total int) { bar.step(done, total, 0) })
		bar.end()
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "%d of %d portals migrated, %d failed, %d not reached.\n", result.Migrated, result.Due, result.Failed, result.Postponed)
		switch {
		case result.Stopped:
			return partlyf("stopped after the first portals; see 'portico fleet status', mend the step, and run it again")
		case result.Failed > 0:
			return partlyf("%d portals are not served until a run succeeds; see 'portico fleet status'", result.Failed)
		case result.Postponed > 0:
			return partlyf("%d portals could not be reached; run it again", result.Postponed)
		}
		return nil
	}
	return c
}

// fleetRow is a portal's schemas as they are printed.
type fleetRow struct {
	ID       string              `json:"id"`
	Name     string              `json:"name"`
	State    portico.PortalState `json:"state"`
	Schema   int                 `json:"schema_version"` // 0: not known
	App      int                 `json:"app_version"`
	Attempts int                 `json:"failed_attempts"`
	Error    string              `json:"error"`
	LookedAt *time.Time          `json:"looked_at"`
}

func fleetRowOf(r store.FleetRow) fleetRow {
	row := fleetRow{
		ID: r.ID, Name: r.Name, State: r.State, Schema: r.Schema.Version, App: r.Schema.AppVersion,
		Attempts: r.Schema.Attempts, Error: r.Schema.Error,
	}
	if !r.Schema.UpdatedAt.IsZero() {
		row.LookedAt = &r.Schema.UpdatedAt
	}
	return row
}

func fleetColumns() []column[fleetRow] {
	version := func(n int) string {
		if n == 0 {
			return "-"
		}
		return strconv.Itoa(n)
	}
	return []column[fleetRow]{
		{"id", func(r fleetRow) string { return r.ID }},
		{"name", func(r fleetRow) string { return r.Name }},
		{"state", func(r fleetRow) string { return string(r.State) }},
		{"schema", func(r fleetRow) string { return version(r.Schema) }},
		{"app", func(r fleetRow) string { return version(r.App) }},
		{"failed", func(r fleetRow) string { return strconv.Itoa(r.Attempts) }},
		{"looked at", func(r fleetRow) string {
			if r.LookedAt == nil {
				return ""
			}
			return r.LookedAt.Format(time.RFC3339)
		}},
		{"error", func(r fleetRow) string { return explainText(r.Error) }},
	}
}

func (p *program) newFleetStatus() *cobra.Command {
	c := &cobra.Command{
		Use: "status", Short: "Show the schema versions of every portal's database", Args: takes(),
		Long: `Show, of every portal, the versions of its database's schemas when they were last
looked at (ours, and the app's), how often the last migration failed, and why.`,
	}
	listing(p, c, fleetColumns(), func(ctx context.Context, core *node.Core) (rows []fleetRow, err error) {
		err = core.Lifecycle.Fleet(ctx, func(r store.FleetRow) { rows = append(rows, fleetRowOf(r)) })
		return rows, err
	})
	return c
}
