package wiretest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
)

type portalAnswer struct {
	ID, Name, URL      string
	APIName            string  `json:"api_name"`
	Description        *string `json:"description"`
	CustomDomain       *string `json:"custom_domain"`
	CustomDomainStatus *string `json:"custom_domain_status"`
	ModifiedDate       string  `json:"modified_date"`
	ModifiedBy         string  `json:"modified_by"`
}

// TestUpdate checks what each form of a change does, and that nothing else
// changes.
func TestUpdate(t *testing.T) {
	t.Parallel()
	clock := &Clock{}
	clock.Stop(time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC))
	w := Start(t, clock.Setup)
	created := w.Do("POST", "/v1/portal", w.Admin.Token, `{"name":"Before","description":"d","custom_domain":"a.example.com"}`)
	path := "/v1/portal/" + created.ID(t)
	text := func(p *string) string {
		if p == nil {
			return "null"
		}
		return *p
	}
	for i, c := range []struct{ body, name, description, domain, status string }{
		{`{}`, "Before", "d", "a.example.com", "pending_dns"},
		{`{"unknown":1}`, "Before", "d", "a.example.com", "pending_dns"},
		{`{"name":null}`, "Before", "d", "a.example.com", "pending_dns"},
		{`{"name":" Before "}`, "Before", "d", "a.example.com", "pending_dns"},
		{`{"custom_domain":"A.Example.COM."}`, "Before", "d", "a.example.com", "pending_dns"},
		{`{"name":"After"}`, "After", "d", "a.example.com", "pending_dns"},
		{`{"description":null}`, "After", "null", "a.example.com", "pending_dns"},
		{`{"description":null}`, "After", "null", "a.example.com", "pending_dns"},
		{`{"description":"e","name":null}`, "After", "e", "a.example.com", "pending_dns"},
		{`{"custom_domain":"bücher.example.com"}`, "After", "e", "xn--bcher-kva.example.com", "pending_dns"},
		{`{"custom_domain":null}`, "After", "e", "null", "null"},
		{`{"custom_domain":null,"description":null,"name":"Last"}`, "Last", "null", "null", "null"},
	} {
		before := w.Do("GET", path, w.Owner.Token, nil)
		clock.Move(time.Minute)
		a := w.Do("PATCH", path, w.Owner.Token, c.body)
		var got portalAnswer
		a.JSON(t, &got)
		if a.Status != 200 || got.Name != c.name || text(got.Description) != c.description ||
			text(got.CustomDomain) != c.domain || text(got.CustomDomainStatus) != c.status || got.APIName != "before" {
			t.Errorf("%s: %d %s", c.body, a.Status, a.Body)
		}
		changed := i > 4 && i != 7
		if (string(before.Body) != string(a.Body)) != changed {
			t.Errorf("%s: %s became %s", c.body, before.Body, a.Body)
		}
		if changed && (got.ModifiedBy != w.Owner.ID || got.ModifiedDate != clock.Now().Format("2006-01-02T15:04:05Z")) {
			t.Errorf("%s: modified %s by %s", c.body, got.ModifiedDate, got.ModifiedBy)
		}
		if after := w.Do("GET", path, w.Admin.Token, nil); string(after.Body) != string(a.Body) {
			t.Errorf("%s: answered %s, reads give %s", c.body, a.Body, after.Body)
		}
	}
}

