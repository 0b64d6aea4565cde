package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (p *program) newSetupLink() *cobra.Command {
	c := &cobra.Command{
		Use: "setup-link", Short: "Print a link that makes the first administrator, once, within 30 minutes", Args: takes(),
		Long: `Print a link to the page on which the first administrator chooses a password.
It works once, for 30 minutes; an earlier one is void from now on. Once there is
an administrator there is no such link: use 'portico account create'.`,
		Example: "  portico setup-link --data /var/lib/portico --public-url https://portals.example.com",
	}
	addSettings(c.Flags(), "listen", "public-url")
	c.RunE = func(c *cobra.Command, _ []string) error {
		core, err := p.openCore(c, true)
		if err != nil {
			return err
		}
		defer core.Close()
		link, err := core.Control.NewSetupLink(c.Context())
		if err != nil {
			return err
		}
		fmt.Fprintln(p.stderr, "Open it within 30 minutes; it works once:")
		fmt.Fprintln(p.stdout, link)
		return nil
	}
	return c
}
