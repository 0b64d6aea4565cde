package attacks

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"portico"
	"portico/internal/auth"
	"portico/internal/keyring"
	render "portico/internal/mail"
	"portico/internal/store"
	"portico/internal/wiretest"
)

func people() []attack {
	return []attack{
		{"A52 a stolen copy of the data", stolenData},
		{"A53 addresses that are almost the same", addresses},
		{"A54 an address that is no text", addressesOfOtherType},
		{"A55 invitations in bulk at the edges", bulk},
		{"A57 names that phish in mail", phishing},
	}
}

// stolenData searches everything on the disk for what would let its reader in.
func stolenData(a *arena) {
	portal := a.portalNamed("Stolen")
	a.guests(a.Admin.Token, portal, "stolen1@example.com", "stolen2@example.com", a.Owner.Email)
	s := a.signIn(a.Admin)
	usable := append(a.secrets(), s.Access, s.Refresh)
	a.legit(func() {
		var made struct{ Token string }
		a.expect(200, "POST", "/v1/auth/pats", s.Access, `{"name":"canary"}`).JSON(a, &made)
		usable = append(usable, made.Token)
		var next struct {
			Refresh string `json:"refresh_token"`
		}
		a.expect(200, "POST", "/v1/oauth2/refresh", "", map[string]string{"refresh_token": s.Refresh}).JSON(a, &next)
		usable = append(usable, next.Refresh)
	})
	mac, invitations := a.Node.Ring.MAC(keyring.LabelInvitations), 0
	a.registry(func(q store.SQL) error {
		rows, err := q.Query(`SELECT id, portal_id, generation FROM invitations`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, of string
			var generation int
			if err := rows.Scan(&id, &of, &generation); err != nil {
				return err
			}
			invitations++
			for g := 1; g <= generation+1; g++ {
				usable = append(usable, auth.InvitationToken(mac, of, id, g))
			}
		}
		return rows.Err()
	})
	if invitations < 3 {
		a.Errorf("%d invitations to look for, want 3 or more", invitations)
	}
	secret, err := os.ReadFile(filepath.Join(a.Dir, "secret.key"))
	if err != nil {
		a.Fatal(err)
	}
	usable = append(usable, strings.TrimSpace(string(secret)))
	found := a.onDisk(needles(usable))
	for where, what := range found {
		a.Errorf("%s holds %s", where, what)
	}
	canary := needles([]string{a.Admin.Email})
	if len(a.onDisk(canary)) == 0 {
		a.Error("an address that is stored was not found: the search is blind")
	}
	hash, err := auth.PersonalToken.Hash(a.Admin.Token)
	if err != nil {
		a.Fatal(err)
	}
	a.expect(401, "GET", "/v1/auth/load", hash, nil)
	a.expect(401, "GET", "/v1/auth/load", string(auth.PersonalToken)+hash[:49], nil)
}

// stolenGuests: of what lets a guest in, waiting or used, a copy of the data
// holds nothing that lets anybody in.
func stolenGuests(a *arena) {
	portal, email := a.portalNamed("Copied"), "copied@example.com"
	signIn := a.Node.Control.SignInURL()
	var usable []string
	keep := func(b *wiretest.Browser) {
		for _, host := range []string{signIn, a.PortalURL(portal)} {
			for name, value := range b.Cookies(host) {
				usable = append(usable, value)
				if name != "portico_session" { // which begins with its id
					secret, _, _ := strings.Cut(value, ".")
					usable = append(usable, secret)
				}
			}
		}
	}
	b := a.comeIn(portal, email)
	keep(b)
	secret, hash := auth.NewSecret()
	asking := a.Browser()
	a.legit(func() {
		code, _, err := a.Node.Control.Knock(a.Context(), b.Cookies(signIn)["portico_session"], portal, hash)
		if err != nil || code == "" {
			a.Fatalf("no way in: %q, %v", code, err)
		}
		usable = append(usable, secret, code)
		asking.Get(a.PortalURL(portal)) // begins a way in
		keep(asking)
		asking.Submit(asking.Get(signIn+"/sign-in?portal="+portal), "mail-code", "email", email)
		keep(asking)
		asking.Submit(asking.Get(signIn+"/forgotten?portal="+portal), "forgotten", "email", email)
	})
	digits := a.Mail(email, store.TemplateCode).Code
	usable = append(usable, tokenOf(a.Mail(email, store.TemplateReset).Link))
	if len(usable) < 10 {
		a.Fatalf("%d secrets to look for: %q", len(usable), usable)
	}
	for where, what := range a.onDisk(needles(usable)) {
		a.Errorf("%s holds %s", where, what)
	}
	word := regexp.MustCompile(`\b` + digits + `\b`)
	for key, row := range a.snapshot() {
		if word.MatchString(row) {
			a.Errorf("%s holds the mailed code", key)
		}
	}
}