// TestAddressLabels checks what addresses portals get from their names, and
// that none is given out twice.
func TestAddressLabels(t *testing.T) {
	t.Parallel()
	w := Start(t)
	for name, want := range map[string]string{
		"Acme & Söhne GmbH":         `^acme-sohne-gmbh$`,
		"日本":                        `^portal(-[a-z0-9]{6})?$`,
		"!!!":                       `^portal(-[a-z0-9]{6})?$`,
		"www":                       `^www-[a-z0-9]{6}$`,
		"Twice":                     `^twice$`,
		" twice!":                   `^twice-[a-z0-9]{6}$`,
		strings.Repeat("long ", 16): `^(long-){7}long$`,
	} {
		if name == " twice!" {
			w.Portal("Twice once more")
			w.Do("POST", "/v1/portal", w.OtherAdmin.Token, `{"name":"twice"}`)
		}
		var got portalAnswer
		a := w.Do("POST", "/v1/portal", w.Admin.Token, map[string]string{"name": name})
		a.JSON(t, &got)
		if a.Status != 201 || (!regexp.MustCompile(want).MatchString(got.APIName) && !strings.HasPrefix(got.APIName, "twice-")) || len(got.APIName) > 40 {
			t.Errorf("%q: %d %s", name, a.Status, a.Body)
		}
		if !strings.HasPrefix(got.URL, "http://"+got.APIName+".localhost:") {
			t.Errorf("%q: url %s", name, got.URL)
		}
	}
	first := w.Do("POST", "/v1/portal", w.Admin.Token, `{"name":"Reused"}`)
	w.Do("DELETE", "/v1/portal/"+first.ID(t), w.Admin.Token, nil)
	var second portalAnswer
	w.Do("POST", "/v1/portal", w.Admin.Token, `{"name":"Reused"}`).JSON(t, &second)
	if second.APIName == "reused" || second.ID == first.ID(t) {
		t.Errorf("the label of a deleted portal was given out again: %+v", second)
	}
}

// TestDomains checks which custom domains are refused, by whom they are taken,
// and for how long after they were given up.
func TestDomains(t *testing.T) {
	t.Parallel()
	clock := &Clock{}
	clock.Stop(time.Now())
	w := Start(t, clock.Setup)
	path := "/v1/portal/" + w.Portal("Domains")
	for _, domain := range []string{
		"", " ", "localhost", "x.localhost", "a.b.localhost", "com", "co.uk", "github.io", "127.0.0.1", "[::1]", "1.2.3.4.", "::1", "*.example.com",
		"a_b.example.com", "-a.example.com", "a..example.com", "http://a.example.com", "a.example.com/x", "a.example.com:443", "a@example.com",
		"xn--a.example.com", strings.Repeat("a", 64) + ".example.com", "a\u202eb.example.com", "x.test", "x.invalid", "exa mple.com",
	} {
		a := w.Do("PATCH", path, w.Admin.Token, map[string]string{"custom_domain": domain})
		if a.Status != 422 || !strings.Contains(string(a.Body), `{"detail":[{"type":"value_error","loc":["body","custom_domain"],"msg":"Value error, `) ||
			!strings.HasSuffix(string(a.Body), `,"ctx":{"error":{}}}]}`) {
			t.Errorf("%q: %d %s", domain, a.Status, a.Body)
		}
	}
	a := w.Do("POST", "/v1/portal", w.Admin.Token, `{"name":" ","description":5,"custom_domain":"localhost"}`)
	for _, loc := range []string{`["body","name"]`, `["body","description"]`, `["body","custom_domain"]`} {
		if a.Status != 422 || !strings.Contains(string(a.Body), loc) {
			t.Errorf("all errors at once: %d %s", a.Status, a.Body)
		}
	}

	claim := func(token, path string, want int) {
		t.Helper()
		if a := w.Do("PATCH", path, token, `{"custom_domain":"shop.example.com"}`); a.Status != want {
			t.Errorf("claim: %d %s, want %d", a.Status, a.Body, want)
		}
	}
	second := "/v1/portal/" + w.Portal("Second")
	theirs := "/v1/portal/" + w.Do("POST", "/v1/portal", w.OtherAdmin.Token, `{"name":"Theirs"}`).ID(t)
	claim(w.Admin.Token, path, 200)
	claim(w.Admin.Token, second, 200) // claims that nobody has proven exclude nobody
	claim(w.OtherAdmin.Token, theirs, 200)
	w.Do("PATCH", second, w.Admin.Token, `{"custom_domain":null}`)
	w.Do("PATCH", theirs, w.OtherAdmin.Token, `{"custom_domain":null}`)
	w.verify(strings.TrimPrefix(path, "/v1/portal/"))
	claim(w.Admin.Token, second, 409)
	claim(w.OtherAdmin.Token, theirs, 409)
	if a := w.Do("POST", "/v1/portal", w.OtherAdmin.Token, `{"name":"x","custom_domain":"SHOP.example.com"}`); a.Status != 409 {
		t.Errorf("create with a domain that is taken: %d %s", a.Status, a.Body)
	}
	claim(w.Admin.Token, path, 200)
	if a := w.Do("DELETE", path, w.Admin.Token, nil); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	claim(w.Admin.Token, second, 200) // the organization that gave it up may have it back
	clock.Move(29 * 24 * time.Hour)
	claim(w.OtherAdmin.Token, theirs, 409)
	clock.Move(2 * 24 * time.Hour)
	claim(w.OtherAdmin.Token, theirs, 200)
}

