package wiretest

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
)

type memberAnswer struct {
	ID, Email, Name, Role, Status string
	Expires                       *time.Time `json:"expires_date"`
}

func (w *World) members(token string) []memberAnswer {
	w.T.Helper()
	var all []memberAnswer
	w.Do("GET", "/v1/members", token, nil).JSON(w.T, &all)
	return all
}

// TestMembers walks through inviting, changing and removing members.
func TestMembers(t *testing.T) {
	t.Parallel()
	w := Start(t)
	before := len(w.members(w.Owner.Token))
	invited := w.inviteMember(w.Admin.Token, "ADMIN@other.example.com", "")
	for _, c := range []struct {
		name, method, path, token, body string
		status                          int
		want                            string
	}{
		{"twice", "POST", "", w.Admin.Token, `{"email":"admin@other.example.com"}`, 409, "is invited already"},
		{"a member", "POST", "", w.Admin.Token, `{"email":"` + w.Owner.Email + `"}`, 409, "is a member"},
		{"no address", "POST", "", w.Admin.Token, `{"email":"new"}`, 422, `"loc":["body","email"]`},
		{"a guest", "POST", "", w.Admin.Token, `{"email":"x@example.com","role":"guest"}`, 422, `"loc":["body","role"]`},
		{"an owner by an admin", "POST", "", w.Admin.Token, `{"email":"x@example.com","role":"owner"}`, 403, "Only an owner"},
		{"an owner by an owner", "POST", "", w.Owner.Token, `{"email":"x@example.com","role":"owner"}`, 201, `"role":"owner"`},
		{"by a member", "POST", "", w.Member.Token, `{"email":"new@example.com"}`, 403, "owners and admins"},
		{"an invitation given a role", "PATCH", invited.ID, w.Admin.Token, `{"role":"owner"}`, 404, "Not found"},
		{"an owner demoted by an admin", "PATCH", w.Owner.ID, w.Admin.Token, `{"role":"member"}`, 403, "Only an owner"},
		{"an owner removed by an admin", "DELETE", w.Owner.ID, w.Admin.Token, "", 403, "Only an owner"},
		{"made admin", "PATCH", w.Member.ID, w.Admin.Token, `{"role":"admin"}`, 200, `"role":"admin"`},
		{"the same again", "PATCH", w.Member.ID, w.Admin.Token, `{"role":"admin"}`, 200, `"role":"admin"`},
		{"no role", "PATCH", w.Member.ID, w.Admin.Token, `{}`, 422, `"missing"`},
		{"another organization's member", "PATCH", w.SandboxAdmin.ID + "x", w.Admin.Token, `{"role":"admin"}`, 404, "Not found"},
		{"by a limited token", "DELETE", w.Member.ID, w.Token(w.Acme.ID, w.Admin.Email, "portal:write"), "", 403, "limited"},
		{"another organization's invitation", "DELETE", "invitations/" + invited.ID, w.OtherAdmin.Token, "", 404, "Not found"},
		{"removed", "DELETE", w.Insider.ID, w.Admin.Token, "", 200, "{}"},
		{"removed again", "DELETE", w.Insider.ID, w.Admin.Token, "", 404, "Not found"},
		{"revoked", "DELETE", "invitations/" + invited.ID, w.Admin.Token, "", 200, "{}"},
		{"revoked again", "DELETE", "invitations/" + invited.ID, w.Admin.Token, "", 404, "Not found"},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		path := strings.TrimSuffix("/v1/members/"+c.path, "/")
		if a := w.Do(c.method, path, c.token, body); a.Status != c.status || !strings.Contains(string(a.Body), c.want) {
			t.Errorf("%s: %d %s, want %d %s", c.name, a.Status, a.Body, c.status, c.want)
		}
	}
	if after := w.members(w.Owner.Token); len(after) != before {
		t.Errorf("members: %v", after)
	}
	w.checkEvents(portico.ActionMemberInvited, 2)
	w.checkEvents(portico.ActionInvitationRevoked, 1)
	w.checkEvents(portico.ActionRoleChanged, 1)
	w.checkEvents(portico.ActionMemberRemoved, 1)
}

func (w *World) checkEvents(action portico.Action, want int) {
	w.T.Helper()
	var found []portico.Event
	err := w.Node.Store.View(w.T.Context(), func(tx *store.Tx) (err error) {
		found, err = tx.FindEvents(w.Acme.ID, store.EventFilter{Action: action, Limit: want + 1})
		return err
	})
	if err != nil || len(found) != want {
		w.T.Errorf("%d records of %s, want %d: %v", len(found), action, want, err)
	}
}

// TestLastAdministrator is A28: whatever owners and admins do to each other at
// once, one is left.
func TestLastAdministrator(t *testing.T) {
	t.Parallel()
	w := Start(t)
	for range 5 {
		o := w.Organization("Pair", portico.Production, "")
		pair := []Person{w.Person("one@pair.example.com", o, portico.Owner), w.Person("two@pair.example.com", o, portico.Owner)}
		var all sync.WaitGroup
		statuses := make([]int, 2)
		for i := range pair {
			all.Go(func() {
				a, err := Send(w.client, w.URL, "PATCH", "/v1/members/"+pair[1-i].ID, pair[i].Token, `{"role":"member"}`)
				if err == nil {
					statuses[i] = a.Status
				}
			})
		}
		all.Wait()
		left := 0
		for i, p := range pair {
			if statuses[i] != http.StatusOK && statuses[i] != http.StatusForbidden {
				t.Errorf("a demotion: %d", statuses[i])
			}
			if w.Do("GET", "/v1/members", p.Token, nil).Status == http.StatusOK {
				left++
				for _, c := range [][2]string{{"PATCH", `{"role":"member"}`}, {"DELETE", ""}} {
					var body any
					if c[1] != "" {
						body = c[1]
					}
					if a := w.Do(c[0], "/v1/members/"+p.ID, p.Token, body); a.Status != http.StatusConflict {
						t.Errorf("the last one, %s: %d %s", c[0], a.Status, a.Body)
					}
				}
			}
		}
		if left != 1 {
			t.Errorf("%d administrators are left, %v", left, statuses)
		}
	}
}
