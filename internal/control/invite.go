package control

import (
	"context"
	"time"

	"portico"
	"portico/internal/lifecycle"
	"portico/internal/store"
)

// InviteGuests invites recipients to a portal and returns one result for each,
// in the order sent. One bad recipient never fails the others. The registry's
// transaction is the effect; the portal's database follows before the answer,
// and the mail is let go after that.
func (c *Control) InviteGuests(ctx context.Context, by portico.Principal, once Once, portalID string, in portico.Invite) ([]portico.InviteResult, error) {
	if err := by.MayAdministerPortals(portico.ScopePortalUserWrite); err != nil {
		return nil, err
	}
	message, err := portico.CleanText(in.Message, maxMessage)
	if err != nil {
		return nil, err
	}
	in.Message = message
	parsed := parseRecipients(in.Recipients)
	if in.DryRun {
		return c.previewInvite(ctx, by, portalID, parsed)
	}
	if err := c.config.Failpoints.Hit(ctx, PointIntent); err != nil {
		return nil, err
	}
	var run *invitation
	var results []portico.InviteResult
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		run, results = nil, nil
		done, _, err := once.replay(tx, by, &results)
		if err != nil || done {
			return err
		}
		row, err := findServing(tx, by, portalID)
		if err != nil {
			return err
		}
		run = &invitation{follow: follow{row: row}, by: by, in: in, parsed: parsed, config: c.config}
		if results, err = run.write(tx); err != nil {
			return err
		}
		return once.keep(tx, by, row.ID, results)
	})
	if err != nil {
		return nil, err
	}
	if err := c.config.Failpoints.Hit(ctx, PointRecorded); err != nil {
		return nil, err
	}
	var left *follow
	if run != nil {
		left = &run.follow
	}
	if err := c.follow(ctx, by, portalID, left); err != nil {
		return nil, err
	}
	return results, c.config.Failpoints.Hit(ctx, PointAnswering)
}

// follow is what a write to the registry left for a portal's own database.
type follow struct {
	row     store.PortalRow
	changed []string // accounts whose rows follow
	jobID   string   // empty when nothing changed
	behind  bool     // something was so before, by a call that may not be finished
}

// follow makes the portal's database follow; for a repeated request, of which
// nothing is left, it finishes what the first one may have left.
func (c *Control) follow(ctx context.Context, by portico.Principal, portalID string, left *follow) error {
	switch {
	case left == nil:
	case left.behind:
		return c.lifecycle.FinishProjections(ctx, left.row) // its own job is among them
	case left.jobID == "":
		return nil
	default:
		return c.lifecycle.Project(ctx, left.row.ID, left.jobID, left.changed)
	}
	var row store.PortalRow
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		row, err = findServing(tx, by, portalID)
		return err
	})
	if portico.KindOf(err) == portico.KindNotFound {
		return nil // the answer of then stands, though the portal is gone now
	}
	if err == nil {
		err = c.lifecycle.FinishProjections(ctx, row)
	}
	return err
}

// maxMessage is the longest message with an invitation, in code points.
const maxMessage = 1000

// recipient is one parsed recipient.
type recipient struct {
	portico.Recipient
	address   portico.Address
	invalid   bool
	duplicate int // index of the first with the same address, or -1
}

func parseRecipients(in []portico.Recipient) []recipient {
	parsed := make([]recipient, len(in))
	first := make(map[string]int, len(in))
	for i, r := range in {
		parsed[i] = recipient{Recipient: r, duplicate: -1}
		address, err := portico.ParseAddress(r.Email)
		if err != nil {
			parsed[i].invalid = true
			continue
		}
		parsed[i].address = address
		parsed[i].FirstName, parsed[i].LastName = portico.CleanPersonName(r.FirstName), portico.CleanPersonName(r.LastName)
		if earlier, ok := first[address.Key]; ok {
			parsed[i].duplicate = earlier
			continue
		}
		first[address.Key] = i
	}
	return parsed
}

// judged is a recipient with what the registry knows of it and the verdict.
type judged struct {
	known   portico.Known
	verdict portico.Verdict
	detail  string
}

