package main

import (
	"fmt"
	"log/slog"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"portico/internal/node"
)

func (p *program) newRestore() *cobra.Command {
	var portal string
	c := &cobra.Command{
		Use: "restore DIR", Short: "Restore everything from a backup, or one portal", Args: takes("DIR"),
		Long: `Restore everything from a backup into a data folder that is absent or holds only
the secret; no server may run on it. With --portal, give one portal the database
of the backup, while the server runs: its guests are those of now, so that
nobody who was removed since comes back.

On PostgreSQL everything goes into the registry that --database-url names, which
must not exist or be empty, on a server that holds no portals.`,
		Example: "  portico restore /backups/monday --data /var/lib/portico-new\n  portico restore /backups/monday --portal port_…",
	}
	c.Flags().StringVar(&portal, "portal", "", "id of the one portal to restore")
	c.RunE = func(c *cobra.Command, args []string) error {
		if c.Flags().Changed("portal") {
			return p.restorePortal(c, args[0], portal)
		}
		return p.restoreAll(c, args[0])
	}
	return c
}

func (p *program) restorePortal(c *cobra.Command, dir, portal string) error {
	core, err := p.openCore(c, false)
	if err != nil {
		return err
	}
	defer core.Close()
	if err := core.RestorePortal(c.Context(), dir, portal); err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "Portal %s has the database of %s. The one before goes at the server's next pass.\n", portal, dir)
	return nil
}

func (p *program) restoreAll(c *cobra.Command, dir string) error {
	ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	config, _, err := p.config(c, nil)
	if err != nil {
		return err
	}
	bar := p.newBar("restore")
	m, err := node.RestoreAll(ctx, config, dir, node.Options{Log: p.log(slog.LevelError + 1), Version: p.version}, bar.step)
	bar.end()
	if err != nil {
		return err
	}
	where := config.Data
	if config.DatabaseURL != "" {
		where = node.RedactURL(config.DatabaseURL)
	}
	for _, miss := range m.Missing {
		fmt.Fprintf(p.stderr, "not in the backup: portal %s: %s\n", miss.PortalID, explainText(miss.Reason))
	}
	fmt.Fprintf(p.stderr, "%d portals with %d guests are in %s, as of %s.\n",
		m.Copied(), m.Guests, where, m.MadeAt.Format("2006-01-02 15:04 MST"))
	if err := node.CheckSecret(config); err != nil {
		fmt.Fprintf(p.stderr, "The secret (%s) is not in a backup: %s.\n", m.Secret, explain(err))
	}
	if lost := m.Lost(); len(lost) > 0 {
		return partlyf("%d portals are unavailable: the backup has no copy of them", len(lost))
	}
	return nil
}
