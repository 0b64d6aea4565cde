package store

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"portico"
)

// GuestsOf returns what the registry says of accounts in a portal: the rows
// that the portal's database must hold for them. An account that is missing
// from the result has no place in the portal.
func (tx *Tx) GuestsOf(portalID string, accountIDs []string) (map[string]portico.PortalUser, error) {
	found := make(map[string]portico.PortalUser, len(accountIDs))
	collect := func(row scanner) error {
		u, err := scanGuest(row)
		if err == nil && u.Status != "" {
			found[u.ID] = u
		}
		return err
	}
	err := selectIn(tx.q, func(list string) string {
		return guestQuery + ` AND i.account_id IN ` + list
	}, []any{portalID}, accountIDs, collect)
	return found, err
}

// GuestsAfter returns up to limit of a portal's guests in order of account id,
// for a projection of all of them.
func (tx *Tx) GuestsAfter(portalID, accountID string, limit int) ([]portico.PortalUser, string, error) {
	var guests []portico.PortalUser
	last := ""
	err := scanAll(tx.q, guestQuery+` AND i.account_id > $2 ORDER BY i.account_id LIMIT $3`,
		[]any{portalID, accountID, limit}, func(row scanner) error {
			u, err := scanGuest(row)
			last = u.ID
			if u.Status != "" {
				guests = append(guests, u)
			}
			return err
		})
	return guests, last, err
}

// guestQuery reads a guest from its invitation, which is there as long as the
// guest is, and its membership, which is there once it was accepted or linked.
const guestQuery = `SELECT i.account_id, a.email, i.first_name, i.last_name, i.state, i.expires_at,
	i.created_at, i.created_by, i.modified_at, i.modified_by, COALESCE(m.role, '')
	FROM invitations i
	JOIN accounts a ON a.id = i.account_id
	LEFT JOIN memberships m ON m.organization_id = i.portal_id AND m.account_id = i.account_id
	WHERE i.portal_id = $1`

func scanGuest(row scanner) (portico.PortalUser, error) {
	var u portico.PortalUser
	var state portico.InvitationState
	var role string
	var expires, created, modified int64
	err := row.Scan(&u.ID, &u.Email, &u.FirstName, &u.LastName, &state, &expires,
		&created, &u.CreatedBy, &modified, &u.ModifiedBy, &role)
	if err != nil {
		return u, err
	}
	u.CreatedAt, u.ModifiedAt = fromMicros(created), fromMicros(modified)
	switch {
	case role != "":
		u.Status = portico.GuestActive
	case state == portico.InvitationPending:
		u.Status, u.ExpiresAt = portico.GuestInvited, fromMicros(expires)
	case state == portico.InvitationBounced:
		u.Status, u.ExpiresAt = portico.GuestBounced, fromMicros(expires)
	}
	return u, nil
}

// projectionPage is how many guests a full projection handles in one
// transaction of the portal's database.
const projectionPage = 500

// Project makes a portal's database say of some accounts what the registry
// says of them now. It is idempotent. The registry is read after the portal's
// writer was taken, so that of two projections at once the later one writes
// what is newer. A database that the registry does not name any more is
// ErrRetired: what it were told, nobody would read.
func (s *Store) Project(ctx context.Context, portal Handle, p PortalRow, accountIDs []string) error {
	return portal.Update(ctx, func(q SQL) error {
		if err := takeWriter(q); err != nil {
			return err
		}
		return s.View(ctx, func(tx *Tx) error {
			now, err := tx.PortalByID(p.ID)
			if err != nil {
				return err
			}
			if now.Generation != p.Generation {
				return ErrRetired
			}
			guests, err := tx.GuestsOf(p.ID, accountIDs)
			if err != nil {
				return err
			}
			keep := make([]portico.PortalUser, 0, len(guests))
			for _, id := range accountIDs {
				if u, ok := guests[id]; ok {
					keep = append(keep, u)
				} else if err := deleteUser(q, id); err != nil {
					return err
				}
			}
			return saveUsers(q, keep)
		})
	})
}

