package httpapi

import (
	"time"

	"portico"
	"portico/internal/control"
	"portico/internal/schema"
	"portico/internal/store"
)

func actionField() *schema.StringType {
	var all []string
	for _, a := range portico.Actions() {
		all = append(all, string(a))
	}
	return schema.String().Enum(all...)
}

const exampleEvent = "evt_06h0k1tdeo0000n3g9s1b7q2vk"

var auditQuery = schema.Object("AuditQuery", append(placeFields(),
	schema.Optional("action", func(p *page) **string { return &p.record.action }, schema.Null(actionField()), nil).
		Doc("Only records of this action."),
	schema.Optional("actor", func(p *page) **string { return &p.record.actor }, schema.Null(schema.String().Len(-1, maxAddress)), nil).
		Doc("Only what this address or id did."),
	schema.Optional("subject", func(p *page) **string { return &p.record.subject }, schema.Null(schema.String().Len(-1, maxAddress)), nil).
		Doc("Only what was done to this address or id."),
	schema.Optional("portal_id", func(p *page) **string { return &p.record.portal }, schema.Null(schema.String().Len(-1, maxAddress)), nil).
		Doc("Only what happened in this portal."),
	schema.Optional("from", func(p *page) **time.Time { return &p.record.from }, schema.Null(schema.Time()), nil).
		Doc("Only this time or later."),
	schema.Optional("until", func(p *page) **time.Time { return &p.record.until }, schema.Null(schema.Time()), nil).
		Doc("Only earlier than this time."))...)

// recordAnswer is an AuditRecordResponse as it is written.
type recordAnswer struct {
	control.Record

	action                 string
	portal, portalID       *string
	subject, subjectID, rq *string
}

var recordResponse = schema.Object("AuditRecordResponse",
	schema.Required("id", func(r *recordAnswer) *string { return &r.ID }, schema.String()).Example(exampleEvent),
	schema.Required("at", func(r *recordAnswer) *time.Time { return &r.At }, schema.Time()).Example(exampleTime()),
	schema.Required("action", func(r *recordAnswer) *string { return &r.action }, actionField()).Example("guest.invited"),
	schema.Required("actor_id", func(r *recordAnswer) *string { return &r.ActorID }, schema.String()).
		Doc("Who did it: a user, `operator`, or `system`.").Example(exampleUser),
	schema.Required("actor", func(r *recordAnswer) *string { return &r.Actor }, schema.String()).
		Doc("Their address now; the id where there is none.").Example("grace@example.com"),
	schema.Required("subject_id", func(r *recordAnswer) **string { return &r.subjectID }, schema.Null(schema.String())).
		Doc("What it was done to.").Example(new(exampleUser)),
	schema.Required("subject", func(r *recordAnswer) **string { return &r.subject }, schema.Null(schema.String())).
		Doc("Its address or name now; the id where there is none.").Example(new("ada@example.com")),
	schema.Required("portal_id", func(r *recordAnswer) **string { return &r.portalID }, schema.Null(schema.String())).
		Doc("Null when it is about no portal.").Example(new(examplePortal)),
	schema.Required("portal", func(r *recordAnswer) **string { return &r.portal }, schema.Null(schema.String())).
		Doc("The portal's name now; its id when it is gone.").Example(new("Acme Customers")),
	schema.Required("request_id", func(r *recordAnswer) **string { return &r.rq }, schema.Null(schema.String())).
		Doc("The X-Request-Id of the answer; null for what no request did."),
	schema.Required("detail", func(r *recordAnswer) *string { return &r.Detail }, schema.AnyObject()).
		Doc("What else is known, by the action.").Example("{}"),
)

func (a *API) listAudit(q *request, in page) error {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	at := func(t *time.Time) time.Time {
		if t == nil {
			return time.Time{}
		}
		return *t
	}
	r := in.record
	filter := store.EventFilter{
		Action: portico.Action(text(r.action)), ActorID: text(r.actor), SubjectID: text(r.subject), PortalID: text(r.portal),
		From: at(r.from), Before: at(r.until),
	}
	return list(a, q, in, listing[control.Record]{
		read: func(page store.Page) ([]control.Record, error) {
			filter.BeforeID, filter.Limit = page.AfterID, page.Limit
			found, err := a.control.Events(q.ctx(), q.by, filter)
			return found.Records, err
		},
		place: func(r control.Record) position { return position{r.At, r.ID} },
		append: func(dst []byte, r control.Record) []byte {
			return recordResponse.AppendJSON(dst, &recordAnswer{
				Record: r, action: string(r.Action), portal: orNull(r.Portal), portalID: orNull(r.PortalID),
				subject: orNull(r.Subject), subjectID: orNull(r.SubjectID), rq: orNull(r.RequestID),
			})
		},
	})
}
