package attacks

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
	"portico/internal/wiretest"
)

// TestMailAttacks runs the cases about what leaves by mail, read at a real mail
// server, on a server whose clock they move.
func TestMailAttacks(t *testing.T) { //nolint:paralleltest // as TestAttacks
	clock := &wiretest.Clock{}
	shared := newArena(t, clock.Setup)
	for _, c := range []attack{
		{"A30 a host that the request names", hostInMail},
		{"A38 a mailed token in what is written down", mailedTokens},
		{"A56 one victim, many senders", func(a *arena) { bombing(a, clock) }},
		{"A57 names that phish, as they arrive", phishingArrived},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) { c.watched(shared.in(t)) })
	}
}

// delivered sends what waits through a mail server and returns what it got.
func (a *arena) delivered() (got []wiretest.Received) {
	a.Helper()
	server := wiretest.StartMail(a)
	defer server.Close()
	a.legit(func() {
		a.Released()
		if err := server.SenderOf(a.Node).SendDue(a.Context()); err != nil {
			a.Fatal(err)
		}
		got = server.Received()
	})
	return got
}

// hostInMail names another host in every way that a request can while it has
// mail made.
func hostInMail(a *arena) {
	portal := a.portalNamed("Host")
	calls := [][2]string{{"/v1/portal/" + portal + "/users", `{"users":["host-%d@example.com"]}`}, {"/v1/members", `{"email":"host-%d@members.example.com"}`}}
	made := 0
	a.legit(func() {
		for i, claims := range []map[string]string{
			{"Host": "evil.example"}, {"Host": "evil.example:8010"}, {"X-Forwarded-Host": "evil.example"}, {"Forwarded": "host=evil.example;proto=https"},
			{"X-Original-URL": "http://evil.example/"}, {"X-Forwarded-Proto": "https", "X-Forwarded-Port": "4444", "X-Forwarded-Prefix": "/evil.example"},
		} {
			for _, call := range calls {
				body := strings.NewReader(fmt.Sprintf(call[1], i))
				r, err := http.NewRequestWithContext(a.Context(), http.MethodPost, a.URL+call[0], body)
				if err != nil {
					a.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+a.Admin.Token)
				r.Header.Set("Content-Type", "application/json")
				r.Host = claims["Host"]
				for name, value := range claims {
					r.Header.Set(name, value)
				}
				answer, err := a.client.Do(r)
				if err != nil {
					a.Fatal(err)
				}
				_ = answer.Body.Close()
				if answer.StatusCode == http.StatusCreated {
					made++
				}
			}
		}
	})
	if made < 8 {
		a.Errorf("%d requests made an invitation", made)
	}
	got := a.delivered()
	if len(got) != made {
		a.Errorf("%d mails of %d invitations", len(got), made)
	}
	link := regexp.MustCompile(`https?://[^\s"<>]+`)
	for _, m := range got {
		if strings.Contains(m.Raw, "evil") || strings.Contains(m.Raw, "4444") {
			a.Errorf("a request's host is in a mail:\n%s", m.Raw)
		}
		for _, l := range link.FindAllString(m.Text+m.HTML, -1) {
			if !strings.HasPrefix(l, "http://host.localhost:") && !strings.HasPrefix(l, a.Node.Control.SignInURL()+"/") {
				a.Errorf("a mail leads to %s", l)
			}
		}
	}
}

