package node

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"path"
	"time"

	"portico"
	"portico/internal/mail"
	"portico/internal/store"
)

//go:embed devmailpages
var devMailFiles embed.FS

// devMailPage is how many mails the list shows.
const devMailPage = 100

// The policies of the pages: their own stylesheet and the framed mail, and
// nothing else; the mail itself has only the styles that it carries, and runs
// in a sandbox from which a link may open another window.
const (
	devMailPolicy  = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	devMailFramed  = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
	devMailNotHere = "This page is for the machine that the server runs on; open it as http://localhost or http://127.0.0.1.\n"
)

// devMail shows the outbox, with its links, to who sits at the machine. It
// stands in front of the other pages of the public listener.
type devMail struct {
	core  *Core
	pages *template.Template
	mux   *http.ServeMux
}

// newDevMail returns a handler that serves /dev/mail and gives everything else
// to next.
func newDevMail(core *Core, next http.Handler) http.Handler {
	d := &devMail{
		core: core, mux: http.NewServeMux(),
		pages: template.Must(template.ParseFS(devMailFiles, "devmailpages/*.html")),
	}
	d.mux.Handle("/", next)
	d.mux.Handle("GET /dev/mail", d.local(d.list))
	d.mux.Handle("GET /dev/mail/style.css", d.local(d.style))
	d.mux.Handle("GET /dev/mail/{id}", d.local(d.show))
	d.mux.Handle("GET /dev/mail/{id}/html", d.local(d.framed))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// ServeMux redirects what is not clean; that is for next to judge.
		if _, pattern := d.mux.Handler(r); pattern == "/" || r.URL.RawPath != "" || r.URL.Path != path.Clean(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		d.mux.ServeHTTP(w, r)
	})
}

// local answers only who named this machine: a page elsewhere whose host name
// was pointed here sends its own name.
func (d *devMail) local(page http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", devMailPolicy)
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if !localHost(r.Host) {
			http.Error(w, devMailNotHere, http.StatusMisdirectedRequest)
			return
		}
		page(w, r)
	})
}

func localHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" || host == "[::1]" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// devMailRow is a mail in the list.
type devMailRow struct {
	ID, Template, To, Portal, State, Age, Time string
}

func (d *devMail) list(w http.ResponseWriter, r *http.Request) {
	var view struct {
		Rows    []devMailRow
		Waiting int
		More    bool
	}
	err := d.core.Store.View(r.Context(), func(tx *store.Tx) error {
		pages, err := tx.Mails(devMailPage)
		if err != nil {
			return err
		}
		view.Rows = view.Rows[:0]
		for _, page := range pages {
			view.Rows = append(view.Rows, devMailRow{
				ID: page.ID, Template: string(page.Template), To: page.To, Portal: page.PortalName,
				State: mailState(page), Age: mailAge(page, tx.Now), Time: page.CreatedAt.Format(time.RFC3339),
			})
		}
		view.Waiting, _, err = tx.OutboxDepth()
		return err
	})
	view.More = view.Waiting > len(view.Rows)
	d.write(w, "list.html", view, err)
}

// mailState says in a word whether a mail may leave.
func mailState(page store.MailPage) string {
	if page.Held {
		return "held"
	}
	return string(page.State)
}

// mailAge says in words how long ago a mail was put into the outbox.
func mailAge(page store.MailPage, now time.Time) string {
	switch d := now.Sub(page.CreatedAt); {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d d ago", int(d.Hours()/24))
	}
}

func (d *devMail) show(w http.ResponseWriter, r *http.Request) {
	page, message, target, err := d.core.renderMail(r.Context(), r.PathValue("id"))
	view := struct {
		ID, State, Portal, Text, Link string
		Fields                        []mail.Field
	}{page.ID, mailState(page), page.PortalName, message.Text, target.Link, message.Fields()}
	d.write(w, "show.html", view, err)
}

func (d *devMail) framed(w http.ResponseWriter, r *http.Request) {
	_, message, _, err := d.core.renderMail(r.Context(), r.PathValue("id"))
	if err != nil {
		d.write(w, "", nil, err)
		return
	}
	w.Header().Set("Content-Security-Policy", devMailFramed)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(message.HTML)) // a reader that went away is nobody's error
}

func (d *devMail) style(w http.ResponseWriter, _ *http.Request) {
	sheet, err := devMailFiles.ReadFile("devmailpages/style.css")
	if err != nil {
		http.Error(w, "No stylesheet", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(sheet) // a reader that went away is nobody's error
}

// write sends a page, whole or not at all.
func (d *devMail) write(w http.ResponseWriter, name string, view any, err error) {
	var page bytes.Buffer
	if err == nil {
		err = d.pages.ExecuteTemplate(&page, name, view)
	}
	switch {
	case portico.KindOf(err) == portico.KindNotFound:
		http.Error(w, "There is no such mail in the outbox.", http.StatusNotFound)
	case err != nil:
		d.core.Log.Error("a page of the outbox failed", "error", err)
		http.Error(w, "The outbox cannot be shown now.", http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page.Bytes()) // a reader that went away is nobody's error
	}
}

// renderMail renders one mail of the outbox, with the link made on the way: it
// is stored nowhere.
func (c *Core) renderMail(ctx context.Context, id string) (page store.MailPage, m mail.Message, target mail.Target, err error) {
	err = c.Store.View(ctx, func(tx *store.Tx) (err error) {
		page, err = tx.MailByID(id)
		return err
	})
	if err != nil {
		return page, m, target, err
	}
	target = c.Control.MailTarget(page)
	m, err = mail.Render(page, target)
	return page, m, target, err
}
