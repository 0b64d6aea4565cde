package attacks

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"portico"
	"portico/internal/auth"
	"portico/internal/node"
	"portico/internal/store"
	"portico/internal/wiretest"
)

func consoles() []attack {
	return []attack{
		{"A28 the last administrators, at once", lastAdministrators},
		{"A64 a table that is a formula in a spreadsheet", formulas},
		{"A52 a stolen copy and the console", stolenConsole},
		{"A65 a cookie that was set before the console", consoleFixation},
		{"A66 the console's cookie", consoleCookie},
		{"A67 a form of the console from elsewhere", foreignConsoleForms},
		{"A68 the console in a frame", framedConsole},
		{"A94 the console in the metrics", consoleMetrics},
		{"A95 what the console's errors tell", consoleErrors},
	}
}

// page sends a request to the console over the case's own connections.
func (a *arena) page(method, path, form, cookie string, headers ...string) wiretest.Answer {
	a.Helper()
	a.client.Jar = nil
	answer := a.Form(a.client, method, path, form, cookie, headers...)
	a.judge(answer)
	return answer
}

// console signs somebody in, which is anybody's right.
func (a *arena) console(who wiretest.Person) (cookie string) {
	a.Helper()
	a.client.Jar = nil
	a.legit(func() { cookie = a.Console(a.client, who.Email) })
	return cookie
}

func lastAdministrators(a *arena) {
	for round := range size(4, 50) {
		a.legit(func() { a.demoteEachOther(round) })
	}
}

func (a *arena) demoteEachOther(round int) {
	a.Helper()
	o := a.Organization(fmt.Sprintf("Pair %d", round), portico.Production, "")
	pair := [2]wiretest.Person{a.Person("one@pair.example.com", o, portico.Owner), a.Person("two@pair.example.com", o, portico.Owner)}
	calls := [][2]string{{"PATCH", `{"role":"member"}`}, {"DELETE", ""}, {"PATCH", `{"role":"member"}`}}
	var all sync.WaitGroup
	for _, call := range calls {
		for i := range pair {
			all.Go(func() {
				var body any
				if call[1] != "" {
					body = call[1]
				}
				answer, err := wiretest.Send(a.client, a.URL, call[0], "/v1/members/"+pair[(i+round)%2].ID, pair[i].Token, body)
				if err != nil {
					a.Error(err)
					return
				}
				a.judge(answer)
			})
		}
	}
	all.Wait()
	left := 0
	for _, p := range pair {
		if answer := a.do("GET", "/v1/members", p.Token, nil); answer.Status == http.StatusOK {
			left++
		}
	}
	if left == 0 {
		a.Errorf("round %d: the organization has no administrator", round)
	}
}

func formulas(a *arena) {
	cookie, portal := a.console(a.Admin), a.portalNamed("=cmd|' /C calc'!A0")
	a.legit(func() {
		var users []map[string]string
		for i, name := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "|x", "%00", "a\n=1", `=HYPERLINK("https://evil.example")`} {
			users = append(users, map[string]string{"email": fmt.Sprintf("=%d@example.com", i), "first_name": name, "last_name": name})
		}
		a.expect(201, "POST", "/v1/portal/"+portal+"/users", a.Admin.Token, map[string]any{"users": users})
		a.page("POST", "/portals/"+portal+"/invite", url.Values{"list": {"email,name\n=1+1,=2+2\n@x,+3\n"}}.Encode(), cookie)
	})
	var imports []string
	for part := range strings.SplitSeq(string(a.page("GET", "/portals/"+portal+"/guests", "", cookie).Body), `href="`) {
		if path, _, _ := strings.Cut(part, `"`); strings.Contains(path, "/imports/") {
			imports = append(imports, path+"/result.csv")
		}
	}
	if len(imports) != 1 {
		a.Fatalf("imports: %v", imports)
	}
	for _, path := range append(imports, "/portals/"+portal+"/guests.csv", "/audit.csv") {
		got := a.page("GET", path, "", cookie)
		rows, err := csv.NewReader(strings.NewReader(string(got.Body))).ReadAll()
		if err != nil || got.Status != http.StatusOK || len(rows) < 3 || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/csv") || !strings.HasPrefix(got.Header.Get("Content-Disposition"), "attachment") {
			a.Fatalf("%s: %d %v %v, %d rows", path, got.Status, got.Header, err, len(rows))
		}
		for _, row := range rows {
			for _, cell := range row {
				if strings.ContainsAny(cell[:min(len(cell), 1)], "=+-@\t\r\n|%") {
					a.Errorf("%s: the cell %q is a formula", path, cell)
				}
			}
		}
	}
}

