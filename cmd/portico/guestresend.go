package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"portico"
	"portico/client"
)

func resendColumns() []column[client.ResendResult] {
	return []column[client.ResendResult]{
		{"email", func(r client.ResendResult) string { return orEmpty(r.Email) }},
		{"status", func(r client.ResendResult) string { return r.Status }},
		{"detail", func(r client.ResendResult) string { return orEmpty(r.Detail) }},
		{"id", func(r client.ResendResult) string { return r.ID }},
	}
}

func (p *program) newGuestResend() *cobra.Command {
	var status string
	c := &cobra.Command{
		Use: "resend PORTAL [EMAIL...]", Short: "Send invitations again, with new links",
		Long: `Send invitations of a portal again: those of the addresses, or all of a status.
The links that were sent before are void. A guest who has accepted, or whose
invitation was revoked, is sent none.`,
		Example: "  portico guest resend acme-customers ada@example.com\n  portico guest resend acme-customers --status expired",
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return takes("PORTAL")(c, args)
			case (len(args) == 1) == (status == ""):
				return usagef("say whose invitations: addresses, or --status")
			}
			return nil
		},
	}
	c.Flags().StringVar(&status, "status", "", "all of these: pending, expired or bounced")
	return p.calls(c, func(c *cobra.Command, args []string, api *client.Client, form string) error {
		portal, err := portalID(c.Context(), api, args[0])
		if err != nil {
			return err
		}
		ids, err := invitationsOf(c, api, portal, status, args[1:])
		if err != nil {
			return err
		}
		var results []client.ResendResult
		for part := range slices.Chunk(ids, client.MaxRecipients) {
			more, err := api.ResendInvitations(c.Context(), portal, part)
			if err != nil {
				return err
			}
			results = append(results, more...)
		}
		if err := printList(p, form, results, resendColumns()); err != nil {
			return err
		}
		failed := 0
		for _, r := range results {
			if r.Status == client.Failed {
				failed++
			}
		}
		if failed > 0 {
			return partlyf("%d of %d invitations were not sent again.", failed, len(results))
		}
		fmt.Fprintf(p.stderr, "Sent %d invitations again.\n", len(results))
		return nil
	})
}

// invitationsOf returns the ids of the invitations of a status, or of those to
// the addresses.
func invitationsOf(c *cobra.Command, api *client.Client, portal, status string, emails []string) (ids []string, err error) {
	if status != "" {
		for i, err := range api.Invitations(c.Context(), portal, client.Filter{Status: status}) {
			if err != nil {
				return nil, err
			}
			ids = append(ids, i.ID)
		}
		return ids, nil
	}
	for _, email := range emails {
		wanted, err := portico.ParseAddress(email)
		if err != nil {
			return nil, err
		}
		id, err := invitationTo(c, api, portal, wanted)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// invitationTo returns the id of the invitation to an address.
func invitationTo(c *cobra.Command, api *client.Client, portal string, to portico.Address) (string, error) {
	for i, err := range api.Invitations(c.Context(), portal, client.Filter{Query: to.Stored}) {
		if err != nil {
			return "", err
		}
		if a, err := portico.ParseAddress(i.Email); err == nil && a.Key == to.Key {
			return i.ID, nil
		}
	}
	return "", portico.Errorf(portico.KindNotFound, "The portal has no invitation to %s.", to.Stored)
}
