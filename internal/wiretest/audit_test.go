package wiretest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"portico"
)

type recordOf struct {
	ID, Action, Actor string
	At                time.Time
	Subject, Portal   *string
	Detail            map[string]any
}

// TestAudit reads the audit log: each filter, page by page, and nothing of
// another organization.
func TestAudit(t *testing.T) {
	t.Parallel()
	w := Start(t)
	first, second := w.Portal("First"), w.Portal("Second")
	w.Invite(w.Admin.Token, first, "ada@example.com")
	w.Invite(w.Owner.Token, second, "ada@example.com")
	w.inviteMember(w.Owner.Token, "colleague@example.com", "")
	read := func(query ...string) (all []recordOf) {
		t.Helper()
		v := url.Values{}
		for i := 0; i+1 < len(query); i += 2 {
			v.Set(query[i], query[i+1])
		}
		a := w.Do("GET", "/v1/audit?"+v.Encode(), w.Owner.Token, nil)
		if err := json.Unmarshal(a.Body, &all); err != nil || a.Status != http.StatusOK {
			t.Fatalf("%v: %d %s", query, a.Status, a.Body)
		}
		return all
	}
	all := read()
	if len(all) < 5 || all[0].Action != string(portico.ActionMemberInvited) || *all[0].Subject != "colleague@example.com" || all[0].Detail["role"] != "member" {
		t.Fatalf("the log: %+v", all)
	}
	for _, c := range []struct {
		query []string
		want  int
	}{
		{[]string{"action", "portal.created"}, 2},
		{[]string{"action", "guest.invited", "portal_id", first}, 1},
		{[]string{"action", "guest.invited", "actor", strings.ToUpper(w.Owner.Email)}, 1},
		{[]string{"action", "guest.invited", "subject", "ada@example.com"}, 2},
		{[]string{"action", "guest.removed"}, 0},
		{[]string{"until", all[0].At.Format(time.RFC3339Nano)}, len(all) - 1},
		{[]string{"from", all[0].At.Format(time.RFC3339Nano)}, 1},
	} {
		if got := read(c.query...); len(got) != c.want {
			t.Errorf("%v: %d records, want %d", c.query, len(got), c.want)
		}
	}
	var paged []recordOf
	for next := "/v1/audit?limit=2"; next != ""; {
		a := w.Do("GET", next, w.Owner.Token, nil)
		var page []recordOf
		a.JSON(t, &page)
		paged = append(paged, page...)
		next, _, _ = strings.Cut(strings.TrimPrefix(a.Header.Get("Link"), "<"), ">")
	}
	if len(paged) != len(all) {
		t.Errorf("%d records by pages of two, want %d", len(paged), len(all))
	}
	for i := range min(len(paged), len(all)) {
		if paged[i].ID != all[i].ID {
			t.Errorf("record %d of the pages is another", i)
		}
	}
	for _, query := range []string{"action=nope", "from=yesterday", "limit=1001", "cursor=x"} {
		if a := w.Do("GET", "/v1/audit?"+query, w.Owner.Token, nil); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", query, a.Status, a.Body)
		}
	}
	if a := w.Do("GET", "/v1/audit", w.OtherAdmin.Token, nil); strings.Contains(string(a.Body), "ada@example.com") || a.Status != http.StatusOK {
		t.Errorf("another organization reads %d %s", a.Status, a.Body)
	}
	if a := w.Do("GET", "/v1/audit", w.Token(w.Acme.ID, w.Admin.Email, "portal:read"), nil); a.Status != http.StatusForbidden {
		t.Errorf("a limited token: %d", a.Status)
	}
}
