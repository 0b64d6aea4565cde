// Package mail renders messages and sends them: template, data and a link that
// was made a moment ago become headers, plain text and HTML, and leave through
// the installation's mail server. It is also the guard on what leaves: text that
// somebody else chose can neither add a header nor become a link or markup, and
// no address is sent more than its limits.
//
// It imports store for what a mail holds, and decides nothing about accounts
// or portals. It makes no link itself: its caller does, while sending or
// showing, so that nothing stored can be used.
//
// Start with Render, then Sender, then Relay.
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
	To          string // the stored address
	ReplyTo     string // the inviter's; empty when there is none
	Subject     string // one line, not yet encoded
	Unsubscribe string // the page that ends mail to the address; empty: none
	Text        string
	HTML        string
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

// Target is what a mail leads to, made by the caller while it sends or shows
// the mail. Both addresses must be ones that this installation made.
type Target struct {
	Link        string // where the button leads; of a code: where it is entered
	Code        string // of TemplateCode
	Unsubscribe string // the page that ends mail to the address; empty: none
}

// view is what the templates see. All of it that somebody else chose went
// through portico.SafeMailText.
type view struct {
	Title        string
	Inviter      string   // the person, or the organization when nameless
	Organization string   // empty when it is the inviter already
	Portal       string   // empty for mail of the sign-in host, and to members
	As           string   // what a member becomes; empty for guests
	Message      []string // lines
	Guest        string
	To           string
	Code         string
	Link         string
	Host         string // that the link opens
	Expires      string
	Call         string // the path of the API that sends an invitation again
	Unsubscribe  string
}

// Render makes the message of a mail.
func Render(page store.MailPage, target Target) (Message, error) {
	link, err := url.Parse(target.Link)
	if err != nil || link.Host == "" || (link.Scheme != "https" && link.Scheme != "http") {
		return Message{}, fmt.Errorf("mail: %s has no link to a host", page.ID)
	}
	v := view{
		Inviter: quotable(page.InviterName), Organization: quotable(page.Organization), Portal: quotable(page.PortalName),
		Guest: line(page.Guest), To: line(page.To), Link: link.String(), Host: link.Host,
		Unsubscribe: target.Unsubscribe, Call: "/v1/portal/" + page.PortalID + "/invitations/" + page.InvitationID + "/resend",
		Expires: page.Expires().UTC().Format("Monday, 2 January 2006, 15:04 MST"),
	}
	if v.Inviter == "" && !page.Template.Solicited() {
		v.Inviter, v.Organization = v.Organization, ""
	}
	m, err := addressed(page, target, &v)
	if err != nil {
		return Message{}, err
	}
	v.Title = m.Subject
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

// addressed returns the message with its subject and who gets replies, and fills
// in what else a template has of its own.
func addressed(page store.MailPage, target Target, v *view) (Message, error) {
	m := Message{To: v.To, Unsubscribe: v.Unsubscribe}
	to := ""
	if v.Portal != "" {
		to = " for " + v.Portal
	}
	switch page.Template {
	case store.TemplateInvited:
		m.Subject, m.ReplyTo = v.Inviter+" invited you to "+v.Portal, replyTo(page.InviterEmail)
		if v.As = roleInWords(page.Invitation.Role); v.As != "" {
			m.Subject = strings.TrimSpace(v.Inviter + " invited you to join " + v.Organization)
		}
	case store.TemplateLinked:
		m.Subject, m.ReplyTo = v.Inviter+" added you to "+v.Portal, replyTo(page.InviterEmail)
	case store.TemplateAsked:
		m.Subject, m.ReplyTo = "A new invitation to "+v.Portal+" is asked for", replyTo(page.Guest)
	case store.TemplateCode:
		m.Subject, v.Code = "Your code"+to, target.Code
		if v.Code == "" {
			return Message{}, fmt.Errorf("mail: %s has no code", page.ID)
		}
	case store.TemplateReset:
		m.Subject = "Another password" + to
	default:
		return Message{}, fmt.Errorf("mail: %s has the unknown template %q", page.ID, page.Template)
	}
	if page.Message != "" && (page.Template == store.TemplateInvited || page.Template == store.TemplateLinked) {
		v.Message = strings.Split(portico.SafeMailText(page.Message), "\n")
	}
	m.Subject = portico.SubjectText(m.Subject)
	return m, nil
}

// roleInWords returns what a member of an organization becomes; empty for a
// portal's guest.
func roleInWords(role portico.Role) string {
	switch role {
	case portico.Owner:
		return "an owner"
	case portico.Admin:
		return "an admin"
	case portico.Member:
		return "a member"
	case portico.Guest:
	}
	return ""
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
