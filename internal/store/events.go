package store

import "portico"

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
	var events []portico.Event
	err := scanAll(tx.q, `SELECT id, at, organization_id, portal_id, actor_id, action, subject_id, request_id, detail
		FROM events WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT $3`,
		[]any{organizationID, afterID, limit}, func(row scanner) error {
			var e portico.Event
			var at int64
			err := row.Scan(&e.ID, &at, &e.OrganizationID, &e.PortalID, &e.ActorID, &e.Action, &e.SubjectID, &e.RequestID, &e.Detail)
			e.At = fromMicros(at)
			events = append(events, e)
			return err
		})
	return events, err
}
