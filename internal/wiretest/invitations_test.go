package wiretest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
)

// invitation is a PortalInvitationResponse as clients read it.
type invitation struct {
	ID, Email, Status string
	UserID            string  `json:"user_id"`
	Generation        int     `json:"generation"`
	Expires           string  `json:"expires_date"`
	MailStatus        *string `json:"mail_status"`
	MailDetail        *string `json:"mail_detail"`
}

// invitations returns a portal's invitations by address.
func (w *World) invitations(portal, query string) map[string]invitation {
	w.T.Helper()
	a := w.Do("GET", "/v1/portal/"+portal+"/invitations"+query, w.Admin.Token, nil)
	if a.Status != http.StatusOK {
		w.T.Fatalf("list: %d %s", a.Status, a.Body)
	}
	var all []invitation
	a.JSON(w.T, &all)
	found := map[string]invitation{}
	for _, i := range all {
		found[i.Email] = i
	}
	if len(found) != len(all) {
		w.T.Fatalf("an address twice: %s", a.Body)
	}
	return found
}

// inStates makes a portal with an invitation of each status, by address.
func inStates(w *World, clock *Clock) (portal string, all map[string]invitation) {
	w.T.Helper()
	portal = w.Portal("Invitations")
	w.Invite(w.Admin.Token, portal, "expired@example.com", "renewed@example.com")
	clock.Move(8 * 24 * time.Hour)
	w.Invite(w.Admin.Token, portal, "pending@example.com", "revoked@example.com", "bounced@example.com", "blocked@example.com", w.Member.Email)
	all = w.invitations(portal, "")
	path := "/v1/portal/" + portal + "/invitations/"
	if a := w.Do("DELETE", path+all["revoked@example.com"].ID, w.Admin.Token, nil); a.Status != http.StatusOK || string(a.Body) != "{}" {
		w.T.Fatalf("revoke: %d %s", a.Status, a.Body)
	}
	err := w.Node.Store.Update(w.T.Context(), func(tx *store.Tx) error {
		if _, err := tx.BlockAddress("blocked@example.com", "asked for it"); err != nil {
			return err
		}
		page, ok, err := tx.LeaseMail(store.Queue{OrganizationID: w.Acme.ID, Host: "example.com"}, time.Minute)
		for ; err == nil && ok && page.To != "bounced@example.com"; page, ok, err = tx.LeaseMail(store.Queue{OrganizationID: w.Acme.ID, Host: "example.com"}, time.Minute) {
		}
		if err != nil || !ok {
			return err
		}
		page.State, page.Detail = portico.MailBounced, "550 5.1.1 no such person"
		if _, err := tx.SettleMail(page.Mail); err != nil {
			return err
		}
		return w.Node.Control.MailBounced(tx, page)
	})
	if err != nil {
		w.T.Fatal(err)
	}
	w.finish()
	return portal, w.invitations(portal, "")
}

// finish does what waits, now.
func (w *World) finish() {
	w.T.Helper()
	w.Node.Jobs.Wake()
	w.Released()
}

