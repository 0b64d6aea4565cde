package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"portico"
	"portico/internal/control"
)

// accountRow is an account with its membership as it is printed.
type accountRow struct {
	ID             string       `json:"id"`
	Email          string       `json:"email"`
	OrganizationID string       `json:"organization_id"`
	Role           portico.Role `json:"role"`
	New            bool         `json:"new"`
}

func accountColumns() []column[accountRow] {
	return []column[accountRow]{
		{"id", func(a accountRow) string { return a.ID }},
		{"email", func(a accountRow) string { return a.Email }},
		{"organization", func(a accountRow) string { return a.OrganizationID }},
		{"role", func(a accountRow) string { return string(a.Role) }},
	}
}

func (p *program) newAccount() *cobra.Command {
	c := &cobra.Command{Use: "account", Short: "Accounts: create one in an organization, change a role"}
	group(c)
	c.AddCommand(p.newAccountCreate(), p.newAccountRole())
	return c
}

// addOrg adds the flag that names the organization, which has no default.
func addOrg(c *cobra.Command, into *string) {
	c.Flags().StringVar(into, "org", "", "id of the organization or sandbox ('portico org list' shows them)")
}

func needOrg(c *cobra.Command, org string) error {
	if org == "" {
		return usagef("--org is missing; 'portico org list' shows the ids; run '%s --help'", c.CommandPath())
	}
	return nil
}

func (p *program) newAccountCreate() *cobra.Command {
	var org, role, name, file string
	c := &cobra.Command{
		Use: "create EMAIL", Short: "Make somebody a member of an organization", Args: takes("EMAIL"),
		Long: `Make somebody a member of an organization. A new account needs a password: it is
read from --password-file, asked for without showing it, or read from standard
input when that is no terminal. Somebody who has an account keeps the password.`,
		Example: "  portico account create you@example.com --org org_… --role owner",
	}
	addOutput(c)
	addOrg(c, &org)
	c.Flags().StringVar(&role, "role", string(portico.Admin), "owner, admin or member")
	c.Flags().StringVar(&name, "name", "", "the person's name")
	c.Flags().StringVar(&file, "password-file", "", "file that holds the password, - for standard input")
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
		in := control.AccountCreate{Email: args[0], Name: name, OrganizationID: org, Role: portico.Role(role)}
		if file != "" {
			if in.Password, err = p.passwordFrom(file); err != nil {
				return err
			}
		}
		made, err := core.Control.CreateAccount(c.Context(), in)
		if asked, ok := errors.AsType[*portico.Error](err); ok && asked.Field == "password" && in.Password == "" {
			if in.Password, err = p.askPassword(in.Email); err == nil {
				made, err = core.Control.CreateAccount(c.Context(), in)
			}
		}
		if err != nil {
			return err
		}
		if in.Password != "" && !made.PasswordSet {
			fmt.Fprintln(p.stderr, "The account was there already and keeps its own password.")
		}
		return printOne(p, form, accountRow{made.Account.ID, made.Account.Email, org, in.Role, made.New}, accountColumns())
	}
	return c
}

func (p *program) newAccountRole() *cobra.Command {
	var org string
	c := &cobra.Command{
		Use: "role EMAIL ROLE", Short: "Change what a member may do: owner, admin or member", Args: takes("EMAIL", "ROLE"),
		Example: "  portico account role you@example.com admin --org org_…",
	}
	addOrg(c, &org)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := needOrg(c, org); err != nil {
			return err
		}
		core, err := p.openCore(c, false)
		if err != nil {
			return err
		}
		defer core.Close()
		if err := core.Control.SetRole(c.Context(), org, args[0], portico.Role(args[1])); err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "%s is %s of %s now\n", args[0], args[1], org)
		return nil
	}
	return c
}
