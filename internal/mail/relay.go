package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"portico"
	"portico/internal/store"
)

// Security is what a relay's connection must be.
type Security string

// The securities. Credentials go over TLS only, so the weaker two take none.
const (
	SecurityImplicit      Security = "implicit"      // TLS from the first byte: smtps://
	SecurityRequired      Security = "required"      // STARTTLS, or no mail
	SecurityOpportunistic Security = "opportunistic" // STARTTLS where it is offered
	SecurityNone          Security = "none"          // never: a relay on the same machine
)

// relayPatience is how long a relay may take to greet, and to take one mail.
const relayPatience = time.Minute

// Relay is the mail server that takes all our mail.
type Relay struct {
	Host     string
	Port     int
	Username string
	Password string
	Security Security
	From     netmail.Address

	// RootCAs are whom the relay's certificate must be from; nil: the system's.
	RootCAs *x509.CertPool
	// Patience is how long the relay may take to greet, and to take one mail;
	// 0: a minute.
	Patience time.Duration
}

// ParseRelay reads a relay from its address, such as
// smtp://user:password@host:587?tls=required or smtps://host, and the address
// that mail is from, with or without a name. No error repeats the address,
// which may hold a password.
func ParseRelay(address, from string) (*Relay, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return nil, errors.New("it is no address such as smtp://user:password@mail.example.com:587")
	}
	r := &Relay{Host: u.Hostname(), Username: u.User.Username()}
	r.Password, _ = u.User.Password()
	query := u.Query()
	r.Security = Security(query.Get("tls"))
	query.Del("tls")
	if len(query) > 0 {
		return nil, errors.New("it has a parameter other than tls")
	}
	switch {
	case u.Scheme == "smtps" && r.Security == "":
		r.Port, r.Security = 465, SecurityImplicit
	case u.Scheme == "smtp" && r.Security == "":
		r.Port, r.Security = 587, SecurityRequired
	case u.Scheme == "smtp" && (r.Security == SecurityRequired || r.Security == SecurityOpportunistic || r.Security == SecurityNone):
		r.Port = 587
	default:
		return nil, errors.New("it begins with smtps://, or with smtp:// and may end with ?tls=required, opportunistic or none")
	}
	if u.Port() != "" {
		if r.Port, err = strconv.Atoi(u.Port()); err != nil || r.Port < 1 || r.Port > 65535 {
			return nil, errors.New("its port is no number from 1 to 65535")
		}
	}
	if u.User != nil && r.Security != SecurityImplicit && r.Security != SecurityRequired {
		return nil, errors.New("it has a user, and credentials go over TLS only: leave tls= out")
	}
	sender, err := netmail.ParseAddress(from)
	if err != nil {
		return nil, errors.New("mail-from is no address such as Portico <portals@example.com>")
	}
	if _, err := portico.ParseAddress(sender.Address); err != nil {
		return nil, errors.New("mail-from is no address that mail can be from")
	}
	r.From = *sender
	return r, nil
}

// String returns where the relay is, without credentials.
func (r *Relay) String() string { return net.JoinHostPort(r.Host, strconv.Itoa(r.Port)) }

func (r *Relay) patience() time.Duration {
	if r.Patience > 0 {
		return r.Patience
	}
	return relayPatience
}

// link is one connection to the relay, over which mail goes.
type link struct {
	relay  *Relay
	conn   net.Conn
	client *smtp.Client
	taken  bool // some mail
	broken bool
	stop   func() bool
}

