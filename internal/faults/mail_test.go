package faults

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"portico"
	"portico/internal/mail"
	"portico/internal/node"
	"portico/internal/store"
	"portico/internal/wiretest"
)

// TestMail sends mail through servers that fail in the ways of real ones. Mail
// is counted at the server: one for each invitation and generation.
func TestMail(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*testing.T){
		"F48 the mail server is down for an hour":                     mailDown,
		"F49 the mail server greylists for a day":                     greylisted,
		"F50 three of a hundred recipients are refused":               refusedRecipients,
		"F51 the connection is cut after a mail's end":                cutAfterData,
		"F51 the node is killed after a mail's end":                   senderKilled,
		"F52 a mail domain that never answers delays nobody else":     tarpit,
		"F52 a mail server that greets by one byte, then none":        slowGreeting,
		"F52 a certificate that nobody signed, and no TLS at all":     noTLS,
		"F52 a mail that takes too long is put off and sent later on": tooSlow,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t)
		})
	}
}

// post is a served folder whose outbox goes to a mail server by a clock that
// the case moves.
type post struct {
	*world

	node   *node.Node
	clock  *wiretest.Clock
	server *wiretest.MailServer
	sender *mail.Sender
	client *http.Client
	names  int
}

func newPost(t *testing.T, server *wiretest.MailServer, change ...func(*mail.Relay)) *post {
	t.Helper()
	p := &post{world: newWorld(t), clock: &wiretest.Clock{}, server: server, client: wiretest.NewClient(t)}
	p.clock.Stop(time.Now().UTC().Truncate(time.Second))
	n, err := wiretest.Open(p.dir, p.clock.Setup)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	p.node, p.sender = n, server.SenderOf(n, change...)
	return p
}

// invite invites addresses to a new portal.
func (p *post) invite(token string, emails ...string) (portal string) {
	p.t.Helper()
	p.names++
	a, err := wiretest.Send(p.client, p.node.URL(), "POST", "/v1/portal", token, map[string]string{"name": fmt.Sprintf("Post %d", p.names)})
	if err != nil || a.Status != http.StatusCreated {
		p.t.Fatalf("create: %d %s %v", a.Status, a.Body, err)
	}
	portal = a.ID(p.t)
	a, err = wiretest.Send(p.client, p.node.URL(), "POST", "/v1/portal/"+portal+"/users", token, map[string]any{"users": emails})
	if err != nil || a.Status != http.StatusCreated {
		p.t.Fatalf("invite: %d %s %v", a.Status, a.Body, err)
	}
	wiretest.Released(p.t, p.node)
	return portal
}

// statuses returns the statuses of a portal's users or invitations by address.
func (p *post) statuses(token, portal, what string) map[string]string {
	p.t.Helper()
	a, err := wiretest.Send(p.client, p.node.URL(), "GET", "/v1/portal/"+portal+"/"+what, token, nil)
	if err != nil || a.Status != http.StatusOK {
		p.t.Fatalf("list: %d %s %v", a.Status, a.Body, err)
	}
	var all []struct {
		Email, Status string
		Detail        string `json:"mail_detail"`
	}
	a.JSON(p.t, &all)
	found := map[string]string{}
	for _, one := range all {
		found[one.Email] = strings.TrimSpace(one.Status + " " + one.Detail)
	}
	return found
}

