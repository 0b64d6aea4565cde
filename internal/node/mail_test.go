package node_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"portico/internal/mail"
	"portico/internal/node"
	"portico/internal/wiretest"
)

// TestMailLeaves invites somebody at a server that was told of a mail server:
// the mail goes out by itself, and is counted.
func TestMailLeaves(t *testing.T) {
	t.Parallel()
	server := wiretest.StartMail(t)
	got := make(chan wiretest.Received, 8)
	server.Taken = func(m wiretest.Received) bool {
		got <- m
		return false
	}
	w := wiretest.Start(t, func(c *node.Config, o *node.Options) {
		c.SMTPURL, c.MailFrom = "smtp://mail.example.com", "portals@example.com"
		o.Relay = func(r *mail.Relay) { *r = *server.Relay() }
	})
	portal := w.Portal("Acme Customers")
	if a := w.Do("POST", "/v1/portal/"+portal+"/users", w.Admin.Token, `{"users":["ada@example.com"]}`); a.Status != http.StatusCreated {
		t.Fatalf("invite: %d %s", a.Status, a.Body)
	}
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	select {
	case m := <-got:
		if m.To != "ada@example.com" || !strings.Contains(m.Text, "/invite/") {
			t.Errorf("%s", m.Raw)
		}
	case <-patience.C:
		t.Fatal("no mail came")
	}
	w.Node.Mail.Stop() // what became of it is recorded then
	a, err := wiretest.Send(http.DefaultClient, "http://"+w.Node.OpsAddr(), "GET", "/metrics", "", nil)
	if err != nil || !regexp.MustCompile(`(?m)^portico_mails_total\{outcome="sent"\} 1$`).Match(a.Body) ||
		!strings.Contains(string(a.Body), `portico_mails_total{outcome="bounced"} 0`) {
		t.Errorf("metrics: %v\n%s", err, regexp.MustCompile(`(?m)^portico_mails.*$`).FindAll(a.Body, -1))
	}
	a = w.Do("GET", "/v1/portal/"+portal+"/invitations", w.Admin.Token, nil)
	if !strings.Contains(string(a.Body), `"mail_status":"sent","mail_detail":null`) {
		t.Errorf("the invitation: %s", a.Body)
	}
}
