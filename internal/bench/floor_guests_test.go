package bench

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"portico"
)

func (f *floor) list(r *http.Request) (int, []byte, error) {
	p, err := f.readPortal(r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	file, err := f.portal(p.ID)
	if err != nil {
		return 0, nil, err
	}
	rows, err := file.reads[readUsers].QueryContext(context.Background())
	if err != nil {
		return 0, nil, err
	}
	return listed(p, rows)
}

// listed answers with a portal's users, whose rows it closes.
func listed(p portico.Portal, rows *sql.Rows) (int, []byte, error) {
	defer rows.Close()
	now := time.Now().UnixMicro()
	out := append(make([]byte, 0, 4<<10), '[')
	for rows.Next() {
		var id, email, first, last, status, createdBy, modifiedBy string
		var expires, created, modified int64
		if err := rows.Scan(&id, &email, &first, &last, &status, &expires, &created, &createdBy, &modified, &modifiedBy); err != nil {
			return 0, nil, err
		}
		if status == "invited" && expires <= now {
			status = "expired"
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = appendText(append(out, `{"id":`...), id)
		out = appendText(append(out, `,"name":`...), fullName(first, last, email))
		out = appendText(append(out, `,"email":`...), email)
		out = appendText(append(out, `,"first_name":`...), first)
		out = appendText(append(out, `,"last_name":`...), last)
		out = appendText(append(out, `,"status":`...), status)
		out = strconv.AppendBool(append(out, `,"is_active":`...), status == "active")
		out = appendText(append(out, `,"is_portal_user":true,"portal_id":`...), p.ID)
		out = appendText(append(out, `,"organization_id":`...), p.OrganizationID)
		out = appendTime(append(out, `,"created_date":`...), time.UnixMicro(created))
		out = appendTime(append(out, `,"modified_date":`...), time.UnixMicro(modified))
		out = appendText(append(out, `,"created_by":`...), createdBy)
		out = appendText(append(out, `,"modified_by":`...), modifiedBy)
		out = append(out, '}')
	}
	return http.StatusOK, append(out, ']'), rows.Err()
}

func fullName(first, last, email string) string {
	switch {
	case first != "" && last != "":
		return first + " " + last
	case first+last != "":
		return first + last
	}
	return email
}

type floorGuest struct {
	Email string `json:"email"`
	First string `json:"first_name"`
	Last  string `json:"last_name"`
}

func (f *floor) invite(r *http.Request) (int, []byte, error) {
	var in struct {
		Users   []floorGuest `json:"users"`
		Message string       `json:"message"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return 0, nil, err
	}
	p, err := f.readPortal(r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	file, err := f.portal(p.ID)
	if err != nil {
		return 0, nil, err
	}
	ids := make([]string, len(in.Users))
	for i := range ids {
		ids[i] = f.ids.New(portico.PrefixAccount)
	}
	job := f.ids.New(portico.PrefixJob)
	now := time.Now().UnixMicro()
	expires := now + portico.InvitationLife.Microseconds()
	if err := f.putGuests(p, ids, in.Users, in.Message, job, now, expires); err != nil {
		return 0, nil, err
	}
	if err := f.putUsers(file, ids, in.Users, now, expires); err != nil {
		return 0, nil, err
	}
	f.finish(job)

	out := []byte(`{"added_users":[`)
	for i, u := range in.Users {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendText(out, u.Email)
	}
	out = append(out, `],"users":[`...)
	for i, u := range in.Users {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendText(append(out, `{"email":`...), u.Email)
		out = appendText(append(out, `,"user_id":`...), ids[i])
		out = append(out, `,"status":"invited","detail":null}`...)
	}
	return http.StatusCreated, append(out, `]}`...), nil
}

func (f *floor) putGuests(p portico.Portal, ids []string, users []floorGuest, message, job string, now, expires int64) error {
	payload, err := json.Marshal(map[string][]string{"account_ids": ids})
	if err != nil {
		return err
	}
	var accounts, invitations, events, mails []any
	for i, u := range users {
		invitation := f.ids.New(portico.PrefixInvitation)
		accounts = append(accounts, ids[i], u.Email, u.Email, "", 0, now, "")
		invitations = append(invitations, invitation, p.ID, ids[i], "pending", 1, u.First, u.Last, message, expires,
			now, f.actor, now, f.actor)
		events = append(events, f.ids.New(portico.PrefixEvent), now, f.organization, p.ID, f.actor, "guest.invited", ids[i], job, "")
		mails = append(mails, f.ids.New(portico.PrefixMail), "invited", f.organization, p.ID, ids[i], invitation, 1, f.actor, job,
			"waiting", 0, now, now)
	}
	return f.registry.update(func(run runner) error {
		return errors.Join(putAccount.put(run, accounts), putInvitation.put(run, invitations), putEvent.put(run, events),
			putMail.put(run, mails), putJob.put(run, []any{job, "project", p.ID, string(payload), now + 2e6, 0, 0, 0, "", now}))
	})
}

func (f *floor) putUsers(file *bareFile, ids []string, users []floorGuest, now, expires int64) error {
	var rows, members []any
	for i, u := range users {
		rows = append(rows, ids[i], u.Email, u.First, u.Last, portico.SearchKey(u.Email, fullName(u.First, u.Last, u.Email)),
			"invited", expires, now, f.actor, now, f.actor)
		members = append(members, ids[i], "guest", `{"role":"guest","status":"invited","invited_by":"`+f.actor+`"}`)
	}
	return file.update(func(run runner) error {
		return errors.Join(putUser.put(run, rows), putMembership.put(run, members))
	})
}

func appendPortal(out []byte, port string, p portico.Portal) []byte {
	out = appendText(append(out, `{"id":`...), p.ID)
	out = appendText(append(out, `,"name":`...), p.Name)
	out = appendText(append(out, `,"api_name":`...), p.APIName)
	out = appendOptional(append(out, `,"description":`...), p.Description)
	out = appendText(append(out, `,"organization_id":`...), p.OrganizationID)
	out = appendText(append(out, `,"url":`...), "http://"+p.APIName+".localhost:"+port)
	out = append(out, `,"custom_domain":null,"custom_domain_status":null,"is_active":true,"created_date":`...)
	out = appendTime(out, p.CreatedAt)
	out = appendTime(append(out, `,"modified_date":`...), p.ModifiedAt)
	out = appendText(append(out, `,"created_by":`...), p.CreatedBy)
	out = appendText(append(out, `,"modified_by":`...), p.ModifiedBy)
	return append(out, '}')
}

func appendOptional(out []byte, s *string) []byte {
	if s == nil {
		return append(out, "null"...)
	}
	return appendText(out, *s)
}

// appendText appends a JSON string; what needs escapes takes the slow way.
func appendText(out []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic(err)
			}
			return append(out, quoted...)
		}
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}

func appendTime(out []byte, t time.Time) []byte {
	form := `"2006-01-02T15:04:05.000000Z"`
	if t.Nanosecond()/1000 == 0 {
		form = `"2006-01-02T15:04:05Z"`
	}
	return t.UTC().AppendFormat(out, form)
}
