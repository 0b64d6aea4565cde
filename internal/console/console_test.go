package console_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
	"portico/internal/wiretest"
)

// TestMainPath walks from signing in to invited guests and back out.
func TestMainPath(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	b := newBrowser(t, w)
	if p := b.get("/portals?q=x"); p.status != http.StatusSeeOther || p.location != "/sign-in?next=%2Fportals%3Fq%3Dx" {
		t.Errorf("nobody: %d %s", p.status, p.location)
	}
	b.want(b.post("/sign-in", "email", w.Admin.Email, "password", "wrong"), http.StatusUnauthorized, "Incorrect username or password", w.Admin.Email)
	if p := b.post("/sign-in", "email", w.Admin.Email, "password", wiretest.Password, "next", "/portals?q=x"); p.location != "/portals?q=x" {
		t.Errorf("signed in: %d %s", p.status, p.location)
	}
	first := b.want(b.get("/portals"), http.StatusOK, "No portals yet", "portico portal create", "curl -s", "/v1/portal")
	b.want(b.get("/portals/new?name=Caf%C3%A9+Partners"), http.StatusOK, "cafe-partners.localhost")
	b.want(b.post("/portals", "name", "  "), http.StatusUnprocessableEntity, "The name is blank")
	b.want(b.post("/portals", "name", "A", "custom_domain", "10.0.0.1"), http.StatusUnprocessableEntity, "not an IP address", `value="A"`)
	made := b.post("/portals", "name", "<Acme> & Co", "description", "For all")
	portal := b.made(made)
	home := b.get("/portals/" + portal + "/guests")
	if !strings.Contains(home.text, "&lt;Acme&gt; &amp; Co") || !strings.Contains(home.text, "No guests yet") {
		t.Errorf("the new portal: %s", home.text)
	}
	for _, empty := range []page{first, home} { // says one thing to do next
		if n := strings.Count(empty.text, `class="button primary"`); n != 1 {
			t.Errorf("%d buttons ask to be pressed first: %s", n, words(empty.text))
		}
	}

	preview := b.goes(b.post("/portals/"+portal+"/invite", "list", "ada@example.com,Ada,Lovelace\nbob@@example.com\nada@example.com\nnobody", "mail", "yes"), "/portals/"+portal+"/imports/imp_")
	b.want(preview, http.StatusOK, "Invite 1 of 4?", "bob@example.com", "Twice in the list", "This is no mail address.", "1 address looks mistyped")
	self := regexp.MustCompile(`/portals/port_\w+/imports/imp_\w+`).FindString(preview.text)
	mended := b.goes(b.post(self+"/again"), "/portals/"+portal+"/imports/imp_")
	b.want(mended, http.StatusOK, "Invite 2 of 4?")
	b.want(b.get(self), http.StatusNotFound)
	self = regexp.MustCompile(`/portals/port_\w+/imports/imp_\w+`).FindString(mended.text)
	b.goes(b.post(self+"/send"), self)
	b.sent(self)
	guests := b.want(b.get("/portals/"+portal+"/guests"), http.StatusOK, "Ada Lovelace", "bob@example.com", "Invited", "2 shown")
	b.want(b.get("/portals/"+portal+"/guests?status=active"), http.StatusOK, "No guest matches")
	b.want(b.get("/portals/"+portal+"/guests?q=ada"), http.StatusOK, "1 shown")
	b.want(b.get("/portals/"+portal+"/guests?q=%01"), http.StatusOK, "No guest matches")
	b.want(b.get("/portals?q=%01"), http.StatusOK, "No portal is called that")
	resend := regexp.MustCompile(`/portals/port_\w+/invitations/inv_\w+/resend`).FindString(guests.text)
	b.want(b.goes(b.post(resend), "/portals/"+portal+"/guests"), http.StatusOK, "The invitation is sent again")
	remove := regexp.MustCompile(`/portals/port_\w+/guests/user_\w+/remove`).FindString(guests.text)
	b.want(b.goes(b.post(remove), "/portals/"+portal+"/guests?did=guest-removed"), http.StatusOK, "The guest is removed", "1 shown")
	b.want(b.post(remove), http.StatusNotFound)
	last := regexp.MustCompile(`/portals/port_\w+/invitations/inv_\w+/revoke`).FindString(b.get("/portals/" + portal + "/guests").text)
	b.want(b.goes(b.post(last), "/portals/"+portal+"/guests"), http.StatusOK, "The invitation is revoked", "No guests yet")
	b.want(b.post(strings.Replace(last, "revoke", "resend", 1)), http.StatusConflict, "was revoked")
	b.want(b.get("/portals/"+portal+"/activity"), http.StatusOK, "guest.removed", "guest.invited", w.Admin.Email)
	b.want(b.get("/portals/"+portal+"/api"), http.StatusOK, portal, "PORTICO_TOKEN")

	b.want(b.post("/portals/"+portal+"/settings", "name", "", "description", "x"), http.StatusUnprocessableEntity, "The name is blank")
	b.want(b.goes(b.post("/portals/"+portal+"/settings", "name", "Acme II", "description", ""), "/portals/"+portal+"/settings"), http.StatusOK, "Saved", "0 guests</strong>", "0 open invitations</strong>", "its database of <strong>")
	b.want(b.post("/portals/"+portal+"/delete", "confirm", "acme ii"), http.StatusUnprocessableEntity, "nothing was deleted")
	b.want(b.goes(b.post("/portals/"+portal+"/delete", "confirm", " Acme II"), "/portals?did=portal-deleted"), http.StatusOK, "No portals yet")
	b.want(b.get("/portals/"+portal+"/guests"), http.StatusNotFound, "There is no such page")
	b.want(b.get(self), http.StatusNotFound)
	b.goes(b.post("/sign-out"), "/sign-in")
	if p := b.get("/portals"); p.status != http.StatusSeeOther {
		t.Errorf("signed out: %d", p.status)
	}
}

