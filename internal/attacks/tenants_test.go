package attacks

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"portico"
	"portico/internal/wiretest"
)

func tenants() []attack {
	return []attack{
		{"A22 another organization's portal", foreignPortal},
		{"A23 another portal's user", foreignUser},
		{"A26 a sandbox on production portals", sandbox},
		{"A27 an organization named by the caller", namedOrganization},
		{"A59 what a list of users shows", listedUsers},
	}
}

// foreignPortal: whether an id is another organization's, unknown or malformed
// shows neither in the answer nor in the work. The work is counted.
func foreignPortal(a *arena) {
	own := a.portalNamed("Own")
	var foreign, gone string
	a.legit(func() {
		foreign = a.expect(201, "POST", "/v1/portal", a.OtherAdmin.Token, `{"name":"Foreign"}`).ID(a)
		a.expect(201, "POST", "/v1/portal/"+foreign+"/users", a.OtherAdmin.Token, `{"users":["guest@example.com"]}`)
		gone = a.expect(201, "POST", "/v1/portal", a.Admin.Token, `{"name":"Gone"}`).ID(a)
		a.expect(200, "DELETE", "/v1/portal/"+gone, a.Admin.Token, nil)
	})
	for _, route := range []struct{ method, suffix, body string }{
		{"GET", "", ""}, {"PATCH", "", `{"name":"x"}`}, {"PATCH", "", `{}`}, {"DELETE", "", ""}, {"POST", "/users", `{"users":["b@example.com"]}`},
		{"POST", "/users", `{"users":["b@example.com"],"dry_run":true}`}, {"GET", "/users", ""}, {"GET", "/users?limit=1", ""}, {"DELETE", "/users/" + a.Admin.ID, ""},
	} {
		want, answers := int64(-1), map[string]bool{}
		for _, id := range []string{foreign, "port_" + strings.Repeat("0", 26), "malformed", "port_é", strings.Repeat("x", 300), gone, a.Other.ID} {
			before := a.asked.OfRequests()
			answer := a.do(route.method, "/v1/portal/"+id+route.suffix, a.Admin.Token, bodyOrNone(route.body))
			asked := a.asked.OfRequests() - before
			if want < 0 {
				want = asked
			}
			// One statement for who is calling, one for the portal.
			if asked != want || asked != 2 {
				a.Errorf("%s %s of %.40s: %d statements, want 2", route.method, route.suffix, id, asked)
			}
			answers[seen(answer)] = true
		}
		if all := slices.Collect(maps.Keys(answers)); len(all) != 1 || !strings.HasPrefix(all[0], `404 {"detail":"Not found"}`) {
			a.Errorf("%s %s: answers differ: %q", route.method, route.suffix, all)
		}
	}
	a.expect(200, "GET", "/v1/portal/"+foreign, a.OtherAdmin.Token, nil)
	a.expect(200, "GET", "/v1/portal/"+own, a.Admin.Token, nil)
	if text := string(a.expect(200, "GET", "/v1/portal", a.Admin.Token, nil).Body); strings.Contains(text, foreign) || strings.Contains(text, gone) {
		a.Errorf("a list shows another organization's portal, or a deleted one: %s", text)
	}
}

