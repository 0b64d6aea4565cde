package attacks

import (
	"fmt"
	"net/url"
	"strings"
)

func paths() []attack {
	return []attack{
		{"A09 ids that are paths", idsThatArePaths},
		{"A10 ids that are SQL", idsThatAreSQL},
		{"A11 ids of what is no portal", idsOfOthers},
		{"A12 methods in disguise", methods},
		{"A16 other spellings of a path", pathVariants},
		{"A17 a flood of parameters", parameterFlood},
	}
}

// nowhere sends an id, as it is written into the target, to each place that
// takes one. Nobody is there.
func (a *arena) nowhere(session, portal, id string) {
	a.Helper()
	for _, request := range []string{
		a.request("GET", "/v1/portal/"+id, ""), a.request("PATCH", "/v1/portal/"+id, `{"name":"taken"}`), a.request("DELETE", "/v1/portal/"+id, ""),
		a.request("POST", "/v1/portal/"+id+"/users", `{"users":["a@example.com"]}`), a.request("GET", "/v1/portal/"+id+"/users", ""),
		a.request("DELETE", "/v1/portal/"+id+"/users/"+a.Admin.ID, ""), a.request("DELETE", "/v1/portal/"+portal+"/users/"+id, ""),
		strings.Replace(a.request("DELETE", "/v1/auth/pats/"+id, ""), a.Admin.Token, session, 1),
	} {
		answers, _ := a.raw(request, 1)
		line, _, _ := strings.Cut(request, "\r\n")
		switch {
		case len(answers) != 1:
			a.Errorf("%.200q: no answer", line)
		case answers[0].Status == 414 && len(id) > 8<<10, answers[0].Status == 400 && strings.ContainsAny(line, "\x00\x7f%"):
		case answers[0].Status != 404 && answers[0].Status != 405:
			a.Errorf("%.200q: %d %.200s", line, answers[0].Status, answers[0].Body)
		}
	}
}

func idsThatArePaths(a *arena) {
	token, portal := a.session(a.Admin), a.portalNamed("Paths")
	raw := strings.TrimPrefix(portal, "port_")
	for _, id := range []string{
		"..", ".", "%2e%2e", "%2e%2e%2f", "..%2f..%2fregistry.db", "..\\", "..%5c", "%2fetc%2fpasswd", "/etc/passwd", "a/b", "CON", "NUL.db", "%00", portal + "%00", portal + "%00.db",
		"registry", "registry.db", "secret.key", "portals", "template", "p_" + raw + "_g1", "p_" + raw + "_g1.db", portal + ".db", portal + "/..", portal + "%2f..", "..%2f" + portal, "x/../" + portal,
		strings.Repeat("a", 10_000), strings.Repeat("a", 4_000), "port_" + strings.Repeat("٣", 26), "port_" + strings.Repeat("%D9%A3", 26),
		strings.ToUpper(portal), "PORT_" + raw, "port_" + strings.ToUpper(raw), portal + "x", portal[:len(portal)-1], "%20" + portal, portal + "%20", portal + "%0a",
		"port_" + strings.Repeat("0", 26), "~", "%", "%zz", "*", "-", "null", "undefined", "%EF%BB%BF" + portal, "%ff%fe",
	} {
		a.nowhere(token, portal, id)
	}
	a.expect(200, "GET", "/v1/portal/"+portal, a.Admin.Token, nil)
}