// stolenConsole searches everything on the disk, and the log, for what would
// let its reader into the console.
func stolenConsole(a *arena) {
	own := newArena(a.T)
	base := own.begin()
	cookie := own.console(own.Admin)
	_, value, _ := strings.Cut(cookie, "=")
	_, code, _ := strings.Cut(value, ".")
	var link string
	own.legit(func() {
		err := own.Node.Store.Update(own.Context(), func(tx *store.Tx) (err error) {
			for _, m := range []wiretest.Person{own.Admin, own.Owner, own.Insider, own.OtherAdmin} {
				for _, o := range []portico.Organization{own.Acme, own.Other} {
					_, failed := tx.SetRole(o.ID, m.ID, portico.Member, portico.OperatorActor)
					err = errors.Join(err, failed)
				}
			}
			return err
		})
		if err != nil {
			own.Fatal(err)
		}
		if link, err = own.Node.Control.NewSetupLink(own.Context()); err != nil {
			own.Fatal(err)
		}
	})
	token := link[strings.LastIndexByte(link, '/')+1:]
	if got := own.page("GET", "/setup/"+token, "", ""); got.Status != http.StatusOK {
		own.Errorf("the link: %d", got.Status)
	}
	for where, what := range own.onDisk(needles([]string{value, code, token, strings.TrimPrefix(token, string(auth.SetupToken))})) {
		own.Errorf("%s holds %s", where, what)
	}
	if log := own.log.take(); strings.Contains(log, token) || strings.Contains(log, code) {
		own.Error("the log holds a setup link or a cookie")
	}
	hash, err := auth.SetupToken.Hash(token)
	if err != nil {
		own.Fatal(err)
	}
	for _, guess := range []string{hash, token[:len(token)-1], token + "0", strings.ToUpper(token), string(auth.SetupToken) + hash[:49]} {
		if got := own.page("GET", "/setup/"+guess, "", ""); got.Status != http.StatusNotFound {
			own.Errorf("/setup/%s: %d", guess, got.Status)
		}
	}
	session, _, _ := strings.Cut(value, ".")
	for _, guess := range []string{session, session + ".", session + "." + code[1:], session + "." + code + "=", session + "x." + code, "." + code} {
		own.meetsSignIn("a cookie "+guess, "portico_console="+guess)
	}
	own.end(base)
	own.Node.Close()
}

// meetsSignIn fails unless a cookie is worth nothing.
func (a *arena) meetsSignIn(what, cookie string) {
	a.Helper()
	if got := a.page("GET", "/portals", "", cookie); got.Status != http.StatusSeeOther || !strings.HasPrefix(got.Header.Get("Location"), "/sign-in") {
		a.Errorf("%s: %d to %q", what, got.Status, got.Header.Get("Location"))
	}
}

func setCookie(answer wiretest.Answer) string {
	cookie, _, _ := strings.Cut(answer.Header.Get("Set-Cookie"), ";")
	return cookie
}

func consoleFixation(a *arena) {
	planted := a.console(a.Member)
	form := url.Values{"email": {a.Admin.Email}, "password": {wiretest.Password}}.Encode()
	a.legit(func() {
		next := setCookie(a.page("POST", "/sign-in", form, planted))
		if next == "" || next == planted {
			a.Errorf("the sign-in keeps the cookie that it came with: %q", next)
		}
		a.meetsSignIn("the planted cookie", planted)
		made := setCookie(a.page("POST", "/sign-in", form, "portico_console=sess_06h0k1tddk004u7h0ab9tvf9s8.AAAA"))
		if made == "" || strings.Contains(made, "sess_06h0k1tddk004u7h0ab9tvf9s8") {
			a.Errorf("a made-up cookie was taken: %q", made)
		}
		insider := a.Console(a.client, a.Insider.Email)
		switched := setCookie(a.page("POST", "/organizations", "id="+a.Sandbox.ID, insider))
		if switched == "" || switched == insider {
			a.Errorf("the switch keeps its session: %q", switched)
		}
		a.meetsSignIn("the cookie before the switch", insider)
		a.meetsSignIn("two cookies", switched+"; "+switched)
		a.page("POST", "/sign-out", "", switched)
		a.meetsSignIn("the cookie after signing out", switched)
	})
}

