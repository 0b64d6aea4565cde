package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// View is how a Tab shows pages.
type View struct {
	Width    int64
	Dark     bool
	NoScript bool
}

// The views in which every page has to be good.
var (
	Wide   = View{Width: 1280}
	Narrow = View{Width: 320}
)

// InDark is the same view in the dark.
func (v View) InDark() View {
	v.Dark = true
	return v
}

// WithoutScript is the same view in a browser that runs no scripts.
func (v View) WithoutScript() View {
	v.NoScript = true
	return v
}

// String names the view in the names of pictures.
func (v View) String() string {
	name := strconv.FormatInt(v.Width, 10)
	if v.Dark {
		name += "-dark"
	}
	if v.NoScript {
		name += "-noscript"
	}
	return name
}

// patience is how long a page may take to do what a test waits for.
const patience = 20 * time.Second

// Tab is a tab of the browser with cookies of its own. Its methods fail the
// test when they cannot do what they say; selectors are CSS.
type Tab struct {
	t       testing.TB
	context context.Context
	base    string
	view    View

	mu       sync.Mutex
	hosts    []string // that pages may ask for something
	problems []string
	asked    []string // the addresses of all requests
}

// Tab opens a tab on the server at base. When the test ends it is closed, and
// what went wrong in it fails the test.
func (b *Browser) Tab(t testing.TB, base string, view View) *Tab {
	t.Helper()
	id, err := b.window()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(b.context, chromedp.WithTargetID(id))
	tab := &Tab{t: t, context: ctx, base: base, view: view}
	tab.Expect(base)
	chromedp.ListenTarget(ctx, tab.watch)
	scheme := "light"
	if view.Dark {
		scheme = "dark"
	}
	tab.do("open a tab",
		network.Enable(), log.Enable(), runtime.Enable(),
		emulation.SetDeviceMetricsOverride(view.Width, 900, 1, false),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		emulation.SetScriptExecutionDisabled(view.NoScript),
	)
	t.Cleanup(func() {
		cancel()
		for _, p := range tab.problems {
			t.Error(p)
		}
	})
	return tab
}

// Asked returns the address of every request that was made in the tab.
func (tab *Tab) Asked() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return slices.Clone(tab.asked)
}

