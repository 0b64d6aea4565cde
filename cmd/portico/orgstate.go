package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"portico/internal/control"
)

// newOrgState returns a command that suspends or activates an organization.
func (p *program) newOrgState(verb, short string, set func(*control.Control, context.Context, string) error) *cobra.Command {
	c := &cobra.Command{Use: verb + " ORG_ID", Short: short, Args: takes("ORG_ID")}
	c.RunE = func(c *cobra.Command, args []string) error {
		core, err := p.openCore(c, false)
		if err != nil {
			return err
		}
		defer core.Close()
		if err := set(core.Control, c.Context(), args[0]); err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "%s: %s\n", args[0], map[string]string{"suspend": "suspended", "activate": "active"}[verb])
		return nil
	}
	return c
}
