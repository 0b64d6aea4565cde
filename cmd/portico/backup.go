package main

import (
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func (p *program) newBackup() *cobra.Command {
	c := &cobra.Command{
		Use: "backup DIR", Short: "Copy registry and portals to a new folder, while they are in use", Args: takes("DIR"),
		Long: `Copy registry and portals to a new folder, while a server runs. Each database in
the copy is consistent. The secret is not in it: keep that elsewhere, because a
restored backup is worth nothing without it.`,
		Example: "  portico backup /backups/monday --data /var/lib/portico",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		core, err := p.openCore(c, false)
		if err != nil {
			return err
		}
		defer core.Close()
		bar := p.newBar("backup")
		m, err := core.Backup(ctx, args[0], p.version, bar.step)
		bar.end()
		if err != nil {
			return err
		}
		for _, miss := range m.Missing {
			fmt.Fprintf(p.stderr, "not in the backup: portal %s: %s\n", miss.PortalID, explainText(miss.Reason))
		}
		fmt.Fprintf(p.stderr, "%d portals with %d guests are in %s. The secret (%s) is not: keep a copy of it elsewhere.\n",
			m.Copied(), m.Guests, args[0], m.Secret)
		if lost := m.Lost(); len(lost) > 0 {
			return partlyf("%d portals could not be copied; run 'portico doctor'", len(lost))
		}
		return nil
	}
	return c
}
