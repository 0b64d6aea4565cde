package wiretest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"portico"
)

const wrongCredential = `{"detail":"Could not validate credentials"}`

// TestLogin sends the sign-in form in every wrong way.
func TestLogin(t *testing.T) {
	t.Parallel()
	w := Start(t)
	const form = "application/x-www-form-urlencoded"
	missing := func(fields ...string) string {
		errors := make([]string, len(fields))
		for i, f := range fields {
			errors[i] = `{"type":"missing","loc":["body","` + f + `"],"msg":"Field required","input":null}`
		}
		return `{"detail":[` + strings.Join(errors, ",") + `]}`
	}
	good := "grant_type=password&username=admin%40acme.example.com&password=" + strings.ReplaceAll(Password, " ", "%20")
	for _, c := range []struct {
		contentType, body string
		status            int
		text              string
	}{
		{form, good, 200, `{"access_token":"`},
		{form + "; charset=utf-8", good + "&scope=&client_id=x&client_secret=y", 200, `"token_type":"bearer"}`},
		{form, strings.Replace(good, "admin", "ADMIN", 1), 200, ""},
		{form, "", 422, missing("grant_type", "username", "password")},
		{form, "grant_type=password&username=&password=", 422, missing("username", "password")},
		{"application/json", `{"grant_type":"password","username":"a","password":"b"}`, 422, missing("grant_type", "username", "password")},
		{"application/json", `{`, 422, missing("grant_type", "username", "password")},
		{"text/plain", good, 422, missing("grant_type", "username", "password")},
		{form, strings.Replace(good, "=password", "=refresh", 1), 422, `{"detail":[{"type":"string_pattern_mismatch","loc":["body","grant_type"],"msg":"String should match pattern '^password$'","input":"refresh","ctx":{"pattern":"^password$"}}]}`},
		{form, good + "x", 401, `{"detail":"Incorrect username or password"}`},
		{form, strings.Replace(good, "admin", "nobody", 1), 401, `{"detail":"Incorrect username or password"}`},
		{form, "grant_type=password&username=%00%ff&password=x", 401, `{"detail":"Incorrect username or password"}`},
		{form, "grant_type=password&username=admin%40acme.example.com&password=" + strings.Repeat("x", 2000), 401, ""},
		{"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\npassword\r\n--b--\r\n", 422, missing("username", "password")},
		{"multipart/form-data", "x", 400, ""},
	} {
		a := w.Do("POST", "/v1/oauth2/login", "", c.body, "Content-Type", c.contentType)
		if a.Status != c.status || !strings.Contains(string(a.Body), c.text) {
			t.Errorf("%s %.60s: %d %s, want %d %s", c.contentType, c.body, a.Status, a.Body, c.status, c.text)
		}
		if a.Status == 401 && a.Header.Get("Www-Authenticate") != "Bearer" {
			t.Errorf("%.60s: WWW-Authenticate is %q", c.body, a.Header.Get("Www-Authenticate"))
		}
		if strings.Contains(string(a.Body), "long enough") {
			t.Errorf("a password is echoed: %s", a.Body)
		}
	}
}

