package wiretest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"portico/internal/mail"
	"portico/internal/node"
	"portico/internal/store"
)

// MailServer is a real mail server on a loopback port that does to mail what a
// test asks of it.
type MailServer struct {
	// Sender is asked about each mail, how many came before it over the same
	// connection; a *smtp.SMTPError is the answer.
	Sender func(before int) error
	// Recipient is asked about each recipient, in the same way.
	Recipient func(to string) error
	// Taken is told of each mail that was received whole, before the server says
	// so; true cuts the connection instead.
	Taken func(Received) (cut bool)

	t     testing.TB
	end   func()
	port  int
	roots *x509.CertPool
	tls   *tls.Config
	down  atomic.Bool

	mu         sync.Mutex
	received   []Received
	recipients int
	sent       bytes.Buffer // what clients sent in the clear
}

// Received is a mail that a server took.
type Received struct {
	To     string
	Header netmail.Header
	Text   string
	HTML   string
	Raw    string
}

// StartMail starts a mail server that offers TLS unless told otherwise. It ends
// with the test.
func StartMail(t testing.TB, change ...func(*smtp.Server)) *MailServer {
	t.Helper()
	m := &MailServer{t: t, roots: x509.NewCertPool()}
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &mailSession{server: m, conn: c}, nil }))
	s.Domain = "localhost"
	m.tls = &tls.Config{Certificates: []tls.Certificate{m.certificate()}, MinVersion: tls.VersionTLS12}
	s.TLSConfig = m.tls
	s.ErrorLog = silent{}
	for _, f := range change {
		f(s)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.port = l.Addr().(*net.TCPAddr).Port //nolint:errcheck,forcetypeassert // a TCP listener's address
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.Serve(mailListener{l, m}); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
	})
	m.end = sync.OnceFunc(func() {
		_ = s.Close() // what is under way is cut
		done.Wait()
	})
	t.Cleanup(m.end)
	return m
}

// certificate makes one that the server's own roots trust, for localhost.
func (m *MailServer) certificate() tls.Certificate {
	m.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		m.t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		m.t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		m.t.Fatal(err)
	}
	m.roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

// Relay returns how the server is reached, its certificate trusted.
func (m *MailServer) Relay() *mail.Relay {
	return &mail.Relay{
		Host: "localhost", Port: m.port, Security: mail.SecurityRequired, RootCAs: m.roots,
		From: netmail.Address{Name: "Portico", Address: "portals@example.com"},
	}
}

// Close ends the server before the test does.
func (m *MailServer) Close() { m.end() }

// TLS returns the configuration of another server that Relay's roots trust.
func (m *MailServer) TLS() *tls.Config { return m.tls }

// SenderOf returns a sender of a node's outbox to the server, not started.
func (m *MailServer) SenderOf(n *node.Node, change ...func(*mail.Relay)) *mail.Sender {
	relay := m.Relay()
	for _, f := range change {
		f(relay)
	}
	return mail.NewSender(mail.Config{
		Store: n.Store, Relay: relay, Log: Log(), Target: n.Control.MailTarget, Bounced: n.Control.MailBounced,
	})
}

// Down makes the server hang up on everyone, or answer again.
func (m *MailServer) Down(down bool) { m.down.Store(down) }

// Received returns the mails that were received, in order, those among them
// whose sender was not told.
func (m *MailServer) Received() []Received {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.received)
}

// Recipients returns how many recipients the server was asked to take mail for.
func (m *MailServer) Recipients() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.recipients
}

// Clear returns all that clients sent before there was TLS.
func (m *MailServer) Clear() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent.String()
}

// mailListener hangs up while the server is down, and keeps what is sent.
type mailListener struct {
	net.Listener

	server *MailServer
}

// Accept implements net.Listener.
func (l mailListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || !l.server.down.Load() {
			return &tapped{c, l.server}, err
		}
		_ = c.Close()
	}
}

// tapped is a connection of which the server keeps what it reads.
type tapped struct {
	net.Conn

	server *MailServer
}

// Read implements io.Reader.
func (c *tapped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.server.mu.Lock()
	c.server.sent.Write(p[:n])
	c.server.mu.Unlock()
	return n, err
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// mailSession is one mail after the other over a connection.
type mailSession struct {
	server *MailServer
	conn   *smtp.Conn
	to     string
	mails  int
}

// Reset implements smtp.Session.
func (s *mailSession) Reset() { s.to = "" }

// Logout implements smtp.Session.
func (s *mailSession) Logout() error { return nil }

// Mail implements smtp.Session.
func (s *mailSession) Mail(string, *smtp.MailOptions) error {
	s.mails++
	if s.server.Sender != nil {
		return s.server.Sender(s.mails - 1)
	}
	return nil
}

// Rcpt implements smtp.Session.
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	s.server.recipients++
	s.server.mu.Unlock()
	if s.server.Recipient != nil {
		if err := s.server.Recipient(to); err != nil {
			return err
		}
	}
	s.to = to
	return nil
}

// Data implements smtp.Session.
func (s *mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	got, err := parseMail(s.to, raw)
	if err != nil {
		s.server.t.Errorf("a mail to %s cannot be read: %v\n%s", s.to, err, raw)
		return err
	}
	s.server.mu.Lock()
	s.server.received = append(s.server.received, got)
	s.server.mu.Unlock()
	if s.server.Taken != nil && s.server.Taken(got) {
		_ = s.conn.Conn().Close()
	}
	return nil
}

// parseMail reads a mail of two parts as a mail program would.
func parseMail(to string, raw []byte) (Received, error) {
	got := Received{To: to, Raw: string(raw)}
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return got, err
	}
	got.Header = m.Header
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return got, err
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, text := range []*string{&got.Text, &got.HTML} {
		part, err := parts.NextRawPart()
		if err != nil {
			return got, err
		}
		whole, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			return got, err
		}
		*text = string(whole)
	}
	return got, nil
}

// Released waits until nothing holds mail: the jobs of answered requests go
// right behind their answers.
func (w *World) Released() {
	w.T.Helper()
	Released(w.T, w.Node)
}

// Released is World.Released for a node of the caller's.
func Released(t testing.TB, n *node.Node) {
	t.Helper()
	patience := time.NewTimer(10 * time.Second)
	defer patience.Stop()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for {
		jobs := 0
		err := n.Store.View(t.Context(), func(tx *store.Tx) (err error) {
			jobs, err = tx.CountJobs()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if jobs == 0 {
			return
		}
		select {
		case <-ticker.C:
		case <-patience.C:
			t.Fatalf("%d jobs stay", jobs)
		}
	}
}
