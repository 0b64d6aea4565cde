package attacks

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
)

func lists() []attack {
	return []attack{
		{"A18 page cursors that were not given", cursors},
		{"A19 limits out of bounds", limits},
		{"A20 pages of another origin", origins},
	}
}

// next returns the path and query of the next page, and its cursor.
func (a *arena) next(token, path string) (target, cursor string) {
	a.Helper()
	link := a.expect(200, "GET", path, token, nil).Header.Get("Link")
	target, _, found := strings.Cut(strings.TrimPrefix(link, "<"), `>; rel="next"`)
	u, err := url.Parse(target)
	if !found || err != nil || u.Host != "" || !strings.HasPrefix(target, "/v1/") {
		a.Fatalf("%s: the link is %q", path, link)
	}
	return target, u.Query().Get("cursor")
}

func cursors(a *arena) {
	portal, other := a.portalNamed("One"), a.portalNamed("Two")
	a.portalNamed("Three")
	a.legit(func() {
		for _, id := range []string{portal, other} {
			a.expect(201, "POST", "/v1/portal/"+id+"/users", a.Admin.Token, `{"users":["p1@example.com","p2@example.com","p3@example.com"]}`)
		}
		for _, name := range []string{"A", "B", "C"} {
			a.expect(201, "POST", "/v1/portal", a.OtherAdmin.Token, `{"name":"`+name+`"}`)
		}
	})
	portals, users := "/v1/portal?limit=1", "/v1/portal/"+portal+"/users?limit=1"
	good, of := a.next(a.Admin.Token, portals)
	a.expect(200, "GET", good, a.Admin.Token, nil)
	goodUsers, ofUsers := a.next(a.Admin.Token, users)
	a.expect(200, "GET", goodUsers, a.Admin.Token, nil)
	_, foreign := a.next(a.OtherAdmin.Token, portals)
	_, sibling := a.next(a.Admin.Token, "/v1/portal/"+other+"/users?limit=1")
	refused := func(what, path, cursor, token string) {
		a.Helper()
		answer := a.do("GET", path+"&cursor="+url.QueryEscape(cursor), token, nil)
		if answer.Status != 422 {
			a.Errorf("%s: %d %.200s", what, answer.Status, answer.Body)
		}
	}
	refused("of another organization", portals, foreign, a.Admin.Token)
	refused("taken by another organization", portals, of, a.OtherAdmin.Token)
	refused("of the users", portals, ofUsers, a.Admin.Token)
	refused("of the portals", users, of, a.Admin.Token)
	refused("of another portal", users, sibling, a.Admin.Token)
	refused("with another limit", "/v1/portal?limit=2", of, a.Admin.Token)
	refused("with a search", portals+"&q=a", of, a.Admin.Token)
	refused("with a status", users+"&status=active", ofUsers, a.Admin.Token)
	refused("without a limit", "/v1/portal?", of, a.Admin.Token)
	refused("empty", portals, "", a.Admin.Token)
	refused("twice", portals+"&cursor="+of, "x", a.Admin.Token)
	for i := range len(of) {
		refused(fmt.Sprint("cut at ", i), portals, of[:i], a.Admin.Token)
		edited := []byte(of)
		edited[i] ^= 1
		refused(fmt.Sprint("edited at ", i), portals, string(edited), a.Admin.Token)
	}
	for _, end := range []string{"A", "=", "==", "\n", " ", "%00", ".", of} {
		refused("extended by "+end, portals, of+end, a.Admin.Token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(of)
	if err != nil {
		a.Fatal(err)
	}
	refused("in another alphabet", portals, base64.StdEncoding.EncodeToString(raw)+"=", a.Admin.Token)
	refused("past the end", portals, base64.RawURLEncoding.EncodeToString(append([]byte("\xff\xff\xff\xff\xff\xff\xff\xff"), raw[8:]...)), a.Admin.Token)
	refused("a number", portals, "100", a.Admin.Token)
	refused("SQL", portals, "' OR 1=1--", a.Admin.Token)
	refused("long", portals, strings.Repeat("A", 6_000), a.Admin.Token)
}

func limits(a *arena) {
	portal := a.portalNamed("Limits")
	for _, path := range []string{"/v1/portal", "/v1/portal/" + portal + "/users"} {
		for _, limit := range []string{
			"0", "-1", "-0.5", "1001", "99999999999", "9223372036854775808", "-9223372036854775809", "340282366920938463463374607431768211456",
			"1e3", "1e999", "0x10", "abc", "", " ", "1.5", "NaN", "Infinity", "null", "true", "１", "1,2", "1;2", strings.Repeat("9", 5_000), "%00",
		} {
			a.fieldErrors(a.expect(422, "GET", path+"?limit="+url.QueryEscape(limit), a.Admin.Token, nil))
		}
		a.expect(200, "GET", path+"?limit=1000", a.Admin.Token, nil)
		a.expect(422, "GET", path+"?q="+strings.Repeat("x", 201), a.Admin.Token, nil)
	}
	a.expect(422, "GET", "/v1/portal/"+portal+"/users?status=deleted", a.Admin.Token, nil)
}

func origins(a *arena) {
	portal := a.portalNamed("Origins")
	for _, origin := range []string{
		"https://evil.example", "null", "http://localhost.evil.example", a.URL + ".evil.example", "https://evil-localhost", "http://localhost", a.URL, "file://", "http://127.0.0.1:1", "https://[::1]", "*",
	} {
		for _, request := range [][2]string{{"GET", "/v1/portal"}, {"GET", "/v1/portal/" + portal}, {"POST", "/v1/portal"}, {"POST", "/v1/oauth2/login"}, {"GET", "/v1/status"}, {"GET", "/openapi.json"}, {"GET", "/nowhere"}} {
			for _, method := range []string{request[0], "OPTIONS"} {
				answer := a.do(method, request[1], a.Admin.Token, nil, "Origin", origin, "Access-Control-Request-Method", request[0],
					"Access-Control-Request-Headers", "authorization", "Access-Control-Request-Private-Network", "true")
				for name := range answer.Header {
					if strings.HasPrefix(name, "Access-Control-") || name == "Timing-Allow-Origin" || name == "Set-Cookie" {
						a.Errorf("%s %s from %s: %s: %s", method, request[1], origin, name, answer.Header.Get(name))
					}
				}
				if method == "OPTIONS" && answer.Status < 400 {
					a.Errorf("a preflight of %s from %s: %d", request[1], origin, answer.Status)
				}
			}
		}
	}
}
