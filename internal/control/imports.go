package control

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"portico"
	"portico/internal/store"
)

// ImportDraft is a list of recipients as an administrator gave it.
type ImportDraft struct {
	Text      string // CSV or a list, as ParseRecipients reads it
	Message   string
	SendEmail bool
}

// DraftImport reads a list and keeps it with what inviting would do to each
// row. Nobody is invited by it.
func (c *Control) DraftImport(ctx context.Context, by portico.Principal, portalID string, in ImportDraft) (portico.Import, error) {
	if err := by.MayAdministerPortals(portico.ScopePortalUserWrite); err != nil {
		return portico.Import{}, err
	}
	lines, err := portico.ParseRecipients(in.Text)
	if err != nil {
		return portico.Import{}, portico.FieldErrorf("list", "%s", portico.MessageOf(err))
	}
	rows := make([]portico.ImportRow, len(lines))
	for i, l := range lines {
		rows[i] = portico.ImportRow{Line: l.Line, Email: l.Recipient.Email, FirstName: l.Recipient.FirstName, LastName: l.Recipient.LastName}
	}
	message, err := portico.CleanText(in.Message, maxMessage)
	if err != nil {
		return portico.Import{}, portico.FieldErrorf("message", "%s", portico.MessageOf(err))
	}
	return c.draftImport(ctx, by, portalID, rows, portico.Import{Message: message, SendEmail: in.SendEmail})
}

// draftImport keeps rows as a new import, with message and mail as m says.
func (c *Control) draftImport(ctx context.Context, by portico.Principal, portalID string, rows []portico.ImportRow, m portico.Import) (portico.Import, error) {
	switch {
	case len(rows) == 0:
		return m, portico.FieldErrorf("list", "There is no address in it. Paste at least one.")
	case len(rows) > portico.MaxImportRows:
		return m, portico.FieldErrorf("list", "The list has %d rows; send at most %d at once.", len(rows), portico.MaxImportRows)
	}
	recipients := make([]portico.Recipient, len(rows))
	for i := range rows {
		// What no driver takes is no address either; it is shown without it.
		for _, text := range []*string{&rows[i].Email, &rows[i].FirstName, &rows[i].LastName} {
			*text = portico.CleanCell(*text)
		}
		recipients[i] = portico.Recipient{Email: rows[i].Email, FirstName: rows[i].FirstName, LastName: rows[i].LastName}
	}
	results, err := c.previewInvite(ctx, by, portalID, parseRecipients(recipients))
	if err != nil {
		return m, err
	}
	m.Counts, m.Suggestions = make(map[portico.Verdict]int), 0
	for i, r := range results {
		rows[i].Verdict, rows[i].Detail, rows[i].Suggestion = r.Verdict, r.Detail, suggestion(rows[i].Email, r)
		m.Counts[r.Verdict]++
		if rows[i].Suggestion != "" {
			m.Suggestions++
		}
	}
	parts := slices.Collect(slices.Chunk(rows, portico.ImportPartRows))
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		row, err := findServing(tx, by, portalID)
		if err != nil {
			return err
		}
		m.ID, m.OrganizationID, m.PortalID, m.CreatedBy = tx.NewID(portico.PrefixImport), by.OrganizationID, row.ID, by.AccountID
		m.State, m.Rows, m.Parts, m.NextPart = portico.ImportDraft, len(rows), len(parts), 0
		m.CreatedAt, m.ModifiedAt = tx.Now, tx.Now
		return tx.InsertImport(m, parts)
	})
	return m, err
}

// suggestion returns what a row's address was likely meant to be.
func suggestion(email string, r portico.InviteResult) string {
	switch {
	case r.Detail == portico.DetailInvalidAddress:
		return portico.MendAddress(email)
	case r.Verdict == portico.VerdictInvited:
		return portico.SuggestAddress(email)
	}
	return ""
}

// RedraftImport makes a new draft of an import's rows, each with the address
// that is suggested for it: of a draft's all, in its place; of one that was
// sent those that failed.
func (c *Control) RedraftImport(ctx context.Context, by portico.Principal, portalID, importID string) (portico.Import, error) {
	m, rows, err := c.Import(ctx, by, portalID, importID)
	if err != nil {
		return m, err
	}
	if m.State == portico.ImportSending {
		return m, portico.Errorf(portico.KindConflict, "This list is being sent. Wait until it is done.")
	}
	draft := m.State == portico.ImportDraft
	var again []portico.ImportRow
	for _, r := range rows {
		if !draft && r.Verdict != portico.VerdictFailed {
			continue
		}
		if r.Suggestion != "" {
			r.Email = r.Suggestion
		}
		again = append(again, r)
	}
	next, err := c.draftImport(ctx, by, portalID, again, portico.Import{Message: m.Message, SendEmail: m.SendEmail})
	if err != nil || !draft {
		return next, err
	}
	return next, c.store.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.DeleteImport(m.ID)
		return err
	})
}

// Import returns an import into a portal of the caller's organization, with
// all its rows.
func (c *Control) Import(ctx context.Context, by portico.Principal, portalID, importID string) (portico.Import, []portico.ImportRow, error) {
	if err := by.MayAdministerPortals(portico.ScopePortalUserRead); err != nil {
		return portico.Import{}, nil, err
	}
	var m portico.Import
	var rows []portico.ImportRow
	err := c.store.View(ctx, func(tx *store.Tx) error {
		row, err := findPortal(tx, by, portalID)
		if err != nil {
			return err
		}
		if m, err = tx.Import(importID, row.ID, by.OrganizationID); err != nil {
			return err
		}
		rows, err = tx.ImportRows(m.ID, 0, m.Parts)
		return err
	})
	return m, rows, err
}