// ProjectAll makes a portal's database agree with the registry in all its
// guests, in transactions of bounded size.
func (s *Store) ProjectAll(ctx context.Context, portal Handle, portalID string) error {
	for after := ""; ; {
		var last string
		err := portal.Update(ctx, func(q SQL) error {
			if err := takeWriter(q); err != nil {
				return err
			}
			return s.View(ctx, func(tx *Tx) error {
				var guests []portico.PortalUser
				var err error
				guests, last, err = tx.GuestsAfter(portalID, after, projectionPage)
				if err != nil {
					return err
				}
				if err := deleteStrangers(q, after, last, guests); err != nil {
					return err
				}
				return saveUsers(q, guests)
			})
		})
		if err != nil || last == "" {
			return err
		}
		after = last
	}
}

// Projected reports whether a portal's database says of its guests what the
// registry says. Guests that change meanwhile can make it report false; it
// never reports true of what differs at rest.
func (s *Store) Projected(ctx context.Context, portal Handle, portalID string) (bool, error) {
	var users map[string]portico.PortalUser
	for after := ""; ; {
		var guests []portico.PortalUser
		var last string
		err := s.View(ctx, func(tx *Tx) (err error) {
			guests, last, err = tx.GuestsAfter(portalID, after, projectionPage)
			return err
		})
		if err != nil {
			return false, err
		}
		users, err = usersBetween(ctx, portal, after, last)
		if err != nil || len(users) != len(guests) {
			return false, err
		}
		for _, u := range guests {
			if users[u.ID] != u {
				return false, nil
			}
		}
		if last == "" {
			return true, nil
		}
		after = last
	}
}

// usersBetween returns a portal's users with ids in (after, last], up to the
// end when last is empty.
func usersBetween(ctx context.Context, portal Handle, after, last string) (map[string]portico.PortalUser, error) {
	users := map[string]portico.PortalUser{}
	err := portal.View(ctx, func(q SQL) error {
		return scanAll(q, `SELECT `+userColumns+` FROM users WHERE user_id > $1 AND (user_id <= $2 OR $2 = '')`,
			[]any{after, last}, func(row scanner) error {
				var u portico.PortalUser
				err := scanUser(row, &u)
				users[u.ID] = u
				return err
			})
	})
	return users, err
}

// Hold runs fn while no projection can be written to a portal's database. Those
// that come meanwhile wait, and then look which database is the portal's.
func (s *Store) Hold(ctx context.Context, portal Handle, fn func() error) error {
	done := false
	err := portal.Update(ctx, func(q SQL) error {
		if done { // the engine runs again what collided with another
			return nil
		}
		if err := takeWriter(q); err != nil {
			return err
		}
		err := fn()
		done = err == nil
		return err
	})
	if done { // the writer was what it was for, not what it wrote
		return nil
	}
	return err
}

// takeWriter makes the transaction wait for every other projection of the same
// portal; on an engine with one writer that is so already.
func takeWriter(q SQL) error {
	_, err := q.Exec(`UPDATE identity SET writes = writes + 1`)
	return err
}

// deleteStrangers removes the users with ids in (after, last] that are no
// guests, up to the end when last is empty.
func deleteStrangers(q SQL, after, last string, guests []portico.PortalUser) error {
	known := make(map[string]bool, len(guests))
	for _, u := range guests {
		known[u.ID] = true
	}
	var strangers []string
	err := scanAll(q, `SELECT user_id FROM users WHERE user_id > $1 AND (user_id <= $2 OR $2 = '')`,
		[]any{after, last}, func(row scanner) error {
			var id string
			err := row.Scan(&id)
			if !known[id] {
				strangers = append(strangers, id)
			}
			return err
		})
	if err != nil {
		return err
	}
	for _, id := range strangers {
		if err := deleteUser(q, id); err != nil {
			return err
		}
	}
	return nil
}

func deleteUser(q SQL, id string) error {
	for _, statement := range []string{
		`DELETE FROM users WHERE user_id = $1`,
		`DELETE FROM memberships WHERE user_id = $1`,
		`DELETE FROM settings WHERE user_id = $1`,
	} {
		if _, err := q.Exec(statement, id); err != nil {
			return err
		}
	}
	return nil
}

// membershipDocument is what the platform's app finds of a guest beside the
// user row.
type membershipDocument struct {
	Role      string `json:"role"`
	Status    string `json:"status"`
	InvitedBy string `json:"invited_by"`
}