// consoleCookie is the case's own server, reached from outside by https.
func consoleCookie(a *arena) {
	own := newArena(a.T, func(c *node.Config, _ *node.Options) {
		c.PublicURL, c.PortalDomain = "https://portals.example.com", "portals.example.com"
	})
	own.URL = "http://" + own.Node.Addr()
	base := own.begin()
	form := url.Values{"email": {own.Admin.Email}, "password": {wiretest.Password}}.Encode()
	var cookie string
	own.legit(func() {
		head := fmt.Sprintf("Host: portals.example.com\r\nConnection: close\r\nOrigin: https://portals.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\nContent-Length: %d\r\n\r\n", len(form))
		answers, _ := own.raw("POST /sign-in HTTP/1.1\r\n"+head+form, 1)
		if len(answers) != 1 || answers[0].Status != http.StatusSeeOther {
			own.Fatalf("sign in: %v", answers)
		}
		cookie = answers[0].Header.Get("Set-Cookie")
	})
	name, rest, _ := strings.Cut(cookie, "=")
	if !strings.HasPrefix(name, "__Host-") || strings.Contains(strings.ToLower(rest), "domain=") {
		own.Errorf("a cookie that other hosts can have: %s", cookie)
	}
	for _, word := range []string{"; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"} {
		if !strings.Contains(rest, word) {
			own.Errorf("a cookie without %s: %s", word, cookie)
		}
	}
	value, _, _ := strings.Cut(rest, ";")
	good := name + "=" + value
	for sent, status := range map[string]int{good: 200, strings.TrimPrefix(good, "__Host-"): 303, good + "; " + good: 303, name + "=tossed; " + good: 303} {
		if got := own.at("portals.example.com", "GET", "/portals", "Cookie: "+sent); got.Status != status {
			own.Errorf("%s: %d, want %d", sent, got.Status, status)
		}
	}
	// It is worth nothing elsewhere, and the API's tokens nothing here.
	own.expect(401, "GET", "/v1/auth/load", value, nil)
	for _, other := range []string{own.Admin.Token, own.signIn(own.Admin).Access} {
		if got := own.at("portals.example.com", "GET", "/portals", "Cookie: "+name+"="+other); got.Status != 303 {
			own.Errorf("a token as a cookie: %d", got.Status)
		}
		if got := own.at("portals.example.com", "GET", "/portals", "Authorization: Bearer "+other); got.Status != 303 {
			own.Errorf("a token at the console: %d", got.Status)
		}
	}
	own.end(base)
	own.Node.Close()
}

