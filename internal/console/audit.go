package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"portico"
	"portico/internal/control"
	"portico/internal/store"
	"portico/internal/web"
)

// auditPageRows is how many records a page of the audit log shows.
const auditPageRows = 100

// auditLog is a page of the audit log. All of its state is in its address.
type auditLog struct {
	Action, Actor, Subject string
	From, Until            string // days
	Actions                []portico.Action
	Single                 bool // all records are of one portal, which needs no column
	Rows                   []control.Record
	Pages                  web.Pagination
	Export                 string
	Empty                  web.Empty
	Errors                 fieldErrors
}

// auditLogOf returns the log that a request asks for, without records yet, and
// what finds them.
func auditLogOf(q *request) (auditLog, store.EventFilter, error) {
	log := auditLog{
		Action: q.query("action"), Actor: q.query("actor"), Subject: q.query("subject"),
		From: q.query("from"), Until: q.query("until"), Actions: portico.Actions(),
	}
	filter, err := log.filter()
	return log, filter, err
}

func (c *Console) showAudit(q *request) error {
	log, filter, err := auditLogOf(q)
	if err != nil {
		return err
	}
	filter.BeforeID, filter.Limit = q.query("before"), auditPageRows
	page, err := c.control.Events(q.ctx(), q.by, filter)
	if err != nil {
		return err
	}
	log.Rows = page.Records
	query := []string{"action", log.Action, "actor", log.Actor, "subject", log.Subject, "from", log.From, "until", log.Until}
	log.Export = address("/audit.csv", query...)
	log.Pages.Text = fmt.Sprintf("%s shown, newest first", count(len(log.Rows)))
	if filter.BeforeID != "" {
		log.Pages.First = address("/audit", query...)
	}
	if page.Next != "" {
		log.Pages.Next = address("/audit", append(query, "before", page.Next)...)
	}
	log.Empty = web.Empty{Title: "No record matches", Text: "What is done in this organization is recorded here, each effect once.", Action: web.Link{Href: "/audit", Text: "Show all records"}}
	return q.show("audit", "Audit log", log)
}

// filter reads what the address asks for. What can be no record's finds none.
func (l *auditLog) filter() (store.EventFilter, error) {
	f := store.EventFilter{Action: portico.Action(l.Action), ActorID: strings.TrimSpace(l.Actor), SubjectID: strings.TrimSpace(l.Subject)}
	if l.Action != "" && !slices.Contains(l.Actions, f.Action) {
		return f, portico.FieldErrorf("action", "There is no such action.")
	}
	var err error
	if f.From, err = day(l.From); err != nil {
		return f, err
	}
	if f.Before, err = day(l.Until); err != nil {
		return f, err
	}
	if !f.Before.IsZero() {
		f.Before = f.Before.AddDate(0, 0, 1) // the day named belongs to it
	}
	return f, nil
}

func day(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, s, time.UTC)
	if err != nil {
		return t, portico.FieldErrorf("from", "%q is no day such as 2026-06-29.", s)
	}
	return t, nil
}

// exportAudit answers with all records that the filter finds.
func (c *Console) exportAudit(q *request) error {
	_, filter, err := auditLogOf(q)
	if err != nil {
		return err
	}
	filter.PortalID, filter.Limit = q.query("portal"), control.MaxEvents
	out := q.csv("audit.csv", "at", "action", "actor", "actor_id", "subject", "subject_id", "portal", "portal_id", "request_id", "detail", "id")
	for {
		page, err := c.control.Events(q.ctx(), q.by, filter)
		if err != nil {
			return out.end(err)
		}
		for _, r := range page.Records {
			out.row(r.At.UTC().Format(time.RFC3339Nano), string(r.Action), r.Actor, r.ActorID, r.Subject, r.SubjectID, r.Portal, r.PortalID, r.RequestID, r.Detail, r.ID)
		}
		if err := out.flush(); err != nil || page.Next == "" {
			return out.end(err)
		}
		filter.BeforeID = page.Next
	}
}

// activityTab is what happened in a portal.
type activityTab struct {
	portalFrame

	Funnel funnel
	Growth growth
	Single bool
	Rows   []control.Record
	Pages  web.Pagination
	Export string
	Empty  web.Empty
}

// growthDays is how many days the picture of a portal's guests shows.
const growthDays = 43

func (c *Console) portalActivity(q *request) error {
	frame, err := q.framed("activity")
	if err != nil {
		return err
	}
	page, err := c.control.Events(q.ctx(), q.by, store.EventFilter{PortalID: frame.Portal.ID, BeforeID: q.query("before"), Limit: auditPageRows})
	if err != nil {
		return err
	}
	grown, err := c.control.PortalGrowth(q.ctx(), q.by, frame.Portal.ID, growthDays)
	if err != nil {
		return err
	}
	tab := activityTab{
		portalFrame: frame, Single: true, Funnel: newFunnel(frame.Portal.Guests), Growth: newGrowth(grown),
		Rows: page.Records, Export: address("/audit.csv", "portal", frame.Portal.ID),
	}
	tab.Pages.Text = fmt.Sprintf("%s shown, newest first", count(len(tab.Rows)))
	if q.query("before") != "" {
		tab.Pages.First = frame.Path + "/activity"
	}
	if page.Next != "" {
		tab.Pages.Next = address(frame.Path+"/activity", "before", page.Next)
	}
	tab.Empty = web.Empty{Title: "Nothing happened yet", Text: "What is done to this portal and its guests is shown here."}
	return q.show("portal-activity", frame.Portal.Name+": activity", tab)
}