// TestInvitations lists invitations in every state, and pages and searches them.
func TestInvitations(t *testing.T) {
	t.Parallel()
	clock := &Clock{}
	w := Start(t, clock.Setup)
	portal, all := inStates(w, clock)
	want := map[string]string{
		"expired@example.com": "expired", "renewed@example.com": "expired", "pending@example.com": "pending", "revoked@example.com": "revoked",
		"bounced@example.com": "bounced", "blocked@example.com": "pending", w.Member.Email: "accepted",
	}
	for email, status := range want {
		if i := all[email]; i.Status != status || i.Generation != 1 || !strings.HasPrefix(i.ID, "inv_") {
			t.Errorf("%s: %+v, want %s", email, i, status)
		}
		if got := w.invitations(portal, "?status="+status); got[email].ID == "" {
			t.Errorf("%s is not among the %s", email, status)
		}
		if got := w.invitations(portal, "?q="+strings.ToUpper(email)); len(got) != 1 || got[email].ID == "" {
			t.Errorf("a search for %s finds %v", email, got)
		}
	}
	if len(all) != len(want) {
		t.Errorf("%d invitations", len(all))
	}
	if b := all["bounced@example.com"]; b.MailStatus == nil || *b.MailStatus != "bounced" || *b.MailDetail != "550 5.1.1 no such person" {
		t.Errorf("bounced: %+v", b)
	}
	users := map[string]string{}
	walked, _ := w.walk("/v1/portal/"+portal+"/users", nil)
	for _, u := range walked {
		users[u.Email] = u.Status
	}
	if users["bounced@example.com"] != "bounced" || users["expired@example.com"] != "expired" || users["pending@example.com"] != "invited" ||
		users["revoked@example.com"] != "" || users[w.Member.Email] != "active" {
		t.Errorf("the portal's users: %v", users)
	}
	if walked, pages := w.walk("/v1/portal/"+portal+"/invitations?limit=3", nil); len(walked) != 7 || pages != 3 {
		t.Errorf("%d invitations on %d pages", len(walked), pages)
	}
	for query, want := range map[string]int{"?status=invited": 422, "?limit=0": 422, "?cursor=x": 422, "?status=pending&limit=1": 200} {
		if a := w.Do("GET", "/v1/portal/"+portal+"/invitations"+query, w.Admin.Token, nil); a.Status != want {
			t.Errorf("%s: %d %s", query, a.Status, a.Body)
		}
	}
	w.checkEvents(portico.ActionInvitationBounced, 1)
	w.checkEvents(portico.ActionInvitationRevoked, 1)
}

// TestResend sends invitations again, one and many, with what each answers.
func TestResend(t *testing.T) {
	t.Parallel()
	clock := &Clock{}
	w := Start(t, clock.Setup)
	portal, all := inStates(w, clock)
	path := "/v1/portal/" + portal + "/invitations/"
	for email, want := range map[string]int{
		"renewed@example.com": 200, "pending@example.com": 200, "bounced@example.com": 200,
		"revoked@example.com": 409, "blocked@example.com": 409, w.Member.Email: 409,
	} {
		a := w.Do("POST", path+all[email].ID+"/resend", w.Admin.Token, nil)
		if a.Status != want {
			t.Errorf("%s: %d %s", email, a.Status, a.Body)
		}
		if want == http.StatusOK {
			var i invitation
			a.JSON(t, &i)
			if i.Status != "pending" || i.Generation != 2 || *i.MailStatus != "waiting" || i.Expires <= all[email].Expires {
				t.Errorf("%s: %s", email, a.Body)
			}
		}
	}
	if a := w.Do("POST", path+"inv_01jz3h9g4k7m2p5r8t0v1t3o5v/resend", w.Admin.Token, nil); a.Status != 404 || string(a.Body) != `{"detail":"Not found"}` {
		t.Errorf("unknown: %d %s", a.Status, a.Body)
	}
	ids := []string{
		all["pending@example.com"].ID, all["expired@example.com"].ID, all["pending@example.com"].ID, "inv_x",
		all["revoked@example.com"].ID, all["blocked@example.com"].ID, all[w.Member.Email].ID,
	}
	first := w.keyed("again", "POST", "/v1/portal/"+portal+"/invitations/resend", w.Admin.Token, map[string]any{"invitations": ids})
	second := w.keyed("again", "POST", "/v1/portal/"+portal+"/invitations/resend", w.Admin.Token, map[string]any{"invitations": ids})
	var bulk struct {
		Invitations []struct {
			ID, Status    string
			Email, Detail *string
		}
	}
	first.JSON(t, &bulk)
	var got []string
	for i, r := range bulk.Invitations {
		word := r.Status
		if r.Detail != nil {
			word += ":" + *r.Detail
		}
		got = append(got, word)
		if r.ID != ids[i] || (r.Email == nil) != (r.Detail != nil && *r.Detail == "not_found") {
			t.Errorf("result %d: %s", i, first.Body)
		}
	}
	if s := strings.Join(got, " "); s != "resent resent duplicate failed:not_found failed:revoked failed:blocked failed:accepted" {
		t.Errorf("results: %s", s)
	}
	if string(first.Body) != string(second.Body) || second.Status != http.StatusOK {
		t.Errorf("the repeated request: %d %s", second.Status, second.Body)
	}
	after := w.invitations(portal, "")
	if after["pending@example.com"].Generation != 3 || after["expired@example.com"].Generation != 2 {
		t.Errorf("after: %+v", after)
	}
	w.checkEvents(portico.ActionInvitationResent, 5)
	w.checkOneMail(portal, after)
	for _, body := range []string{`{}`, `{"invitations":[]}`, `{"invitations":[1]}`, `{"invitations":"x"}`} {
		if a := w.Do("POST", "/v1/portal/"+portal+"/invitations/resend", w.Admin.Token, body); a.Status != 422 {
			t.Errorf("%s: %d %s", body, a.Status, a.Body)
		}
	}
}