func bodyOrNone(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// seen is all that a caller sees of an answer but its time and request id.
func seen(answer wiretest.Answer) string {
	h := answer.Header.Clone()
	for _, name := range []string{"Date", "X-Request-Id"} {
		h.Del(name)
	}
	text, err := json.Marshal(h) // sorted
	if err != nil {
		return err.Error()
	}
	return statusText(answer.Status) + " " + string(answer.Body) + " " + string(text)
}

func statusText(status int) string {
	text, _ := json.Marshal(status)
	return string(text)
}

type listed struct {
	ID, Email string
}

// guests invites addresses to a portal and returns the users by address.
func (a *arena) guests(token, portal string, addresses ...string) map[string]string {
	a.Helper()
	a.legit(func() {
		a.expect(201, "POST", "/v1/portal/"+portal+"/users", token, map[string]any{"users": addresses})
	})
	var users []listed
	a.expect(200, "GET", "/v1/portal/"+portal+"/users", token, nil).JSON(a, &users)
	byAddress := map[string]string{}
	for _, u := range users {
		byAddress[u.Email] = u.ID
	}
	return byAddress
}

func foreignUser(a *arena) {
	here, there := a.portalNamed("Here"), a.portalNamed("There")
	var foreign string
	a.legit(func() {
		foreign = a.expect(201, "POST", "/v1/portal", a.OtherAdmin.Token, `{"name":"Foreign users"}`).ID(a)
	})
	a.guests(a.Admin.Token, here, "here@example.com")
	sibling := a.guests(a.Admin.Token, there, "there@example.com")["there@example.com"]
	other := a.guests(a.OtherAdmin.Token, foreign, "foreign@example.com", "here@example.com")["foreign@example.com"]
	for _, user := range []string{sibling, other, a.Admin.ID, a.OtherAdmin.ID, "user_" + strings.Repeat("0", 26), "malformed", here, a.Acme.ID, strings.ToUpper(sibling)} {
		answer := a.expect(404, "DELETE", "/v1/portal/"+here+"/users/"+user, a.Admin.Token, nil)
		if string(answer.Body) != `{"detail":"Not found"}` {
			a.Errorf("%s: %s", user, answer.Body)
		}
	}
	a.expect(404, "DELETE", "/v1/portal/"+foreign+"/users/"+other, a.Admin.Token, nil)
	a.expect(404, "DELETE", "/v1/portal/"+there+"/users/"+other, a.Admin.Token, nil)
}

func sandbox(a *arena) {
	portal := a.portalNamed("Production")
	users := a.guests(a.Admin.Token, portal, "guest@example.com")
	switched := ""
	session := a.session(a.Insider)
	a.legit(func() {
		answer := a.expect(200, "POST", "/v1/auth/switch", session, map[string]string{"id": a.Sandbox.ID})
		var s wiretest.Session
		answer.JSON(a, &s)
		switched = s.Access
	})
	var scoped string
	a.legit(func() {
		scoped = a.Token(a.Sandbox.ID, a.Insider.Email, "portal:read", "portal:write", "portal_user:write")
	})
	for _, token := range []string{a.SandboxAdmin.Token, switched, scoped} {
		for _, request := range [][3]string{
			{"GET", "/v1/portal"}, {"POST", "/v1/portal", `{"name":"x"}`}, {"POST", "/v1/portal", `{"name":"x","organization_id":"` + a.Acme.ID + `"}`}, {"GET", "/v1/portal/" + portal},
			{"PATCH", "/v1/portal/" + portal, `{"name":"x"}`}, {"DELETE", "/v1/portal/" + portal}, {"GET", "/v1/portal/" + portal + "/users"},
			{"POST", "/v1/portal/" + portal + "/users", `{"users":["b@example.com"]}`}, {"DELETE", "/v1/portal/" + portal + "/users/" + users["guest@example.com"]}, {"GET", "/v1/portal/unknown"},
		} {
			answer := a.expect(403, request[0], request[1], token, bodyOrNone(request[2]))
			if string(answer.Body) != `{"detail":"Only accessible by production organization administrators."}` {
				a.Errorf("%s %s: %s", request[0], request[1], answer.Body)
			}
		}
	}
}

func namedOrganization(a *arena) {
	portal := a.portalNamed("Named")
	var foreign string
	a.legit(func() {
		foreign = a.expect(201, "POST", "/v1/portal", a.OtherAdmin.Token, `{"name":"Theirs"}`).ID(a)
	})
	headers := []string{}
	for _, name := range []string{
		"X-Org-Id", "X-Organization-Id", "X-Tenant", "X-Tenant-Id", "X-Account-Id", "X-User-Id", "X-Forwarded-User", "X-Remote-User", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-For", "X-Real-Ip",
	} {
		headers = append(headers, name, a.Other.ID)
	}
	headers = append(headers, "Cookie", "org="+a.Other.ID)
	query := "?organization_id=" + a.Other.ID + "&org=" + a.Other.ID + "&tenant=" + a.Other.ID
	a.expect(404, "GET", "/v1/portal/"+foreign+query, a.Admin.Token, nil, headers...)
	a.expect(404, "DELETE", "/v1/portal/"+foreign+query, a.Admin.Token, nil, headers...)
	a.expect(404, "POST", "/v1/portal/"+foreign+"/users"+query, a.Admin.Token, `{"users":["b@example.com"],"organization_id":"`+a.Other.ID+`"}`, headers...)
	a.expect(403, "GET", "/v1/portal"+query, a.Member.Token, nil, headers...)
	list := string(a.expect(200, "GET", "/v1/portal"+query, a.Admin.Token, nil, headers...).Body)
	if strings.Contains(list, foreign) || !strings.Contains(list, portal) {
		a.Errorf("the list is another organization's: %s", list)
	}
	a.legit(func() {
		made := a.expect(201, "POST", "/v1/portal"+query, a.Admin.Token, `{"name":"Whose","organization_id":"`+a.Other.ID+`","org_id":"`+a.Other.ID+`"}`, headers...)
		if !strings.Contains(string(made.Body), `"organization_id":"`+a.Acme.ID+`"`) {
			a.Errorf("made for another organization: %s", made.Body)
		}
	})
	a.expect(200, "GET", "/v1/auth/load"+query, a.Admin.Token, nil, headers...)
}

// listedUsers: a list holds the portal's own rows, and nothing of a person's
// account that another portal or organization put there.
func listedUsers(a *arena) {
	mine, theirs := a.portalNamed("Mine alone"), ""
	a.legit(func() {
		theirs = a.expect(201, "POST", "/v1/portal", a.OtherAdmin.Token, `{"name":"Secret project"}`).ID(a)
		a.expect(201, "POST", "/v1/portal/"+theirs+"/users", a.OtherAdmin.Token, `{"users":[{"email":"both@example.com","first_name":"Confidential","last_name":"Alias"},"theirs@example.com"],"message":"for your eyes"}`)
		a.expect(201, "POST", "/v1/portal/"+mine+"/users", a.Admin.Token, `{"users":["both@example.com","`+a.OtherAdmin.Email+`"]}`)
	})
	answer := a.expect(200, "GET", "/v1/portal/"+mine+"/users", a.Admin.Token, nil)
	var users []map[string]any
	answer.JSON(a, &users)
	fields := strings.Fields("created_by created_date email first_name id is_active is_portal_user last_name modified_by modified_date name organization_id portal_id status")
	if len(users) != 2 {
		a.Errorf("%d users, want 2: %s", len(users), answer.Body)
	}
	for _, u := range users {
		if got := slices.Sorted(maps.Keys(u)); !slices.Equal(got, fields) {
			a.Errorf("fields %v, want %v", got, fields)
		}
		if u["portal_id"] != mine || u["organization_id"] != a.Acme.ID || u["created_by"] != a.Admin.ID {
			a.Errorf("a row of elsewhere: %v", u)
		}
	}
	for _, word := range []string{"Confidential", "Alias", "Secret project", theirs, a.Other.ID, "theirs@example.com", "for your eyes", "Other"} {
		if strings.Contains(string(answer.Body), word) {
			a.Errorf("the list tells %q: %s", word, answer.Body)
		}
	}
	for _, q := range []string{"Confidential", "theirs", "Secret"} {
		if found := a.expect(200, "GET", "/v1/portal/"+mine+"/users?q="+q, a.Admin.Token, nil); string(found.Body) != "[]" {
			a.Errorf("the search for %s found %s", q, found.Body)
		}
	}
	// A dry run is no directory: it does not tell who has an account.
	dry := a.expect(201, "POST", "/v1/portal/"+mine+"/users", a.Admin.Token, `{"users":["theirs@example.com","nobody@example.com","`+a.Owner.Email+`"],"dry_run":true}`)
	var results struct {
		Users []struct {
			Status string
			UserID *string `json:"user_id"`
		}
	}
	dry.JSON(a, &results)
	for _, r := range results.Users {
		if r.Status != string(portico.VerdictInvited) || r.UserID != nil {
			a.Errorf("a dry run tells who has an account: %s", dry.Body)
		}
	}
}