// Expect says that pages may ask this server for something too.
func (tab *Tab) Expect(address string) {
	u, err := url.Parse(address)
	if err != nil {
		tab.t.Fatal(err)
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.hosts = append(tab.hosts, u.Host)
}

// watch notes what a page must not do.
func (tab *Tab) watch(event any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		tab.asked = append(tab.asked, e.Request.URL)
		u, err := url.Parse(e.Request.URL)
		if err == nil && u.Host != "" && !slices.Contains(tab.hosts, u.Host) {
			tab.problems = append(tab.problems, "a page asked another host: "+e.Request.URL)
		}
	case *log.EventEntryAdded:
		// Answers that are no 2xx are logged too; they are the test's to judge.
		if e.Entry.Level == log.LevelError && e.Entry.Source != log.SourceNetwork {
			tab.problems = append(tab.problems, "the browser says: "+e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		tab.problems = append(tab.problems, "a script failed: "+e.ExceptionDetails.Error())
	}
}

// do runs actions; when they fail, the test does.
func (tab *Tab) do(what string, actions ...chromedp.Action) {
	tab.t.Helper()
	ctx := tab.context
	if what != "open a tab" { // the first context is that of the tab itself
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	err := chromedp.Run(ctx, actions...)
	for err != nil && ctx.Err() == nil && replaced(err) {
		err = chromedp.Run(ctx, actions...)
	}
	if err != nil {
		tab.t.Fatalf("%s: %v\n%s", what, err, tab.snapshot())
	}
}

// replaced reports whether the browser says that what was found on the page went
// with it before anything was done to it.
func replaced(err error) bool {
	return strings.Contains(err.Error(), "Could not find node with given id")
}

// snapshot says where the tab is, for the log of a test that failed.
func (tab *Tab) snapshot() string {
	ctx, cancel := context.WithTimeout(tab.context, time.Second)
	defer cancel()
	var at, text string
	if err := chromedp.Run(ctx, chromedp.Location(&at), chromedp.Evaluate("document.body?.innerText ?? ''", &text)); err != nil {
		return ""
	}
	return at + "\n" + text[:min(len(text), 2000)]
}

// Open goes to a path of the tab's server, or to a whole address of one that
// is expected, and waits until the page is there.
func (tab *Tab) Open(path string) {
	tab.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = tab.base + path
	}
	tab.do("open "+path, chromedp.Navigate(path))
}

// Click clicks on what the selector names, once it is visible.
func (tab *Tab) Click(selector string) {
	tab.t.Helper()
	tab.do("click "+selector, chromedp.ScrollIntoView(selector, chromedp.ByQuery), chromedp.Click(selector, chromedp.ByQuery, chromedp.NodeVisible))
}

// Fill types text into a field in place of what it holds.
func (tab *Tab) Fill(selector, text string) {
	tab.t.Helper()
	tab.do("fill "+selector, chromedp.Focus(selector, chromedp.ByQuery),
		chromedp.Evaluate("document.activeElement.select?.()", nil), chromedp.KeyEvent(kb.Backspace), chromedp.KeyEvent(text))
}

// Choose selects an option by its value.
func (tab *Tab) Choose(selector, value string) {
	tab.t.Helper()
	tab.do("choose "+value, chromedp.SetValue(selector, value, chromedp.ByQuery),
		chromedp.Evaluate(fmt.Sprintf("document.querySelector(%q).dispatchEvent(new Event('input', {bubbles: true}))", selector), nil))
}

// Press presses keys where the focus is: text, or the names of kb such as
// kb.Tab and kb.Enter.
func (tab *Tab) Press(keys ...string) {
	tab.t.Helper()
	for _, key := range keys {
		tab.do("press "+key, chromedp.KeyEvent(key))
	}
}

// TabTo presses the tabulator until the focus is on what the selector names: a
// flow by the keyboard alone reaches everything with it.
func (tab *Tab) TabTo(selector string) {
	tab.t.Helper()
	for range 300 {
		var there bool
		tab.Eval(fmt.Sprintf("document.activeElement.matches(%q)", selector), &there)
		if there {
			return
		}
		tab.Press(kb.Tab)
	}
	tab.t.Fatalf("the tabulator never reaches %s", selector)
}

// Eval runs a script in the page and reads its value into out, unless that is nil.
func (tab *Tab) Eval(script string, out any) {
	tab.t.Helper()
	tab.do("evaluate "+script[:min(len(script), 80)], chromedp.Evaluate(script, out, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithAwaitPromise(true)
	}))
}

// Text is what is written in what the selector names.
func (tab *Tab) Text(selector string) string {
	tab.t.Helper()
	var text string
	tab.do("read "+selector, chromedp.Text(selector, &text, chromedp.ByQuery))
	return text
}

// Value is what a field holds.
func (tab *Tab) Value(selector string) string {
	tab.t.Helper()
	var value string
	tab.do("read "+selector, chromedp.Value(selector, &value, chromedp.ByQuery))
	return value
}

// Has reports whether the page has what the selector names, and shows it.
func (tab *Tab) Has(selector string) bool {
	tab.t.Helper()
	var has bool
	tab.Eval(fmt.Sprintf("document.querySelector(%q)?.checkVisibility() ?? false", selector), &has)
	return has
}

// URL is where the tab is.
func (tab *Tab) URL() string {
	tab.t.Helper()
	var at string
	tab.do("where", chromedp.Location(&at))
	return at
}

// Wait waits until the page shows what the selector names.
func (tab *Tab) Wait(selector string) {
	tab.t.Helper()
	tab.do("wait for "+selector, chromedp.WaitVisible(selector, chromedp.ByQuery))
}

// WaitText waits until what the selector names says text, on this page or on
// the one that the tab is about to show.
func (tab *Tab) WaitText(selector, text string) {
	tab.t.Helper()
	tab.until(fmt.Sprintf("document.querySelector(%q)?.innerText.includes(%q)", selector, text))
}

// WaitAddress waits until the address of the page has a part.
func (tab *Tab) WaitAddress(part string) {
	tab.t.Helper()
	tab.until(fmt.Sprintf("document.querySelector('main') && location.href.includes(%q)", part))
}

// until waits until an expression is true, on this page or on the next.
func (tab *Tab) until(expression string) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.context, patience)
	defer cancel()
	for {
		err := chromedp.Run(ctx, chromedp.Poll(expression, nil, chromedp.WithPollingTimeout(patience)))
		if err == nil {
			return
		}
		if ctx.Err() != nil || !movedOn(err) {
			tab.t.Fatalf("wait until %s: %v\n%s", expression, err, tab.snapshot())
		}
	}
}

// movedOn reports whether the browser says that another page came meanwhile.
func movedOn(err error) bool {
	for _, words := range []string{"context with specified id", "navigated or closed", "context was destroyed"} {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}

// Picture writes a picture of the whole page to out/.
func (tab *Tab) Picture(name string) {
	tab.t.Helper()
	var png []byte
	tab.do("take a picture of "+name, chromedp.FullScreenshot(&png, 100))
	if err := os.MkdirAll("out", 0o750); err != nil {
		tab.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("out", name+"-"+tab.view.String()+".png"), png, 0o600); err != nil {
		tab.t.Fatal(err)
	}
}
