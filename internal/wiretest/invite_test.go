package wiretest

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/node"
	"portico/internal/store"
)

type inviteAnswer struct {
	AddedUsers []string       `json:"added_users"`
	Users      []inviteResult `json:"users"`
}

type inviteResult struct {
	Email  string  `json:"email"`
	UserID *string `json:"user_id"`
	Status string  `json:"status"`
	Detail *string `json:"detail"`
}

func (w *World) invite(portal, body string) inviteAnswer {
	w.T.Helper()
	a := w.Do("POST", "/v1/portal/"+portal+"/users", w.Admin.Token, body)
	if a.Status != http.StatusCreated {
		w.T.Fatalf("%d %s", a.Status, a.Body)
	}
	var answer inviteAnswer
	a.JSON(w.T, &answer)
	return answer
}

// verdicts writes an answer's results in short.
func (a inviteAnswer) verdicts() string {
	var all []string
	for _, u := range a.Users {
		word := u.Status
		if u.Detail != nil {
			word += ":" + *u.Detail
		}
		all = append(all, word)
	}
	return strings.Join(all, " ")
}

// TestInviteVerdicts goes through every verdict of an invitation.
func TestInviteVerdicts(t *testing.T) {
	t.Parallel()
	clock := &Clock{}
	clock.Stop(time.Now())
	w := Start(t, clock.Setup)
	portal := w.Portal("Verdicts")
	err := w.Node.Store.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.BlockAddress("blocked@example.com", "asked not to be written to")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"users":["Ada@Example.COM",{"email":"ada@example.com","first_name":"Again"},"` + "member@acme.example.com" + `","x","Blocked@example.com",` +
		`{"email":"Grace <grace@example.com>","first_name":" Grace ","last_name":"Hopper"},"",{"email":"a@b@example.com"},"x@localhost"]}`
	answer := w.invite(portal, body)
	const verdicts = "invited duplicate linked failed:invalid_address failed:blocked invited failed:invalid_address failed:invalid_address failed:invalid_address"
	if answer.verdicts() != verdicts {
		t.Errorf("%s\nwant %s", answer.verdicts(), verdicts)
	}
	if want := []string{"Ada@example.com", "member@acme.example.com", "grace@example.com"}; !reflect.DeepEqual(answer.AddedUsers, want) {
		t.Errorf("added %v, want %v", answer.AddedUsers, want)
	}
	for i, want := range []string{"Ada@example.com", "Ada@example.com", "member@acme.example.com", "x", "Blocked@example.com", "grace@example.com", "", "a@b@example.com"} {
		if answer.Users[i].Email != want {
			t.Errorf("user %d is %q, want %q", i, answer.Users[i].Email, want)
		}
	}
	again := w.invite(portal, body)
	const repeated = "already_invited duplicate already_member failed:invalid_address failed:blocked already_invited failed:invalid_address failed:invalid_address failed:invalid_address"
	if again.verdicts() != repeated || !reflect.DeepEqual(again.AddedUsers, answer.AddedUsers) {
		t.Errorf("again: %s %v", again.verdicts(), again.AddedUsers)
	}
	users := string(w.Do("GET", "/v1/portal/"+portal+"/users", w.Admin.Token, nil).Body)
	for _, want := range []string{
		`"name":"Grace Hopper","email":"grace@example.com","first_name":"Grace","last_name":"Hopper","status":"invited","is_active":false,"is_portal_user":true,"portal_id":"` + portal + `","organization_id":"` + w.Acme.ID + `"`,
		`"email":"member@acme.example.com","first_name":"","last_name":"","status":"active","is_active":true`,
	} {
		if !strings.Contains(users, want) {
			t.Errorf("%s\nis not in %s", want, users)
		}
	}

	clock.Move(portico.InvitationLife + time.Second)
	path := "/v1/portal/" + portal + "/users?status="
	if a := w.Do("GET", path+"expired", w.Admin.Token, nil); strings.Count(string(a.Body), `"status":"expired","is_active":false`) != 2 {
		t.Errorf("expired: %s", a.Body)
	}
	if a := w.Do("GET", path+"invited", w.Admin.Token, nil); string(a.Body) != "[]" {
		t.Errorf("invited: %s", a.Body)
	}
	renewed := w.invite(portal, `{"users":["ada@example.com"]}`)
	if renewed.verdicts() != "invited" || *renewed.Users[0].UserID != *answer.Users[0].UserID {
		t.Errorf("an expired invitation: %+v", renewed)
	}
	if a := w.Do("GET", path+"invited", w.Admin.Token, nil); !strings.Contains(string(a.Body), "Ada@example.com") {
		t.Errorf("renewed: %s", a.Body)
	}
}

// TestDryRun checks that a dry run changes nothing and is no directory of
// who has an account.
func TestDryRun(t *testing.T) {
	t.Parallel()
	w := Start(t)
	portal := w.Portal("Dry")
	capital := w.Person("Capital@other.example.com", w.Other, portico.Member)
	body := func(dry bool) string {
		return fmt.Sprintf(`{"users":["nobody@other.example.com","member@acme.example.com","capital@other.example.com","x"],"dry_run":%v}`, dry)
	}
	a := w.Do("POST", "/v1/portal/"+portal+"/users", w.Admin.Token, body(true))
	want := `{"added_users":["nobody@other.example.com","member@acme.example.com","capital@other.example.com"],"users":[` +
		`{"email":"nobody@other.example.com","user_id":null,"status":"invited","detail":null},` +
		`{"email":"member@acme.example.com","user_id":null,"status":"invited","detail":null},` +
		`{"email":"capital@other.example.com","user_id":null,"status":"invited","detail":null},` +
		`{"email":"x","user_id":null,"status":"failed","detail":"invalid_address"}]}`
	if a.Status != 201 || string(a.Body) != want {
		t.Errorf("%d %s\nwant %s", a.Status, a.Body, want)
	}
	if a := w.Do("GET", "/v1/portal/"+portal+"/users", w.Admin.Token, nil); string(a.Body) != "[]" {
		t.Errorf("a dry run invited: %s", a.Body)
	}
	done := w.invite(portal, body(false))
	if done.verdicts() != "invited linked linked failed:invalid_address" || done.Users[2].Email != capital.Email {
		t.Errorf("%+v", done)
	}
	if dry := w.invite(portal, body(true)); dry.verdicts() != "already_invited already_member already_member failed:invalid_address" || dry.Users[0].UserID == nil {
		t.Errorf("%+v", dry)
	}
}

// TestQuota checks the limit of guests: of people, over all portals.
func TestQuota(t *testing.T) {
	t.Parallel()
	clock := &Clock{}
	clock.Stop(time.Now())
	w := Start(t, clock.Setup, func(c *node.Config, _ *node.Options) { c.MaxGuests = 2 })
	first, second := w.Portal("First"), w.Portal("Second")
	for _, c := range []struct{ portal, body, want string }{
		{first, `{"users":["a@example.com","b@example.com","c@example.com"],"dry_run":true}`, "invited invited failed:over_quota"},
		{first, `{"users":["a@example.com","a@example.com","b@example.com","c@example.com"]}`, "invited duplicate invited failed:over_quota"},
		{first, `{"users":["a@example.com","d@example.com"]}`, "already_invited failed:over_quota"},
		{second, `{"users":["a@example.com","c@example.com"],"dry_run":true}`, "invited failed:over_quota"},
		{second, `{"users":["a@example.com","c@example.com"]}`, "invited failed:over_quota"}, // one person, one guest
	} {
		if got := w.invite(c.portal, c.body).verdicts(); got != c.want {
			t.Errorf("%s: %s, want %s", c.body, got, c.want)
		}
	}
	clock.Move(portico.InvitationLife + time.Second)
	if got := w.invite(first, `{"users":["a@example.com"]}`).verdicts(); got != "invited" {
		t.Errorf("an expired invitation of a guest who counts already: %s", got)
	}
}

// TestInviteBodies checks the limits of a bulk invitation.
func TestInviteBodies(t *testing.T) {
	t.Parallel()
	w := Start(t)
	portal := w.Portal("Bulk")
	path := "/v1/portal/" + portal + "/users"
	many := func(n int) map[string]any { return map[string]any{"users": emails(n)} }
	for _, c := range []struct {
		body   any
		status int
		text   string
	}{
		{many(1000), 201, `"email":"list-999@example.com"`},
		{many(1001), 422, `{"detail":[{"type":"too_long","loc":["body","users"],"msg":"List should have at most 1000 items after validation, not 1001","input":["list-000@example.com"`},
		{`{"users":[]}`, 422, `{"detail":[{"type":"too_short","loc":["body","users"],"msg":"List should have at least 1 item after validation, not 0","input":[],"ctx":{"field_type":"List","min_length":1,"actual_length":0}}]}`},
		{`{"users":[5]}`, 422, `"loc":["body","users",0]`},
		{`{"users":[null,"a@example.com",{}]}`, 422, `"loc":["body","users",2,"email"],"msg":"Field required","input":{}`},
		{`{"users":[{"email":["a@example.com"]}]}`, 422, `{"detail":[{"type":"string_type","loc":["body","users",0,"email"],"msg":"Input should be a valid string","input":["a@example.com"]}]}`},
		{`{"users":[{"email":"a@example.com","first_name":null}]}`, 422, `"loc":["body","users",0,"first_name"]`},
		{`{"users":["` + strings.Repeat("x", 321) + `"]}`, 422, `"loc":["body","users",0,"email"]`},
		{`{"users":[{"email":"a@example.com","last_name":"` + strings.Repeat("x", 81) + `"}]}`, 422, `"loc":["body","users",0,"last_name"]`},
		{`{"users":["a@example.com"],"message":"` + strings.Repeat("x", 1001) + `"}`, 422, `"loc":["body","message"]`},
		{`{"users":["a@example.com"],"send_email":"maybe","dry_run":null}`, 422, `"loc":["body","dry_run"]`},
		{`{"users":["` + strings.Repeat("x", 308) + `@example.com"]}`, 201, `"detail":"invalid_address"`},
		{`{"users":["evil@example.com\r\nBcc: x@example.com"]}`, 201, `"detail":"invalid_address"`},
		{`{"users":["m\u0131ke@example.com"]}`, 201, `"detail":"invalid_address"`},
		{`{"users":["k@b\u00fccher.example.com"],"role":"owner"}`, 201, `"status":"invited"`},
	} {
		a := w.Do("POST", path, w.Admin.Token, c.body)
		if a.Status != c.status || !strings.Contains(string(a.Body), c.text) {
			t.Errorf("%.80v: %d %.300s, want %d %.200s", c.body, a.Status, a.Body, c.status, c.text)
		}
	}
	var all []listed
	w.Do("GET", path, w.Admin.Token, nil).JSON(t, &all)
	if len(all) != 1001 {
		t.Errorf("%d users, want 1001", len(all))
	}
}
