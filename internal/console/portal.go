package console

import (
	"portico"
	"portico/internal/control"
	"portico/internal/web"
)

// portalFrame is what each tab of a portal begins with.
type portalFrame struct {
	Portal control.PortalOverview
	URL    string
	Path   string // of the portal's pages
	Crumbs []web.Link
	Tabs   []web.Link
}

// framed returns a portal with its tabs, of which one is open.
func (q *request) framed(tab string) (portalFrame, error) {
	p, err := q.control.PortalOverview(q.ctx(), q.by, q.param("portal"))
	if err != nil {
		return portalFrame{}, err
	}
	f := portalFrame{Portal: p, URL: q.control.PortalURL(p.Portal), Path: "/portals/" + p.ID}
	f.Crumbs = []web.Link{{Href: "/portals", Text: "Portals"}, {Href: f.Path + "/guests", Text: p.Name}}
	for _, t := range []struct{ name, text, count string }{
		{"guests", "Guests", count(p.Guests.All())}, {"activity", "Activity", ""}, {"api", "API", ""}, {"settings", "Settings", ""},
	} {
		f.Tabs = append(f.Tabs, web.Link{Href: f.Path + "/" + t.name, Text: t.text, Count: t.count, Current: t.name == tab})
	}
	return f, nil
}

func (c *Console) showPortal(q *request) error {
	p, err := c.control.Portal(q.ctx(), q.by, q.param("portal"))
	if err != nil {
		return err
	}
	return q.seeOther("/portals/" + p.ID + "/guests")
}

// apiTab shows how a program does what the console does.
type apiTab struct {
	portalFrame

	Calls []web.Code
}

func (c *Console) portalAPI(q *request) error {
	frame, err := q.framed("api")
	if err != nil {
		return err
	}
	path := "/v1/portal/" + frame.Portal.ID
	tab := apiTab{frame, []web.Code{
		{Label: "Invite guests", Text: c.curl("POST", path+"/users", `{"users": ["ada@example.com"]}`)},
		{Label: "List guests", Text: c.curl("GET", path+"/users", "")},
		{Label: "Remove a guest", Text: c.curl("DELETE", path+"/users/USER_ID", "")},
		{Label: "Rename the portal", Text: c.curl("PATCH", path, `{"name": "New name"}`)},
		{Label: "On the command line", Text: "portico guest invite " + frame.Portal.ID + " --csv guests.csv\nportico guest list " + frame.Portal.ID},
	}}
	return q.show("portal-api", frame.Portal.Name+": API", tab)
}

// settingsTab changes a portal, or deletes it.
type settingsTab struct {
	portalFrame

	Name, Description, Domain string
	Size                      string // of what a deletion removes; empty where it cannot be told
	Errors                    fieldErrors
}

func (c *Console) portalSettings(q *request) error {
	frame, err := q.framed("settings")
	if err != nil {
		return err
	}
	tab := settingsTab{portalFrame: frame, Name: frame.Portal.Name, Description: text(frame.Portal.Description), Domain: text(frame.Portal.CustomDomain)}
	if tab.Size, err = q.size(); err != nil {
		return err
	}
	return q.show("portal-settings", frame.Portal.Name+": settings", tab)
}

// size returns how much storage the portal takes, in words; empty where that
// cannot be told now.
func (q *request) size() (string, error) {
	n, err := q.control.PortalSize(q.ctx(), q.by, q.param("portal"))
	if portico.KindOf(err) == portico.KindUnavailable {
		return "", nil
	}
	return bytes(n), err
}

// text is the reverse of optional.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (c *Console) updatePortal(q *request) error {
	name := q.value("name")
	_, failed := c.control.UpdatePortal(q.ctx(), q.by, control.Once{}, q.param("portal"), portico.PortalUpdate{
		Name:         &name,
		Description:  portico.Change{Set: true, Value: optional(q.value("description"))},
		CustomDomain: portico.Change{Set: true, Value: optional(q.value("custom_domain"))},
	})
	if failed == nil {
		return q.seeOther("/portals/" + q.param("portal") + "/settings?did=portal-updated")
	}
	errors, err := formError(failed)
	if err != nil {
		return err
	}
	return c.settingsAgain(q, failed, settingsTab{Name: name, Description: q.value("description"), Domain: q.value("custom_domain"), Errors: errors})
}

func (c *Console) settingsAgain(q *request, failed error, tab settingsTab) error {
	var err error
	if tab.portalFrame, err = q.framed("settings"); err != nil {
		return err
	}
	if tab.Size, err = q.size(); err != nil {
		return err
	}
	return q.show("portal-settings", tab.Portal.Name+": settings", tab, as(failed))
}

var errOtherName = portico.FieldErrorf("confirm", "That is not the portal's name, so nothing was deleted.")

func (c *Console) deletePortal(q *request) error {
	p, err := c.control.Portal(q.ctx(), q.by, q.param("portal"))
	if err != nil {
		return err
	}
	// What a browser sends has its line ends and edges changed, no more.
	if typed, err := portico.CleanName(q.value("confirm")); err != nil || typed != p.Name {
		return c.settingsAgain(q, errOtherName, settingsTab{
			Name: p.Name, Description: text(p.Description), Domain: text(p.CustomDomain), Errors: fieldErrors{"confirm": errOtherName.Msg},
		})
	}
	if err := c.control.DeletePortal(q.ctx(), q.by, control.Once{}, p.ID); err != nil {
		return err
	}
	return q.seeOther("/portals?did=portal-deleted")
}
