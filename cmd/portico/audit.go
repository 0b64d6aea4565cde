package main

import (
	"time"

	"github.com/spf13/cobra"

	"portico"
	"portico/client"
)

func auditColumns() []column[client.AuditRecord] {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return portico.SafeCell(*s)
	}
	return []column[client.AuditRecord]{
		{"at", func(r client.AuditRecord) string { return r.At.Format(time.RFC3339) }},
		{"action", func(r client.AuditRecord) string { return r.Action }},
		{"actor", func(r client.AuditRecord) string { return portico.SafeCell(r.Actor) }},
		{"subject", func(r client.AuditRecord) string { return text(r.Subject) }},
		{"portal", func(r client.AuditRecord) string { return text(r.Portal) }},
		{"request", func(r client.AuditRecord) string { return text(r.RequestID) }},
		{"detail", func(r client.AuditRecord) string { return string(r.Detail) }},
		{"id", func(r client.AuditRecord) string { return r.ID }},
	}
}

func (p *program) newAudit() *cobra.Command {
	var filter client.AuditFilter
	var from, until string
	c := &cobra.Command{
		Use: "audit", Short: "List what was done in the organization, the newest first", Args: takes(),
		Long: `List what was done in the organization of the token, the newest first. It takes
an owner's or admin's token that is not limited to scopes. Times are days, or
such as 2026-06-29T14:00:00Z; until is the first time that is left out.`,
		Example: "  portico audit --action guest.removed --from 2026-06-01 -o csv",
	}
	addProfile(c)
	flags := c.Flags()
	flags.StringVar(&filter.Action, "action", "", "only this action, such as guest.invited")
	flags.StringVar(&filter.Actor, "actor", "", "only what this address or id did")
	flags.StringVar(&filter.Subject, "subject", "", "only what was done to this address or id")
	flags.StringVar(&filter.PortalID, "portal", "", "only what happened in the portal with this id")
	flags.StringVar(&from, "from", "", "only this time or later")
	flags.StringVar(&until, "until", "", "only earlier than this time")
	return p.calls(c, func(c *cobra.Command, _ []string, api *client.Client, form string) (err error) {
		if filter.From, err = timeOf(from); err != nil {
			return err
		}
		if filter.Until, err = timeOf(until); err != nil {
			return err
		}
		records, err := client.Collect(api.Audit(c.Context(), filter))
		if err != nil {
			return err
		}
		return printList(p, form, records, auditColumns())
	})
}

// timeOf reads a day or a time; empty is none.
func timeOf(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("%q is no time; use 2026-06-29 or 2026-06-29T14:00:00Z", text)
}