// sent waits until an import is worked off.
func (b *browser) sent(self string) page {
	b.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		p := b.want(b.get(self), http.StatusOK)
		if !strings.Contains(p.text, "data-poll") {
			return p
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("not sent: %s", p.text)
		}
	}
}

// TestUpload sends a list as a file, as a page does, and reads the result.
func TestUpload(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	b := newBrowser(t, w).signIn(w.Admin.Email)
	portal := w.Portal("Files")
	upload := func(content string) page {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, err := form.CreateFormFile("file", "guests.csv")
		if err == nil {
			_, err = io.WriteString(part, content)
		}
		if err != nil || form.Close() != nil {
			t.Fatal(err)
		}
		return b.send("POST", "/portals/"+portal+"/invite", &body, func(r *http.Request) { r.Header.Set("Content-Type", form.FormDataContentType()) })
	}
	b.want(upload("\xff\xfeA"), http.StatusUnprocessableEntity, "UTF-8")
	b.want(upload(""), http.StatusUnprocessableEntity, "There is no address in it")
	preview := b.goes(upload("email;first name\nada@example.com;=1+1\n+evil@example,com;@SUM(A1)\n"), "/portals/"+portal+"/imports/")
	self := regexp.MustCompile(`/portals/port_\w+/imports/imp_\w+`).FindString(preview.text)
	b.goes(b.post(self+"/send"), self)
	b.sent(self)
	p := b.want(b.get(self+"/result.csv"), http.StatusOK)
	rows, err := csv.NewReader(strings.NewReader(p.text)).ReadAll()
	if err != nil || len(rows) != 3 || p.header.Get("Content-Disposition") != `attachment; filename="result.csv"` {
		t.Fatalf("%v %v %v", rows, err, p.header)
	}
	if rows[1][1] != "'=1+1" || rows[2][0] != "'+evil@example,com" || rows[2][1] != "'@SUM(A1)" || rows[1][3] != "invited" || rows[2][5] != "'+evil@example.com" {
		t.Errorf("A64: %q", rows)
	}
	again := b.goes(b.post(self+"/again"), "/portals/"+portal+"/imports/")
	b.want(again, http.StatusOK, "Invite 1 of 1?", "&#43;evil@example.com")
	self = regexp.MustCompile(`/portals/port_\w+/imports/imp_\w+`).FindString(again.text)
	b.want(b.goes(b.post(self+"/discard"), "/portals/"+portal+"/guests"), http.StatusOK, "The list is discarded")
	b.want(b.get("/portals/"+portal+"/guests.csv"), http.StatusOK, "email,first_name", "'=1+1")
}

