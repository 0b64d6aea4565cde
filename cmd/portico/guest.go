package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"portico"
	"portico/client"
)

func guestColumns() []column[client.Guest] {
	return []column[client.Guest]{
		{"email", func(g client.Guest) string { return g.Email }},
		{"name", func(g client.Guest) string { return g.Name }},
		{"status", func(g client.Guest) string { return g.Status }},
		{"id", func(g client.Guest) string { return g.ID }},
		{"created", func(g client.Guest) string { return g.CreatedDate.Format(time.RFC3339) }},
	}
}

func (p *program) newGuest() *cobra.Command {
	c := &cobra.Command{
		Use: "guest", Short: "A portal's guests: invite, list, resend, remove",
		Long: `Work with a portal's guests through the API. PORTAL is a portal's id or its
address label. PORTICO_URL and PORTICO_TOKEN, or a profile, say where.`,
	}
	group(c)
	addProfile(c)
	c.AddCommand(p.newGuestInvite(), p.newGuestList(), p.newGuestResend(), p.newGuestRemove())
	return c
}

func (p *program) newGuestList() *cobra.Command {
	var filter client.Filter
	c := &cobra.Command{
		Use: "list PORTAL", Short: "List everybody registered in a portal, oldest first", Args: takes("PORTAL"),
		Example: "  portico guest list acme-customers --status invited -o csv",
	}
	c.Flags().StringVar(&filter.Status, "status", "", "only these: invited, active, expired or bounced")
	c.Flags().StringVarP(&filter.Query, "search", "q", "", "part of a name or an address")
	return p.calls(c, func(c *cobra.Command, args []string, api *client.Client, form string) error {
		id, err := portalID(c.Context(), api, args[0])
		if err != nil {
			return err
		}
		guests, err := client.Collect(api.Guests(c.Context(), id, filter))
		if err != nil {
			return err
		}
		return printList(p, form, guests, guestColumns())
	})
}

func (p *program) newGuestRemove() *cobra.Command {
	c := &cobra.Command{
		Use: "remove PORTAL EMAIL", Short: "End a guest's access, from the next request on", Args: takes("PORTAL", "EMAIL"),
		Long: "End a guest's access to one portal. EMAIL is the guest's address or user id. The account stays, with its other portals.",
	}
	return p.calls(c, func(c *cobra.Command, args []string, api *client.Client, _ string) error {
		id, err := portalID(c.Context(), api, args[0])
		if err != nil {
			return err
		}
		user, err := guestID(c, api, id, args[1])
		if err != nil {
			return err
		}
		if err := api.RemoveGuest(c.Context(), id, user); err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "Removed %s.\n", explainText(args[1]))
		return nil
	})
}

// guestID returns the user id of a guest who is named by id or by address.
func guestID(c *cobra.Command, api *client.Client, portal, named string) (string, error) {
	if portico.ValidID(named, portico.PrefixAccount) {
		return named, nil
	}
	wanted, err := portico.ParseAddress(named)
	if err != nil {
		return "", err
	}
	for g, err := range api.Guests(c.Context(), portal, client.Filter{Query: wanted.Stored}) {
		if err != nil {
			return "", err
		}
		if a, err := portico.ParseAddress(g.Email); err == nil && a.Key == wanted.Key {
			return g.ID, nil
		}
	}
	return "", portico.Errorf(portico.KindNotFound, "The portal has no guest %s.", wanted.Stored)
}