func idsThatAreSQL(a *arena) {
	token := a.session(a.Admin)
	portal := a.portalNamed("SQL")
	for _, id := range []string{
		`x"; DROP DATABASE y;--`, `x'; DROP TABLE portals;--`, `' OR '1'='1`, `' OR 1=1--`, `port_' UNION SELECT * FROM credentials--`, portal + `' --`, portal + `"`, `%' OR '%'='`, `_%`, `%`,
		"template1", "postgres", "template0", "main", "temp", "sqlite_master", "portico", `"portals"`, "$1", "?", ":id", portal + "; ATTACH DATABASE 'x' AS y",
	} {
		a.nowhere(token, portal, url.PathEscape(id))
		for _, path := range []string{"/v1/portal", "/v1/portal/" + portal + "/users"} {
			answer := a.expect(200, "GET", path+"?q="+url.QueryEscape(id), a.Admin.Token, nil)
			if strings.Contains(string(answer.Body), "argon2") {
				a.Errorf("%s: %s", id, answer.Body)
			}
			a.expect(422, "GET", path+"?cursor="+url.QueryEscape(id), a.Admin.Token, nil)
		}
		a.expect(404, "POST", "/v1/auth/switch", token, map[string]string{"id": id})
	}
	// A search takes its signs as signs: nothing holds a percent sign.
	for _, q := range []string{"%", "_", `\`, "%%", `\%`} {
		if answer := a.expect(200, "GET", "/v1/portal?q="+url.QueryEscape(q+"\u00a7"), a.Admin.Token, nil); string(answer.Body) != "[]" {
			a.Errorf("the search for %s found %s", q, answer.Body)
		}
	}
}

func idsOfOthers(a *arena) {
	token := a.session(a.Admin)
	portal := a.portalNamed("Mine")
	var epoch string
	for key, value := range a.before {
		if strings.Contains(key, "meta epoch") {
			epoch = value[strings.Index(value, "value=")+6:]
		}
	}
	for _, id := range []string{
		a.Acme.ID, a.Other.ID, a.Sandbox.ID, a.Admin.ID, a.Owner.ID, "registry", "meta", strings.TrimSpace(epoch), "port_" + strings.TrimPrefix(a.Acme.ID, "org_"),
		"org_" + strings.TrimPrefix(portal, "port_"), "operator", "system",
	} {
		a.nowhere(token, portal, url.PathEscape(id))
	}
	a.expect(404, "POST", "/v1/auth/switch", token, map[string]string{"id": portal})
	a.expect(404, "POST", "/v1/auth/switch", token, map[string]string{"id": a.Other.ID})
}

func methods(a *arena) {
	portal := a.portalNamed("Methods")
	target := "/v1/portal/" + portal
	for _, header := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Http-Method-Override"} {
		a.expect(200, "GET", target, a.Admin.Token, nil, header, "DELETE")
		a.expect(405, "POST", target, a.Admin.Token, `{}`, header, "DELETE")
		a.expect(405, "POST", target, a.Admin.Token, `{"name":"over"}`, header, "PATCH")
	}
	a.expect(200, "GET", target+"?_method=DELETE&method=DELETE", a.Admin.Token, nil)
	a.expect(405, "POST", target, a.Admin.Token, "_method=DELETE", "Content-Type", "application/x-www-form-urlencoded")
	for _, method := range []string{"TRACE", "TRACK", "PUT", "OPTIONS", "HEAD", "FOO", "get", "Delete", "PROPFIND", "PURGE", "DEBUG", "M-SEARCH", "DELETE2"} {
		for _, path := range []string{"/v1/portal", target, target + "/users", target + "/users/" + a.Admin.ID, "/v1/auth/load", "/v1/oauth2/login", "/v1/status", "/v1/routes"} {
			answers, _ := a.raw(a.request(method, path, "", "Connection: close"), 1)
			if len(answers) != 1 || answers[0].Status != 405 || answers[0].Header.Get("Allow") == "" {
				a.Errorf("%s %s: %v", method, path, fmt.Sprintf("%.300v", answers))
			}
		}
	}
	for _, line := range []string{"CONNECT 127.0.0.1:22", "CONNECT /v1/portal", "TRACE *", "OPTIONS *", "GET http://elsewhere.example/v1/portal/" + portal} {
		method, goal, _ := strings.Cut(line, " ")
		if answers, _ := a.raw(a.request(method, goal, "", "Connection: close"), 1); len(answers) == 1 && answers[0].Status < 400 && method != "OPTIONS" && method != "GET" {
			a.Errorf("%s: %d", line, answers[0].Status)
		}
	}
	a.expect(200, "GET", target, a.Admin.Token, nil)
}

func pathVariants(a *arena) {
	portal := a.portalNamed("Variants")
	for _, path := range []string{
		"//v1//portal", "/v1//portal", "//v1/portal", "/v1/portal/", "/V1/portal", "/v1/Portal", "/v1/PORTAL/" + portal, "/v1/portal;jsessionid=1", "/v1/portal;/", "/v1/portal/.", "/v1/./portal",
		"/v1/x/../portal", "/v1/portal/..", "/v1%2fportal", "/v1/portal%2f" + portal, "/v1/portal%2F" + portal, "/v1/portal%20", "/v1/portal%00", "/v1/portal%0d%0a", "/v1\\portal",
		"/v1/portal/" + portal + "/", "/v1/portal/" + portal + "//users", "/v1/portal/" + portal + "/users/", "/v1/portal/" + portal + "/Users", "/v1/portal/" + portal + ".json", "/v1/portal.json",
		"/v1/portal/" + portal + ";a=b", "/v1/portal/" + portal + "/users/..", "/v1/portal/" + portal + "/%2e%2e", "/v1/portal/" + portal + "%3fx", "/v1/portal/" + portal + "%23", "/v2/portal", "/api/v1/portal",
		"/v1/portal/../portal", "/v1/status/../portal", "/v1/status/..%2fportal", "/v1/status/%2e%2e/portal", "/v1/oauth2/login/../../portal", "/.", "/..", "/v1", "/.well-known/", "/favicon.ico",
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "PATCH"} {
			for _, authorized := range []bool{true, false} {
				request := a.request(method, path, `{"name":"variant"}`)
				if !authorized {
					request = strings.Replace(request, "Authorization: Bearer "+a.Admin.Token+"\r\n", "", 1)
				}
				answers, _ := a.raw(request, 1)
				if len(answers) != 1 {
					a.Errorf("%s %s: no answer", method, path)
					continue
				}
				// A portal's id with something behind it is an id, of no portal.
				id := strings.HasPrefix(path, "/v1/portal/"+portal) && (answers[0].Status == 405 || answers[0].Status == 401 && !authorized)
				malformed := answers[0].Status == 400 && strings.ContainsAny(path, "\\%")
				if answers[0].Status != 404 && !id && !malformed {
					a.Errorf("%s %s (authorized: %v): %d %.200s", method, path, authorized, answers[0].Status, answers[0].Body)
				}
				if answers[0].Header.Get("Location") != "" {
					a.Errorf("%s %s leads to %s", method, path, answers[0].Header.Get("Location"))
				}
			}
		}
	}
	sameSpelling(a, portal)
}

// sameSpelling: a letter may be percent-encoded (RFC 3986 6.2.2.2). That is the
// same path, to the routes and to authorization alike.
func sameSpelling(a *arena, portal string) {
	a.Helper()
	for _, path := range []string{"/%76%31/portal", "/v1/%70ortal", "/v1/portal/%70" + portal[1:], "/v1/portal/" + portal + "/%75sers"} {
		a.expect(401, "GET", path, "", nil)
		a.expect(403, "GET", path, a.Member.Token, nil)
		a.expect(200, "GET", path, a.Admin.Token, nil)
	}
}

func parameterFlood(a *arena) {
	portal := a.portalNamed("Flood")
	for _, path := range []string{"/v1/portal", "/v1/portal/" + portal + "/users", "/v1/status", "/nowhere"} {
		for _, query := range []string{
			strings.Repeat("a=b&", 10_000), strings.Repeat("&", 10_000), strings.Repeat("&", 5_000), strings.Repeat("limit=1&", 500), strings.Repeat("limit=1;", 5_000), "q=" + strings.Repeat("x", 10_000),
			strings.Repeat("%26", 4_000), strings.Repeat("a[b]=c&", 1_000),
		} {
			if answer := a.do("GET", path+"?"+query, a.Admin.Token, nil); answer.Status != 400 && answer.Status != 414 && answer.Status != 431 {
				a.Errorf("%s?%.20s: %d", path, query, answer.Status)
			}
		}
		if answer := a.do("GET", path+strings.Repeat("/a", 10_000), a.Admin.Token, nil); answer.Status != 414 && answer.Status != 404 {
			a.Errorf("%s/a/a…: %d", path, answer.Status)
		}
	}
	for _, count := range []int{100, 1_000} {
		answers, _ := a.raw(a.request("GET", "/v1/portal", "", strings.TrimSuffix(strings.Repeat("X-Flood: "+strings.Repeat("x", 60)+"\r\n", count), "\r\n")), 1)
		if len(answers) != 1 || (count == 1_000) != (answers[0].Status == 431) {
			a.Errorf("%d fields: %.200s", count, fmt.Sprint(answers))
		}
	}
}
