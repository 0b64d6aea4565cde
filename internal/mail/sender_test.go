package mail_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"portico"
	"portico/internal/mail"
	"portico/internal/store"
	"portico/internal/wiretest"
)

// invite invites addresses to a new portal.
func invite(t *testing.T, w *wiretest.World, token string, emails ...string) (portal string) {
	t.Helper()
	a := w.Do("POST", "/v1/portal", token, `{"name":"Café Partners"}`)
	if a.Status != http.StatusCreated {
		t.Fatalf("create: %d %s", a.Status, a.Body)
	}
	portal = a.ID(t)
	if a := w.Do("POST", "/v1/portal/"+portal+"/users", token, map[string]any{"users": emails}); a.Status != http.StatusCreated {
		t.Fatalf("invite: %d %s", a.Status, a.Body)
	}
	return portal
}

// TestSendersShare sends one outbox by several senders at once, as several
// nodes do: each mail leaves once.
func TestSendersShare(t *testing.T) {
	t.Parallel()
	w, server := wiretest.Start(t), wiretest.StartMail(t)
	emails := make([]string, 120)
	for i := range emails {
		emails[i] = fmt.Sprintf("guest-%d@host-%d.example.com", i, i%7)
	}
	invite(t, w, w.Admin.Token, emails[:60]...)
	invite(t, w, w.OtherAdmin.Token, emails[60:]...)
	w.Released()
	var all sync.WaitGroup
	counts := make([]uint64, 4)
	for i := range counts {
		all.Go(func() {
			s := server.SenderOf(w.Node)
			if err := s.SendDue(context.Background()); err != nil {
				t.Error(err)
			}
			counts[i] = s.Counts()[mail.OutcomeSent]
		})
	}
	all.Wait()
	got := map[string]int{}
	for _, m := range server.Received() {
		got[m.To]++
		if !strings.HasPrefix(m.Header.Get("Subject"), "=?UTF-8?") || m.Header.Get("Reply-To") == "" || !strings.Contains(m.Text, "/invite/") {
			t.Errorf("mail to %s:\n%s", m.To, m.Raw)
		}
	}
	for _, email := range emails {
		if got[email] != 1 {
			t.Errorf("%s got %d mails", email, got[email])
		}
	}
	if sum := counts[0] + counts[1] + counts[2] + counts[3]; sum != 120 {
		t.Errorf("%v were counted as sent", counts)
	}
}

// TestFair sends a large import beside the mail of many small organizations:
// those need not wait for it, nor does a code that somebody asked for.
func TestFair(t *testing.T) {
	t.Parallel()
	w, server := wiretest.Start(t), wiretest.StartMail(t)
	var large []string
	for i := range 200 {
		large = append(large, fmt.Sprintf("guest-%d@host-%d.example.com", i, i%10))
	}
	invite(t, w, w.Admin.Token, large...)
	const small = 5
	for i := range small {
		o := w.Organization(fmt.Sprintf("Small %d", i), portico.Production, "")
		admin := w.Person(fmt.Sprintf("admin@small-%d.example.com", i), o, portico.Admin)
		invite(t, w, admin.Token, fmt.Sprintf("small-%d@host-%d.example.net", i, i))
	}
	err := w.Node.Store.Update(t.Context(), func(tx *store.Tx) error {
		return tx.InsertMails([]store.Mail{{
			Template: store.TemplateCode, OrganizationID: w.Acme.ID, AccountID: w.Member.ID, ChallengeID: "chal_x", Host: "host-0.example.com",
		}})
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Released()
	if err := server.SenderOf(w.Node).SendDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := server.Received()
	last := 0
	for i, m := range got {
		if strings.HasPrefix(m.To, "small") || m.To == w.Member.Email {
			last = i
		}
	}
	if len(got) != len(large)+small+1 || last > 100 {
		t.Errorf("%d mails, the last of the small organizations was number %d", len(got), last)
	}
}

// TestSenderRefused meets a mail server that does not like us: no mail is to
// blame, and all of it leaves when the server has changed its mind.
func TestSenderRefused(t *testing.T) {
	t.Parallel()
	clock := &wiretest.Clock{}
	clock.Stop(time.Now())
	w, server := wiretest.Start(t, clock.Setup), wiretest.StartMail(t)
	refuses := true
	server.Sender = func(before int) error {
		switch {
		case refuses:
			return &smtp.SMTPError{Code: 553, Message: "who are you?"}
		case before == 7: // a limit that servers have
			return &smtp.SMTPError{Code: 421, Message: "enough for one connection"}
		}
		return nil
	}
	emails := make([]string, 40)
	for i := range emails {
		emails[i] = fmt.Sprintf("guest-%d@example.com", i)
	}
	portal := invite(t, w, w.Admin.Token, emails...)
	w.Released()
	sender := server.SenderOf(w.Node)
	send := func() {
		if err := sender.SendDue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	send()
	send() // while it rests
	if n := sender.Counts()[mail.OutcomeRetried]; n != 1 || len(server.Received()) != 0 {
		t.Errorf("%d tries, %d mails", n, len(server.Received()))
	}
	a := w.Do("GET", "/v1/portal/"+portal+"/invitations", w.Admin.Token, nil)
	if strings.Contains(string(a.Body), "bounced") || !strings.Contains(string(a.Body), "who are you?") {
		t.Errorf("%s", a.Body)
	}
	refuses = false
	send()
	if len(server.Received()) != 0 {
		t.Error("the server has no rest")
	}
	clock.Move(time.Minute)
	send()
	for i, m := range server.Received() {
		if m.To != emails[i] {
			t.Errorf("mail %d is to %s", i, m.To)
		}
	}
	if len(server.Received()) != len(emails) {
		t.Errorf("%d mails", len(server.Received()))
	}
}