// Imports returns the newest imports into a portal of the caller's
// organization.
func (c *Control) Imports(ctx context.Context, by portico.Principal, portalID string, limit int) ([]portico.Import, error) {
	if err := by.MayAdministerPortals(portico.ScopePortalUserRead); err != nil {
		return nil, err
	}
	var all []portico.Import
	err := c.store.View(ctx, func(tx *store.Tx) error {
		row, err := findPortal(tx, by, portalID)
		if err != nil {
			return err
		}
		all, err = tx.Imports(row.ID, limit)
		return err
	})
	return all, err
}

// DiscardImport forgets a draft.
func (c *Control) DiscardImport(ctx context.Context, by portico.Principal, portalID, importID string) error {
	return c.updateImport(ctx, by, portalID, importID, func(tx *store.Tx, m portico.Import) error {
		gone, err := tx.DeleteImport(m.ID)
		if err == nil && !gone {
			err = portico.Errorf(portico.KindConflict, "This list was sent already; its result stays for 30 days.")
		}
		return err
	})
}

// jobImport is the kind of job that works off one part of an import.
const jobImport = "import"

// importPart is a job's payload.
type importPart struct {
	Import string `json:"import"`
	Part   int    `json:"part"`
}

// SendImport begins to invite a draft's rows, part by part, in the background.
// Sent once more it is left as it is.
func (c *Control) SendImport(ctx context.Context, by portico.Principal, portalID, importID string) error {
	err := c.updateImport(ctx, by, portalID, importID, func(tx *store.Tx, m portico.Import) error {
		began, err := tx.SetImportState(m.ID, portico.ImportDraft, portico.ImportSending, "")
		if err != nil || !began {
			return err
		}
		return enqueuePart(tx, m.ID, m.PortalID, 0)
	})
	if err == nil && c.config.Jobs != nil {
		c.config.Jobs.Wake()
	}
	return err
}

func (c *Control) updateImport(ctx context.Context, by portico.Principal, portalID, importID string, fn func(*store.Tx, portico.Import) error) error {
	if err := by.MayAdministerPortals(portico.ScopePortalUserWrite); err != nil {
		return err
	}
	return c.store.Update(ctx, func(tx *store.Tx) error {
		row, err := findServing(tx, by, portalID)
		if err != nil {
			return err
		}
		m, err := tx.Import(importID, row.ID, by.OrganizationID)
		if err != nil {
			return err
		}
		return fn(tx, m)
	})
}

func enqueuePart(tx *store.Tx, importID, portalID string, part int) error {
	payload, err := json.Marshal(importPart{importID, part})
	if err != nil {
		return err
	}
	_, err = tx.InsertJob(store.Job{Kind: jobImport, PortalID: portalID, Payload: string(payload), RunAt: tx.Now})
	return err
}

// workOffPart invites the rows of one part, as whoever began it may now, and
// leaves the job of the next. Repeated after a crash it gets the same results:
// the part is the key by which the invitation happens once.
func (c *Control) workOffPart(ctx context.Context, job store.Job) error {
	var p importPart
	if err := json.Unmarshal([]byte(job.Payload), &p); err != nil {
		return err
	}
	var m portico.Import
	var holder store.Holder
	var rows []portico.ImportRow
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		if m, err = tx.ImportByID(p.Import); err != nil {
			return err
		}
		if rows, err = tx.ImportRows(m.ID, p.Part, 1); err != nil {
			return err
		}
		holder, err = tx.HolderOf(m.CreatedBy, m.OrganizationID)
		return err
	})
	if portico.KindOf(err) == portico.KindNotFound {
		return nil // the portal, or the account, is gone and took it along
	}
	if err != nil || m.State != portico.ImportSending || m.NextPart != p.Part {
		return err
	}
	holder.RequestID = m.ID
	m, err = c.inviteRows(ctx, holder.Principal, m, rows)
	switch portico.KindOf(err) {
	case portico.KindForbidden, portico.KindNotFound, portico.KindInvalid:
		return c.store.Update(ctx, func(tx *store.Tx) error {
			_, err := tx.SetImportState(m.ID, portico.ImportSending, portico.ImportStopped, portico.MessageOf(err))
			return err
		})
	}
	if err != nil {
		return err
	}
	return c.store.Update(ctx, func(tx *store.Tx) error {
		moved, err := tx.AdvanceImport(m, rows)
		if err != nil || !moved || m.State == portico.ImportDone {
			return err
		}
		return enqueuePart(tx, m.ID, m.PortalID, p.Part+1)
	})
}

// inviteRows invites what of the rows is worth it, writes the verdicts into
// them, and returns the import as it is after that.
func (c *Control) inviteRows(ctx context.Context, by portico.Principal, m portico.Import, rows []portico.ImportRow) (portico.Import, error) {
	invite := portico.Invite{Message: m.Message, SendEmail: m.SendEmail}
	var worth []int
	for i, r := range rows {
		if r.Worth() {
			worth = append(worth, i)
			invite.Recipients = append(invite.Recipients, portico.Recipient{Email: r.Email, FirstName: r.FirstName, LastName: r.LastName})
		}
	}
	if len(worth) > 0 {
		// No client's key has a space in it.
		once := Once{Key: fmt.Sprintf("import %s %d", m.ID, m.NextPart), Fingerprint: m.ID}
		results, err := c.InviteGuests(ctx, by, once, m.PortalID, invite)
		if err != nil {
			return m, err
		}
		for n, i := range worth {
			m.Counts[rows[i].Verdict]--
			m.Counts[results[n].Verdict]++
			rows[i].Verdict, rows[i].Detail = results[n].Verdict, results[n].Detail
		}
	}
	if m.NextPart+1 == m.Parts {
		m.State = portico.ImportDone
	}
	return m, nil
}
