package console

import (
	"errors"
	"fmt"
	"io"

	"net/http"
	"strconv"

	"portico"
	"portico/internal/control"
	"portico/internal/web"
)

// importForm is the page on which a list is pasted or dropped.
type importForm struct {
	portalFrame

	List, Message string
	NoMail        bool
	Errors        fieldErrors
}

func (c *Console) newImport(q *request) error {
	frame, err := q.framed("guests")
	if err != nil {
		return err
	}
	return q.show("invite", "Invite to "+frame.Portal.Name, importForm{portalFrame: frame}, withScript)
}

func (c *Console) draftImport(q *request) error {
	form := importForm{List: q.value("list"), Message: q.value("message"), NoMail: q.value("mail") == ""}
	list, failed := q.uploaded(form.List)
	if failed == nil {
		var m portico.Import
		m, failed = c.control.DraftImport(q.ctx(), q.by, q.param("portal"), control.ImportDraft{
			Text: list, Message: form.Message, SendEmail: !form.NoMail,
		})
		if failed == nil {
			return q.seeOther("/portals/" + m.PortalID + "/imports/" + m.ID)
		}
	}
	var err error
	if form.Errors, err = formError(failed); err != nil {
		return err
	}
	if form.portalFrame, err = q.framed("guests"); err != nil {
		return err
	}
	return q.show("invite", "Invite to "+form.Portal.Name, form, withScript, as(failed))
}

// uploaded returns the text of the file that was sent, or else what was pasted.
func (q *request) uploaded(pasted string) (string, error) {
	file, _, err := q.r.FormFile("file")
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) {
		return pasted, nil
	}
	if err != nil {
		return "", portico.WrapError(portico.KindInvalid, err, "The file could not be read. Send it again.")
	}
	raw, err := io.ReadAll(file)
	err = errors.Join(err, file.Close())
	if err != nil {
		return "", portico.FieldErrorf("list", "The file could not be read.")
	}
	if len(raw) == 0 {
		return pasted, nil
	}
	return string(raw), nil
}

// importRowsPage is how many rows of an import a page shows.
const importRowsPage = 100

// importPage is an import: what would happen, what is happening, what happened.
type importPage struct {
	portalFrame

	Import    portico.Import
	Self      string // the path of this page
	Sums      []importSum
	Worth     int // rows that sending can have an effect on
	Sent      int // rows that were worked off
	Failed    int
	Only      string // "failed": the list shows those that failed
	Filters   []web.Link
	Rows      []portico.ImportRow
	Pages     web.Pagination
	Equal     []web.Code
	Suggested bool // something is suggested that a click can take
}

// importSum is a verdict with how many rows have it.
type importSum struct {
	Chip  web.Chip
	Count int
}

func (c *Console) showImport(q *request) error {
	frame, err := q.framed("guests")
	if err != nil {
		return err
	}
	m, rows, err := c.control.Import(q.ctx(), q.by, q.param("portal"), q.param("import"))
	if err != nil {
		return err
	}
	page := importPage{
		portalFrame: frame, Import: m, Self: frame.Path + "/imports/" + m.ID, Only: q.query("show"),
		Sent: min(m.NextPart*portico.ImportPartRows, m.Rows), Failed: m.Counts[portico.VerdictFailed],
		Suggested: m.Suggestions > 0 && m.State == portico.ImportDraft,
	}
	page.sum(rows)
	page.list(rows, q.query("page"))
	page.Equal = []web.Code{{
		Label: "The same on the command line", Text: "portico guest invite " + frame.Portal.ID + " --csv guests.csv --dry-run",
	}}
	return q.show("import", "Invite to "+frame.Portal.Name, page)
}

// sum counts the rows by what is, or was, done with them.
func (p *importPage) sum(rows []portico.ImportRow) {
	for _, r := range rows {
		if r.Worth() {
			p.Worth++
		}
	}
	sent := p.Import.State != portico.ImportDraft
	for _, v := range []portico.Verdict{
		portico.VerdictInvited, portico.VerdictLinked, portico.VerdictAlreadyInvited, portico.VerdictAlreadyMember, portico.VerdictDuplicate, portico.VerdictFailed,
	} {
		if n := p.Import.Counts[v]; n > 0 {
			p.Sums = append(p.Sums, importSum{verdictChip(portico.ImportRow{Verdict: v}, sent), n})
		}
	}
}

// list fills in one page of the rows.
func (p *importPage) list(rows []portico.ImportRow, number string) {
	flagged := 0
	var shown []portico.ImportRow
	for _, r := range rows {
		odd := r.Verdict == portico.VerdictFailed || r.Suggestion != ""
		if odd {
			flagged++
		}
		if p.Only != "failed" || odd {
			shown = append(shown, r)
		}
	}
	p.Filters = []web.Link{
		{Href: p.Self, Text: "All rows", Count: count(len(rows)), Current: p.Only != "failed"},
		{Href: p.Self + "?show=failed", Text: "To look at", Count: count(flagged), Current: p.Only == "failed"},
	}
	page, _ := strconv.Atoi(number) // what is no number is the first page
	from := min(max(page-1, 0)*importRowsPage, len(shown))
	to := min(from+importRowsPage, len(shown))
	p.Rows = shown[from:to]
	p.Pages.Text = fmt.Sprintf("%s–%s of %s", count(min(from+1, to)), count(to), count(len(shown)))
	if from > 0 {
		p.Pages.First = address(p.Self, "show", p.Only)
	}
	if to < len(shown) {
		p.Pages.Next = address(p.Self, "show", p.Only, "page", strconv.Itoa(max(page, 1)+1))
	}
}

func (q *request) importPath(id string) string {
	return "/portals/" + q.param("portal") + "/imports/" + id
}

func (c *Console) sendImport(q *request) error {
	if err := c.control.SendImport(q.ctx(), q.by, q.param("portal"), q.param("import")); err != nil {
		return err
	}
	return q.seeOther(q.importPath(q.param("import")))
}

func (c *Console) redraftImport(q *request) error {
	m, err := c.control.RedraftImport(q.ctx(), q.by, q.param("portal"), q.param("import"))
	if err != nil {
		return err
	}
	return q.seeOther(q.importPath(m.ID))
}

func (c *Console) discardImport(q *request) error {
	if err := c.control.DiscardImport(q.ctx(), q.by, q.param("portal"), q.param("import")); err != nil {
		return err
	}
	return q.seeOther("/portals/" + q.param("portal") + "/guests?did=list-discarded")
}

// exportImport answers with the rows and their verdicts. It can be dropped on
// the page of a new list again.
func (c *Console) exportImport(q *request) error {
	_, rows, err := c.control.Import(q.ctx(), q.by, q.param("portal"), q.param("import"))
	if err != nil {
		return err
	}
	out := q.csv("result.csv", "email", "first_name", "last_name", "status", "detail", "suggestion", "line")
	for _, r := range rows {
		out.row(r.Email, r.FirstName, r.LastName, string(r.Verdict), r.Detail, r.Suggestion, strconv.Itoa(r.Line))
	}
	return out.end(nil)
}