// TestTokensAndMembers makes and revokes a token, and adds, changes and removes
// a member.
func TestTokensAndMembers(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	b := newBrowser(t, w).signIn(w.Owner.Email)
	for token := range strings.SplitSeq(b.get("/tokens").text, `action="`) { // the one that the world made
		if path, _, _ := strings.Cut(token, `"`); strings.HasSuffix(path, "/revoke") {
			b.goes(b.post(path), "/tokens")
		}
	}
	b.want(b.get("/tokens"), http.StatusOK, "No tokens yet", "portico token create")
	b.want(b.post("/tokens", "name", "x", "days", "soon"), http.StatusUnprocessableEntity, "Give a number of days")
	b.want(b.post("/tokens", "name", "x", "scope", "everything"), http.StatusUnprocessableEntity, "is no scope")
	made := b.want(b.post("/tokens", "name", "deploy", "days", "3", "scope", "portal:read"), http.StatusOK, "Copy the token deploy now")
	token := regexp.MustCompile(`portico_pat_\w+`).FindString(made.text)
	if a := w.Do("GET", "/v1/portal", token, nil); a.Status != http.StatusOK || made.header.Get("Content-Encoding") != "" {
		t.Errorf("the token: %d %s", a.Status, a.Body)
	}
	list := b.want(b.get("/tokens"), http.StatusOK, "deploy")
	if strings.Contains(list.text, token) {
		t.Error("the token is shown again")
	}
	b.goes(b.post(regexp.MustCompile(`/tokens/pat_\w+/revoke`).FindString(list.text)), "/tokens?did=token-revoked")
	if a := w.Do("GET", "/v1/portal", token, nil); a.Status != http.StatusUnauthorized {
		t.Errorf("the revoked token: %d", a.Status)
	}
	b.want(b.goes(b.post("/members", "email", "New@example.com", "role", "admin"), "/members?did=member-invited"), http.StatusOK, "new@example.com", "Invited")
	b.want(b.post("/members", "email", "new@example.com", "role", "member"), http.StatusConflict, "is invited already")
	invitation := regexp.MustCompile(`/members/invitations/inv_\w+/`).FindString(b.get("/members").text)
	b.goes(b.post(invitation+"resend"), "/members?did=invitation-resent")
	b.want(b.get("/audit?action=member.invited"), http.StatusOK, "member.invited", "new@example.com")
	b.goes(b.post(invitation+"revoke"), "/members?did=invitation-revoked")
	b.want(b.post(invitation+"resend"), http.StatusNotFound)
	b.goes(b.post("/members/"+w.Member.ID, "role", "admin"), "/members?did=member-changed")
	b.goes(b.post("/members/"+w.Member.ID+"/remove"), "/members?did=member-removed")
	b.want(b.post("/members/"+w.Member.ID+"/remove"), http.StatusNotFound)
	b.want(b.get("/audit?action=nope"), http.StatusUnprocessableEntity)
	b.want(b.get("/audit?actor="+w.Owner.Email), http.StatusOK, "member.removed")
	b.want(b.get("/audit?until=2001-01-01"), http.StatusOK, "No record matches")
	b.want(b.get("/audit.csv"), http.StatusOK, "at,action,actor", "member.removed")
}

// TestSwitch goes to the sandbox and back: each time under another session, and
// the one before is worth nothing.
func TestSwitch(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	b := newBrowser(t, w).signIn(w.Insider.Email)
	before := b.cookies
	b.want(b.get("/organizations"), http.StatusOK, "Acme sandbox", "You are here")
	if p := b.post("/organizations", "id", w.Sandbox.ID); p.status != http.StatusSeeOther || b.cookies[0].Value == before[0].Value {
		t.Fatalf("switch: %d %s", p.status, p.text)
	}
	b.want(b.get("/portals"), http.StatusForbidden, "production organization administrators", "Switch organization")
	b.want(b.get("/members"), http.StatusOK, w.SandboxAdmin.Email)
	b.want(b.post("/organizations", "id", w.Other.ID), http.StatusNotFound)
	old := newBrowser(t, w)
	old.cookies = before
	if p := old.get("/portals"); p.status != http.StatusSeeOther {
		t.Errorf("the session before: %d", p.status)
	}
	b.goes(b.post("/organizations", "id", w.Acme.ID), "/portals")
}

// TestFirstLoad holds each page with what it loads against the limit.
func TestFirstLoad(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	b := newBrowser(t, w).signIn(w.Admin.Email)
	portal := w.Portal("Heavy")
	var guests []string
	for i := range 60 {
		guests = append(guests, fmt.Sprintf("guest-%d@example.com", i))
	}
	w.Invite(w.Admin.Token, portal, guests...)
	for _, path := range []string{"/sign-in", "/portals", "/portals/new", "/portals/" + portal + "/creation", "/portals/" + portal + "/guests", "/portals/" + portal + "/settings", "/portals/" + portal + "/activity", "/portals/" + portal + "/invite", "/audit", "/tokens", "/members"} {
		p := b.want(b.get(path), http.StatusOK)
		size := zipped(t, p.text)
		for _, link := range regexp.MustCompile(`(?:src|href)="(/console/assets/[^"]+)"`).FindAllStringSubmatch(p.text, -1) {
			size += zipped(t, b.want(b.get(link[1]), http.StatusOK).text)
		}
		if size > 40<<10 {
			t.Errorf("%s loads %d bytes", path, size)
		}
	}
}