// judge looks all recipients up, a few queries for any number of them, and
// decides on each.
func judge(tx *store.Tx, portalID string, parsed []recipient) ([]judged, error) {
	keys := make([]string, 0, len(parsed))
	for _, r := range parsed {
		if !r.invalid && r.duplicate < 0 {
			keys = append(keys, r.address.Key)
		}
	}
	accounts, err := tx.AccountsByKeys(keys)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(accounts))
	for _, key := range keys {
		if a, ok := accounts[key]; ok {
			ids = append(ids, a.ID)
		}
	}
	members, err := tx.MembersOf(portalID, ids)
	if err != nil {
		return nil, err
	}
	invitations, err := tx.InvitationsOf(portalID, ids)
	if err != nil {
		return nil, err
	}
	blocked, err := tx.BlockedAddresses(keys)
	if err != nil {
		return nil, err
	}
	all := make([]judged, len(parsed))
	for i, r := range parsed {
		j := &all[i]
		if r.invalid {
			j.verdict, j.detail = portico.VerdictFailed, portico.DetailInvalidAddress
			continue
		}
		j.known.Blocked = blocked[r.address.Key]
		if a, ok := accounts[r.address.Key]; ok {
			j.known.Account, j.known.Member = &a, members[a.ID]
			if i, ok := invitations[a.ID]; ok {
				j.known.Invitation = &i
			}
		}
		if r.duplicate >= 0 {
			j.verdict = portico.VerdictDuplicate
			continue
		}
		j.verdict, j.detail = portico.DecideInvite(j.known, tx.Now)
	}
	return all, nil
}

// previewInvite says what an invitation would do. It is no directory: whether
// an address has an account that would be linked is not told.
func (c *Control) previewInvite(ctx context.Context, by portico.Principal, portalID string, parsed []recipient) ([]portico.InviteResult, error) {
	results := make([]portico.InviteResult, len(parsed))
	err := c.store.View(ctx, func(tx *store.Tx) error {
		row, err := findServing(tx, by, portalID)
		if err != nil {
			return err
		}
		all, err := judge(tx, row.ID, parsed)
		if err != nil {
			return err
		}
		room, err := quota(tx, c.config.MaxGuests, by.OrganizationID, all)
		if err != nil {
			return err
		}
		for i, j := range all {
			room.take(&j)
			if j.verdict == portico.VerdictLinked {
				j.verdict = portico.VerdictInvited
			}
			known := j.known.Account != nil && (j.known.Member || j.known.Invitation != nil)
			if !known {
				j.known.Account = nil // nor how its holder spells the address
			}
			results[i] = result(parsed[i], j)
			if known {
				results[i].UserID = j.known.Account.ID
			}
			if first := parsed[i].duplicate; first >= 0 {
				results[i].Email = results[first].Email
			}
		}
		return nil
	})
	return results, err
}

func result(r recipient, j judged) portico.InviteResult {
	out := portico.InviteResult{Email: r.address.Stored, Verdict: j.verdict, Detail: j.detail}
	switch {
	case j.verdict == portico.VerdictFailed:
		out.Email = r.Email
	case j.known.Account != nil:
		// The address that mail goes to is the account's: as first stored.
		out.Email = j.known.Account.Email
	}
	return out
}

// room is how many more guests an organization may have.
type room struct {
	limited bool
	left    int
	counted map[string]bool // accounts that are guests of the organization already
}

func quota(tx *store.Tx, limit int, organizationID string, all []judged) (*room, error) {
	if limit == 0 {
		return &room{}, nil
	}
	n, err := tx.CountGuests(organizationID)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, j := range all {
		if j.known.Account != nil {
			ids = append(ids, j.known.Account.ID)
		}
	}
	counted, err := tx.CountedGuests(organizationID, ids)
	return &room{limited: true, left: limit - n, counted: counted}, err
}

// take uses room for a recipient who would become a guest, and fails the one
// for whom there is none. A guest of another portal, or one whose invitation
// expired, is counted already.
func (r *room) take(j *judged) {
	if !r.limited || (j.verdict != portico.VerdictInvited && j.verdict != portico.VerdictLinked) {
		return
	}
	if j.known.Account != nil && r.counted[j.known.Account.ID] {
		return
	}
	if r.left <= 0 {
		j.verdict, j.detail = portico.VerdictFailed, portico.DetailOverQuota
		return
	}
	r.left--
}

// invitation is one bulk invitation being written.
type invitation struct {
	follow

	by     portico.Principal
	in     portico.Invite
	parsed []recipient
	config Config
}

// write puts everything that the invitation changes into the registry. Where
// guests are limited, the organization is locked before they are counted, so
// that of two invitations at once the second sees the guests of the first.
func (v *invitation) write(tx *store.Tx) ([]portico.InviteResult, error) {
	if v.config.MaxGuests > 0 {
		if err := tx.LockOrganization(v.by.OrganizationID); err != nil {
			return nil, err
		}
	}
	all, err := judge(tx, v.row.ID, v.parsed)
	if err != nil {
		return nil, err
	}
	room, err := quota(tx, v.config.MaxGuests, v.by.OrganizationID, all)
	if err != nil {
		return nil, err
	}
	var rows inviteRows
	results := make([]portico.InviteResult, len(all))
	for i := range all {
		r, j := v.parsed[i], &all[i]
		room.take(j)
		switch j.verdict {
		case portico.VerdictInvited, portico.VerdictLinked:
			v.add(tx, &rows, r, j)
		case portico.VerdictAlreadyInvited, portico.VerdictAlreadyMember:
			v.behind = true
		case portico.VerdictDuplicate, portico.VerdictFailed:
		}
		results[i] = result(r, *j)
		switch {
		case r.duplicate >= 0:
			results[i].Email, results[i].UserID = results[r.duplicate].Email, results[r.duplicate].UserID
		case j.known.Account != nil && j.verdict != portico.VerdictFailed:
			results[i].UserID = j.known.Account.ID
		}
	}
	return results, v.save(tx, rows)
}

