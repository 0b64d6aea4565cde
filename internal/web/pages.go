package web

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"portico/internal/web/program"
)

//go:embed templates assets
var shared embed.FS

// Config is what a front gives.
type Config struct {
	Brand   string // stands at the head of each page
	Home    string // where the brand leads; empty: nowhere
	Files   fs.FS  // the front's templates and assets, in one folder
	AssetAt string // below which assets are served, "/assets/" when empty
	Log     *slog.Logger

	// Funcs are functions of the front's own for its templates; may be nil. What
	// one returns depends on its arguments alone: with constants it is called once.
	Funcs template.FuncMap
}

// Pages renders the pages of one front. It is safe for concurrent use.
type Pages struct {
	config  Config
	assets  *assets
	pages   map[string]prepared
	failure prepared
	buffers sync.Pool // of *[]byte, for pages that are sent at once
}

// prepared returns a page's program. It is made when the page is first shown:
// most of a start would be spent on pages that nobody asks for.
type prepared func() (*program.Program, error)

// Page is one page as the layout sees it.
type Page struct {
	Title string // of the window; the brand is added
	Data  any    // the dot of the page's "main"

	Status  int    // of the answer; zero is 200
	Brand   string // instead of the front's: a portal's name
	Nav     []Link // at the head
	Account *Account
	Notices []Notice // above "main"
	Styles  []string // the front's assets beside web.css
	Scripts []string // and beside web.js
	Aside   bool     // the page defines "aside", which stands beside "main"; its dot is Data too
	Narrow  bool     // a form or a message alone, in the middle

	// Secret says that the page shows a secret, or that its own address is one:
	// it is not compressed, its address is told to nobody, and no machine keeps it.
	Secret bool

	// FormAction names origins other than the page's own that its forms lead to.
	FormAction []string
}

// Link is an entry of navigation, tabs or crumbs.
type Link struct {
	Href, Text string
	Current    bool
	Count      string // shown beside the text; may be empty
}

// Account is who is signed in, at the head of each page.
type Account struct {
	Name, Detail string // a person and, say, an organization
	Links        []Link
	SignOut      string // where the button's form posts to; empty: no button
}

// Notice tells what happened. Kind is good, bad, warn, or empty.
type Notice struct {
	Kind, Title, Text string
}

// Chip is a state in a word. Kind is good, bad, warn, busy, or empty; each has
// a mark of its own beside its colour.
type Chip struct {
	Kind, Text string
}

// Code is text to copy, with what it is for.
type Code struct {
	Label, Text string
}

// Empty stands where a list would be. Code holds the equal commands.
type Empty struct {
	Title, Text string
	Action      Link
	Code        []Code
}

// Pagination is the way on in a list; an empty address is not shown.
type Pagination struct {
	First, Next string
	Text        string // such as "1–50 of 240"
}

// Problem is an error for a person to read.
type Problem struct {
	Status int
	Title  string
	Text   string
	Action Link // the way out; may be empty
}

// view is the layout's dot.
type view struct {
	Page

	Home             string
	Sheets, Programs []string // addresses
}

// Open parses the templates and reads the assets. A template that cannot be read
// is an error here, not on a page; that each has a program is for tests.
func Open(config Config) (*Pages, error) {
	if config.AssetAt == "" {
		config.AssetAt = "/assets/"
	}
	p := &Pages{config: config, assets: newAssets(config.AssetAt), pages: map[string]prepared{}}
	own, err := fs.Sub(shared, "assets")
	if err != nil {
		return nil, err
	}
	for _, files := range []fs.FS{own, config.Files} {
		if err := p.assets.add(files); err != nil {
			return nil, err
		}
	}
	base, err := template.New("").Funcs(p.funcs()).Funcs(config.Funcs).ParseFS(shared, "templates/*.html")
	if err != nil {
		return nil, err
	}
	partials, err := fs.Glob(config.Files, "_*.html")
	if err != nil {
		return nil, err
	}
	if len(partials) > 0 {
		if base, err = base.ParseFS(config.Files, partials...); err != nil {
			return nil, err
		}
	}
	maker := program.NewMaker(p.funcs(), config.Funcs)
	all, err := fs.Glob(config.Files, "[^_]*.html")
	if err != nil {
		return nil, err
	}
	for _, file := range all {
		t, err := template.Must(base.Clone()).ParseFS(config.Files, file)
		if err != nil {
			return nil, err
		}
		if t.Lookup("main") == nil {
			return nil, fmt.Errorf("web: %s defines no main", file)
		}
		p.pages[strings.TrimSuffix(path.Base(file), ".html")] = prepare(maker, t)
	}
	failure, err := template.Must(base.Clone()).Parse(`{{define "main"}}{{template "problem" .}}{{end}}`)
	if err != nil {
		return nil, err
	}
	p.failure = prepare(maker, failure)
	return p, nil
}