// mailedTokens looks for what a mail lets its reader do in everything else that
// the server writes.
func mailedTokens(a *arena) {
	portal := a.portalNamed("Tokens")
	a.guests(a.Admin.Token, portal, "token1@example.com", "token2@example.com")
	a.memberInvitation("token3@example.com")
	_ = a.log.take()
	got := a.delivered()
	var tokens []string
	for _, m := range got {
		for _, found := range regexp.MustCompile(`/(?:invite|join/org_[a-z0-9]+|unsubscribe)/([A-Za-z0-9_-]{40,})`).FindAllStringSubmatch(m.Text, -1) {
			tokens = append(tokens, found[1])
		}
	}
	if len(tokens) != 6 {
		a.Fatalf("%d tokens in %d mails", len(tokens), len(got))
	}
	log := a.log.take()
	metrics, err := wiretest.Send(a.client, "http://"+a.Node.OpsAddr(), "GET", "/metrics", "", nil)
	if err != nil {
		a.Fatal(err)
	}
	list := a.expect(200, "GET", "/v1/portal/"+portal+"/invitations", a.Admin.Token, nil)
	for _, token := range tokens {
		for where, text := range map[string]string{"log": log, "metrics": string(metrics.Body), "list": string(list.Body)} {
			if strings.Contains(text, token) {
				a.Errorf("a token is in the %s", where)
			}
		}
	}
	for where, what := range a.onDisk(needles(tokens)) {
		a.Errorf("%s holds %s", where, what)
	}
	if strings.Contains(log, "@example.com") {
		a.Errorf("an address is in the log:\n%s", log)
	}
}

// bombing makes many organizations write to one address, by inviting, sending
// again, removing and inviting anew.
func bombing(a *arena, clock *wiretest.Clock) {
	const victim = "victim@bombed.example.com"
	server := wiretest.StartMail(a)
	defer server.Close()
	var mu sync.Mutex
	var at []time.Time
	server.Taken = func(m wiretest.Received) bool {
		mu.Lock()
		defer mu.Unlock()
		if m.To == victim {
			at = append(at, clock.Now())
		}
		return false
	}
	sender := server.SenderOf(a.Node)
	a.legit(func() {
		var portals, tokens []string
		for i := range size(4, 12) {
			o := a.Organization(fmt.Sprintf("Bomber %d", i), portico.Production, "")
			tokens = append(tokens, a.Person(fmt.Sprintf("bomber-%d@bomb.example.com", i), o, portico.Admin).Token)
			portals = append(portals, a.expect(201, "POST", "/v1/portal", tokens[i], `{"name":"Bomb"}`).ID(a))
		}
		for hour := range 24 * 4 {
			i := hour % len(portals)
			a.bomb(portals[i], tokens[i], victim, hour%3)
			a.Released()
			if err := sender.SendDue(a.Context()); err != nil {
				a.Fatal(err)
			}
			clock.Move(time.Hour)
		}
		a.stopped(portals[0], tokens[0], victim, func() {
			if err := sender.SendDue(a.Context()); err != nil {
				a.Fatal(err)
			}
		})
	})
	if len(at) < 9 || len(at) > 13 {
		a.Errorf("%d mails in four days", len(at))
	}
	for i := range at {
		if n := len(slices.DeleteFunc(slices.Clone(at[i:]), func(t time.Time) bool { return t.Sub(at[i]) >= portico.MailWindow })); n > portico.MaxMails {
			a.Errorf("%d mails within a day of %s", n, at[i])
		}
	}
}

// bomb has one more mail to the victim made, in one of three ways. The call
// itself is answered as ever.
func (a *arena) bomb(portal, token, victim string, way int) {
	a.Helper()
	users := map[string]any{"users": []string{victim}}
	if way == 0 {
		a.expect(201, "POST", "/v1/portal/"+portal+"/users", token, users)
	}
	i := a.invitationOf(portal, token, victim)
	switch way {
	case 1:
		a.expect(200, "POST", "/v1/portal/"+portal+"/invitations/"+i.ID+"/resend", token, nil)
	case 2:
		a.expect(200, "DELETE", "/v1/portal/"+portal+"/users/"+i.UserID, token, nil)
		a.expect(201, "POST", "/v1/portal/"+portal+"/users", token, users)
	}
}

type invitationRow struct {
	ID         string  `json:"id"`
	UserID     string  `json:"user_id"`
	MailStatus *string `json:"mail_status"`
	MailDetail *string `json:"mail_detail"`
}

