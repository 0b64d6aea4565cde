package mail_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/mail"
	"portico/internal/store"
)

const (
	link = "https://cafe-partners.portals.example.com/invite/TOKEN"
	code = "072941"
)

func target() mail.Target {
	return mail.Target{Link: link, Code: code, Unsubscribe: "https://portals.example.com/unsubscribe/TOKEN"}
}

func update() bool { return flag.Lookup("update").Value.String() == "true" }

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files")
	flag.Parse()
	os.Exit(m.Run())
}

func page(template store.Template, change func(*store.MailPage)) store.MailPage {
	p := store.MailPage{
		Mail: store.Mail{ID: "mail_1", Template: template}, To: "ada@example.com", PortalName: "Café Partners",
		Organization: "Harbour Lane Studio", InviterName: "Maren Solberg", InviterEmail: "maren@example.org",
		Message: "Hello Ada,\nthe price list is ready.", Guest: "ada@example.com",
	}
	p.ExpiresAt = time.Date(2026, 6, 29, 14, 41, 0, 0, time.UTC)
	p.Invitation.ExpiresAt = p.ExpiresAt
	if change != nil {
		change(&p)
	}
	return p
}

// attack is what somebody may put into names and messages.
func attack(p *store.MailPage) {
	p.InviterName = `http://evil.example/login click <b>here</b>`
	p.PortalName = "Bank\r\nBcc: victim@example.net\r\n\r\n<script>alert(1)</script> " + strings.Repeat("x", 500)
	p.Organization = `"><a href="https://evil.example">evil.example</a> {{.Link}} %0aX-A:b`
	p.Message = "Go to https://evil.example/x or www.evil.example now\n</pre><img src=http://evil.example/p.gif>\n=?utf-8?q?=0aX?="
	p.InviterEmail = "maren@example.org\r\nBcc: victim@example.net"
}

func TestGolden(t *testing.T) {
	t.Parallel()
	cases := map[string]store.MailPage{
		"invited": page(store.TemplateInvited, nil),
		"linked":  page(store.TemplateLinked, nil),
		"asked":   page(store.TemplateAsked, func(p *store.MailPage) { p.To, p.PortalID, p.InvitationID = "maren@example.org", "port_1", "inv_1" }),
		"code":    page(store.TemplateCode, func(p *store.MailPage) { p.InviterName, p.InviterEmail = "", "" }),
		"reset":   page(store.TemplateReset, func(p *store.MailPage) { p.InviterName, p.PortalName, p.Organization = "", "", "" }),
		"nameless": page(store.TemplateInvited, func(p *store.MailPage) {
			p.InviterName, p.InviterEmail, p.Message = "", "", ""
		}),
		"member": page(store.TemplateInvited, func(p *store.MailPage) {
			p.PortalName, p.Message, p.Invitation.Role = "", "", portico.Admin
		}),
		"attack": page(store.TemplateInvited, attack),
	}
	for name, p := range cases {
		to := target()
		if p.Template.Solicited() {
			to.Unsubscribe = ""
		}
		m, err := mail.Render(p, to)
		if err != nil {
			t.Fatal(name, err)
		}
		var head strings.Builder
		for _, f := range m.Fields() {
			head.WriteString(f.Name + ": " + f.Value + "\n")
		}
		compare(t, name+".txt", head.String()+"\n"+m.Text)
		compare(t, name+".html", m.HTML)
		if n := len(m.Text) + len(m.HTML); n > mail.MaxSize {
			t.Errorf("%s has %d bytes", name, n)
		}
	}
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if update() {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run go test ./internal/mail -update and look at the change:\n%s", name, got)
	}
}

// TestHostileText shows that what somebody else chose can add no header, no
// link and no markup, and that nothing is loaded from elsewhere.
func TestHostileText(t *testing.T) {
	t.Parallel()
	ours := regexp.MustCompile(regexp.QuoteMeta(link))
	loaded := regexp.MustCompile(`<[^>]*(\bsrc=|url\()`)
	linked := regexp.MustCompile(`(?i)https?://\S|www\.[a-z]|[a-z]@[a-z]|evil\.example`)
	for _, template := range store.Templates() {
		m, err := mail.Render(page(template, attack), mail.Target{Link: link, Code: code})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range m.Fields() {
			if strings.ContainsAny(f.Value, "\r\n") || strings.ContainsFunc(f.Value, func(r rune) bool { return r > '~' }) {
				t.Errorf("header %s: %q", f.Name, f.Value)
			}
		}
		for form, body := range map[string]string{"subject": m.Subject, "text": m.Text, "html": m.HTML} {
			rest := strings.ReplaceAll(ours.ReplaceAllString(body, ""), m.To, "")
			if found := linked.FindString(rest); found != "" {
				t.Errorf("%s holds a link: %q in\n%s", form, found, body)
			}
		}
		html := strings.ToLower(m.HTML)
		if strings.Count(html, "<a ") > 1 || strings.Contains(html, "<script") || strings.Contains(html, "<img") || loaded.MatchString(html) {
			t.Errorf("markup got in:\n%s", m.HTML)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "javascript:alert(1)", "/invite/x", "https://", "mailto:a@b.co"} {
		if _, err := mail.Render(page(store.TemplateInvited, nil), mail.Target{Link: bad}); err == nil {
			t.Errorf("link %q is accepted", bad)
		}
	}
	if _, err := mail.Render(page(store.TemplateCode, nil), mail.Target{Link: link}); err == nil {
		t.Error("a mail without its code is made")
	}
	if _, err := mail.Render(page("other", nil), target()); err == nil {
		t.Error("an unknown template is accepted")
	}
}
