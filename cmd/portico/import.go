package main

import (
	"fmt"
	"log/slog"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"portico/internal/node"
)

func (p *program) newImport() *cobra.Command {
	var from string
	var leaveApps bool
	c := &cobra.Command{
		Use: "import", Short: "Bring an installation on SQLite into an empty registry in PostgreSQL", Args: takes(),
		Long: `Bring the installation in a data folder into the registry that --database-url
names: everything that the registry knows, and each portal's database, compared
piece by piece. No server may run on the folder, which is only read; the secret
has to be the same. Repeated after it was cut short it goes on where it was, and
no server starts on the registry before it has come to its end.

What the platform's app keeps in files app.db cannot be carried over: with
--leave-app-data the files stay where they are, and the app brings its data over.`,
		Example: "  PORTICO_SECRET_KEY_FILE=/var/lib/portico/secret.key portico import --from /var/lib/portico --database-url postgres://portico@db/portico",
	}
	c.Flags().StringVar(&from, "from", "", "the data folder of the installation on SQLite")
	c.Flags().BoolVar(&leaveApps, "leave-app-data", false, "leave what apps keep in app.db behind")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if from == "" {
			return usagef("--from is missing: the data folder of the installation on SQLite")
		}
		ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		config, _, err := p.config(c, nil)
		if err != nil {
			return err
		}
		bar := p.newBar("import")
		bar.unit = "rows and portals"
		done, err := node.Import(ctx, config, from, leaveApps, node.Options{Log: p.log(slog.LevelWarn), Version: p.version}, bar.step)
		bar.end()
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "%d rows and %d portals came over this time and were compared. Start 'portico serve' on the new registry; keep %s until you are content.\n",
			done.Rows, done.Portals, from)
		if done.AppData > 0 {
			fmt.Fprintf(p.stderr, "What the app keeps of %d portals stayed behind, in files app.db.\n", done.AppData)
		}
		return nil
	}
	return c
}