func prepare(maker *program.Maker, t *template.Template) prepared {
	return sync.OnceValues(func() (*program.Program, error) { return maker.Program(t, "layout") })
}

func (p *Pages) funcs() template.FuncMap {
	return template.FuncMap{
		"asset": p.assets.address,
		"chip":  func(kind, text string) Chip { return Chip{kind, text} },
		"code":  func(label, text string) Code { return Code{label, text} },
	}
}

// maxBuffer is the largest page whose memory is kept for the next one.
const maxBuffer = 64 << 10

// Render answers with a page, whole or not at all. name is the file of the
// template without its ending.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, name string, page Page) {
	made := p.pages[name]
	if made == nil {
		p.config.Log.Error("a page has no template", "page", name)
		p.Fail(w, r, broken)
		return
	}
	buffer, _ := p.buffers.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	body, err := p.execute((*buffer)[:0], made, page)
	defer func() {
		if *buffer = body; cap(body) <= maxBuffer {
			p.buffers.Put(buffer)
		}
	}()
	if err != nil {
		p.config.Log.Error("a page could not be rendered", "page", name, "error", err)
		p.Fail(w, r, broken)
		return
	}
	write(w, r, page, body)
}

var broken = Problem{
	Status: http.StatusInternalServerError, Title: "This page could not be shown",
	Text: "Something went wrong on our side. Try again in a moment.",
}

// problemView is a Problem on its page.
type problemView struct {
	Problem

	RequestID string
}

// Fail answers with a page that says what went wrong. An X-Request-Id that the
// answer already has is shown on it.
func (p *Pages) Fail(w http.ResponseWriter, r *http.Request, problem Problem) {
	p.FailIn(w, r, Page{}, problem)
}

// FailIn is Fail within the frame of a page: its navigation and account.
func (p *Pages) FailIn(w http.ResponseWriter, r *http.Request, page Page, problem Problem) {
	page.Title, page.Status, page.Narrow = problem.Title, problem.Status, true
	page.Data = problemView{problem, w.Header().Get("X-Request-Id")}
	body, err := p.execute(nil, p.failure, page)
	if err != nil {
		p.config.Log.Error("the page of an error could not be rendered", "error", err)
		http.Error(w, problem.Title, problem.Status)
		return
	}
	write(w, r, page, body)
}

// execute appends a page to out.
func (p *Pages) execute(out []byte, made prepared, page Page) ([]byte, error) {
	ready, err := made()
	if err != nil {
		return out, err
	}
	if page.Brand == "" {
		page.Brand = p.config.Brand
	}
	v := view{Page: page, Home: p.config.Home}
	if v.Sheets, err = p.assets.addresses("web.css", page.Styles); err != nil {
		return out, err
	}
	if v.Programs, err = p.assets.addresses("web.js", page.Scripts); err != nil {
		return out, err
	}
	return ready.Append(out, &v)
}

// write sends a whole page with its headers.
func write(w http.ResponseWriter, r *http.Request, page Page, body []byte) {
	h := w.Header()
	setPolicy(h, page)
	h.Add("Vary", "Accept-Encoding")
	status := page.Status
	if status == 0 {
		status = http.StatusOK
	}
	// What is compressed beside what a stranger chose tells its length to who
	// watches the line, so a page with a secret is not.
	if !page.Secret && takesGzip(r) {
		body = compress(body)
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a reader that went away is nobody's error
	}
}

// Fixed returns a page that is the same for everyone and for as long as the
// process lives. It is made once, and who has it asks only whether it still holds.
func (p *Pages) Fixed(name string, page Page) (http.Handler, error) {
	made := p.pages[name]
	if made == nil {
		return nil, fmt.Errorf("web: there is no page %s", name)
	}
	plain, err := p.execute(nil, made, page)
	if err != nil {
		return nil, err
	}
	packed := compress(plain)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		setPolicy(h, page)
		h.Set("Cache-Control", "no-cache")
		sendFixed(w, r, plain, packed)
	}), nil
}

// AssetPath is the path below which the assets are.
func (p *Pages) AssetPath() string { return p.config.AssetAt }

// AssetAddresses are the paths of the assets, for a front that routes nothing
// but what is there.
func (p *Pages) AssetAddresses() []string { return slices.Sorted(maps.Keys(p.assets.content)) }

// Assets serves the assets: for ever, since each is named by its content.
func (p *Pages) Assets() http.Handler { return p.assets }
