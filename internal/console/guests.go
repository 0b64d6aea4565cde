package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"portico"
	"portico/internal/control"
	"portico/internal/store"
	"portico/internal/web"
)

// guestsPage is how many guests a page lists.
const guestsPage = 50

// guestList is the tab of a portal's guests. All of its state is in its
// address.
type guestList struct {
	portalFrame

	Query   string
	Status  portico.GuestStatus
	Filters []web.Link
	Rows    []guestRow
	Pages   web.Pagination
	Export  string
	Empty   web.Empty
	Imports []portico.Import
}

// guestRow is a guest as the table shows it.
type guestRow struct {
	portico.PortalUser

	Now        portico.GuestStatus
	InvitedBy  string
	Invitation string // its id, as long as it can be sent again or revoked
}

func (c *Console) listGuests(q *request) error {
	frame, err := q.framed("guests")
	if err != nil {
		return err
	}
	list := guestList{portalFrame: frame, Query: q.query("q")}
	if s, err := portico.ParseGuestStatus(q.query("status")); err == nil {
		list.Status = s
	}
	if frame.Portal.Serving() {
		if err := list.read(q); err != nil {
			return err
		}
	}
	if list.Imports, err = c.control.Imports(q.ctx(), q.by, frame.Portal.ID, 5); err != nil {
		return err
	}
	list.filters()
	list.Export = address(list.Path+"/guests.csv", "q", list.Query, "status", string(list.Status))
	list.Empty = c.noGuests(list)
	return q.show("portal-guests", frame.Portal.Name, list)
}

// read fills in one page of the list.
func (l *guestList) read(q *request) error {
	filter := store.UserFilter{Page: store.Page{Query: l.Query, Limit: guestsPage}, Status: l.Status}
	filter.AfterTime, filter.AfterID = position(q.query("after"))
	page, err := q.control.GuestList(q.ctx(), q.by, l.Portal.ID, filter)
	if err != nil {
		return err
	}
	for _, u := range page.Users {
		row := guestRow{PortalUser: u, Now: u.StatusAt(page.Now), InvitedBy: page.Names[u.CreatedBy]}
		if row.Now != portico.GuestActive {
			row.Invitation = page.Invitations[u.ID].ID
		}
		l.Rows = append(l.Rows, row)
	}
	at := func(after string) string {
		return address(l.Path+"/guests", "q", l.Query, "status", string(l.Status), "after", after)
	}
	l.Pages.Text = fmt.Sprintf("%s shown, oldest first", count(len(l.Rows)))
	if q.query("after") != "" {
		l.Pages.First = at("")
	}
	if page.More {
		last := page.Users[len(page.Users)-1]
		l.Pages.Next = at(strconv.FormatInt(last.CreatedAt.UnixMicro(), 10) + "." + last.ID)
	}
	return nil
}

// position reads where a page begins; what is none is the start.
func position(after string) (time.Time, string) {
	at, id, ok := strings.Cut(after, ".")
	micros, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil || !portico.ValidID(id, portico.PrefixAccount) {
		return time.Time{}, ""
	}
	return time.UnixMicro(micros).UTC(), id
}

func (l *guestList) filters() {
	g := l.Portal.Guests
	for _, f := range []struct {
		status portico.GuestStatus
		text   string
		n      int
	}{
		{"", "All", g.All()}, {portico.GuestActive, "Active", g.Active}, {portico.GuestInvited, "Invited", g.Invited},
		{portico.GuestExpired, "Expired", g.Expired}, {portico.GuestBounced, "Bounced", g.Bounced},
	} {
		l.Filters = append(l.Filters, web.Link{
			Href: address(l.Path+"/guests", "q", l.Query, "status", string(f.status)), Text: f.text, Count: count(f.n), Current: f.status == l.Status,
		})
	}
}

func (c *Console) noGuests(l guestList) web.Empty {
	if l.Query != "" || l.Status != "" || !l.Portal.Serving() {
		return web.Empty{
			Title: "No guest matches", Text: "Nobody in this portal fits the search and the filter.",
			Action: web.Link{Href: l.Path + "/guests", Text: "Show all guests"},
		}
	}
	return web.Empty{
		Title: "No guests yet", Text: "Paste addresses, or drop a CSV file. You see what would happen to each before anything is sent.",
		Action: web.Link{Href: l.Path + "/invite", Text: "Invite guests"},
		Code: []web.Code{
			{Label: "The same on the command line", Text: "portico guest invite " + l.Portal.ID + " --csv guests.csv"},
			{Label: "The same with curl", Text: c.curl("POST", "/v1/portal/"+l.Portal.ID+"/users", `{"users": ["ada@example.com"]}`)},
		},
	}
}

func (c *Console) removeGuest(q *request) error {
	if err := c.control.RemoveGuest(q.ctx(), q.by, control.Once{}, q.param("portal"), q.param("user")); err != nil {
		return err
	}
	return q.seeOther("/portals/" + q.param("portal") + "/guests?did=guest-removed")
}

func (c *Console) resendInvitation(q *request) error {
	if _, err := c.control.ResendInvitation(q.ctx(), q.by, control.Once{}, q.param("portal"), q.param("invitation")); err != nil {
		return err
	}
	return q.seeOther("/portals/" + q.param("portal") + "/guests?did=invitation-resent")
}

func (c *Console) revokeInvitation(q *request) error {
	if err := c.control.RevokeInvitation(q.ctx(), q.by, control.Once{}, q.param("portal"), q.param("invitation")); err != nil {
		return err
	}
	return q.seeOther("/portals/" + q.param("portal") + "/guests?did=invitation-revoked")
}

// exportGuests answers with all guests that the filter finds, page by page.
func (c *Console) exportGuests(q *request) error {
	filter := store.UserFilter{Page: store.Page{Query: q.query("q")}}
	if s, err := portico.ParseGuestStatus(q.query("status")); err == nil {
		filter.Status = s
	}
	out := q.csv("guests.csv", "email", "first_name", "last_name", "status", "invited_at", "expires_at", "user_id")
	err := c.control.Guests(q.ctx(), q.by, q.param("portal"), filter, func(page control.GuestPage) error {
		for _, u := range page.Users {
			out.row(u.Email, u.FirstName, u.LastName, string(u.StatusAt(page.Now)), stamp(u.CreatedAt), stamp(u.ExpiresAt), u.ID)
		}
		return out.flush()
	})
	return out.end(err)
}