func (p *post) send() {
	p.t.Helper()
	if err := p.sender.SendDue(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

// moveToNext moves the clock to when the next mail may leave, and reports
// whether there is one.
func (p *post) moveToNext() bool {
	p.t.Helper()
	var ok bool
	err := p.node.Store.View(p.t.Context(), func(tx *store.Tx) (err error) {
		var at time.Time
		if at, ok, err = tx.NextMail(); ok && at.After(tx.Now) {
			p.clock.Move(at.Sub(tx.Now))
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return ok
}

// settle lets the jobs be due that nobody does before the runner.
func (p *post) settle() {
	p.t.Helper()
	p.clock.Move(time.Minute)
	p.node.Jobs.Wake()
	wiretest.Released(p.t, p.node)
}

// outbox returns the mails of the outbox by address.
func (p *post) outbox() map[string]store.MailPage {
	p.t.Helper()
	found := map[string]store.MailPage{}
	err := p.node.Store.View(p.t.Context(), func(tx *store.Tx) error {
		pages, err := tx.Mails(1000)
		for _, page := range pages {
			found[page.To] = page
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

// got returns the mails that the server has, by address, and checks that each
// has one Message-ID and one link, however often it came.
func (p *post) got() map[string]int {
	p.t.Helper()
	link := regexp.MustCompile(`http://\S+/invite/\S+`)
	count, ids, links := map[string]int{}, map[string]string{}, map[string]string{}
	for _, m := range p.server.Received() {
		id, l := m.Header.Get("Message-Id"), link.FindString(m.Text)
		if count[m.To]++; count[m.To] > 1 && (ids[m.To] != id || links[m.To] != l) {
			p.t.Errorf("the mails to %s differ: %s %s, %s %s", m.To, ids[m.To], id, links[m.To], l)
		}
		if ids[m.To], links[m.To] = id, l; id == "" || l == "" {
			p.t.Errorf("the mail to %s has Message-ID %q and link %q", m.To, id, l)
		}
	}
	return count
}

// check looks for what must not be: mails lost or doubled, and what the oracle
// finds.
func (p *post) check(want map[string]int) {
	p.t.Helper()
	got := p.got()
	for to, n := range want {
		if got[to] != n {
			p.t.Errorf("%s got %d mails, want %d", to, got[to], n)
		}
	}
	if len(got) > len(want) {
		p.t.Errorf("%d addresses got mail, want %d", len(got), len(want))
	}
	p.settle()
	eventually(p.t, "the folder", func() []string { return (&oracle{dir: p.dir}).look() })
}

func addresses(n int, form string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(form, i)
	}
	return all
}

func once(lists ...[]string) map[string]int {
	want := map[string]int{}
	for _, email := range slices.Concat(lists...) {
		want[email] = 1
	}
	return want
}

func mailDown(t *testing.T) {
	p := newPost(t, wiretest.StartMail(t))
	p.server.Down(true)
	ours, theirs := addresses(20, "ours-%02d@example.com"), addresses(20, "theirs-%02d@example.net")
	p.invite(p.Token, ours...)
	p.invite(p.OtherToken, theirs...)
	for range 13 {
		p.send()
		p.clock.Move(5 * time.Minute)
	}
	if n := len(p.server.Received()); n != 0 {
		t.Fatalf("%d mails", n)
	}
	if age := p.metric("portico_outbox_age_seconds"); age < 3600 || p.metric("portico_outbox_waiting") != 40 {
		t.Errorf("the outbox's age is %v s, its depth %v", age, p.metric("portico_outbox_waiting"))
	}
	p.server.Down(false)
	p.send()
	for _, queue := range [][]string{ours, theirs} {
		var order []string
		for _, m := range p.server.Received() {
			if slices.Contains(queue, m.To) {
				order = append(order, m.To)
			}
		}
		if !slices.Equal(order, queue) {
			t.Errorf("sent in the order %v", order)
		}
	}
	for to, page := range p.outbox() {
		if page.State != portico.MailSent || page.Attempts != 1 {
			t.Errorf("%s: %s after %d attempts", to, page.State, page.Attempts)
		}
	}
	p.check(once(ours, theirs))
}

// metric reads a gauge of the operations listener.
func (p *post) metric(name string) float64 {
	p.t.Helper()
	a, err := wiretest.Send(p.client, "http://"+p.node.OpsAddr(), "GET", "/metrics", "", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(a.Body)
	if m == nil {
		p.t.Fatalf("no metric %s", name)
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

func greylisted(t *testing.T) {
	server := wiretest.StartMail(t)
	p := newPost(t, server)
	began := p.clock.Now()
	server.Recipient = func(to string) error {
		if p.clock.Now().Sub(began) >= 25*time.Hour {
			return nil
		}
		if strings.HasPrefix(to, "hangs-up") {
			return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "closing"}
		}
		return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "greylisted, come back later"}
	}
	emails := append(addresses(5, "grey-%d@example.com"), "hangs-up@example.net")
	portal := p.invite(p.Token, emails...)
	p.send()
	if s := p.statuses(p.Token, portal, "invitations"); s["grey-0@example.com"] != "pending 450 4.2.0 greylisted, come back later" {
		t.Errorf("the invitation does not say why its mail waits: %v", s)
	}
	for len(p.server.Received()) < len(emails) && p.moveToNext() {
		p.send()
	}
	if tried := p.clock.Now().Sub(began); tried < 25*time.Hour || tried > 30*time.Hour {
		t.Errorf("tried for %s", tried)
	}
	if n := p.server.Recipients(); n > 15*len(emails) {
		t.Errorf("the server was asked %d times", n)
	}
	p.check(once(emails))
}

func refusedRecipients(t *testing.T) {
	server := wiretest.StartMail(t)
	server.Recipient = func(to string) error {
		if strings.HasPrefix(to, "nobody") {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such person"}
		}
		return nil
	}
	p := newPost(t, server)
	good, bad := addresses(97, "guest-%02d@example.com"), addresses(3, "nobody-%d@example.com")
	portal := p.invite(p.Token, slices.Concat(good[:50], bad, good[50:])...)
	p.send()
	p.settle()
	users, invitations := p.statuses(p.Token, portal, "users"), p.statuses(p.Token, portal, "invitations")
	for _, email := range bad {
		if users[email] != "bounced" || !strings.HasPrefix(invitations[email], "bounced 550 5.1.1 no such person") {
			t.Errorf("%s is %q, its invitation %q", email, users[email], invitations[email])
		}
	}
	if len(users) != 100 || users[good[0]] != "invited" || invitations[good[0]] != "pending" {
		t.Errorf("%d users, %q, %q", len(users), users[good[0]], invitations[good[0]])
	}
	p.clock.Move(3 * 24 * time.Hour)
	p.send()
	if n := server.Recipients(); n != 100 {
		t.Errorf("the server was asked %d times for 100 recipients", n)
	}
	p.check(once(good))
}

func cutAfterData(t *testing.T) {
	server := wiretest.StartMail(t)
	var cuts atomic.Int32
	server.Taken = func(m wiretest.Received) bool {
		return (m.To == "cut-3@example.com" || m.To == "cut-7@example.com") && cuts.Add(1) <= 2
	}
	p := newPost(t, server)
	emails := addresses(10, "cut-%d@example.com")
	p.invite(p.Token, emails...)
	for p.moveToNext() {
		p.send()
	}
	want := once(emails)
	want["cut-3@example.com"], want["cut-7@example.com"] = 2, 2
	p.check(want)
}

func tarpit(t *testing.T) {
	server := wiretest.StartMail(t)
	stuck, others := make(chan struct{}), make(chan struct{}, 100)
	server.Recipient = func(to string) error {
		if strings.Contains(to, "@slow") {
			<-stuck
		}
		return nil
	}
	server.Taken = func(m wiretest.Received) bool {
		if !strings.Contains(m.To, "@slow") {
			others <- struct{}{}
		}
		return false
	}
	p := newPost(t, server)
	slow := addresses(12, "guest@slow-%d.example.com")
	fast, theirs := addresses(3, "guest-%d@example.com"), addresses(30, "guest-%d@example.net")
	p.invite(p.Token, slow...)
	p.invite(p.OtherToken, theirs...)
	if err := p.sender.Start(); err != nil {
		t.Fatal(err)
	}
	for range theirs {
		<-others // all of another organization's, while every slow one is under way
	}
	for _, m := range server.Received() {
		if strings.Contains(m.To, "@slow") {
			t.Errorf("%s was not slow", m.To)
		}
	}
	close(stuck)
	p.invite(p.Token, fast...)
	eventually(t, "all mail", func() (missing []string) {
		got := p.got()
		for _, email := range slices.Concat(slow, fast) {
			if got[email] == 0 {
				missing = append(missing, email)
			}
		}
		return missing
	})
	p.sender.Stop()
	p.check(once(slow, fast, theirs))
}

func slowGreeting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "2") // and then nothing
		}
	}()
	server := wiretest.StartMail(t)
	p := newPost(t, server, func(r *mail.Relay) {
		r.Port, r.Patience = l.Addr().(*net.TCPAddr).Port, 100*time.Millisecond
	})
	p.invite(p.Token, "guest@example.com")
	p.send() // returns
	if page := p.outbox()["guest@example.com"]; page.State != portico.MailWaiting || page.Attempts != 0 {
		t.Errorf("the mail is %s after %d attempts", page.State, page.Attempts)
	}
	p.clock.Move(time.Hour)
	p.sender = server.SenderOf(p.node)
	p.send()
	p.check(once([]string{"guest@example.com"}))
}

func tooSlow(t *testing.T) {
	server := wiretest.StartMail(t)
	stuck := make(chan struct{})
	server.Recipient = func(to string) error {
		if strings.HasPrefix(to, "slow") {
			<-stuck
		}
		return nil
	}
	p := newPost(t, server, func(r *mail.Relay) { r.Patience = 200 * time.Millisecond })
	p.invite(p.Token, "slow@example.com", "guest@example.com")
	p.send()
	if page := p.outbox()["slow@example.com"]; page.State != portico.MailWaiting || page.Attempts != 1 || page.Detail == "" {
		t.Errorf("the slow mail is %s after %d attempts: %q", page.State, page.Attempts, page.Detail)
	}
	close(stuck)
	if p.check(once([]string{"guest@example.com"})); p.moveToNext() {
		p.sender = server.SenderOf(p.node)
		p.send()
	}
	p.check(once([]string{"guest@example.com", "slow@example.com"}))
}

func noTLS(t *testing.T) {
	const password = "a password for the mail server"
	credentials := func(r *mail.Relay) { r.Username, r.Password = "portico", password }
	for name, c := range map[string]struct {
		server *wiretest.MailServer
		change func(*mail.Relay)
	}{
		"certificate of an unknown authority": {wiretest.StartMail(t), func(r *mail.Relay) { r.RootCAs = nil }},
		"certificate of another host":         {wiretest.StartMail(t), func(r *mail.Relay) { r.Host = "127.0.0.1" }},
		"no STARTTLS":                         {wiretest.StartMail(t, func(s *smtp.Server) { s.TLSConfig = nil }), func(*mail.Relay) {}},
	} {
		p := newPost(t, c.server, credentials, c.change)
		p.invite(p.Token, "guest@example.com")
		p.send()
		if page := p.outbox()["guest@example.com"]; page.State != portico.MailWaiting || page.Attempts != 0 {
			t.Errorf("%s: the mail is %s after %d attempts", name, page.State, page.Attempts)
		}
		sent := c.server.Clear()
		if !strings.Contains(sent, "EHLO") || strings.Contains(sent, "AUTH") || strings.Contains(sent, "MAIL") || strings.Contains(sent, password) {
			t.Errorf("%s: sent in the clear:\n%q", name, sent)
		}
		p.check(nil)
	}
	if _, err := mail.ParseRelay("smtp://portico:password@localhost?tls=none", "a@example.com"); err == nil {
		t.Error("credentials without TLS are accepted as a setting")
	}
	// A relay that is told to do without TLS takes mail without credentials.
	server := wiretest.StartMail(t, func(s *smtp.Server) { s.TLSConfig = nil })
	p := newPost(t, server, func(r *mail.Relay) { r.Security = mail.SecurityNone })
	p.invite(p.Token, "guest@example.com")
	p.send()
	p.check(once([]string{"guest@example.com"}))
}
