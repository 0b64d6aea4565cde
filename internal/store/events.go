package store

import (
	"strconv"
	"time"

	"portico"
)

// InsertEvents writes audit records in the transaction of the effects that
// they record. An empty id or time is filled in.
func (tx *Tx) InsertEvents(events ...portico.Event) error {
	return insertRows(tx.q, `INSERT INTO events (id, at, organization_id, portal_id, actor_id, action, subject_id,
		request_id, detail)`, "", 9, events, func(args []any, e portico.Event) []any {
		if e.ID == "" {
			e.ID = tx.NewID(portico.PrefixEvent)
		}
		if e.At.IsZero() {
			e.At = tx.Now
		}
		return append(args, e.ID, micros(e.At), e.OrganizationID, e.PortalID, e.ActorID, string(e.Action),
			e.SubjectID, e.RequestID, e.Detail)
	})
}

// Events returns an organization's audit records in the order written, after
// an id.
func (tx *Tx) Events(organizationID, afterID string, limit int) ([]portico.Event, error) {
	return tx.events(`SELECT `+eventColumns+` FROM events WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT $3`,
		organizationID, afterID, limit)
}

const eventColumns = `id, at, organization_id, portal_id, actor_id, action, subject_id, request_id, detail`

func (tx *Tx) events(query string, args ...any) ([]portico.Event, error) {
	var events []portico.Event
	err := scanAll(tx.q, query, args, func(row scanner) error {
		var e portico.Event
		var at int64
		err := row.Scan(&e.ID, &at, &e.OrganizationID, &e.PortalID, &e.ActorID, &e.Action, &e.SubjectID, &e.RequestID, &e.Detail)
		e.At = fromMicros(at)
		events = append(events, e)
		return err
	})
	return events, err
}

// EventFilter says which of an organization's audit records a page holds. What
// is empty or zero does not limit it.
type EventFilter struct {
	PortalID  string
	Action    portico.Action
	ActorID   string
	SubjectID string
	From      time.Time // this time or later
	Before    time.Time // earlier than this
	BeforeID  string    // written before this record: where the next page begins
	Limit     int
}

// FindEvents returns a page of an organization's audit records, the newest
// first.
func (tx *Tx) FindEvents(organizationID string, f EventFilter) ([]portico.Event, error) {
	query := `SELECT ` + eventColumns + ` FROM events WHERE organization_id = $1`
	args := []any{organizationID}
	add := func(condition string, value any) {
		args = append(args, value)
		query += ` AND ` + condition + ` $` + strconv.Itoa(len(args))
	}
	for _, c := range []struct{ condition, value string }{
		{`portal_id =`, f.PortalID}, {`action =`, string(f.Action)}, {`actor_id =`, f.ActorID},
		{`subject_id =`, f.SubjectID}, {`id <`, f.BeforeID},
	} {
		if c.value != "" {
			add(c.condition, c.value)
		}
	}
	if !f.From.IsZero() {
		add(`at >=`, micros(f.From))
	}
	if !f.Before.IsZero() {
		add(`at <`, micros(f.Before))
	}
	args = append(args, f.Limit)
	return tx.events(query+` ORDER BY id DESC LIMIT $`+strconv.Itoa(len(args)), args...)
}