func foreignConsoleForms(a *arena) {
	cookie, portal := a.console(a.Owner), a.portalNamed("Console forms")
	host := strings.TrimPrefix(a.URL, "http://")
	elsewhere := map[string][]string{
		"cross-site": {"Sec-Fetch-Site: cross-site"}, "a sibling portal": {"Sec-Fetch-Site: same-site", "Origin: http://console-forms." + host},
		"an old browser at a sibling": {"Origin: http://console-forms." + host}, "Origin null": {"Origin: null"}, "evil": {"Origin: https://evil.example"},
		"nothing": nil, "another port": {"Origin: http://localhost:1"}, "a prefix": {"Origin: " + a.URL + ".evil.example"}, "https": {"Origin: https://" + strings.Split(host, ":")[0]},
	}
	for _, row := range wiretest.ConsoleRows() {
		if row.Method != http.MethodPost {
			continue
		}
		path := strings.NewReplacer("{portal}", portal, "{user}", a.Admin.ID, "{import}", "imp_x", "{invitation}", "inv_x", "{token}", "x").Replace(row.Path)
		post := func(headers []string, kind, body string) []wiretest.Answer {
			headers = append(headers, "Cookie: "+cookie, "Content-Type: "+kind, fmt.Sprint("Content-Length: ", len(body)))
			answers, _ := a.raw("POST "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n"+strings.Join(headers, "\r\n")+"\r\n\r\n"+body, 1)
			return answers
		}
		for what, headers := range elsewhere {
			if answers := post(headers, "application/x-www-form-urlencoded", row.Form); len(answers) != 1 || answers[0].Status != http.StatusForbidden {
				a.Errorf("%s from %s: %v", path, what, answers)
			}
		}
		for _, kind := range []string{"text/plain", "application/json", ""} {
			if answers := post([]string{"Origin: " + a.URL}, kind, `{"id":"`+a.Acme.ID+`"}`); len(answers) != 1 || answers[0].Status != http.StatusUnprocessableEntity {
				a.Errorf("%s as %q: %v", path, kind, answers)
			}
		}
		if answers, _ := a.raw("GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\nCookie: "+cookie+"\r\n\r\n", 1); len(answers) != 1 {
			a.Errorf("GET %s: %v", path, answers)
		}
	}
	a.refusals.Store(0) // they were strangers
}

func framedConsole(a *arena) {
	cookie, portal := a.console(a.Admin), a.portalNamed("Framed console")
	for _, path := range []string{
		"/sign-in", "/portals", "/portals/new", "/portals/" + portal + "/guests", "/portals/" + portal + "/settings", "/portals/" + portal + "/invite",
		"/portals/nowhere/guests", "/tokens", "/members", "/audit", "/organizations", "/setup/x",
	} {
		got := a.page("GET", path, "", cookie)
		policy := got.Header.Get("Content-Security-Policy")
		for _, word := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, word) {
				a.Errorf("%s: the policy has no %s: %q", path, word, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || got.Header.Get("X-Frame-Options") != "DENY" || got.Header.Get("Cache-Control") != "no-store" {
			a.Errorf("%s: %v", path, got.Header)
		}
		if found := inline(got.Body); found != nil {
			a.Errorf("%s has %q", path, found)
		}
	}
	for next, want := range map[string]string{
		"/members": "/members", "//evil.example": "/", "/\\evil.example": "/", "https://evil.example": "/", "javascript:alert(1)": "/",
		"/\tevil": "/", "https:evil": "/", "@evil.example": "/", "": "/", "/%2f/evil": "/", "\n/evil": "/",
	} {
		form := url.Values{"email": {a.Admin.Email}, "password": {wiretest.Password}, "next": {next}}.Encode()
		a.legit(func() {
			got := a.page("POST", "/sign-in", form, "")
			location := got.Header.Get("Location")
			u, err := url.Parse(location)
			if err != nil || got.Status != http.StatusSeeOther || u.Host != "" || u.Scheme != "" || strings.HasPrefix(location, "//") || (want != "/" && location != want) {
				a.Errorf("A36: %q leads to %q", next, location)
			}
		})
	}
}

func consoleMetrics(a *arena) {
	cookie, portal := a.console(a.Admin), a.portalNamed("Metric-Tenant")
	paths := []string{"/portals/" + portal + "/guests", "/portals?q=Metric-Tenant", "/portals/" + portal + "/guests?q=distinctive", "/portals/unheard-of/guests", "/audit?actor=" + a.Admin.ID, "/setup/unheard-of"}
	for _, path := range paths {
		a.page("GET", path, "", cookie)
	}
	before := a.series()
	for range 20 {
		for _, path := range paths {
			a.page("GET", path, "", cookie)
		}
	}
	if after := a.series(); len(after) != len(before) {
		a.Errorf("%d series became %d", len(before), len(after))
	}
	text := a.operation("/metrics")
	if !strings.Contains(text, "/portals/{portal}/guests") {
		a.Error("the console's routes are not counted")
	}
	for _, word := range []string{"etric-Tenant", portal, a.Admin.ID, "distinctive", "unheard-of"} {
		if strings.Contains(text, word) {
			a.Errorf("the metrics tell %q", word)
		}
	}
}

func consoleErrors(a *arena) {
	cookie, portal := a.console(a.Admin), a.portalNamed("Errors of the console")
	long := strings.Repeat("x", 70<<10)
	for _, c := range []struct {
		method, path, form string
		status             int
	}{
		{"GET", "/portals/%00/guests", "", 404},
		{"GET", "/portals/x';--/guests", "", 404},
		{"GET", "/portals/..%2f..%2fetc/guests", "", 404},
		{"GET", "/portals/%ff%fe/settings", "", 404},
		{"GET", "/portals?q=%00%ff&sort=;DROP&page=-99999999999999999999", "", 200},
		{"GET", "/portals?page=999999999", "", 200},
		{"GET", "/portals/" + portal + "/guests?after=x.y&status=nope&q=%00", "", 200},
		{"GET", "/audit?actor=%00&subject=%ff&before=%00", "", 200},
		{"GET", "/audit?from=2026-13-45", "", 422},
		{"GET", "/audit?action=%27%3B--", "", 422},
		{"POST", "/portals", "name=%00", 422},
		{"POST", "/portals", "name=%ff", 422},
		{"POST", "/portals", "name=%zz", 422},
		{"POST", "/portals", "name=" + long, 422},
		{"POST", "/portals", "name=a%E2%80%AEb", 422},
		{"POST", "/portals/" + portal + "/delete", "confirm=", 422},
		{"POST", "/portals/" + portal + "/invite", "list=", 422},
		{"POST", "/portals/" + portal + "/invite", "list=%00%ff", 422},
		{"POST", "/organizations", "id=%00", 404},
		{"POST", "/members/%00", "role=admin", 404},
		{"POST", "/members", "email=%00&role=owner", 422},
		{"POST", "/members/" + a.Member.ID, "role=guest", 422},
		{"POST", "/tokens", "name=x&days=999999999999999999999", 422},
		{"POST", "/tokens/%00/revoke", "", 404},
	} {
		if got := a.page(c.method, c.path, c.form, cookie); got.Status != c.status {
			a.Errorf("%s %.60s %.60s: %d, want %d", c.method, c.path, c.form, got.Status, c.status)
		}
	}
	a.client.Jar = nil
	if got := a.do("PUT", "/portals", "", nil, "Cookie", cookie, "Origin", a.URL); got.Status != http.StatusMethodNotAllowed {
		a.Errorf("PUT: %d", got.Status)
	}
}