// needles are the forms in which a secret can be stored and still be used:
// as it is, or the random part alone, or its bytes in hex.
func needles(secrets []string) map[string][]byte {
	all := map[string][]byte{}
	for i, s := range secrets {
		if s == "" {
			continue
		}
		name := fmt.Sprintf("secret %d (%.16s…)", i, s)
		all[name] = []byte(s)
		all[name+" in hex"] = []byte(hex.EncodeToString([]byte(s)))
		if at := strings.LastIndexAny(s, "._"); at >= 0 && len(s)-at > 20 {
			all[name+" without its head"] = []byte(s[at+1:])
		}
		if raw, err := hex.DecodeString(s); err == nil {
			all[name+" as bytes"] = raw
		}
	}
	return all
}

// onDisk returns which files and rows hold a needle, and which. The secret's
// own file may.
func (a *arena) onDisk(needles map[string][]byte) map[string]string {
	a.Helper()
	found := map[string]string{}
	search := func(where string, text []byte) {
		for name, needle := range needles {
			if bytes.Contains(text, needle) {
				found[where] = name
			}
		}
	}
	err := filepath.WalkDir(a.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "secret.key" {
			return err
		}
		text, err := os.ReadFile(path)
		search(path, text)
		return err
	})
	if err != nil {
		a.Fatal(err)
	}
	for key, row := range a.snapshot() {
		search(key, []byte(row))
	}
	return found
}

// addresses: the canonical form is the key. Equal keys are one account; what
// only looks the same is another.
func addresses(a *arena) {
	portal := a.portalNamed("Addresses")
	first := a.invited(portal, "Person@Example.COM", "a.b@gmail.com", "max@bücher.example", "pal@paypal.com")
	if first[0].Email != "Person@example.com" {
		a.Errorf("stored as %q, want the local part as sent and the domain in lower case", first[0].Email)
	}
	for i, same := range map[string]int{
		"person@example.com": 0, "PERSON@EXAMPLE.COM": 0, "Person <person@example.com>": 0, " person@example.com\t": 0, "<pErson@example.com>": 0, "person@ｅxample.com": 0, "a.B@gmail.com": 1,
		"max@xn--bcher-kva.example": 2, "max@BÜCHER.example": 2, "max@bu\u0308cher.example": 2,
	} {
		got := a.invitedBy(portal, i)[0]
		if got.UserID != first[same].UserID || got.Status != "already_invited" || got.Email != first[same].Email {
			a.Errorf("%q: %+v, want the account of %s", i, got, first[same].Email)
		}
	}
	ids := map[string]string{}
	for _, r := range first {
		ids[r.UserID] = r.Email
	}
	for _, other := range []string{"ab@gmail.com", "a.b+x@gmail.com", "pal@pаypal.com", "person@example.org", "person1@example.com", "a.b@googlemail.com"} {
		got := a.invited(portal, other)[0]
		if was, taken := ids[got.UserID]; taken || got.Status != "invited" {
			a.Errorf("%q became %q: %+v", other, was, got)
		}
		ids[got.UserID] = got.Email
	}
	for _, bad := range []string{
		"mıke@example.com", "\u212Aevin@example.com", "ｆull@example.com", "\"a b\"@example.com", "a@example@com.com", "a(comment)@example.com", "=?utf-8?q?a?=@example.com=", "a@example.com\r\nBcc: b@example.com",
		"a@example.com,b@example.com", "a@example.com;b@example.com", "a@example.com b@example.com", "<a@example.com", "a@example.com>", strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("b.", 130) + "com",
		"a@[127.0.0.1]", "a@[IPv6:::1]", "a@127.0.0.1", "root@localhost", "root", "@example.com", "a@", "a@.com", "a..b@example.com", ".a@example.com", "a.@example.com", "a@-x.com", "a@x_y.com", "a@example.test", "a\x00@example.com",
		"a@exa\u200bmple.com", "a@example.com\u202e", "a%0d%0aBcc:x@example.com\n", "é@example.com", "",
	} {
		if got := a.invitedBy(portal, bad)[0]; got.Status != "failed" || got.Email != bad || got.UserID != "" || got.Detail != "invalid_address" {
			a.Errorf("%q: %+v, want failed", bad, got)
		}
	}
	if n := a.distinctKeys(); n != "" {
		a.Errorf("two accounts share %s", n)
	}
}

type invitedUser struct {
	Email, Status, Detail string
	UserID                string `json:"user_id"`
}

