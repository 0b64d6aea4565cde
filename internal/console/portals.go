package console

import (
	"fmt"
	"strconv"

	"portico"
	"portico/internal/store"
	"portico/internal/web"
)

// portalsPage is how many portals a page lists.
const portalsPage = 50

// portalList is the page of an organization's portals. All of its state is in
// its address.
type portalList struct {
	Query  string
	Order  store.PortalOrder
	Orders []web.Link
	Rows   []store.ListedPortal
	Total  int
	Pages  web.Pagination
	Empty  web.Empty
}

func (c *Console) listPortals(q *request) error {
	list := portalList{Query: q.query("q"), Order: store.PortalOrder(q.query("sort"))}
	if list.Order == "" {
		list.Order = store.PortalsNewest
	}
	page, _ := strconv.Atoi(q.query("page")) // what is no number is the first page
	page = min(max(page, 1), 1_000_000)
	var err error
	list.Rows, list.Total, err = c.control.SearchPortals(q.ctx(), q.by, store.PortalSearch{
		Query: list.Query, Order: list.Order, Offset: (page - 1) * portalsPage, Limit: portalsPage,
	})
	if err != nil {
		return err
	}
	for _, o := range []struct {
		order store.PortalOrder
		text  string
	}{{store.PortalsNewest, "Newest first"}, {store.PortalsOldest, "Oldest first"}, {store.PortalsByName, "By name"}} {
		list.Orders = append(list.Orders, web.Link{Href: string(o.order), Text: o.text, Current: o.order == list.Order})
	}
	at := func(page int) string {
		return address("/portals", "q", list.Query, "sort", q.query("sort"), "page", strconv.Itoa(page))
	}
	first := (page-1)*portalsPage + 1
	list.Pages.Text = fmt.Sprintf("%s–%s of %s", count(first), count(first+len(list.Rows)-1), count(list.Total))
	if page > 1 {
		list.Pages.First = at(1)
	}
	if first+len(list.Rows) <= list.Total {
		list.Pages.Next = at(page + 1)
	}
	list.Empty = c.noPortals(list.Query)
	return q.show("portals", "Portals", list)
}

func (c *Console) noPortals(query string) web.Empty {
	if query != "" {
		return web.Empty{
			Title: "No portal is called that", Text: "Names, addresses and domains were searched for “" + query + "”.",
			Action: web.Link{Href: "/portals", Text: "Show all portals"},
		}
	}
	return web.Empty{
		Title: "No portals yet", Text: "A portal has a database, an address and guests of its own. It is ready a moment after you name it.",
		Action: web.Link{Href: "/portals/new", Text: "Create the first portal"},
		Code: []web.Code{
			{Label: "The same on the command line", Text: `portico portal create "Acme Customers"`},
			{Label: "The same with curl", Text: c.curl("POST", "/v1/portal", `{"name": "Acme Customers"}`)},
		},
	}
}

// curl returns the call of the API that is equal to what a page does.
func (c *Console) curl(method, path, body string) string {
	text := "curl -s"
	if method != "GET" && (method != "POST" || body == "") {
		text += " -X " + method
	}
	text += " " + c.config.PublicURL.JoinPath(path).String() + " \\\n  -H \"Authorization: Bearer $PORTICO_TOKEN\""
	if body != "" {
		text += " \\\n  -H 'Content-Type: application/json' \\\n  -d '" + body + "'"
	}
	return text
}

// portalForm is the page that creates a portal.
type portalForm struct {
	Name, Description, Domain string
	Address                   string // that the name would get; empty without one
	Taken                     bool   // so that it gets a suffix
	Errors                    fieldErrors
}

// preview fills in the address that the name would get.
func (f *portalForm) preview(q *request) error {
	if f.Name == "" {
		return nil
	}
	var err error
	f.Address, f.Taken, err = q.control.PreviewPortal(q.ctx(), q.by, f.Name)
	if portico.KindOf(err) == portico.KindInvalid {
		if f.Errors == nil {
			f.Errors = fieldErrors{"name": portico.MessageOf(err)}
		}
		return nil
	}
	return err
}

func (c *Console) newPortal(q *request) error {
	if err := q.by.MayAdministerPortals(portico.ScopePortalWrite); err != nil {
		return err
	}
	form := portalForm{Name: q.query("name"), Description: q.query("description"), Domain: q.query("custom_domain")}
	if err := form.preview(q); err != nil {
		return err
	}
	return q.show("portal-new", "New portal", form, withScript)
}

func withScript(page *web.Page) { page.Scripts = append(page.Scripts, "console.js") }

func (c *Console) createPortal(q *request) error {
	form := portalForm{Name: q.value("name"), Description: q.value("description"), Domain: q.value("custom_domain")}
	in := portico.PortalCreate{Name: form.Name, Description: optional(form.Description), CustomDomain: optional(form.Domain)}
	id, failed := c.control.StartPortal(q.ctx(), q.by, in)
	if failed == nil {
		return q.seeOther("/portals/" + id + "/creation")
	}
	var err error
	if form.Errors, err = formError(failed); err != nil {
		return err
	}
	if err := form.preview(q); err != nil {
		return err
	}
	return q.show("portal-new", "New portal", form, withScript, as(failed))
}

// optional is a field of a form as a request has it: empty is absent.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
