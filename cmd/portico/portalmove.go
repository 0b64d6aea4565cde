package main

import (
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func (p *program) newPortalMove() *cobra.Command {
	var to string
	c := &cobra.Command{
		Use: "move ID", Short: "Move a portal's database to another PostgreSQL server (an operator's command)", Args: takes("ID"),
		Long: `Move a portal's database, with what its app keeps there, to another server that
'portico cluster list' shows, while the service runs. Guests come and go as
always meanwhile; the app is kept out of its database until the move is done, and
then has to ask for its address anew. A move that was cut short leaves the portal
where it was; repeat the command.

It opens the registry itself (--database-url, PORTICO_SECRET_KEY) and needs
pg_dump and pg_restore.`,
		Example: "  portico portal move port_… --to eu-2",
	}
	addSettings(c.Flags(), "database-url")
	c.Flags().StringVar(&to, "to", "", "name of the server")
	c.RunE = func(c *cobra.Command, args []string) error {
		if to == "" {
			return usagef("--to is missing; 'portico cluster list' shows the servers")
		}
		ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		core, err := p.openCore(c, false)
		if err != nil {
			return err
		}
		defer core.Close()
		bar := p.newBar("move")
		bar.unit = "MiB"
		err = core.Lifecycle.Move(ctx, args[0], to, func(done, total int64) { bar.step(int(done>>20), int(total>>20)+1, 0) })
		bar.end()
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "Portal %s is on %s. The database that it had goes at the server's next pass.\n", args[0], to)
		return nil
	}
	return c
}