// invited invites, which is anyone's right; invitedBy is an invitation that
// must change nothing.
func (a *arena) invited(portal string, addresses ...string) (users []invitedUser) {
	a.Helper()
	a.legit(func() { users = a.invitedBy(portal, addresses...) })
	return users
}

func (a *arena) invitedBy(portal string, addresses ...string) []invitedUser {
	a.Helper()
	var results struct{ Users []invitedUser }
	a.expect(201, "POST", "/v1/portal/"+portal+"/users", a.Admin.Token, map[string]any{"users": addresses}).JSON(a, &results)
	if len(results.Users) != len(addresses) {
		a.Fatalf("%d results for %d addresses", len(results.Users), len(addresses))
	}
	return results.Users
}

// distinctKeys returns a key that is there twice once folded, or that no
// address parses to.
func (a *arena) distinctKeys() (shared string) {
	a.Helper()
	keys := map[string]bool{}
	a.registry(func(q store.SQL) error {
		all, err := column(q, `SELECT email_key FROM accounts`)
		for _, key := range all {
			parsed, err := portico.ParseAddress(key)
			if err != nil || parsed.Key != key || keys[strings.ToLower(key)] {
				shared = key
			}
			keys[strings.ToLower(key)] = true
		}
		return err
	})
	return shared
}

func addressesOfOtherType(a *arena) {
	portal := a.portalNamed("Types of addresses")
	for _, email := range []string{`["a@example.com"]`, `{"$ne":null}`, `{"email":"a@example.com"}`, `null`, `7`, `true`, `[]`, `{}`, `1e4`} {
		for _, body := range []string{`{"users":[{"email":` + email + `}]}`, `{"users":["good@example.com",{"email":` + email + `}]}`} {
			got := a.fieldErrors(a.expect(422, "POST", "/v1/portal/"+portal+"/users", a.Admin.Token, body))
			if len(got) != 1 || !strings.HasSuffix(got[0], "email]") {
				a.Errorf("%s: %v", body, got)
			}
		}
	}
	for _, users := range []string{`"a@example.com"`, `{"0":"a@example.com"}`, `[["a@example.com"]]`, `[null]`, `[7]`, `[true]`, `null`, `[{}]`, `[{"Email":"a@example.com"}]`} {
		a.fieldErrors(a.expect(422, "POST", "/v1/portal/"+portal+"/users", a.Admin.Token, `{"users":`+users+`}`))
	}
	for _, username := range []string{"username[]=a@example.com", "username[$ne]=x", "user=a"} {
		a.expect(422, "POST", "/v1/oauth2/login", "", "grant_type=password&password=x&"+username, "Content-Type", "application/x-www-form-urlencoded")
	}
	for _, body := range []string{`{"refresh_token":["x"]}`, `{"refresh_token":{"$gt":""}}`, `{"refresh_token":null}`, `{"refresh_token":1}`} {
		a.expect(422, "POST", "/v1/oauth2/refresh", "", body)
	}
}

// bulk is the case's own server: what it makes would be looked at after every
// later case.
func bulk(shared *arena) {
	a := newArena(shared.T)
	base := a.begin()
	portal := a.portalNamed("Bulk")
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprintf("bulk%d@example.com", i)
	}
	a.expect(422, "POST", "/v1/portal/"+portal+"/users", a.Admin.Token, map[string]any{"users": []string{}})
	a.expect(422, "POST", "/v1/portal/"+portal+"/users", a.Admin.Token, map[string]any{"users": many})
	a.expect(422, "POST", "/v1/portal/"+portal+"/users", a.Admin.Token, map[string]any{"users": many[:3], "message": strings.Repeat("x", 1001)})
	a.expect(422, "POST", "/v1/portal/"+portal+"/users", a.Admin.Token, map[string]any{"users": append(many[:2:2], strings.Repeat("x", 321))})
	a.expect(201, "POST", "/v1/portal/"+portal+"/users", a.Admin.Token, map[string]any{"users": many[:1000], "dry_run": true})
	if got := a.invited(portal, many[0]); got[0].Status != "invited" {
		a.Errorf("one: %+v", got)
	}
	a.legit(func() {
		mixed := []string{many[0], many[1], "nope", strings.ToUpper(many[1]), a.Admin.Email, "", many[2], "x@" + many[2], many[1]}
		want := []string{"already_invited", "invited", "failed", "duplicate", "linked", "failed", "invited", "failed", "duplicate"}
		for i, got := range a.invitedBy(portal, mixed...) {
			if got.Status != want[i] || (got.Status == "failed") != (got.UserID == "") {
				a.Errorf("%q: %+v, want %s", mixed[i], got, want[i])
			}
		}
	})
	a.legit(func() {
		for i, got := range a.invitedBy(portal, many[:1000]...) {
			if want := map[bool]string{true: "already_invited", false: "invited"}[i < 3]; got.Status != want {
				a.Fatalf("%d: %+v, want %s", i, got, want)
			}
		}
	})
	for _, got := range a.invitedBy(portal, many[:1000]...) {
		if got.Status != "already_invited" {
			a.Fatalf("again: %+v", got)
		}
	}
	var users []json.RawMessage
	if a.expect(200, "GET", "/v1/portal/"+portal+"/users", a.Admin.Token, nil).JSON(a, &users); len(users) != 1001 {
		a.Errorf("%d users, want 1,001", len(users))
	}
	a.end(base)
	a.Node.Close()
}

