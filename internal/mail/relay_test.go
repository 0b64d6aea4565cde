package mail_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"portico"
	"portico/internal/mail"
	"portico/internal/store"
	"portico/internal/wiretest"
)

func TestParseRelay(t *testing.T) {
	t.Parallel()
	const from = "Portico <portals@example.com>"
	for address, want := range map[string]mail.Relay{
		"smtp://mail.example.com":                         {Host: "mail.example.com", Port: 587, Security: mail.SecurityRequired},
		"smtp://mail.example.com:2525/":                   {Host: "mail.example.com", Port: 2525, Security: mail.SecurityRequired},
		"smtps://mail.example.com":                        {Host: "mail.example.com", Port: 465, Security: mail.SecurityImplicit},
		"smtp://u%40x:p%2Fw%3A@mail.example.com:587":      {Host: "mail.example.com", Port: 587, Security: mail.SecurityRequired, Username: "u@x", Password: "p/w:"},
		"smtps://u:p@[::1]:4650":                          {Host: "::1", Port: 4650, Security: mail.SecurityImplicit, Username: "u", Password: "p"},
		"smtp://u:p@mail.example.com?tls=required":        {Host: "mail.example.com", Port: 587, Security: mail.SecurityRequired, Username: "u", Password: "p"},
		"smtp://mail.example.com?tls=opportunistic":       {Host: "mail.example.com", Port: 587, Security: mail.SecurityOpportunistic},
		"smtp://localhost:25?tls=none":                    {Host: "localhost", Port: 25, Security: mail.SecurityNone},
		"smtp://u:SECRET@mail.example.com?tls=none":       {},
		"smtp://u:SECRET@localhost?tls=opportunistic":     {},
		"smtp://SECRET@mail.example.com?tls=off":          {},
		"smtp://u:SECRET@mail.example.com?tls=a&tls=none": {},
		"smtp://u:SECRET@mail.example.com?insecure=1":     {},
		"smtps://u:SECRET@mail.example.com?tls=required":  {},
		"smtp://u:SECRET@mail.example.com:99999":          {},
		"smtp://u:SECRET@mail.example.com:port":           {},
		"smtp://u:SECRET%@mail.example.com":               {},
		"smtp://u:SECRET@":                                {},
		"http://u:SECRET@mail.example.com":                {},
		"mail.example.com:587":                            {},
		"smtp://u:SECRET@mail.example.com/path":           {},
	} {
		got, err := mail.ParseRelay(address, from)
		if err != nil && (want.Host != "" || strings.Contains(err.Error(), "SECRET")) {
			t.Errorf("%s: %v", address, err)
		}
		if err != nil {
			continue
		}
		want.From = got.From
		if *got != want || got.From.Address != "portals@example.com" || got.From.Name != "Portico" {
			t.Errorf("%s: %+v", address, *got)
		}
	}
	for _, from := range []string{"", "x", "a@localhost", "a@example.com, b@example.com", "a@example.com\r\nBcc: x@example.com"} {
		if _, err := mail.ParseRelay("smtp://mail.example.com", from); err == nil {
			t.Errorf("mail from %q is accepted", from)
		}
	}
}

// submission is a mail server that wants credentials, line by line.
type submission struct {
	listener net.Listener
	config   *tls.Config
	implicit bool
	mu       sync.Mutex
	secured  []string // commands after TLS
	open     []string // commands before it
}

func (s *submission) serve() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		secure := s.implicit
		if secure {
			c = tls.Server(c, s.config)
		}
		s.talk(c, secure)
		_ = c.Close()
	}
}

func (s *submission) talk(c net.Conn, secure bool) {
	fmt.Fprintf(c, "220 localhost\r\n")
	lines, data := bufio.NewScanner(c), false
	for lines.Scan() {
		line := lines.Text()
		s.mu.Lock()
		if secure {
			s.secured = append(s.secured, line)
		} else {
			s.open = append(s.open, line)
		}
		s.mu.Unlock()
		verb, _, _ := strings.Cut(line, " ")
		switch {
		case data && line != ".":
		case data:
			data = false
			fmt.Fprintf(c, "250 taken\r\n")
		case verb == "EHLO":
			fmt.Fprintf(c, "250-localhost\r\n250-STARTTLS\r\n250 AUTH LOGIN PLAIN\r\n") // AUTH in the clear: a lure
		case verb == "STARTTLS":
			fmt.Fprintf(c, "220 go ahead\r\n")
			c = tls.Server(c, s.config)
			secure, lines = true, bufio.NewScanner(c)
		case verb == "AUTH":
			fmt.Fprintf(c, "235 welcome\r\n")
		case verb == "DATA":
			data = true
			fmt.Fprintf(c, "354 go on\r\n")
		case verb == "QUIT":
			fmt.Fprintf(c, "221 bye\r\n")
			return
		default:
			fmt.Fprintf(c, "250 ok\r\n")
		}
	}
}

