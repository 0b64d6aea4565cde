package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"portico"
	"portico/internal/control"
)

// tokenRow is a personal access token as it is printed, this once with its
// secret.
type tokenRow struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Token     string          `json:"token"`
	Scopes    []portico.Scope `json:"scopes"`
	ExpiresAt *time.Time      `json:"expires_at"`
}

func tokenColumns() []column[tokenRow] {
	return []column[tokenRow]{
		{"token", func(t tokenRow) string { return t.Token }},
		{"id", func(t tokenRow) string { return t.ID }},
		{"name", func(t tokenRow) string { return t.Name }},
		{"expires", func(t tokenRow) string {
			if t.ExpiresAt == nil {
				return "never"
			}
			return t.ExpiresAt.Format(time.RFC3339)
		}},
	}
}

func (p *program) newToken() *cobra.Command {
	c := &cobra.Command{Use: "token", Short: "Personal access tokens: create one for a member"}
	group(c)
	c.AddCommand(p.newTokenCreate())
	return c
}

func (p *program) newTokenCreate() *cobra.Command {
	var org, name string
	var days int
	var scopes []string
	c := &cobra.Command{
		Use: "create EMAIL", Short: "Create a personal access token for a member of an organization", Args: takes("EMAIL"),
		Example: "  portico token create you@example.com --org org_… --scope portal:read --days 30",
	}
	addOutput(c)
	addOrg(c, &org)
	c.Flags().StringVar(&name, "name", "command line", "what the token is for")
	c.Flags().IntVar(&days, "days", 0, "days that it lasts; 0: for ever")
	c.Flags().StringSliceVar(&scopes, "scope", nil, "what it may do, several times or with commas; none: everything")
	c.RunE = func(c *cobra.Command, args []string) error {
		form, err := checkOutput(c)
		if err == nil {
			err = needOrg(c, org)
		}
		if err != nil {
			return err
		}
		core, err := p.openCore(c, false)
		if err != nil {
			return err
		}
		defer core.Close()
		in := control.TokenCreate{Name: name, Scopes: scopes}
		if days != 0 {
			in.ExpiresInDays = &days
		}
		t, err := core.Control.CreateTokenFor(c.Context(), org, args[0], in)
		if err != nil {
			return err
		}
		fmt.Fprintln(p.stderr, "The token is shown this once; keep it like a password.")
		return printOne(p, form, tokenRow{t.ID, t.Name, t.Secret, t.Scopes, t.ExpiresAt}, tokenColumns())
	}
	return c
}
