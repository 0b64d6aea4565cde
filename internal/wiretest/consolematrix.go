package wiretest

import (
	"net/http"
	"net/url"
	"strings"
)

// ConsoleRow is a row of the authorization matrix for a route of the console:
// the status by who is signed in. Who is not is sent to sign in, unless the row
// says otherwise.
type ConsoleRow struct {
	Method, Path string
	Form         string // of a POST, encoded
	Operation    string // of the matrix, by whose cells it is judged in place of what follows
	None         int    // nobody signed in; 0: sent to sign in
	Admin        int    // an owner or admin of a production organization
	Manager      int    // of a sandbox
	Member       int    // anybody else
}

// ConsoleRows returns the rows of every route of the console.
func ConsoleRows() []ConsoleRow {
	const ok, done, no, gone = http.StatusOK, http.StatusSeeOther, http.StatusForbidden, http.StatusNotFound
	portal := "/portals/{portal}"
	rows := []ConsoleRow{
		{Method: "POST", Path: "/portals", Form: "name=Cell", Operation: "C"},
		{Method: "GET", Path: "/portals", Operation: "P"},
		{Method: "GET", Path: portal + "/settings", Operation: "G"},
		{Method: "POST", Path: portal + "/settings", Form: "name=Cell", Operation: "U"},
		{Method: "POST", Path: portal + "/delete", Form: "confirm=Cell", Operation: "D"},
		{Method: "POST", Path: portal + "/invite", Form: "list=cell@example.com", Operation: "I"},
		{Method: "GET", Path: portal + "/guests.csv", Operation: "L"},
		{Method: "POST", Path: portal + "/guests/{user}/remove", Operation: "R"},

		{Method: "GET", Path: "/{$}", Admin: done, Manager: done, Member: done},
		{Method: "GET", Path: "/sign-in", None: ok, Admin: ok, Manager: ok, Member: ok},
		{Method: "POST", Path: "/sign-in", Form: "email=nobody@example.com&password=x", None: 401, Admin: 401, Manager: 401, Member: 401},
		{Method: "GET", Path: "/setup/{token}", None: gone, Admin: gone, Manager: gone, Member: gone},
		{Method: "POST", Path: "/setup/{token}", None: gone, Admin: gone, Manager: gone, Member: gone},
		{Method: "POST", Path: "/session/token", Admin: ok, Manager: ok, Member: ok},
		{Method: "GET", Path: "/organizations", Admin: ok, Manager: ok, Member: ok},
		{Method: "POST", Path: "/organizations", Form: "id=org_unknown", Admin: gone, Manager: gone, Member: gone},
		{Method: "GET", Path: "/tokens", Admin: ok, Manager: ok, Member: ok},
		{Method: "POST", Path: "/tokens", Form: "name=cell", Admin: ok, Manager: ok, Member: ok},
		{Method: "POST", Path: "/tokens/{token}/revoke", Admin: gone, Manager: gone, Member: gone},
		{Method: "GET", Path: "/members", Admin: ok, Manager: ok, Member: no},
		{Method: "POST", Path: "/members", Form: "email=nobody&role=member", Admin: 422, Manager: 422, Member: no},
		{Method: "POST", Path: "/members/invitations/{invitation}/resend", Admin: gone, Manager: gone, Member: no},
		{Method: "POST", Path: "/members/invitations/{invitation}/revoke", Admin: gone, Manager: gone, Member: no},
		{Method: "POST", Path: "/members/{user}", Form: "role=member", Admin: gone, Manager: gone, Member: no},
		{Method: "POST", Path: "/members/{user}/remove", Admin: gone, Manager: gone, Member: no},
		{Method: "GET", Path: "/audit", Admin: ok, Manager: ok, Member: no},
		{Method: "GET", Path: "/audit.csv", Admin: ok, Manager: ok, Member: no},
		{Method: "GET", Path: portal, Admin: done, Manager: no, Member: no},
	}
	for path, status := range map[string]int{
		"/new": ok, "/{portal}/creation": ok, "/{portal}/guests": ok, "/{portal}/activity": ok, "/{portal}/api": ok, "/{portal}/invite": ok,
		"/{portal}/imports/{import}": gone, "/{portal}/imports/{import}/result.csv": gone,
	} {
		rows = append(rows, ConsoleRow{Method: "GET", Path: "/portals" + path, Admin: status, Manager: no, Member: no})
	}
	for _, path := range []string{
		"/imports/{import}/send", "/imports/{import}/again", "/imports/{import}/discard",
		"/invitations/{invitation}/resend", "/invitations/{invitation}/revoke",
	} {
		rows = append(rows, ConsoleRow{Method: "POST", Path: portal + path, Admin: gone, Manager: no, Member: no})
	}
	// The last one ends the session.
	return append(rows, ConsoleRow{Method: "POST", Path: "/sign-out", None: done, Admin: done, Manager: done, Member: done})
}

// Want returns the status of a row for a role at the console: "none", "admin",
// "manager" or "member". The API's status is what the matrix says, for a row
// that it judges.
func (r ConsoleRow) Want(role string, api int) int {
	if r.Operation == "" {
		return map[string]int{"none": r.None, "admin": r.Admin, "manager": r.Manager, "member": r.Member}[role]
	}
	switch {
	case api == http.StatusUnauthorized:
		return 0
	case api < 300 && r.Method == http.MethodPost:
		return http.StatusSeeOther
	}
	return api
}

// Form sends a form of the console, or opens a page of it, with a cookie, as a
// browser does that shows a page of the same origin.
func (w *World) Form(client *http.Client, method, path, form, cookie string, headers ...string) Answer {
	w.T.Helper()
	var body any
	if method == http.MethodPost {
		body = form
		headers = append([]string{"Origin", w.URL, "Content-Type", "application/x-www-form-urlencoded"}, headers...)
	}
	if cookie != "" {
		headers = append(headers, "Cookie", cookie)
	}
	a, err := Send(client, w.URL, method, path, "", body, headers...)
	if err != nil {
		w.T.Fatal(err)
	}
	return a
}

// Console signs somebody in to the console and returns the cookie, as it is
// sent back.
func (w *World) Console(client *http.Client, email string) string {
	w.T.Helper()
	a := w.Form(client, "POST", "/sign-in", url.Values{"email": {email}, "password": {Password}}.Encode(), "")
	cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
	if a.Status != http.StatusSeeOther || cookie == "" {
		w.T.Fatalf("%s does not get into the console: %d", email, a.Status)
	}
	return cookie
}