// TestCredentials signs in to a mail server over either kind of TLS.
func TestCredentials(t *testing.T) {
	t.Parallel()
	for name, security := range map[string]mail.Security{"STARTTLS": mail.SecurityRequired, "TLS from the first byte": mail.SecurityImplicit} {
		w := wiretest.Start(t)
		trusted := wiretest.StartMail(t)
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &submission{listener: l, config: trusted.TLS(), implicit: security == mail.SecurityImplicit}
		var done sync.WaitGroup
		done.Go(server.serve)
		invite(t, w, w.Admin.Token, "guest@example.com")
		w.Released()
		sender := trusted.SenderOf(w.Node, func(r *mail.Relay) {
			r.Port, r.Security, r.Username, r.Password = l.Addr().(*net.TCPAddr).Port, security, "portico", "secret"
		})
		if err := sender.SendDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		done.Wait()
		if sender.Counts()[mail.OutcomeSent] != 1 {
			t.Errorf("%s: %v", name, sender.Counts())
		}
		auth := "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00portico\x00secret"))
		commands := strings.Join(server.secured, "\n")
		for _, want := range []string{auth, "MAIL FROM:<portals@example.com>", "RCPT TO:<guest@example.com>"} {
			if !strings.Contains(commands, want) {
				t.Errorf("%s: no %q in\n%s", name, want, commands)
			}
		}
		if open := strings.Join(server.open, "\n"); strings.Contains(open, "AUTH") || strings.Contains(open, "MAIL") {
			t.Errorf("%s: in the clear:\n%s", name, open)
		}
	}
}

// TestHeaders reads a mail as the mail server got it: what somebody else chose
// has added no field, and each field is what it should be.
func TestHeaders(t *testing.T) {
	t.Parallel()
	w, server := wiretest.Start(t), wiretest.StartMail(t)
	portal := invite(t, w, w.Admin.Token, "ada@bücher.example.com")
	a := w.Do("POST", "/v1/portal/"+portal+"/users", w.Admin.Token, map[string]any{
		"users":   []map[string]string{{"email": "eve@example.com", "first_name": "Bcc: x@example.com"}},
		"message": "a\r\n.\r\nQUIT\r\n\r\nBcc: x@example.com\n..\n" + strings.Repeat("ü", 900),
	})
	if a.Status != 201 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	w.Released()
	if err := server.SenderOf(w.Node).SendDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := server.Received()
	if len(got) != 2 {
		t.Fatalf("%d mails", len(got))
	}
	known := strings.Fields("Mime-Version Date Message-Id From To Reply-To Subject Auto-Submitted List-Unsubscribe List-Unsubscribe-Post Content-Type")
	for _, m := range got {
		for field, values := range m.Header {
			if !strings.Contains(strings.Join(known, " ")+" ", field+" ") || len(values) != 1 {
				t.Errorf("field %s: %q", field, values)
			}
		}
		for _, field := range known {
			if m.Header.Get(field) == "" {
				t.Errorf("no field %s in\n%s", field, m.Raw)
			}
		}
		if id := m.Header.Get("Message-Id"); !strings.HasPrefix(id, "<mail_") || !strings.HasSuffix(id, "@example.com>") {
			t.Errorf("Message-ID %s", id)
		}
		if u := m.Header.Get("List-Unsubscribe"); !strings.HasPrefix(u, "<"+w.Node.Control.SignInURL()+"/unsubscribe/") || !strings.HasSuffix(u, ">") {
			t.Errorf("List-Unsubscribe %s", u)
		}
		if m.Header.Get("From") != `"Portico" <portals@example.com>` || m.Header.Get("Reply-To") != "<admin@acme.example.com>" {
			t.Errorf("From %s, Reply-To %s", m.Header.Get("From"), m.Header.Get("Reply-To"))
		}
		for line := range strings.Lines(m.Raw) {
			if len(line) > 1000 || strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
				t.Errorf("a line is no mail's: %q", line)
			}
		}
	}
	if to := got[0].To + got[1].To; !strings.Contains(to, "ada@xn--bcher-kva.example.com") {
		t.Errorf("sent to %s", to)
	}
}

// TestUnsubscribed bars an address by the link of its mail: what waits is
// dropped with its reason, and nothing more is put up.
func TestUnsubscribed(t *testing.T) {
	t.Parallel()
	w, server := wiretest.Start(t), wiretest.StartMail(t)
	portal := invite(t, w, w.Admin.Token, "ada@example.com")
	w.Released()
	var page store.MailPage
	err := w.Node.Store.View(t.Context(), func(tx *store.Tx) error {
		pages, err := tx.Mails(1)
		page = pages[0]
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(w.Node.Control.MailTarget(page).Unsubscribe, "/unsubscribe/")
	if masked, err := w.Node.Control.UnsubscribeAddress(token); err != nil || masked == "" || strings.Contains(masked, "ada") {
		t.Errorf("masked: %q, %v", masked, err)
	}
	for range 2 {
		if err := w.Node.Control.Unsubscribe(t.Context(), token, "request"); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Node.Control.Unsubscribe(t.Context(), token[1:], "request"); portico.KindOf(err) != portico.KindNotFound {
		t.Errorf("a broken token: %v", err)
	}
	sender := server.SenderOf(w.Node)
	if err := sender.SendDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(server.Received()) != 0 || sender.Counts()[mail.OutcomeDropped] != 1 {
		t.Errorf("sent: %v", sender.Counts())
	}
	a := w.Do("GET", "/v1/portal/"+portal+"/invitations", w.Admin.Token, nil)
	if !strings.Contains(string(a.Body), `"mail_status":"dropped","mail_detail":"blocked"`) {
		t.Errorf("the invitation does not say so: %s", a.Body)
	}
	a = w.Do("POST", "/v1/portal/"+w.Portal("Other")+"/users", w.Admin.Token, `{"users":["Ada@example.com"]}`)
	if !strings.Contains(string(a.Body), `"detail":"blocked"`) {
		t.Errorf("invited: %s", a.Body)
	}
}
