// Package mail renders messages: template, data and a link that was made a
// moment ago become headers, plain text and HTML. It is also the guard on what
// leaves: text that somebody else chose can neither add a header nor become a
// link or markup.
//
// It imports store for what a mail holds, and decides nothing about accounts
// or portals. It makes no link itself: its caller does, while sending or
// showing, so that nothing stored can be used.
//
// Start with Render.
package mail

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"mime"
	"net/url"
	"strings"
	texttemplate "text/template"

	"portico"
	"portico/internal/store"
)

// MaxSize is the most bytes that a message's two forms have together.
const MaxSize = 15 << 10

//go:embed templates
var templateFiles embed.FS

// Field is one header field, as it is written: one line of ASCII.
type Field struct{ Name, Value string }

// Message is a rendered mail.
type Message struct {
	To      string // the stored address
	ReplyTo string // the inviter's; empty when there is none
	Subject string // one line, not yet encoded
	Text    string
	HTML    string
}

// Fields returns the header fields that the message itself decides. What is not
// ASCII is encoded (RFC 2047), and no value holds a line break.
func (m Message) Fields() []Field {
	fields := []Field{{"To", line(m.To)}}
	if m.ReplyTo != "" {
		fields = append(fields, Field{"Reply-To", line(m.ReplyTo)})
	}
	return append(fields, Field{"Subject", folded(mime.QEncoding.Encode("utf-8", line(m.Subject)))})
}

// folded undoes the encoder's line breaks: who writes the field folds it.
func folded(s string) string { return strings.ReplaceAll(s, "\r\n", "") }

// line leaves out what could begin another header field.
func line(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '\x7f' {
			return -1
		}
		return r
	}, s)
}

// view is what the templates see. All of it that somebody else chose went
// through portico.SafeMailText.
type view struct {
	Inviter      string // the person, or the organization when nameless
	Organization string // empty when it is the inviter already
	Portal       string
	Message      []string // lines
	To           string
	Link         string
	Host         string // that the link opens
	Expires      string
}

// Render makes the message of a mail. link is where its button leads; it must
// be an address that this installation made.
func Render(page store.MailPage, link string) (Message, error) {
	target, err := url.Parse(link)
	if err != nil || target.Host == "" || (target.Scheme != "https" && target.Scheme != "http") {
		return Message{}, fmt.Errorf("mail: %s has no link to a host", page.ID)
	}
	v := view{
		Inviter: quotable(page.InviterName), Organization: quotable(page.Organization), Portal: quotable(page.PortalName),
		To: line(page.To), Link: target.String(), Host: target.Host,
		Expires: page.ExpiresAt.UTC().Format("Monday, 2 January 2006, 15:04 MST"),
	}
	if v.Inviter == "" {
		v.Inviter, v.Organization = v.Organization, ""
	}
	if page.Message != "" {
		v.Message = strings.Split(portico.SafeMailText(page.Message), "\n")
	}
	m := Message{To: v.To, ReplyTo: replyTo(page.InviterEmail)}
	switch page.Template {
	case store.TemplateInvited:
		m.Subject = portico.SubjectText(v.Inviter + " invited you to " + v.Portal)
	case store.TemplateLinked:
		m.Subject = portico.SubjectText(v.Inviter + " added you to " + v.Portal)
	default:
		return Message{}, fmt.Errorf("mail: %s has the unknown template %q", page.ID, page.Template)
	}
	if m.Text, err = renderText(page.Template, v); err != nil {
		return Message{}, err
	}
	if m.HTML, err = renderHTML(page.Template, v); err != nil {
		return Message{}, err
	}
	if size := len(m.Text) + len(m.HTML); size > MaxSize {
		return Message{}, fmt.Errorf("mail: %s would be %d bytes", page.ID, size)
	}
	return m, nil
}

// quotable returns a name for a sentence: short, on one line, nothing in it a
// link.
func quotable(name string) string { return portico.SafeMailText(portico.CleanPersonName(name)) }

// replyTo returns an address for replies, none where it is no address.
func replyTo(email string) string {
	address, err := portico.ParseAddress(email)
	if err != nil {
		return ""
	}
	return address.Stored
}

func renderText(name store.Template, v view) (string, error) {
	t, err := texttemplate.ParseFS(templateFiles, "templates/frame.txt", "templates/"+string(name)+".txt")
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = t.ExecuteTemplate(&b, "frame.txt", v)
	return b.String(), err
}

func renderHTML(name store.Template, v view) (string, error) {
	t, err := htmltemplate.ParseFS(templateFiles, "templates/frame.html", "templates/"+string(name)+".html")
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = t.ExecuteTemplate(&b, "frame.html", v)
	return b.String(), err
}