func saveUsers(q SQL, users []portico.PortalUser) error {
	err := insertRows(q, `INSERT INTO users (user_id, email, first_name, last_name, search, status, expires_at,
		created_at, created_by, modified_at, modified_by)`,
		`ON CONFLICT (user_id) DO UPDATE SET email = excluded.email, first_name = excluded.first_name,
		last_name = excluded.last_name, search = excluded.search, status = excluded.status,
		expires_at = excluded.expires_at, created_at = excluded.created_at, created_by = excluded.created_by,
		modified_at = excluded.modified_at, modified_by = excluded.modified_by`,
		11, users, func(args []any, u portico.PortalUser) []any {
			expires := int64(0)
			if !u.ExpiresAt.IsZero() {
				expires = micros(u.ExpiresAt)
			}
			return append(args, u.ID, u.Email, u.FirstName, u.LastName, portico.SearchKey(u.Email, u.Name()),
				string(u.Status), expires, micros(u.CreatedAt), u.CreatedBy, micros(u.ModifiedAt), u.ModifiedBy)
		})
	if err != nil {
		return err
	}
	return insertRows(q, `INSERT INTO memberships (user_id, role, document)`,
		`ON CONFLICT (user_id) DO UPDATE SET role = excluded.role, document = excluded.document`,
		3, users, func(args []any, u portico.PortalUser) []any {
			document, err := json.Marshal(membershipDocument{string(portico.Guest), string(u.Status), u.CreatedBy})
			if err != nil {
				panic("store: a struct of strings did not marshal: " + err.Error())
			}
			return append(args, u.ID, string(portico.Guest), string(document))
		})
}

// UserFilter says which of a portal's users a list holds.
type UserFilter struct {
	Page
	Status portico.GuestStatus // empty: all
	Now    time.Time           // what expired is measured by
}

// Users returns a page of the users in a portal's database, oldest first.
func Users(ctx context.Context, portal Database, filter UserFilter) ([]portico.PortalUser, error) {
	users := make([]portico.PortalUser, 0, min(filter.Limit, 128))
	query, args := userQuery(filter)
	err := portal.Look(ctx, func(q SQL) error {
		users = users[:0]
		return scanAll(q, query, args, func(row scanner) error {
			users = append(users, portico.PortalUser{})
			return scanUser(row, &users[len(users)-1])
		})
	})
	return users, err
}

const userColumns = `user_id, email, first_name, last_name, status, expires_at,
	created_at, created_by, modified_at, modified_by`

// scanUser reads a user where it is to be: long lists are read here.
func scanUser(row scanner, u *portico.PortalUser) error {
	var raw struct { // all that moves to the heap, at once
		status                     string
		expires, created, modified int64
	}
	err := row.Scan(&u.ID, &u.Email, &u.FirstName, &u.LastName, &raw.status, &raw.expires,
		&raw.created, &u.CreatedBy, &raw.modified, &u.ModifiedBy)
	u.Status = portico.GuestStatus(raw.status)
	if raw.expires != 0 {
		u.ExpiresAt = fromMicros(raw.expires)
	}
	u.CreatedAt, u.ModifiedAt = fromMicros(raw.created), fromMicros(raw.modified)
	return err
}

func userQuery(f UserFilter) (string, []any) {
	query := `SELECT ` + userColumns + ` FROM users WHERE (created_at, user_id) > ($1, $2)`
	args := []any{f.after(), f.AfterID, f.Limit}
	if f.Query != "" {
		args = append(args, f.pattern())
		query += ` AND search LIKE $4 ESCAPE '\'`
	}
	switch f.Status {
	case portico.GuestInvited, portico.GuestExpired:
		operator := ">"
		if f.Status == portico.GuestExpired {
			operator = "<="
		}
		args = append(args, micros(f.Now))
		query += ` AND status = 'invited' AND expires_at ` + operator + ` $` + strconv.Itoa(len(args))
	case portico.GuestActive, portico.GuestBounced:
		args = append(args, string(f.Status))
		query += ` AND status = $` + strconv.Itoa(len(args))
	}
	return query + ` ORDER BY created_at, user_id LIMIT $3`, args
}