// TestRefresh rotates tokens, asks again within the grace, and reuses an old
// one, which ends the whole family.
func TestRefresh(t *testing.T) {
	t.Parallel()
	clock := &Clock{}
	clock.Stop(time.Now())
	w := Start(t, clock.Setup)
	refresh := func(token string) Answer {
		return w.Do("POST", "/v1/oauth2/refresh", "", map[string]string{"refresh_token": token})
	}
	alive := func(access string) int { return w.Do("GET", "/v1/auth/load", access, nil).Status }

	first := w.SignIn(w.Admin.Email)
	second := w.session(refresh(first.Refresh))
	if second.Refresh == first.Refresh || second.Type != "bearer" || alive(second.Access) != 200 || alive(first.Access) != 200 {
		t.Errorf("%+v after %+v", second, first)
	}
	clock.Move(9 * time.Second)
	if again := w.session(refresh(first.Refresh)); again.Refresh != second.Refresh {
		t.Error("a lost answer was not given again")
	}
	third := w.session(refresh(second.Refresh))
	clock.Move(11 * time.Second)
	other := w.SignIn(w.Admin.Email)
	if a := refresh(second.Refresh); a.Status != 401 || string(a.Body) != wrongCredential {
		t.Errorf("reuse: %d %s", a.Status, a.Body)
	}
	if a := refresh(third.Refresh); a.Status != 401 {
		t.Errorf("the newest after a reuse: %d %s", a.Status, a.Body)
	}
	if alive(third.Access) != 401 || alive(other.Access) != 200 {
		t.Error("a reuse ends its own family, and no other")
	}
	clock.Move(15 * time.Minute)
	if alive(other.Access) != 401 {
		t.Error("an access token outlived 15 minutes")
	}
	other = w.session(refresh(other.Refresh))
	if alive(other.Access) != 200 {
		t.Error("a refresh after the access token's end")
	}
	for _, c := range []struct {
		body   string
		status int
		text   string
	}{
		{`{}`, 422, `{"detail":[{"type":"missing","loc":["body","refresh_token"],"msg":"Field required","input":{}}]}`},
		{``, 422, `{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]}`},
		{`{"refresh_token":null}`, 422, `"type":"string_type"`},
		{`{"refresh_token":123456}`, 422, `"input":"**********"`},
		{`{"refresh_token":""}`, 401, wrongCredential},
		{`{"refresh_token":"` + other.Refresh + `x"}`, 401, wrongCredential},
		{`{"refresh_token":"` + other.Access + `"}`, 401, wrongCredential},
		{`{"refresh_token":"` + w.Admin.Token + `"}`, 401, wrongCredential},
	} {
		a := w.Do("POST", "/v1/oauth2/refresh", "", c.body)
		if a.Status != c.status || !strings.Contains(string(a.Body), c.text) {
			t.Errorf("%.60s: %d %s", c.body, a.Status, a.Body)
		}
	}
	if a := w.Do("GET", "/v1/portal", other.Refresh, nil); a.Status != 401 {
		t.Errorf("a refresh token as a credential: %d", a.Status)
	}
}

// TestLoad checks the very form of GET /v1/auth/load, and switching.
func TestLoad(t *testing.T) {
	t.Parallel()
	w := Start(t)
	session := w.SignIn(w.Insider.Email)
	acme := `{"id":"` + w.Acme.ID + `","name":"Acme","kind":"production","role":"admin"}`
	sandbox := `{"id":"` + w.Sandbox.ID + `","name":"Acme sandbox","kind":"sandbox","role":"admin"}`
	want := `{"user":{"id":"` + w.Insider.ID + `","name":"","email":"insider@acme.example.com","organization_id":"` + w.Acme.ID +
		`","organization_name":"Acme","role":"admin","is_account_owner":false,"is_account_admin":true,"is_portal_user":false,"portal_id":null,"organizations":[` +
		acme + `,` + sandbox + `]},"organization_name":"Acme"}`
	if a := w.Do("GET", "/v1/auth/load", session.Access, nil); a.Status != 200 || string(a.Body) != want {
		t.Errorf("%d %s\nwant %s", a.Status, a.Body, want)
	}
	switched := w.Switch(session.Access, w.Sandbox.ID)
	var loaded struct {
		User struct {
			OrganizationID string `json:"organization_id"`
			PortalID       *string
			IsPortalUser   bool `json:"is_portal_user"`
			Role           string
		}
		OrganizationName string `json:"organization_name"`
	}
	w.Do("GET", "/v1/auth/load", switched.Access, nil).JSON(t, &loaded)
	if loaded.User.OrganizationID != w.Sandbox.ID || loaded.OrganizationName != "Acme sandbox" {
		t.Errorf("after the switch: %+v", loaded)
	}
	w.Do("GET", "/v1/auth/load", w.SignIn(w.Insider.Email).Access, nil).JSON(t, &loaded)
	if loaded.User.OrganizationID != w.Sandbox.ID {
		t.Error("a sign-in leads to another organization than the last used")
	}

	portal := w.Portal("Load")
	w.Invite(w.Admin.Token, portal, w.OtherAdmin.Email)
	guest := w.Switch(w.SignIn(w.OtherAdmin.Email).Access, portal)
	a := w.Do("GET", "/v1/auth/load", guest.Access, nil)
	if !strings.Contains(string(a.Body), `"role":"guest","is_account_owner":false,"is_account_admin":false,"is_portal_user":true,"portal_id":"`+portal+`"`) {
		t.Errorf("a guest: %s", a.Body)
	}
	for _, c := range []struct {
		body   string
		status int
		text   string
	}{
		{`{"id":"` + w.Other.ID + `"}`, 404, `{"detail":"Not found"}`},
		{`{"id":"org_unknown"}`, 404, `{"detail":"Not found"}`},
		{`{"id":""}`, 404, `{"detail":"Not found"}`},
		{`{"id":"\u0000"}`, 404, `{"detail":"Not found"}`},
		{`{"id":5}`, 422, `{"detail":[{"type":"string_type","loc":["body","id"],"msg":"Input should be a valid string","input":5}]}`},
		{`{}`, 422, `{"detail":[{"type":"missing","loc":["body","id"],"msg":"Field required","input":{}}]}`},
	} {
		if a := w.Do("POST", "/v1/auth/switch", session.Access, c.body); a.Status != c.status || string(a.Body) != c.text {
			t.Errorf("switch %s: %d %s", c.body, a.Status, a.Body)
		}
	}
}

