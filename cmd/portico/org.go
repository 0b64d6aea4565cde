package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"portico"
	"portico/internal/control"
	"portico/internal/node"
)

// organizationRow is an organization as it is printed.
type organizationRow struct {
	ID        string                   `json:"id"`
	Name      string                   `json:"name"`
	Kind      portico.OrganizationKind `json:"kind"`
	ParentID  string                   `json:"parent_id,omitempty"`
	Suspended bool                     `json:"suspended"`
	CreatedAt time.Time                `json:"created_at"`
}

func rowOf(o portico.Organization) organizationRow {
	return organizationRow{o.ID, o.Name, o.Kind, o.ParentID, o.Suspended, o.CreatedAt}
}

func organizationColumns() []column[organizationRow] {
	return []column[organizationRow]{
		{"id", func(o organizationRow) string { return o.ID }},
		{"name", func(o organizationRow) string { return o.Name }},
		{"kind", func(o organizationRow) string { return string(o.Kind) }},
		{"parent", func(o organizationRow) string { return o.ParentID }},
		{"state", func(o organizationRow) string {
			if o.Suspended {
				return "suspended"
			}
			return "active"
		}},
		{"created", func(o organizationRow) string { return o.CreatedAt.Format(time.RFC3339) }},
	}
}

func (p *program) newOrg() *cobra.Command {
	c := &cobra.Command{Use: "org", Short: "Organizations: create, list, suspend, activate"}
	group(c)
	c.AddCommand(p.newOrgCreate(), p.newOrgList(),
		p.newOrgState("suspend", "Take an organization with its portals out of use, at once", (*control.Control).SuspendOrganization),
		p.newOrgState("activate", "End a suspension", (*control.Control).ActivateOrganization))
	return c
}

func (p *program) newOrgCreate() *cobra.Command {
	var parent string
	c := &cobra.Command{
		Use: "create NAME", Short: "Create an organization, or a sandbox of one", Args: takes("NAME"),
		Example: "  portico org create 'Acme'\n  portico org create 'Acme trial' --sandbox-of org_…",
	}
	addOutput(c)
	c.Flags().StringVar(&parent, "sandbox-of", "", "make a sandbox of the production organization with this id")
	c.RunE = func(c *cobra.Command, args []string) error {
		form, err := checkOutput(c)
		if err != nil {
			return err
		}
		core, err := p.openCore(c, true)
		if err != nil {
			return err
		}
		defer core.Close()
		in := control.OrganizationCreate{Name: args[0], Kind: portico.Production, ParentID: parent}
		if parent != "" {
			in.Kind = portico.Sandbox
		}
		o, err := core.Control.CreateOrganization(c.Context(), in)
		if err != nil {
			return err
		}
		return printOne(p, form, rowOf(o), organizationColumns())
	}
	return c
}

func (p *program) newOrgList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List organizations and sandboxes, oldest first", Args: takes()}
	listing(p, c, organizationColumns(), func(ctx context.Context, core *node.Core) (rows []organizationRow, err error) {
		all, err := core.Control.Organizations(ctx)
		for _, o := range all {
			rows = append(rows, rowOf(o))
		}
		return rows, err
	})
	return c
}
