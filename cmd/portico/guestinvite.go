package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"portico"
	"portico/client"
)

// maxList is the longest list of recipients that is read.
const maxList = 64 << 20

// notSent is the status of a recipient whom no answer came for.
const notSent = "not_sent"

// mailing is one run of guest invite.
type mailing struct {
	program *program
	api     *client.Client
	portal  string
	message string
	noEmail bool
	users   []client.Recipient
}

func (p *program) newGuestInvite() *cobra.Command {
	var file, result, message string
	var noEmail, dryRun, retry, yes bool
	c := &cobra.Command{
		Use: "invite PORTAL [EMAIL...]", Short: "Invite people by their addresses or from a CSV file",
		Long: `Invite people to a portal, a thousand in a call. What would happen is counted
first; on a terminal it asks before it goes on. The file may be any CSV or list
of addresses. With --result what became of each is kept as CSV, and that file
may be given back with --retry: only those who failed or were not reached are
tried again. Inviting somebody twice sends no second mail.`,
		Example: "  portico guest invite acme-customers ada@example.com\n  portico guest invite acme-customers --csv guests.csv --result result.csv\n  portico guest invite acme-customers --csv result.csv --retry",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return takes("PORTAL")(c, args)
			}
			return nil
		},
	}
	flags := c.Flags()
	flags.StringVar(&file, "csv", "", "CSV file or list of addresses, - for standard input")
	flags.StringVar(&result, "result", "", "write what became of each recipient to this CSV file")
	flags.StringVar(&message, "message", "", "a word to go with the invitation")
	flags.BoolVar(&noEmail, "no-email", false, "send no invitations by mail")
	flags.BoolVar(&dryRun, "dry-run", false, "say what would happen and change nothing")
	flags.BoolVar(&retry, "retry", false, "the file is the result of an earlier run: try only those who failed")
	flags.BoolVarP(&yes, "yes", "y", false, "do not ask")
	return p.calls(c, func(c *cobra.Command, args []string, api *client.Client, form string) error {
		users, err := p.recipients(args[1:], file, retry)
		if err != nil {
			return err
		}
		id, err := portalID(c.Context(), api, args[0])
		if err != nil {
			return err
		}
		m := &mailing{p, api, id, message, noEmail, users}
		answers, err := m.send(c.Context(), "checking", true)
		if err != nil {
			return err
		}
		fmt.Fprintln(p.stderr, summary("Would be", answers))
		if dryRun {
			return m.report(form, result, answers)
		}
		if sure, err := p.sureToInvite(yes); err != nil || !sure {
			return errors.Join(err, &outcome{exitOther, "nobody was invited"})
		}
		answers, err = m.send(c.Context(), "inviting", false)
		fmt.Fprintln(p.stderr, summary("Done", answers))
		return errors.Join(err, m.report(form, result, answers), incomplete(answers))
	})
}

// recipients returns whom to invite: the addresses on the command line, then
// those of the file.
func (p *program) recipients(args []string, file string, retry bool) ([]client.Recipient, error) {
	var users []client.Recipient
	for _, address := range args {
		users = append(users, client.Recipient{Email: address})
	}
	if file != "" {
		text, err := p.readFile(file, maxList)
		if err != nil {
			return nil, err
		}
		lines, err := portico.ParseRecipients(text)
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			if retry && line.Status != client.Failed && line.Status != notSent {
				continue
			}
			r := line.Recipient
			users = append(users, client.Recipient{Email: r.Email, FirstName: r.FirstName, LastName: r.LastName})
		}
	}
	if len(users) == 0 {
		return nil, usagef("there is nobody to invite: name addresses, or a file with --csv")
	}
	return users, nil
}

// sureToInvite asks on a terminal; a script was explicit enough.
func (p *program) sureToInvite(yes bool) (bool, error) {
	if _, ok := terminal(p.stdin); yes || !ok {
		return true, nil
	}
	return p.confirm("Go on? Type yes: ", "yes")
}

// send invites everybody, or says what would happen, in calls of
// client.MaxRecipients. When a call fails, the rest is not sent; what became of
// those before comes back with the error.
func (m *mailing) send(ctx context.Context, what string, dryRun bool) ([]client.InviteResult, error) {
	answers := make([]client.InviteResult, 0, len(m.users))
	bar := m.program.newBar(what)
	bar.unit = "guests"
	defer bar.end()
	for batch := range slices.Chunk(m.users, client.MaxRecipients) {
		in := client.Invite{Users: batch, DryRun: dryRun}
		if m.message != "" {
			in.Message = &m.message
		}
		if m.noEmail {
			in.SendEmail = new(bool)
		}
		answer, err := m.api.InviteGuests(ctx, m.portal, in)
		if err != nil {
			for _, u := range m.users[len(answers):] {
				answers = append(answers, client.InviteResult{Email: u.Email, Status: notSent})
			}
			return answers, err
		}
		answers = append(answers, answer.Users...)
		bar.step(len(answers), len(m.users), 0)
	}
	return answers, nil
}

// summary counts the verdicts in one line.
func summary(what string, answers []client.InviteResult) string {
	counts := map[string]int{}
	for _, a := range answers {
		counts[a.Status]++
	}
	parts := make([]string, 0, len(counts))
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[status], strings.ReplaceAll(status, "_", " ")))
	}
	return what + ": " + strings.Join(parts, ", ") + "."
}

// incomplete is the exit code of a run that did not reach everybody.
func incomplete(answers []client.InviteResult) error {
	missed := 0
	for _, a := range answers {
		if a.Status == client.Failed || a.Status == notSent {
			missed++
		}
	}
	if missed == 0 {
		return nil
	}
	return partlyf("%d of %d were not invited; --result keeps why, --retry tries them again", missed, len(answers))
}

// resultRow is what became of one recipient, with the names that were sent.
type resultRow struct {
	client.InviteResult

	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

func resultColumns() []column[resultRow] {
	return []column[resultRow]{
		{"email", func(r resultRow) string { return r.Email }},
		{"first_name", func(r resultRow) string { return r.FirstName }},
		{"last_name", func(r resultRow) string { return r.LastName }},
		{"status", func(r resultRow) string { return r.Status }},
		{"detail", func(r resultRow) string { return orEmpty(r.Detail) }},
		{"user_id", func(r resultRow) string { return orEmpty(r.UserID) }},
	}
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// report prints what became of each, and keeps it in a file that is asked for.
func (m *mailing) report(form, file string, answers []client.InviteResult) error {
	rows := make([]resultRow, len(answers))
	for i, a := range answers {
		rows[i] = resultRow{a, m.users[i].FirstName, m.users[i].LastName}
	}
	err := printList(m.program, form, rows, resultColumns())
	if file == "" {
		return err
	}
	f, openErr := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // the user names the file
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	return errors.Join(err, printCSV(f, rows, resultColumns()), f.Close())
}
