package wiretest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"portico/internal/mail"
	"portico/internal/node"
	"portico/internal/store"
)

// Browser follows links, forms, redirects and cookies as a browser without
// scripts does, on every host of a server.
type Browser struct {
	T      testing.TB
	client *http.Client
	Hops   []string // the addresses of the last request and its redirects
}

// Browser returns a browser without cookies.
func (w *World) Browser() *Browser { return w.BrowserVia(w.Node.Addr()) }

// BrowserVia is Browser with a proxy at an address, to which all names lead.
func (w *World) BrowserVia(addr string) *Browser {
	client := NewClient(w.T)
	transport := &http.Transport{
		DisableCompression: true, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
	}
	w.T.Cleanup(transport.CloseIdleConnections)
	client.Transport = transport
	return &Browser{T: w.T, client: client}
}

// Page is what a browser shows.
type Page struct {
	Answer

	T    testing.TB
	URL  *url.URL
	node *html.Node
}

// maxHops is how many redirects a browser follows.
const maxHops = 10

// Get goes to an address and follows redirects.
func (b *Browser) Get(address string) Page {
	b.T.Helper()
	return b.follow(b.request(http.MethodGet, address, nil))
}

// Head asks for the head of an address and follows nothing.
func (b *Browser) Head(address string) Answer {
	b.T.Helper()
	return b.send(b.request(http.MethodHead, address, nil)).Answer
}

// Post sends a form as a page of the same origin does, and follows redirects.
func (b *Browser) Post(address string, form url.Values) Page {
	b.T.Helper()
	r := b.request(http.MethodPost, address, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", "null")
	return b.follow(r)
}

func (b *Browser) request(method, address string, body io.Reader) *http.Request {
	b.T.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, address, body)
	if err != nil {
		b.T.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	return r
}

func (b *Browser) follow(r *http.Request) Page {
	b.T.Helper()
	b.Hops = nil
	for range maxHops {
		b.Hops = append(b.Hops, r.URL.String())
		p := b.send(r)
		location := p.Header.Get("Location")
		if location == "" {
			return p
		}
		next, err := p.URL.Parse(location)
		if err != nil {
			b.T.Fatal(err)
		}
		r = b.request(http.MethodGet, next.String(), nil)
	}
	b.T.Fatalf("redirects without end: %v", b.Hops)
	return Page{}
}

func (b *Browser) send(r *http.Request) Page {
	b.T.Helper()
	response, err := b.client.Do(r)
	if err != nil {
		b.T.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		b.T.Fatal(err)
	}
	p := Page{Answer: Answer{response.StatusCode, response.Header, raw}, T: b.T, URL: r.URL}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
		if p.node, err = html.Parse(strings.NewReader(string(raw))); err != nil {
			b.T.Fatal(err)
		}
	}
	return p
}

// Submit fills in the form with an id, or the form within the element with it,
// and presses its button. Values are pairs of names and texts.
func (b *Browser) Submit(p Page, id string, values ...string) Page {
	b.T.Helper()
	form := find(find(p.node, func(n *html.Node) bool { return attribute(n, "id") == id }),
		func(n *html.Node) bool { return n.Data == "form" })
	if form == nil {
		b.T.Fatalf("%s (%d) has no form %s: %s", p.URL, p.Status, id, p.Text())
	}
	sent := url.Values{}
	find(form, func(n *html.Node) bool {
		if n.Data == "input" && attribute(n, "name") != "" {
			sent.Set(attribute(n, "name"), attribute(n, "value"))
		}
		return false
	})
	for i := 0; i+1 < len(values); i += 2 {
		if !sent.Has(values[i]) {
			b.T.Fatalf("the form %s has no field %s", id, values[i])
		}
		sent.Set(values[i], values[i+1])
	}
	action, err := p.URL.Parse(attribute(form, "action"))
	if err != nil {
		b.T.Fatal(err)
	}
	return b.Post(action.String(), sent)
}

// Link returns where the link with a text leads; empty: there is none.
func (p Page) Link(text string) string {
	link := find(p.node, func(n *html.Node) bool { return n.Data == "a" && strings.TrimSpace(textOf(n)) == text })
	if link == nil {
		return ""
	}
	to, err := p.URL.Parse(attribute(link, "href"))
	if err != nil {
		p.T.Fatal(err)
	}
	return to.String()
}

// Text returns the words of the page's main part.
func (p Page) Text() string {
	main := find(p.node, func(n *html.Node) bool { return n.Data == "main" })
	if main == nil {
		return string(p.Body)
	}
	return strings.Join(strings.Fields(textOf(main)), " ")
}

// Heading returns the page's heading.
func (p Page) Heading() string {
	return strings.TrimSpace(textOf(find(p.node, func(n *html.Node) bool { return n.Data == "h1" })))
}

// find returns the first element, the root itself included, for which match is
// true; nil: none.
func find(root *html.Node, match func(*html.Node) bool) *html.Node {
	if root == nil {
		return nil
	}
	if root.Type == html.ElementNode && match(root) {
		return root
	}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && match(n) {
			return n
		}
	}
	return nil
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// PortalURL returns where a portal's guests enter.
func (w *World) PortalURL(portalID string) string {
	w.T.Helper()
	var row store.PortalRow
	err := w.Node.Store.View(context.Background(), func(tx *store.Tx) (err error) {
		row, err = tx.PortalByID(portalID)
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return w.Node.Control.PortalURL(row.Portal)
}

// Mail returns what the newest mail of a kind to an address leads to.
func (w *World) Mail(email string, template store.Template) mail.Target {
	w.T.Helper()
	all := w.Mails(email, template)
	if len(all) == 0 {
		w.T.Fatalf("no mail %s to %s", template, email)
	}
	return all[0]
}

// Mails returns what the mails of a kind to an address lead to, newest first.
func (w *World) Mails(email string, template store.Template) (all []mail.Target) {
	w.T.Helper()
	err := w.Node.Store.View(context.Background(), func(tx *store.Tx) error {
		pages, err := tx.Mails(1000)
		for _, page := range pages {
			if page.To == email && page.Template == template {
				all = append(all, w.Node.Control.MailTarget(page))
			}
		}
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return all
}

// Behind returns the setup of a server that is reached at a public address
// through a proxy on this machine.
func Behind(publicURL string) Setup {
	return func(c *node.Config, _ *node.Options) {
		c.PublicURL = publicURL
		c.TrustedProxies = node.Proxies{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")}
	}
}

// Cookies returns the cookies that would be sent to an address, by name.
func (b *Browser) Cookies(address string) map[string]string {
	b.T.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.T.Fatal(err)
	}
	all := map[string]string{}
	for _, c := range b.client.Jar.Cookies(u) {
		all[c.Name] = c.Value
	}
	return all
}

// SetCookie makes the browser hold a cookie for an address.
func (b *Browser) SetCookie(address, name, value string) {
	b.T.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.T.Fatal(err)
	}
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}