// inviteRows is what an invitation writes to the registry.
type inviteRows struct {
	accounts    []portico.Account
	invitations []portico.Invitation
	members     []portico.Membership
	events      []portico.Event
	mails       []store.Mail
}

// add adds the rows of one recipient who becomes a guest.
func (v *invitation) add(tx *store.Tx, rows *inviteRows, r recipient, j *judged) {
	if j.known.Account == nil {
		account := stub(tx, r.address)
		rows.accounts = append(rows.accounts, account)
		j.known.Account = &account
	}
	accountID := j.known.Account.ID
	next := nextInvitation(tx, j.known.Invitation, v.by.AccountID, v.config.InvitationLife)
	next.PortalID, next.Role, next.AccountID, next.Email = v.row.ID, portico.Guest, accountID, j.known.Account.Email
	next.FirstName, next.LastName, next.Message = r.FirstName, r.LastName, v.in.Message
	action, mail := portico.ActionGuestInvited, invitedMail(v.by, next, r.address.Key)
	if j.verdict == portico.VerdictLinked {
		action, mail.Template = portico.ActionGuestLinked, store.TemplateLinked
		next.State = portico.InvitationAccepted
		rows.members = append(rows.members, portico.Membership{
			OrganizationID: v.row.ID, AccountID: accountID, Role: portico.Guest,
			FirstName: r.FirstName, LastName: r.LastName,
			CreatedAt: tx.Now, CreatedBy: v.by.AccountID, ModifiedAt: tx.Now, ModifiedBy: v.by.AccountID,
		})
	}
	rows.invitations = append(rows.invitations, next)
	rows.events = append(rows.events, event(v.by, action, v.row.ID, accountID))
	// Who was linked is always told; an invitation may be passed on by hand.
	if v.in.SendEmail || j.verdict == portico.VerdictLinked {
		rows.mails = append(rows.mails, mail)
	}
	v.changed = append(v.changed, accountID)
}

// stub returns a new account of an address that nobody proved.
func stub(tx *store.Tx, address portico.Address) portico.Account {
	return portico.Account{ID: tx.NewID(portico.PrefixAccount), Email: address.Stored, EmailKey: address.Key, CreatedAt: tx.Now}
}

// nextInvitation returns the generation of an invitation that follows the last
// one, if there is one, by an account.
func nextInvitation(tx *store.Tx, last *portico.Invitation, by string, life time.Duration) portico.Invitation {
	next := portico.Invitation{CreatedAt: tx.Now, CreatedBy: by}
	if last != nil {
		next = *last
	} else {
		next.ID = tx.NewID(portico.PrefixInvitation)
	}
	next.State, next.Generation, next.ExpiresAt = portico.InvitationPending, next.Generation+1, tx.Now.Add(life)
	next.ModifiedAt, next.ModifiedBy = tx.Now, by
	return next
}

// invitedMail returns the mail that brings a generation of an invitation to the
// holder of an address.
func invitedMail(by portico.Principal, i portico.Invitation, emailKey string) store.Mail {
	m := store.Mail{
		Template: store.TemplateInvited, OrganizationID: by.OrganizationID, AccountID: i.AccountID,
		InvitationID: i.ID, Generation: i.Generation, InviterID: by.AccountID, Host: store.MailHost(emailKey),
	}
	if i.Role == portico.Guest {
		m.PortalID = i.PortalID
	}
	return m
}

func (v *invitation) save(tx *store.Tx, rows inviteRows) error {
	if len(v.changed) == 0 {
		return nil
	}
	var err error
	if v.jobID, err = lifecycle.EnqueueProjection(tx, v.row.ID, v.changed); err != nil {
		return err
	}
	for i := range rows.mails {
		rows.mails[i].HeldBy = v.jobID
	}
	if err := tx.InsertAccounts(rows.accounts); err != nil {
		return err
	}
	if err := tx.SaveInvitations(rows.invitations); err != nil {
		return err
	}
	if err := tx.InsertMemberships(rows.members); err != nil {
		return err
	}
	if err := tx.InsertEvents(rows.events...); err != nil {
		return err
	}
	return tx.InsertMails(rows.mails)
}