// checkOneMail checks that the outbox has the mail of each invitation's present
// generation and of no other.
func (w *World) checkOneMail(portal string, all map[string]invitation) {
	w.T.Helper()
	var pages []store.MailPage
	err := w.Node.Store.View(w.T.Context(), func(tx *store.Tx) (err error) {
		pages, err = tx.Mails(100)
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	mails := map[string]int{}
	for _, page := range pages {
		if page.PortalID == portal {
			mails[page.To]++
			if page.Generation != all[page.To].Generation {
				w.T.Errorf("%s has a mail of generation %d", page.To, page.Generation)
			}
		}
	}
	for email, i := range all {
		if want := map[bool]int{true: 0, false: 1}[i.Status == "revoked"]; mails[email] != want {
			w.T.Errorf("%s (%s) has %d mails", email, i.Status, mails[email])
		}
	}
}

// TestRevoke ends invitations, which takes the guest out of the portal.
func TestRevoke(t *testing.T) {
	t.Parallel()
	clock := &Clock{}
	w := Start(t, clock.Setup)
	portal, all := inStates(w, clock)
	path := "/v1/portal/" + portal + "/invitations/"
	for email, want := range map[string]int{
		"pending@example.com": 200, "expired@example.com": 200, "bounced@example.com": 200, "revoked@example.com": 200, w.Member.Email: 409,
	} {
		if a := w.Do("DELETE", path+all[email].ID, w.Admin.Token, nil); a.Status != want {
			t.Errorf("%s: %d %s", email, a.Status, a.Body)
		}
	}
	w.checkEvents(portico.ActionInvitationRevoked, 4)
	guests, _ := w.walk("/v1/portal/"+portal+"/users", nil)
	if len(guests) != 3 { // renewed, blocked, the member
		t.Errorf("guests: %v", guests)
	}
	a := w.invite(portal, `{"users":["pending@example.com"]}`)
	if a.verdicts() != "invited" || *a.Users[0].UserID != all["pending@example.com"].UserID {
		t.Errorf("invited again: %+v", a)
	}
	if i := w.invitations(portal, "")["pending@example.com"]; i.ID != all["pending@example.com"].ID || i.Generation != 2 || i.Status != "pending" {
		t.Errorf("invited again: %+v", i)
	}
	if a := w.Do("DELETE", "/v1/portal/"+portal+"/users/"+all["expired@example.com"].UserID, w.Admin.Token, nil); a.Status != 200 {
		t.Errorf("a revoked guest is not forgotten: %d %s", a.Status, a.Body)
	}
	if _, there := w.invitations(portal, "")["expired@example.com"]; there {
		t.Error("the removed guest's invitation stays")
	}
}