func zipped(t *testing.T, text string) int {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := io.WriteString(z, text); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return out.Len()
}

// TestSetUp makes the first administrator of an installation: once, with one of
// several links, and never into an account that somebody has.
func TestSetUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	n, err := wiretest.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	w := &wiretest.World{T: t, Node: n, Dir: dir, URL: n.URL()}
	link := func() string {
		address, err := n.Control.NewSetupLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(address, n.URL())
	}
	void, good := link(), link()
	b := newBrowser(t, w)
	b.want(b.get(void), http.StatusNotFound, "portico setup-link")
	p := b.want(b.get(good), http.StatusOK, "Set up Portico")
	if p.header.Get("Referrer-Policy") != "no-referrer" || p.header.Get("Cache-Control") != "no-store" {
		t.Errorf("A37: %v", p.header)
	}
	form := []string{"organization", "Acme", "name", "Ada", "email", "ada@example.com", "password", wiretest.Password}
	with := func(field, value string) []string {
		changed := slices.Clone(form)
		changed[slices.Index(changed, field)+1] = value
		return changed
	}
	for field, value := range map[string]string{"organization": " ", "email": "ada", "password": "short"} {
		b.want(b.post(good, with(field, value)...), http.StatusUnprocessableEntity, field+"-")
	}
	b.want(b.post(void, form...), http.StatusNotFound)
	// Several at once: one of them is the administrator.
	statuses := make([]int, 8)
	var all sync.WaitGroup
	for i := range statuses {
		one := newBrowser(t, w)
		all.Go(func() { statuses[i] = one.post(good, with("email", fmt.Sprintf("ada%d@example.com", i))...).status })
	}
	all.Wait()
	slices.Sort(statuses)
	if statuses[0] != http.StatusSeeOther || statuses[1] != http.StatusNotFound {
		t.Errorf("at once: %v", statuses)
	}
	b.want(b.get(good), http.StatusNotFound)
	if _, err := n.Control.NewSetupLink(t.Context()); portico.KindOf(err) != portico.KindConflict {
		t.Errorf("another link: %v", err)
	}
	organizations, err := n.Control.Organizations(t.Context())
	if err != nil || len(organizations) != 1 {
		t.Errorf("organizations: %v %v", organizations, err)
	}
}

// TestImportSurvives sends a long list over a restart: every row is worked off,
// and nobody is invited twice.
func TestImportSurvives(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	b := newBrowser(t, w).signIn(w.Admin.Email)
	portal := w.Portal("Long")
	var list strings.Builder
	for i := range 3500 {
		fmt.Fprintf(&list, "guest-%d@example.com\n", i)
	}
	fmt.Fprintf(&list, "guest-0@example.com\nnobody\n")
	preview := b.goes(b.post("/portals/"+portal+"/invite", "list", list.String()), "/portals/"+portal+"/imports/")
	b.want(preview, http.StatusOK, "Invite 3,500 of 3,502?")
	self := regexp.MustCompile(`/portals/port_\w+/imports/imp_\w+`).FindString(preview.text)
	if p := b.post(self + "/send"); p.status != http.StatusSeeOther {
		t.Fatalf("send: %d", p.status)
	}
	w.Restart()
	b.base = w.URL
	b.post(self + "/send") // once more does nothing
	b.want(b.sent(self), http.StatusOK, "Done", "<strong>3,500</strong>")
	var guests []struct{ Email string }
	w.Do("GET", "/v1/portal/"+portal+"/users", w.Admin.Token, nil).JSON(t, &guests)
	invited := 0
	err := w.Node.Store.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.FindEvents(w.Acme.ID, store.EventFilter{Action: portico.ActionGuestInvited, Limit: 10000})
		invited = len(events)
		return err
	})
	if err != nil || len(guests) != 3500 || invited != 3500 {
		t.Errorf("%d guests, %d records, %v", len(guests), invited, err)
	}
	other := newBrowser(t, w).signIn(w.OtherAdmin.Email)
	for _, path := range []string{self, self + "/result.csv"} {
		other.want(other.get(path), http.StatusNotFound)
	}
	for _, verb := range []string{"/send", "/again", "/discard"} {
		other.want(other.post(self+verb), http.StatusNotFound)
	}
}

