package bench

import (
	"bytes"
	"html/template"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"portico"
	"portico/internal/control"
	"portico/internal/store"
	"portico/internal/web"
)

// measureGuests compares a portal's first page with a handler that renders the
// same bytes from the same templates and knows everything, and counts how often a proxy
// can ask about a guest whose session is warm.
func measureGuests(t *testing.T, r *report) {
	w := openWorld(t, 100)
	guest, visit := w.guest()
	home := call{method: "GET", path: "/", status: http.StatusOK}
	page, err := guest.do(home)
	if err != nil {
		t.Fatal(err)
	}
	w.bare = newService(t, bareTemplate(t, visit), "")
	again, err := w.bare.do(home)
	if err != nil || !bytes.Equal(page, again) {
		t.Fatalf("product and floor answer differently: %v\n%.400s\n%.400s", err, page, again)
	}
	load := workload{connections: 8, lasts: stretch, next: func(int64) call { return home }}
	r.atLeast("a portal's first page, beside a bare template handler", "home", w.against("home", guest, load))

	asked := call{method: "GET", path: "/forward-auth", status: http.StatusOK}
	load = workload{connections: 16, lasts: lastsLong, next: func(int64) call { return asked }}
	load.must(t, guest)
	var perSecond []float64
	var all window
	for range pairs {
		got := load.must(t, guest)
		perSecond = append(perSecond, 1/got.perCall())
		all.times = append(all.times, got.times...)
	}
	s := spreadOf(perSecond)
	r.rows = append(r.rows, result{
		"forward-auth on a warm session, a second, 16 connections", "≥ 5000", s.String(), verdict(s.median >= 5000), quantiles(all.times), "forward-auth",
	})
	profiled(t, "forward-auth", func() { load.must(t, guest) })
}

// guest makes the administrator a guest too, with a warm session.
func (w *world) guest() (*service, portico.Visit) {
	w.t.Helper()
	by := portico.Principal{AccountID: w.product.account, OrganizationID: w.product.organization, Kind: portico.Production, Role: portico.Admin}
	_, err := w.product.node.Control.InviteGuests(w.t.Context(), by, control.Once{}, w.portals[0],
		portico.Invite{Recipients: []portico.Recipient{{Email: address}}})
	if err != nil {
		w.t.Fatal(err)
	}
	var session store.Session
	var row store.PortalRow
	err = w.product.node.Store.Update(w.t.Context(), func(tx *store.Tx) (err error) {
		if row, err = tx.PortalByID(w.portals[0]); err != nil {
			return err
		}
		parent, err := w.product.node.Auth.NewBrowserSession(tx, w.product.account, "", nil)
		if err != nil {
			return err
		}
		session, err = w.product.node.Auth.NewBrowserSession(tx, w.product.account, row.ID, &parent)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	host, err := url.Parse(w.product.node.Control.PortalURL(row.Portal))
	if err != nil {
		w.t.Fatal(err)
	}
	s := w.product.service("")
	cookie := w.product.node.Auth.BrowserCookie(session.ID)
	s.host, s.cookie = host.Host, "portico_session="+cookie
	visit, err := w.product.node.Control.Visit(w.t.Context(), store.Host{Label: row.APIName}, cookie)
	if err != nil {
		w.t.Fatal(err)
	}
	return s, visit
}

// bareTemplate serves what a handler would that has the same templates and
// knows everything: it asks nobody, and writes no log.
func bareTemplate(t *testing.T, visit portico.Visit) string {
	t.Helper()
	pages, err := web.Open(web.Config{
		Brand: "Sign in", Files: os.DirFS(filepath.Join("..", "gateway", "pages")), AssetAt: "/-/assets/", Log: slog.New(slog.DiscardHandler),
		Funcs: template.FuncMap{
			"bad": func(text string) web.Notice { return web.Notice{Text: text} }, "newPassword": func(...string) any { return nil },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	type link struct {
		Name, URL     string
		Current, Away bool
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages.Render(w, r, "home", web.Page{
			Title: "Home", Brand: visit.Portal.Name, Secret: true,
			Account: &web.Account{Name: visit.Name(), Detail: address, SignOut: "/-/sign-out"},
			Data: struct {
				Visit   portico.Visit
				Name    string
				Portals []link
			}{visit, visit.Name(), []link{{Name: visit.Portal.Name, Current: true}}},
		})
	}))
	t.Cleanup(server.Close)
	return server.URL
}