// dial connects, secures the connection and signs in. It is cut when the
// context ends.
func (r *Relay) dial(ctx context.Context) (*link, error) {
	l := &link{relay: r}
	config := &tls.Config{ServerName: r.Host, RootCAs: r.RootCAs, MinVersion: tls.VersionTLS12}
	options := []gomail.Option{
		gomail.WithPort(r.Port), gomail.WithTimeout(r.patience()), gomail.WithTLSConfig(config), gomail.WithoutSMTPUTF8(),
		gomail.WithDialContextFunc(func(ctx context.Context, network, address string) (conn net.Conn, err error) {
			dialer := &net.Dialer{}
			if r.Security == SecurityImplicit {
				conn, err = (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, network, address)
			} else {
				conn, err = dialer.DialContext(ctx, network, address)
			}
			l.conn = conn
			return conn, err
		}),
	}
	switch r.Security {
	case SecurityImplicit:
		options = append(options, gomail.WithSSL())
	case SecurityRequired:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case SecurityOpportunistic:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	case SecurityNone:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if r.Username != "" {
		options = append(options, gomail.WithUsername(r.Username), gomail.WithPassword(r.Password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	client, err := gomail.NewClient(r.Host, options...)
	if err != nil {
		return nil, err
	}
	l.client, err = client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		if l.conn != nil {
			_ = l.conn.Close()
		}
		return nil, err
	}
	l.stop = context.AfterFunc(ctx, func() { _ = l.conn.Close() })
	return l, nil
}

// close ends the connection, politely when it works.
func (l *link) close() {
	l.stop()
	if !l.broken {
		_ = l.client.UpdateDeadline(quitPatience)
		_ = l.client.Quit()
	}
	_ = l.conn.Close()
}

// quitPatience is how long a relay may take to say good-bye.
const quitPatience = time.Second

// RefusedError is what a relay said instead of taking a mail.
type RefusedError struct {
	Code      int    // SMTP's; 0: the mail could not even be made
	Permanent bool   // it will never take it
	Sender    bool   // it was about us, not about the mail or who receives it
	Hangup    bool   // it took mail over this connection, and takes no more over it
	Detail    string // the relay's code and words, fit to be shown
}

// Error returns the detail.
func (r *RefusedError) Error() string { return r.Detail }

// send gives the relay one mail. The error is a *RefusedError; any other one is
// about the connection, which is broken then, and whether the mail was taken is
// not known.
func (l *link) send(from, to string, message *gomail.Msg) error {
	if err := l.client.UpdateDeadline(l.relay.patience()); err != nil {
		return l.fail(err)
	}
	if err := l.client.Mail("<" + from + ">"); err != nil {
		err = l.fail(err)
		if r, ok := errors.AsType[*RefusedError](err); ok {
			r.Sender, r.Hangup = true, l.taken && !r.Permanent
			l.broken = true // no further mail would fare better
		}
		return err
	}
	if err := l.client.Rcpt("<" + to + ">"); err != nil {
		return l.fail(err)
	}
	w, err := l.client.Data()
	if err != nil {
		return l.fail(err)
	}
	if _, err := message.WriteTo(w); err != nil {
		l.broken = true // the mail's end must not be sent
		return err
	}
	if err := w.Close(); err != nil {
		return l.fail(err)
	}
	l.taken = true
	return nil
}

// fail tells what the relay said from a connection that broke, and makes the
// connection ready for the next mail.
func (l *link) fail(err error) error {
	said, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		l.broken = true
		return err
	}
	if said.Code == 421 || l.client.Reset() != nil { // 421: it is about to hang up
		l.broken = true
	}
	return &RefusedError{Code: said.Code, Permanent: said.Code >= 500, Detail: shown(said)}
}

// maxDetail bounds what is kept of a relay's words.
const maxDetail = 200

// shown makes one line of printable ASCII of what a relay said.
func shown(said *textproto.Error) string {
	words := strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r > '~':
			return -1
		}
		return r
	}, said.Msg)
	text := fmt.Sprintf("%d %s", said.Code, words)
	return strings.TrimSpace(text[:min(len(text), maxDetail)])
}

// compose makes the message that goes over the wire. Its Message-ID is the same
// each time that the mail is tried, so that a mail that arrives twice is shown
// once.
func (r *Relay) compose(page store.MailPage, m Message, at time.Time) (message *gomail.Msg, to string, err error) {
	address, err := portico.ParseAddress(page.To)
	if err != nil {
		return nil, "", err
	}
	to = address.Envelope()
	_, domain, _ := strings.Cut(r.From.Address, "@")
	message = gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := message.FromFormat(r.From.Name, r.From.Address); err != nil {
		return nil, "", err
	}
	if err := message.To(to); err != nil {
		return nil, "", err
	}
	if m.ReplyTo != "" {
		if err := message.ReplyTo(m.ReplyTo); err != nil {
			return nil, "", err
		}
	}
	message.Subject(m.Subject)
	message.SetMessageIDWithValue(page.ID + "@" + domain)
	message.SetDateWithValue(at)
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	if m.Unsubscribe != "" {
		message.SetGenHeaderPreformatted(gomail.HeaderListUnsubscribe, "<"+m.Unsubscribe+">")
		message.SetGenHeaderPreformatted(gomail.HeaderListUnsubscribePost, "List-Unsubscribe=One-Click")
	}
	message.SetBodyString(gomail.TypeTextPlain, m.Text)
	message.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return message, to, nil
}