// TestImportStops shows that a list goes on only as long as who sent it may.
func TestImportStops(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	b := newBrowser(t, w).signIn(w.Insider.Email)
	portal := w.Portal("Stopped")
	preview := b.goes(b.post("/portals/"+portal+"/invite", "list", "ada@example.com"), "/portals/"+portal+"/imports/")
	self := regexp.MustCompile(`/portals/port_\w+/imports/imp_\w+`).FindString(preview.text)
	// The job is there, and its administrator is none any more when it runs.
	importID := self[strings.LastIndex(self, "/")+1:]
	err := w.Node.Store.Update(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.SetRole(w.Acme.ID, w.Insider.ID, portico.Member, portico.OperatorActor); err != nil {
			return err
		}
		if _, err := tx.SetImportState(importID, portico.ImportDraft, portico.ImportSending, ""); err != nil {
			return err
		}
		_, err := tx.InsertJob(store.Job{Kind: "import", PortalID: portal, Payload: `{"import":"` + importID + `","part":0}`, RunAt: tx.Now})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Node.Jobs.RunDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	admin := newBrowser(t, w).signIn(w.Admin.Email)
	admin.want(admin.sent(self), http.StatusOK, "Stopped", "production organization administrators")
	admin.want(admin.get("/portals/"+portal+"/guests"), http.StatusOK, "No guests yet")
}

// TestQueries counts what pages ask of the registry: as much with many portals
// and guests as with few.
func TestQueries(t *testing.T) {
	t.Parallel()
	var asked wiretest.Statements
	w := wiretest.Start(t, asked.Setup)
	b := newBrowser(t, w).signIn(w.Admin.Email)
	portal := w.Portal("First")
	w.Invite(w.Admin.Token, portal, "first@example.com")
	pages := []string{"/portals", "/portals?sort=name&q=st", "/portals/" + portal + "/guests", "/portals/" + portal + "/activity", "/audit", "/members", "/tokens"}
	count := func() map[string]int64 {
		n := map[string]int64{}
		for _, path := range pages {
			before := asked.OfRequests()
			b.want(b.get(path), http.StatusOK)
			n[path] = asked.OfRequests() - before
		}
		return n
	}
	few := count()
	guests := make([]string, 400)
	for i := range guests {
		guests[i] = fmt.Sprintf("more-%d@example.com", i)
	}
	w.Invite(w.Admin.Token, portal, guests...)
	for i := range 60 {
		w.Portal(fmt.Sprintf("More %d", i))
	}
	for path, n := range count() {
		// What is looked up by name for a page comes in a few batches.
		if n > few[path]+12 || n > 20 {
			t.Errorf("%s: %d queries, with little there were %d", path, n, few[path])
		}
	}
	t.Log(few)
}

// TestLentToken: a session of the console gives its pages an access token,
// which is good for the API as long as the session lasts and for nothing else.
func TestLentToken(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	b := newBrowser(t, w).signIn(w.Admin.Email)
	lent := b.want(b.post("/session/token"), http.StatusOK, `{"access_token":"`)
	if kind, kept := lent.header.Get("Content-Type"), lent.header.Get("Cache-Control"); kind != "application/json" || kept != "no-store" {
		t.Errorf("the answer is %s, %s", kind, kept)
	}
	_, token, _ := strings.Cut(lent.text, `:"`)
	token, _, _ = strings.Cut(token, `"`)
	api := func(want int) {
		t.Helper()
		if a := w.Do("GET", "/v1/portal", token, nil); a.Status != want {
			t.Errorf("the API answers %d, want %d", a.Status, want)
		}
	}
	api(http.StatusOK)
	if a := w.Do("POST", "/v1/oauth2/refresh", "", `{"refresh_token":"`+token+`"}`); a.Status != http.StatusUnauthorized {
		t.Errorf("it renews itself: %d", a.Status)
	}
	for what, change := range map[string]func(http.Header){
		"a sibling":       func(h http.Header) { h.Set("Origin", "http://portal.localhost"); h.Set("Sec-Fetch-Site", "same-site") },
		"another site":    func(h http.Header) { h.Set("Origin", "https://evil.example"); h.Set("Sec-Fetch-Site", "cross-site") },
		"an opaque one":   func(h http.Header) { h.Set("Origin", "null") },
		"one that is not": func(h http.Header) { h.Del("Origin") },
	} {
		p := b.send("POST", "/session/token", nil, func(r *http.Request) { change(r.Header) })
		if p.status != http.StatusForbidden || strings.Contains(p.text, "access_token") {
			t.Errorf("%s: %d %s", what, p.status, p.text)
		}
	}
	b.want(b.get("/session/token"), http.StatusMethodNotAllowed)
	b.post("/sign-out")
	api(http.StatusUnauthorized)
	if p := b.post("/session/token"); p.status != http.StatusSeeOther || strings.Contains(p.text, "access_token") {
		t.Errorf("nobody: %d %s", p.status, p.text)
	}
}