// verify makes a portal's domain proven and active, as the work on domains
// does once its proof was seen.
func (w *World) verify(portalID string) {
	w.T.Helper()
	err := w.Node.Store.Update(w.T.Context(), func(tx *store.Tx) error {
		row, err := tx.PortalByID(portalID)
		if err != nil {
			return err
		}
		row.DomainVerifiedAt, row.DomainStatus = &tx.Now, portico.DomainActive
		return tx.UpdatePortal(row)
	})
	if err != nil {
		w.T.Fatal(err)
	}
	a := w.Do("GET", "/v1/portal/"+portalID, w.Admin.Token, nil)
	if !strings.Contains(string(a.Body), `"url":"https://shop.example.com","custom_domain":"shop.example.com","custom_domain_status":"active"`) {
		w.T.Errorf("a proven domain: %s", a.Body)
	}
}

// TestRemove checks what a removal ends, and what it leaves.
func TestRemove(t *testing.T) {
	t.Parallel()
	w := Start(t)
	portal, other := w.Portal("Remove"), w.Portal("Stay")
	path := func(portal, user string) string { return fmt.Sprintf("/v1/portal/%s/users/%s", portal, user) }
	guest := w.Invite(w.Admin.Token, portal, w.OtherAdmin.Email)[0]
	w.Invite(w.Admin.Token, other, w.OtherAdmin.Email)
	here := w.Switch(w.SignIn(w.OtherAdmin.Email).Access, portal)
	there := w.Switch(here.Access, other)
	home := w.Switch(here.Access, w.Other.ID)
	var token patAnswer
	w.Do("POST", "/v1/auth/pats", here.Access, `{"name":"guest"}`).JSON(t, &token)

	if a := w.Do("DELETE", path(portal, guest), w.Admin.Token, nil); a.Status != 200 || string(a.Body) != "{}" {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	for name, c := range map[string]struct {
		token  string
		status int
	}{
		"session here": {here.Access, 401}, "token here": {token.Token, 401}, "session there": {there.Access, 200}, "session at home": {home.Access, 200},
	} {
		if a := w.Do("GET", "/v1/auth/load", c.token, nil); a.Status != c.status {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if a := w.Do("GET", "/v1/portal/"+portal+"/users", w.Admin.Token, nil); string(a.Body) != "[]" {
		t.Errorf("left: %s", a.Body)
	}
	if a := w.Do("GET", "/v1/portal/"+other+"/users", w.Admin.Token, nil); !strings.Contains(string(a.Body), guest) {
		t.Errorf("the other portal: %s", a.Body)
	}
	if a := w.Do("DELETE", path(portal, guest), w.Admin.Token, nil); a.Status != 404 {
		t.Errorf("again: %d %s", a.Status, a.Body)
	}
	if a := w.Do("POST", "/v1/auth/switch", home.Access, map[string]string{"id": portal}); a.Status != 404 {
		t.Errorf("switch to a portal without access: %d %s", a.Status, a.Body)
	}
	if again := w.Invite(w.Admin.Token, portal, w.OtherAdmin.Email)[0]; again != guest {
		t.Errorf("invited again as %s, was %s", again, guest)
	}
}