type patAnswer struct {
	ID, Name, Token string
	Scopes          []string
	CreatedAt       *string `json:"created_at"`
	ExpiresAt       *string `json:"expires_at"`
	LastUsedAt      *string `json:"last_used_at"`
}

// TestPersonalTokens makes, uses, lists and revokes personal access tokens.
func TestPersonalTokens(t *testing.T) {
	t.Parallel()
	clock := &Clock{}
	clock.Stop(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC))
	w := Start(t, clock.Setup)
	me := w.SignIn(w.Owner.Email).Access
	made := w.Do("POST", "/v1/auth/pats", me, `{"name":" deploy ","expires_in_days":1,"scopes":["portal:read","portal:read"]}`)
	var token patAnswer
	made.JSON(t, &token)
	want := `{"id":"` + token.ID + `","name":"deploy","scopes":["portal:read"],"token":"` + token.Token +
		`","created_at":"2026-07-01T12:00:00Z","expires_at":"2026-07-02T12:00:00Z","last_used_at":null}`
	if made.Status != 200 || string(made.Body) != want || !strings.HasPrefix(token.Token, "portico_pat_") {
		t.Errorf("%d %s\nwant %s", made.Status, made.Body, want)
	}
	use := func(method string) int { return w.Do(method, "/v1/portal", token.Token, `{"name":"x"}`).Status }
	if use("GET") != 200 || use("POST") != 403 {
		t.Error("the token may other than its scope says")
	}
	list := func() []patAnswer {
		var all []patAnswer
		a := w.Do("GET", "/v1/auth/pats", me, nil)
		a.JSON(t, &all)
		if strings.Contains(string(a.Body), "portico_pat_") || !strings.Contains(string(a.Body), `"token":null`) {
			t.Errorf("a token is shown twice: %s", a.Body)
		}
		return all
	}
	if all := list(); len(all) != 2 || all[1].ID != token.ID || all[1].LastUsedAt == nil || all[0].Scopes != nil {
		t.Errorf("%+v", all)
	}
	clock.Move(24*time.Hour - time.Second)
	if use("GET") != 200 {
		t.Error("the token ended early")
	}
	clock.Move(time.Second)
	if a := w.Do("GET", "/v1/portal", token.Token, nil); a.Status != 401 || string(a.Body) != wrongCredential {
		t.Errorf("an expired token: %d %s", a.Status, a.Body)
	}
	me = w.SignIn(w.Owner.Email).Access
	for _, c := range []struct {
		token  string
		status int
	}{{w.SignIn(w.Admin.Email).Access, 404}, {me, 200}, {me, 404}} {
		if a := w.Do("DELETE", "/v1/auth/pats/"+token.ID, c.token, nil); a.Status != c.status {
			t.Errorf("revoke: %d %s, want %d", a.Status, a.Body, c.status)
		}
	}
	for _, c := range []struct{ body, text string }{
		{`{}`, `{"detail":[{"type":"missing","loc":["body","name"],"msg":"Field required","input":{}}]}`},
		{`{"name":"a","expires_in_days":0}`, `{"detail":[{"type":"greater_than_equal","loc":["body","expires_in_days"],"msg":"Input should be greater than or equal to 1","input":0,"ctx":{"ge":1}}]}`},
		{`{"name":"a","expires_in_days":1.5}`, `"int_from_float"`},
		{`{"name":"a","expires_in_days":"x"}`, `"int_parsing"`},
		{`{"name":"a","expires_in_days":[]}`, `"int_type"`},
		{`{"name":"a","expires_in_days":99999999999999999999}`, `"input":99999999999999999999,"ctx":{"le":3650}`},
		{`{"name":"a","scopes":"portal:read"}`, `"list_type"`},
		{`{"name":"a","scopes":["portal:read",5,"root"]}`, `"loc":["body","scopes",1]`},
		{`{"name":"a","scopes":["root"]}`, `{"type":"value_error","loc":["body","scopes",0]`},
		{`{"name":" "}`, `"value_error"`},
	} {
		if a := w.Do("POST", "/v1/auth/pats", me, c.body); a.Status != 422 || !strings.Contains(string(a.Body), c.text) {
			t.Errorf("%s: %d %s", c.body, a.Status, a.Body)
		}
	}
}

