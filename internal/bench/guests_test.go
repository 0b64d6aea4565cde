package bench

import (
	"bytes"
	"html/template"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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
// knows everything: html/template runs them, nobody is asked, and no log is
// written. The page's headers are made beforehand.
func bareTemplate(t *testing.T, visit portico.Visit) string {
	t.Helper()
	own := os.DirFS(filepath.Join("..", "gateway", "pages"))
	funcs := template.FuncMap{
		"bad": func(text string) web.Notice { return web.Notice{Text: text} }, "newPassword": func(...string) any { return nil },
	}
	pages, err := web.Open(web.Config{Files: own, AssetAt: "/-/assets/", Funcs: funcs})
	if err != nil {
		t.Fatal(err)
	}
	headers := httptest.NewRecorder()
	pages.FailIn(headers, httptest.NewRequest(http.MethodGet, "/", nil), web.Page{Secret: true}, web.Problem{Status: http.StatusOK})
	headers.Header().Del("Content-Length")
	assets := map[string]string{}
	for _, address := range pages.AssetAddresses() {
		name, _, _ := strings.Cut(path.Base(address), ".")
		assets[name+path.Ext(address)] = address
	}
	funcs["asset"] = func(name string) string { return assets[name] }
	funcs["chip"] = func(kind, text string) web.Chip { return web.Chip{Kind: kind, Text: text} }
	funcs["code"] = func(label, text string) web.Code { return web.Code{Label: label, Text: text} }
	templates := template.Must(template.New("").Funcs(funcs).ParseGlob(filepath.Join("..", "web", "templates", "*.html")))
	template.Must(templates.ParseFS(own, "_*.html", "home.html"))
	buffers := sync.Pool{New: func() any { return new(bytes.Buffer) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		out := buffers.Get().(*bytes.Buffer)
		defer buffers.Put(out)
		out.Reset()
		if err := templates.ExecuteTemplate(out, "layout", newBarePage(visit, assets)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		maps.Copy(w.Header(), headers.Header())
		w.Header().Set("Content-Length", strconv.Itoa(out.Len()))
		_, _ = w.Write(out.Bytes())
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// barePage is the dot of the layout.
type barePage struct {
	Title, Brand, Home string
	Sheets, Programs   []string
	Nav                []web.Link
	Account            *web.Account
	Notices            []web.Notice
	Aside, Narrow      bool
	Data               bareHome
}

type bareHome struct {
	Visit   portico.Visit
	Name    string
	Portals []bareLink
}

type bareLink struct {
	Name, URL     string
	Current, Away bool
}

func newBarePage(visit portico.Visit, assets map[string]string) barePage {
	return barePage{
		Title: "Home", Brand: visit.Portal.Name, Sheets: []string{assets["web.css"]}, Programs: []string{assets["web.js"]},
		Account: &web.Account{Name: visit.Name(), Detail: address, SignOut: "/-/sign-out"},
		Data:    bareHome{visit, visit.Name(), []bareLink{{Name: visit.Portal.Name, Current: true}}},
	}
}
