package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"portico/client"
)

func portalColumns() []column[client.Portal] {
	return []column[client.Portal]{
		{"id", func(p client.Portal) string { return p.ID }},
		{"name", func(p client.Portal) string { return p.Name }},
		{"state", func(p client.Portal) string {
			if p.IsActive {
				return "active"
			}
			return "unavailable"
		}},
		{"url", func(p client.Portal) string { return p.URL }},
		{"domain", func(p client.Portal) string {
			if p.CustomDomain == nil || p.CustomDomainStatus == nil {
				return ""
			}
			return *p.CustomDomain + " (" + *p.CustomDomainStatus + ")"
		}},
		{"created", func(p client.Portal) string { return p.CreatedDate.Format(time.RFC3339) }},
	}
}

func (p *program) newPortal() *cobra.Command {
	c := &cobra.Command{
		Use: "portal", Short: "Portals: create, list, get, update, delete, open, database, move",
		Long: `Work with the portals of an organization through the API. PORTAL is a portal's id
or its address label. PORTICO_URL and PORTICO_TOKEN, or a profile, say where.
Only move is an operator's command: it opens the registry itself.`,
	}
	group(c)
	addProfile(c)
	c.AddCommand(p.newPortalCreate(), p.newPortalList(), p.newPortalGet(), p.newPortalUpdate(), p.newPortalDelete(), p.newPortalOpen(), p.newPortalDatabase(), p.newPortalMove())
	return c
}

// calls makes a command one that speaks to the service: run is given a client
// and the form of the output.
func (p *program) calls(c *cobra.Command, run func(c *cobra.Command, args []string, api *client.Client, form string) error) *cobra.Command {
	addOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		form, err := checkOutput(c)
		if err != nil {
			return err
		}
		api, err := p.api(c)
		if err != nil {
			return err
		}
		return unreachable(run(c, args, api, form))
	}
	return c
}

func (p *program) newPortalCreate() *cobra.Command {
	var description, domain string
	c := &cobra.Command{
		Use: "create NAME", Short: "Create a portal with a database of its own", Args: takes("NAME"),
		Example: "  portico portal create 'Acme Customers'",
	}
	c.Flags().StringVar(&description, "description", "", "what the portal is for")
	c.Flags().StringVar(&domain, "domain", "", "a host name of your own")
	return p.calls(c, func(c *cobra.Command, args []string, api *client.Client, form string) error {
		in := client.PortalCreate{Name: args[0]}
		if description != "" {
			in.Description = &description
		}
		if domain != "" {
			in.CustomDomain = &domain
		}
		portal, err := api.CreatePortal(c.Context(), in)
		if err != nil {
			return err
		}
		return printOne(p, form, *portal, portalColumns())
	})
}

func (p *program) newPortalList() *cobra.Command {
	var query string
	c := &cobra.Command{Use: "list", Short: "List portals, oldest first", Args: takes()}
	c.Flags().StringVarP(&query, "search", "q", "", "part of a name, address label or domain")
	return p.calls(c, func(c *cobra.Command, _ []string, api *client.Client, form string) error {
		portals, err := client.Collect(api.Portals(c.Context(), query))
		if err != nil {
			return err
		}
		return printList(p, form, portals, portalColumns())
	})
}

func (p *program) newPortalGet() *cobra.Command {
	c := &cobra.Command{Use: "get PORTAL", Short: "Show one portal", Args: takes("PORTAL")}
	return p.calls(c, func(c *cobra.Command, args []string, api *client.Client, form string) error {
		portal, err := findPortal(c, api, args[0])
		if err != nil {
			return err
		}
		return printOne(p, form, *portal, portalColumns())
	})
}

func findPortal(c *cobra.Command, api *client.Client, named string) (*client.Portal, error) {
	id, err := portalID(c.Context(), api, named)
	if err != nil {
		return nil, err
	}
	return api.Portal(c.Context(), id)
}

func (p *program) newPortalUpdate() *cobra.Command {
	var name, description, domain string
	c := &cobra.Command{
		Use: "update PORTAL", Short: "Change a portal's name, description or domain", Args: takes("PORTAL"),
		Long:    "Change what the flags name and nothing else. An empty description or domain clears it.",
		Example: "  portico portal update acme-customers --name 'Acme Partners' --domain ''",
	}
	c.Flags().StringVar(&name, "name", "", "a new name; the address label stays")
	c.Flags().StringVar(&description, "description", "", "a new description")
	c.Flags().StringVar(&domain, "domain", "", "another host name of your own")
	return p.calls(c, func(c *cobra.Command, args []string, api *client.Client, form string) error {
		change := func(flag, value string) client.Change {
			switch {
			case !c.Flags().Changed(flag):
				return client.Change{}
			case value == "":
				return client.Clear()
			}
			return client.Set(value)
		}
		in := client.PortalUpdate{Name: name, Description: change("description", description), CustomDomain: change("domain", domain)}
		if c.Flags().Changed("name") && name == "" {
			return usagef("a portal's name cannot be empty")
		}
		id, err := portalID(c.Context(), api, args[0])
		if err != nil {
			return err
		}
		portal, err := api.UpdatePortal(c.Context(), id, in)
		if err != nil {
			return err
		}
		return printOne(p, form, *portal, portalColumns())
	})
}

func (p *program) newPortalDelete() *cobra.Command {
	var confirmed string
	c := &cobra.Command{
		Use: "delete PORTAL", Short: "Delete a portal with its database and everybody's access", Args: takes("PORTAL"),
		Long: `Delete a portal with its database, its guests' access, its invitations and its
domain. It asks for the portal's name; a script passes it with --confirm.`,
		Example: "  portico portal delete acme-customers --confirm 'Acme Customers'",
	}
	c.Flags().StringVar(&confirmed, "confirm", "", "the portal's name, instead of being asked for it")
	return p.calls(c, func(c *cobra.Command, args []string, api *client.Client, _ string) error {
		portal, err := findPortal(c, api, args[0])
		if err != nil {
			return err
		}
		sure := confirmed == portal.Name
		if !c.Flags().Changed("confirm") {
			question := fmt.Sprintf("This deletes %s with its database and everybody's access, for good.\nType the portal's name to go on: ", explainText(portal.Name))
			if sure, err = p.confirm(question, portal.Name); err != nil {
				return err
			}
		}
		if !sure {
			return usagef("nothing was deleted: the name of the portal is %q; give it with --confirm", portal.Name)
		}
		if err := api.DeletePortal(c.Context(), portal.ID); err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "Deleted %s (%s).\n", explainText(portal.Name), portal.ID)
		return nil
	})
}

func (p *program) newPortalOpen() *cobra.Command {
	c := &cobra.Command{Use: "open PORTAL", Short: "Open a portal's address in the browser", Args: takes("PORTAL")}
	return p.calls(c, func(c *cobra.Command, args []string, api *client.Client, _ string) error {
		portal, err := findPortal(c, api, args[0])
		if err != nil {
			return err
		}
		fmt.Fprintln(p.stdout, portal.URL)
		if _, ok := terminal(p.stdout); !ok {
			return nil
		}
		opener := "xdg-open"
		if runtime.GOOS == "darwin" {
			opener = "open"
		}
		if err := exec.CommandContext(c.Context(), opener, portal.URL).Start(); err != nil { //nolint:gosec // the address comes from the service that the user chose
			fmt.Fprintln(p.stderr, "No browser could be started; open the address yourself.")
		}
		return nil
	})
}