// invitationOf returns the invitation of an address, which is invited first
// where it is not.
func (a *arena) invitationOf(portal, token, email string) invitationRow {
	a.Helper()
	a.expect(201, "POST", "/v1/portal/"+portal+"/users", token, map[string]any{"users": []string{email}})
	var all []invitationRow
	a.expect(200, "GET", "/v1/portal/"+portal+"/invitations?q="+email, token, nil).JSON(a, &all)
	if len(all) != 1 {
		a.Fatalf("%d invitations", len(all))
	}
	return all[0]
}

// stopped checks that a delayed mail says why, and that the victim can end it.
func (a *arena) stopped(portal, token, victim string, send func()) {
	a.Helper()
	i := a.invitationOf(portal, token, victim)
	for range portico.MaxMails + 1 {
		a.expect(200, "POST", "/v1/portal/"+portal+"/invitations/"+i.ID+"/resend", token, nil)
		a.Released()
		send()
	}
	i = a.invitationOf(portal, token, victim)
	if i.MailStatus == nil || *i.MailStatus != "waiting" || i.MailDetail == nil || *i.MailDetail != portico.MailLimited {
		a.Errorf("the delayed invitation says %v, %v", i.MailStatus, i.MailDetail)
	}
	var page store.MailPage
	err := a.Node.Store.View(a.Context(), func(tx *store.Tx) error {
		pages, err := tx.Mails(1)
		page = pages[0]
		return err
	})
	if err != nil {
		a.Fatal(err)
	}
	_, unsubscribe, _ := strings.Cut(a.Node.Control.MailTarget(page).Unsubscribe, "/unsubscribe/")
	if err := a.Node.Control.Unsubscribe(a.Context(), unsubscribe, "request"); err != nil {
		a.Fatal(err)
	}
	a.expect(409, "POST", "/v1/portal/"+portal+"/invitations/"+i.ID+"/resend", token, nil)
	answer := a.expect(201, "POST", "/v1/portal/"+a.expect(201, "POST", "/v1/portal", token, `{"name":"Bomb again"}`).ID(a)+"/users",
		token, map[string]any{"users": []string{victim}})
	if !strings.Contains(string(answer.Body), `"detail":"blocked"`) {
		a.Errorf("the victim is invited again: %s", answer.Body)
	}
}

// phishingArrived reads hostile names and messages as a mail program would.
func phishingArrived(a *arena) {
	texts := []string{
		"http://evil.example click", "Bank\u2028Bcc: x@evil.example", "%0aBcc: x@evil.example", "=?utf-8?q?=0aBcc:_x?=", "<a href=//evil.example>x</a>",
		strings.Repeat("W", 80), "evil。example", "{{.Link}}",
	}
	made := 0
	a.legit(func() {
		for i, text := range texts {
			answer := a.do("POST", "/v1/portal", a.Admin.Token, map[string]string{"name": text})
			if answer.Status != http.StatusCreated {
				continue // a name that may not be
			}
			made++
			a.expect(201, "POST", "/v1/portal/"+answer.ID(a)+"/users", a.Admin.Token, map[string]any{
				"users":   []map[string]string{{"email": fmt.Sprintf("phished-%d@example.com", i), "first_name": text}},
				"message": text + "\r\n.\r\nMAIL FROM:<x@evil.example>\r\n",
			})
		}
	})
	got := a.delivered()
	if len(got) != made || made < 5 {
		a.Errorf("%d mails of %d invitations", len(got), made)
	}
	for _, m := range got {
		if len(m.Header) != 11 || len(m.Header["Subject"]) != 1 || m.Header.Get("Bcc") != "" {
			a.Errorf("the head of a mail to %s: %v", m.To, m.Header)
		}
		for _, bad := range []string{"evil.example", "evil。example", "<script"} {
			if strings.Contains(m.Text+m.HTML+m.Header.Get("Subject"), bad) || strings.Count(m.HTML, "<a ") != 2 {
				a.Errorf("a mail holds %q:\n%s\n%s", bad, m.Text, m.HTML)
			}
		}
	}
}
