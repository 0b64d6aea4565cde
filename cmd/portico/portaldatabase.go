package main

import (
	"context"

	"github.com/spf13/cobra"

	"portico/client"
)

func databaseColumns() []column[client.Database] {
	return []column[client.Database]{
		{"engine", func(d client.Database) string { return d.Engine }},
		{"address", client.Database.Address},
	}
}

func (p *program) newPortalDatabase() *cobra.Command {
	var rotate bool
	c := &cobra.Command{
		Use: "database PORTAL", Short: "Show how the platform's own app reaches a portal's database", Args: takes("PORTAL"),
		Long: `Show the address of a portal's database for the platform's own app. It holds the
app's password: keep it as one. --rotate makes another, ends the connections of
the old one, and voids it.`,
		Example: "  portico portal database acme-customers",
	}
	c.Flags().BoolVar(&rotate, "rotate", false, "make another password first")
	return p.calls(c, func(c *cobra.Command, args []string, api *client.Client, form string) error {
		id, err := portalID(c.Context(), api, args[0])
		if err != nil {
			return err
		}
		read := map[bool]func(*client.Client, context.Context, string) (*client.Database, error){
			false: (*client.Client).PortalDatabase, true: (*client.Client).RotatePortalDatabase,
		}[rotate]
		database, err := read(api, c.Context(), id)
		if err != nil {
			return err
		}
		return printOne(p, form, *database, databaseColumns())
	})
}