// TestRevocation checks that what is taken from somebody is gone at the next
// request, whatever their credential.
func TestRevocation(t *testing.T) {
	t.Parallel()
	w := Start(t)
	session := w.SignIn(w.Admin.Email)
	other := w.SignIn(w.Admin.Email)
	both := func(what string, want int) {
		t.Helper()
		for _, token := range []string{w.Admin.Token, other.Access} {
			if a := w.Do("GET", "/v1/portal", token, nil); a.Status != want {
				t.Errorf("%s: %d %s, want %d", what, a.Status, a.Body, want)
			}
		}
	}
	if a := w.Do("POST", "/v1/auth/logout", session.Access, nil); a.Status != 204 || len(a.Body) != 0 || a.Header.Get("X-Request-Id") == "" {
		t.Errorf("logout: %d %s", a.Status, a.Body)
	}
	if a := w.Do("GET", "/v1/auth/load", session.Access, nil); a.Status != 401 || string(a.Body) != wrongCredential {
		t.Errorf("after logout: %d %s", a.Status, a.Body)
	}
	if a := w.Do("POST", "/v1/oauth2/refresh", "", map[string]string{"refresh_token": session.Refresh}); a.Status != 401 {
		t.Errorf("refresh after logout: %d %s", a.Status, a.Body)
	}
	both("another session's logout", 200)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(w.Node.Control.SetRole(t.Context(), w.Acme.ID, w.Admin.Email, portico.Member))
	both("demoted", 403)
	check(w.Node.Control.SetRole(t.Context(), w.Acme.ID, w.Admin.Email, portico.Owner))
	both("promoted again", 200)
	check(w.Node.Control.SuspendOrganization(t.Context(), w.Acme.ID))
	both("suspended", 403)
	check(w.Node.Control.ActivateOrganization(t.Context(), w.Acme.ID))
	both("active again", 200)
	check(w.Node.Control.RemoveMember(t.Context(), w.Acme.ID, w.Admin.Email))
	for _, token := range []string{w.Admin.Token, other.Access} {
		if a := w.Do("GET", "/v1/portal", token, nil); a.Status != 401 && a.Status != 403 {
			t.Errorf("removed: %d %s", a.Status, a.Body)
		}
	}
}

// TestRoutes checks that the list of routes names each scope.
func TestRoutes(t *testing.T) {
	t.Parallel()
	w := Start(t)
	var routes []struct {
		Method, Path string
		Scope        *string
	}
	a := w.Do("GET", "/v1/routes", w.Member.Token, nil)
	a.JSON(t, &routes)
	for _, r := range routes {
		inGroup := strings.HasPrefix(r.Path, "/v1/portal")
		if inGroup != (r.Scope != nil) || !json.Valid(a.Body) {
			t.Errorf("%s %s: scope %v", r.Method, r.Path, r.Scope)
		}
	}
	if a := w.Do("GET", "/v1/status", "bad", nil); a.Status != http.StatusOK || string(a.Body) != `{"status":"ok"}` {
		t.Errorf("status: %d %s", a.Status, a.Body)
	}
}