// phishing: text that a stranger chose reaches a mailbox as text.
func phishing(a *arena) {
	texts := []string{
		"http://evil.example/click", "Your bank (evil.example) needs you", "evil.example/%0aBcc:x@example.com", `<a href="https://evil.example">click</a>`, `"><img src=x onerror=alert(1)>`, "</title><script>alert(1)</script>",
		"=?utf-8?q?Bcc=3A_x?=", "javascript:alert(1)", "mailto:x@evil.example", "www.evil.example", "evil。example", "{{.Link}}", "<!--", strings.Repeat("x", 80), "ftp://[::1]/", "1.2.3.4", "//evil.example",
	}
	portals := make([]string, len(texts))
	a.legit(func() {
		for i, text := range texts {
			portals[i] = a.expect(201, "POST", "/v1/portal", a.Admin.Token, map[string]string{"name": text}).ID(a)
			a.expect(201, "POST", "/v1/portal/"+portals[i]+"/users", a.Admin.Token, map[string]any{
				"users": []map[string]string{{"email": "victim@example.com", "first_name": text, "last_name": text}}, "message": text + "\r\nBcc: x@example.com\r\n\r\n" + strings.Repeat(text, 5),
			})
		}
	})
	for i, text := range texts {
		a.checkMails(portals[i], text)
	}
}

const mailLink = "https://portals.example.org/invitation/token"

func (a *arena) checkMails(portal, text string) {
	a.Helper()
	var pages []store.MailPage
	err := a.Node.Store.View(a.Context(), func(tx *store.Tx) (err error) {
		pages, err = tx.Mails(100)
		return err
	})
	if err != nil {
		a.Fatal(err)
	}
	n := 0
	for _, page := range pages {
		if page.PortalID != portal {
			continue
		}
		n++
		page.InviterName, page.Organization = text, text
		m, err := render.Render(page, render.Target{Link: mailLink})
		if err != nil {
			a.Fatal(err)
		}
		a.checkMail(m, text)
	}
	if n != 1 {
		a.Errorf("%q: %d mails, want 1", text, n)
	}
}

func (a *arena) checkMail(m render.Message, text string) {
	a.Helper()
	var head strings.Builder
	for _, f := range m.Fields() {
		if strings.ContainsAny(f.Value, "\r\n") || strings.ContainsFunc(f.Value, func(r rune) bool { return r < ' ' || r > '~' }) {
			a.Errorf("%q: the field %s is %q", text, f.Name, f.Value)
		}
		fmt.Fprintf(&head, "%s: %s\r\n", f.Name, f.Value)
	}
	parsed, err := mail.ReadMessage(strings.NewReader(head.String() + "\r\n"))
	if err != nil || parsed.Header.Get("Bcc") != "" || len(parsed.Header) > 3 || m.To != "victim@example.com" {
		a.Errorf("%q: head %q, %v", text, head.String(), err)
	}
	if strings.Contains(m.HTML, "<script") || strings.Contains(m.HTML, "<img src=x") || strings.Contains(m.HTML, "<a href=\"https: ") {
		a.Errorf("%q: markup reached a mail", text)
	}
	whole := strings.ReplaceAll(m.Text+m.HTML+m.Subject, mailLink, "")
	for _, link := range []string{"evil.example", "evil。example", "http://", "https://", "ftp://", "javascript:a", "mailto:x", "1.2.3.4"} {
		if at := strings.Index(whole, link); at >= 0 {
			a.Errorf("%q: a mail holds %q: …%s…", text, link, whole[max(0, at-60):min(len(whole), at+60)])
		}
	}
	if strings.Count(m.HTML, "<a ") != strings.Count(m.HTML, `href="`+mailLink) {
		a.Errorf("%q: a mail has a link that is not ours", text)
	}
}
