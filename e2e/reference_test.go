package e2e

import (
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// The operations on their page.
const (
	opCreate = "#create_portal_v1_portal_post"
	opUpdate = "#update_portal_v1_portal__portal_id__patch"
	opDelete = "#delete_portal_v1_portal__portal_id__delete"
	opInvite = "#invite_portal_user_bulk_v1_portal__portal_id__users_post"
	opList   = "#list_portal_users_v1_portal__portal_id__users_get"
	opRemove = "#remove_portal_user_v1_portal__portal_id__users__user_id__delete"
)

// runner is the API Runner of one operation on an open page.
type runner struct {
	*Tab

	op string
}

func (r runner) field(name string) string { return r.op + " form [name=" + name + "]" }

func (r runner) fill(name, text string) {
	r.t.Helper()
	r.Fill(r.field(name), text)
}

// send presses the button and waits for an answer of this status.
func (r runner) send(status string) {
	r.t.Helper()
	r.Eval("document.querySelector('"+r.op+" [data-answer]').replaceChildren()", nil)
	r.Click(r.op + " form .primary")
	r.answered(status)
}

func (r runner) answered(status string) {
	r.t.Helper()
	r.WaitText(r.op+" [data-answer]", status)
}

// body reads the answer's body into out.
func (r runner) body(out any) {
	r.t.Helper()
	text := r.Text(r.op + " [data-answer] > pre")
	if err := json.Unmarshal([]byte(text), out); err != nil {
		r.t.Fatalf("%v in %s", err, text)
	}
}

// sure types the portal's name into the dialog that a DELETE opens.
func (r runner) sure(name string) {
	r.t.Helper()
	r.Wait("#confirm[open]")
	if r.Fill("#confirm-name", name[:len(name)-1]); !r.Has("#confirm .danger:disabled") {
		r.t.Error("half of the name is enough")
	}
	r.Fill("#confirm-name", name)
	r.Wait("#confirm .danger:enabled")
	r.Click("#confirm .danger")
}

// lines is a log that a test reads.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestRunner performs the six operations from their page, and looks for the
// token where it must not be.
func TestRunner(t *testing.T) {
	t.Parallel()
	log := new(lines)
	demo := startDemo(t, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	token := demo.Admin().Token
	tab := shared.tabAt(t, demo.URL, Wide)
	tab.Open("/docs/portal")
	create, update, remove := runner{tab, opCreate}, runner{tab, opUpdate}, runner{tab, opRemove}

	create.send("401")
	tab.Fill("#token", token)
	create.fill("name", "Runner's portal")
	if sample := tab.Text(opCreate + " [data-sample='Command line']"); sample != `portico portal create 'Runner'\''s portal'` {
		t.Errorf("the command line is %s", sample)
	}
	create.send("201")
	var portal struct{ ID, Name string }
	create.body(&portal)
	if request := tab.Text(opCreate + " [data-answer] code"); len(request) < 8 {
		t.Errorf("the request's id is %q", request)
	}

	update.fill("portal_id", portal.ID)
	tab.Click(opUpdate + " input[value=raw]")
	tab.Fill(opUpdate+" [data-raw]", `{"name": `)
	update.send("422")
	tab.Fill(opUpdate+" [data-raw]", `{"name": "Renamed", "description": null}`)
	if sample := tab.Text(opUpdate + " [data-sample=Go]"); !strings.Contains(sample, "change.Description = client.Clear()") {
		t.Errorf("the Go sample is %s", sample)
	}
	update.send("200")
	update.body(&portal)
	if portal.Name != "Renamed" {
		t.Errorf("renamed to %q", portal.Name)
	}

	invite := runner{tab, opInvite}
	invite.fill("portal_id", portal.ID)
	invite.fill("users", "ada@example.com\ngrace@example.com\noops")
	invite.send("201")

	list := runner{tab, opList}
	list.fill("portal_id", portal.ID)
	list.send("200")
	var guests []struct{ ID, Email string }
	list.body(&guests)
	if len(guests) != 2 || guests[0].Email != "ada@example.com" {
		t.Fatalf("guests %v", guests)
	}

	remove.fill("portal_id", portal.ID)
	remove.fill("user_id", guests[0].ID)
	tab.Click(opRemove + " form .primary")
	tab.Wait("#confirm[open]")
	tab.Look("docs-confirm")
	tab.Press(kb.Escape)
	tab.Wait(opRemove + " form .primary:enabled")
	tab.Click(opRemove + " form .primary")
	remove.sure("Renamed")
	remove.answered("200")

	del := runner{tab, opDelete}
	del.fill("portal_id", "..")
	del.send("is needed")
	del.fill("portal_id", portal.ID)
	tab.Click(opDelete + " form .primary")
	del.sure("Renamed")
	del.answered("200")
	del.send("404")
	tab.Look("docs-answers")
	keeps(t, tab, token)
	if logged := log.String(); strings.Contains(logged, token) || !strings.Contains(logged, "/v1/portal") {
		t.Error("the log holds the token, or nothing")
	}
}

// keeps looks for a token in everything that outlives the page or leaves it but
// for the Authorization header.
func keeps(t *testing.T, tab *Tab, token string) {
	t.Helper()
	var held string
	tab.Eval(`JSON.stringify([location.href, document.cookie, {...localStorage}, {...sessionStorage}, history.state,
		document.documentElement.outerHTML, performance.getEntries().map((e) => e.name)])`, &held)
	for _, address := range append(tab.Asked(), held) {
		if strings.Contains(address, token) {
			t.Errorf("the token is in %.300s", address)
		}
	}
	tab.Open("/docs/portal")
	if value := tab.Value("#token"); value != "" {
		t.Errorf("a reload keeps the token %q", value)
	}
}

// TestRunnerByKeyboard creates and deletes a portal with the keyboard alone.
func TestRunnerByKeyboard(t *testing.T) {
	t.Parallel()
	tab := shared.tab(t, Narrow)
	tab.Open("/docs/portal")
	tab.TabTo("#token")
	tab.Press(shared.admin().Token)
	create, del := runner{tab, opCreate}, runner{tab, opDelete}
	tab.TabTo(create.field("description"))
	tab.Press("Made by keys.")
	tab.TabTo(opCreate + " form .primary")
	tab.Press(kb.Enter)
	create.answered("201")
	var portal struct{ ID, Name string }
	create.body(&portal)

	tab.TabTo(del.field("portal_id"))
	tab.Press(portal.ID, kb.Enter)
	tab.Wait("#confirm[open]")
	tab.TabTo("#confirm-name")
	tab.Press(portal.Name, kb.Enter)
	del.answered("200")
}

// TestRunnerStays gives the runner what would lead it elsewhere: it asks this
// server for the operation that is on the page, or nobody.
func TestRunnerStays(t *testing.T) {
	t.Parallel()
	tab := shared.tab(t, Wide)
	tab.Open("/docs/portal?server=http://elsewhere.example&token=planted#token=planted")
	if value := tab.Value("#token"); value != "" {
		t.Errorf("a link fills in the token %q", value)
	}
	list := runner{tab, opList}
	for _, id := range []string{"//elsewhere.example/x", "http://elsewhere.example", "../../docs", `..\..\docs`, "@elsewhere.example", "x?y=z", "x#y", "%2e%2e"} {
		list.fill("portal_id", id)
		list.send("Request")
		asked := tab.Asked()
		rest, ours := strings.CutPrefix(asked[len(asked)-1], shared.demo.URL+"/v1/portal/")
		if middle, whole := strings.CutSuffix(rest, "/users"); !ours || !whole || strings.ContainsAny(middle, `/\?#`) {
			t.Errorf("%s led to %s", id, asked[len(asked)-1])
		}
	}
}

// TestRunnerSignsIn signs in beside the token, and from the page of the
// identity group; the runners then use the token that comes back.
func TestRunnerSignsIn(t *testing.T) {
	t.Parallel()
	tab := shared.tab(t, Wide)
	tab.Open("/docs/auth")
	login := runner{tab, "#login_v1_oauth2_login_post"}
	login.fill("username", shared.admin().Email)
	login.fill("password", shared.admin().Password)
	if sample := tab.Text(login.op + " [data-sample=curl]"); strings.Contains(sample, shared.admin().Password) {
		t.Error("the password is in the curl line")
	}
	login.send("now use this access token")
	runner{tab, "#load_v1_auth_load_get"}.send("200")

	tab.Open("/docs/portal")
	tab.Click("#token-title ~ details summary")
	tab.Fill("#sign-in-email", shared.admin().Email)
	tab.Fill("#sign-in-password", "not the password")
	tab.Press(kb.Enter)
	tab.WaitText("#sign-in-answer", "password")
	tab.Fill("#sign-in-password", shared.admin().Password)
	tab.Press(kb.Enter)
	tab.WaitText("#sign-in-answer", "Signed in")
	runner{tab, "#list_portals_v1_portal_get"}.send("200")
	keeps(t, tab, shared.admin().Password)
}

// TestRunnerByConsole runs an operation, and deletes what it made, as who is
// signed in to the console: nothing is pasted, and nothing of it is kept.
func TestRunnerByConsole(t *testing.T) {
	t.Parallel()
	tab := signedIn(t, shared.tab(t, Wide), shared.admin())
	tab.Open("/docs/portal")
	create, del := runner{tab, opCreate}, runner{tab, opDelete}
	create.fill("name", "By the session")
	create.send("201")
	var portal struct{ ID, Name string }
	create.body(&portal)
	del.fill("portal_id", portal.ID)
	tab.Click(opDelete + " form .primary")
	del.sure(portal.Name)
	del.answered("200")
	if value := tab.Value("#token"); value != "" {
		t.Errorf("the page shows the token %q", value)
	}
	keeps(t, tab, "eyJ") // how every access token begins
	tab.Click("nav[aria-label=Main] a[href='/']")
	tab.Click("details.account summary")
	tab.Click(".menu button")
	tab.Wait("#password")
	tab.Open("/docs/portal")
	create.send("401")
	tab.WaitText(opCreate+" [data-answer]", "sign in to the console first")
}

// TestCopyPage copies a page as Markdown.
func TestCopyPage(t *testing.T) {
	t.Parallel()
	tab := shared.tab(t, Wide)
	tab.Open("/docs/portal")
	tab.Eval(`navigator.clipboard.writeText = async (text) => { window.copied = text; }`, nil)
	tab.Click("[data-copies-page]")
	tab.WaitText("[data-copies-page]", "Copied")
	var copied string
	tab.Eval("window.copied", &copied)
	if !strings.HasPrefix(copied, "# portal Endpoints\n\nAll endpoints for the portal API group. Great for feeding into an LLM context.\n") {
		t.Errorf("copied %.100q", copied)
	}
}
