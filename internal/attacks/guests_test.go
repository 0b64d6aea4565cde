package attacks

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"portico"
	"portico/internal/auth"
	"portico/internal/keyring"
	"portico/internal/node"
	"portico/internal/store"
	"portico/internal/wiretest"
)

func guests() []attack {
	return []attack{
		{"A39 an account prepared for its owner", prepared},
		{"A42 a session planted for an unproven account", plantedSession},
		{"A43 a change planted for an unproven account", plantedChange},
		{"A45 an invitation opened by another account", anotherAccount},
		{"A51 an address that nobody claimed", unclaimed},
		{"A58 who has an account here", enumeration},
		{"A60 a guest who was removed", removedGuest},
		{"A62 fields that were not asked for", moreFields},
		{"A52 a stolen copy and guests", stolenGuests},
		{"A63 a portal made again", portalAgain},
		{"A72 guessing a mailed code", guessedCodes},
		{"A60 what a guest may is read once a request", oneRead},
	}
}

// invitationTo invites an address and returns the link of its mail.
func (a *arena) invitationTo(portal, email string) (link string) {
	a.Helper()
	a.guests(a.Admin.Token, portal, email)
	return a.Mail(email, store.TemplateInvited).Link
}

// comeIn invites an address and returns a browser that accepted.
func (a *arena) comeIn(portal, email string) *wiretest.Browser {
	a.Helper()
	link := a.invitationTo(portal, email)
	b := a.Browser()
	a.legit(func() {
		page := b.Submit(b.Submit(b.Get(link), "accept"), "set-password", "password", wiretest.Password)
		if page.Status != http.StatusOK || !strings.Contains(page.Text(), email) {
			a.Fatalf("%s did not come in: %d %s", email, page.Status, page.Text())
		}
	})
	return b
}

// stranger fails unless a browser meets the sign-in, or is told that it is no
// guest.
func (a *arena) stranger(b *wiretest.Browser, portal, when string) {
	a.Helper()
	page := b.Get(a.PortalURL(portal))
	if strings.Contains(page.Text(), "Hello, ") || page.URL.Path == "/-/" {
		a.Errorf("%s: still in: %d %s", when, page.Status, page.Text())
	}
	if got := b.Get(a.PortalURL(portal) + "/forward-auth"); got.Status != http.StatusUnauthorized {
		a.Errorf("%s: forward-auth says %d", when, got.Status)
	}
}

// prepared tries everything that could give an unproven account a way in, and
// then plants one in the database.
func prepared(a *arena) {
	guest, member := "prepared@example.com", "prepared@members.example.com"
	a.prepared(guest, a.invitationTo(a.portalNamed("Prepared"), guest))
	a.prepared(member, a.memberInvitation(member))
}

// memberInvitation invites an address to be a member and returns the link of
// its mail.
func (a *arena) memberInvitation(email string) string {
	a.Helper()
	a.legit(func() {
		a.expect(http.StatusCreated, "POST", "/v1/members", a.Admin.Token, map[string]string{"email": email})
	})
	return a.Mail(email, store.TemplateInvited).Link
}

// prepared plants what it can for an account that was invited, whose holder
// then accepts.
func (a *arena) prepared(email, link string) {
	a.Helper()
	id := a.account(email).ID
	signIn, thief := a.Node.Control.SignInURL(), a.Browser()
	a.legit(func() { // they are noted as asked for, and nothing is mailed
		thief.Submit(thief.Get(signIn+"/sign-in"), "mail-code", "email", email)
		thief.Submit(thief.Get(signIn+"/forgotten"), "forgotten", "email", email)
	})
	if a.mailed(email, store.TemplateCode)+a.mailed(email, store.TemplateReset) > 0 {
		a.Error("a code or a link for an unproven account was mailed")
	}
	thief.Submit(thief.Get(signIn+"/sign-in"), "sign-in", "email", email, "password", wiretest.Password)
	a.login(email, wiretest.Password)
	a.registry(func(q store.SQL) error {
		var n int
		err := q.QueryRow(`SELECT (SELECT COUNT(*) FROM credentials WHERE account_id = $1) + (SELECT COUNT(*) FROM sessions WHERE account_id = $1)
			+ (SELECT COUNT(*) FROM tokens WHERE account_id = $1) + (SELECT COUNT(*) FROM challenges WHERE account_id = $1)`, id).Scan(&n)
		if n != 0 {
			a.Errorf("an unproven account has %d ways in", n)
		}
		return err
	})
	planted := "a password that somebody else knows"
	hash, err := a.hasher.Hash(context.Background(), planted)
	if err != nil {
		a.Fatal(err)
	}
	a.legit(func() {
		a.plant(func(tx *store.Tx) error { return tx.SetPassword(id, hash) })
		b := a.Browser()
		b.Submit(b.Submit(b.Get(link), "accept"), "set-password", "password", wiretest.Password)
	})
	if page := thief.Submit(thief.Get(signIn+"/sign-in"), "sign-in", "email", email, "password", planted); page.Status != http.StatusUnprocessableEntity {
		a.Errorf("the planted password is worth %d", page.Status)
	}
}

func (a *arena) account(email string) (account portico.Account) {
	a.Helper()
	err := a.Node.Store.View(context.Background(), func(tx *store.Tx) (err error) {
		account, err = tx.AccountByKey(email)
		return err
	})
	if err != nil {
		a.Fatal(err)
	}
	return account
}

// mailed counts the mails of a kind to an address.
func (a *arena) mailed(email string, template store.Template) (n int) {
	a.Helper()
	a.registry(func(q store.SQL) error {
		return q.QueryRow(`SELECT COUNT(*) FROM outbox x JOIN accounts a ON a.id = x.account_id WHERE a.email_key = $1 AND x.template = $2`,
			email, string(template)).Scan(&n)
	})
	return n
}

// plant writes what only somebody with the database could.
func (a *arena) plant(fn func(*store.Tx) error) {
	a.Helper()
	if err := a.Node.Store.Update(context.Background(), fn); err != nil {
		a.Fatal(err)
	}
}

func plantedSession(a *arena) {
	portal := a.portalNamed("Planted session")
	email := "planted-session@example.com"
	link := a.invitationTo(portal, email)
	id, thief := a.account(email).ID, a.Browser()
	a.legit(func() {
		a.plant(func(tx *store.Tx) error {
			parent, err := a.Node.Auth.NewBrowserSession(tx, id, "", nil)
			if err != nil {
				return err
			}
			own, err := a.Node.Auth.NewBrowserSession(tx, id, portal, &parent)
			thief.SetCookie(a.Node.Control.SignInURL(), "portico_session", a.Node.Auth.BrowserCookie(parent.ID))
			thief.SetCookie(a.PortalURL(portal), "portico_session", a.Node.Auth.BrowserCookie(own.ID))
			return err
		})
	})
	a.stranger(thief, portal, "before the owner's proof")
	a.legit(func() {
		b := a.Browser()
		b.Submit(b.Submit(b.Get(link), "accept"), "set-password", "password", wiretest.Password)
	})
	a.stranger(thief, portal, "after the owner's proof")
}

// plantedChange plants a reset of the password and a code, which are the
// changes that can be under way.
func plantedChange(a *arena) {
	portal := a.portalNamed("Planted change")
	email := "planted-change@example.com"
	link := a.invitationTo(portal, email)
	id := a.account(email).ID
	var reset, code string
	const browser = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	a.legit(func() {
		a.plant(func(tx *store.Tx) error {
			reset, code = tx.NewID(portico.PrefixChallenge), tx.NewID(portico.PrefixChallenge)
			later := tx.Now.Add(auth.ResetLife)
			if err := tx.InsertChallenge(store.Challenge{ID: reset, Kind: store.ChallengeReset, AccountID: id, ExpiresAt: later}); err != nil {
				return err
			}
			return tx.InsertChallenge(store.Challenge{ID: code, Kind: store.ChallengeSignIn, AccountID: id, Browser: auth.HashSecret(browser), ExpiresAt: later})
		})
	})
	thief, signIn := a.Browser(), a.Node.Control.SignInURL()
	thief.SetCookie(signIn, "portico_browser", browser)
	resetLink := signIn + "/reset/" + auth.ResetToken(a.Node.Ring.MAC(keyring.LabelResets), reset)
	digits := auth.MailedCode(a.Node.Ring.MAC(keyring.LabelMailedCodes), code)
	try := func(when string) {
		if page := thief.Post(resetLink, url.Values{"password": {"a password of somebody else"}}); page.Status != http.StatusGone {
			a.Errorf("%s: the planted reset: %d %s", when, page.Status, page.Text())
		}
		if page := thief.Post(signIn+"/code/"+code, url.Values{"code": {digits}}); page.Status < 400 {
			a.Errorf("%s: the planted code: %d %s", when, page.Status, page.Text())
		}
	}
	try("before the owner's proof") // nothing of it happens
	a.legit(func() {
		b := a.Browser()
		b.Submit(b.Submit(b.Get(link), "accept"), "set-password", "password", wiretest.Password)
	})
	try("after the owner's proof")
}

func anotherAccount(a *arena) {
	portal, home := a.portalNamed("Another"), a.portalNamed("Another's own")
	eve, ada := "another-eve@example.com", "another-ada@example.com"
	b := a.comeIn(home, eve)
	link := a.invitationTo(portal, ada)
	page := b.Submit(b.Get(link), "accept")
	if !strings.Contains(page.Text(), eve) || !strings.Contains(page.Text(), ada) {
		a.Errorf("not both addresses: %s", page.Text())
	}
	at := page.URL.String()
	for _, form := range []string{"/password", "/join", "/sign-in"} {
		page := b.Post(at+form, url.Values{"password": {wiretest.Password}, "email": {ada}})
		if strings.Contains(page.Text(), "Hello") {
			a.Errorf("%s linked another account", form)
		}
	}
	a.legit(func() { // a code goes to the address that was invited, whoever asks
		if page := b.Post(at+"/code", nil); page.Heading() != "Enter the code" || a.mailed(ada, store.TemplateCode) != 1 || a.mailed(eve, store.TemplateCode) != 0 {
			a.Errorf("a code: %s", page.Text())
		}
	})
	a.stranger(b, portal, "opened as another")
	a.legit(func() {
		page = b.Submit(b.Get(at), "switch")
		page = b.Submit(page, "set-password", "password", wiretest.Password)
	})
	if !strings.Contains(page.Text(), ada) {
		a.Errorf("after the switch: %d %s", page.Status, page.Text())
	}
}

func unclaimed(a *arena) {
	portal := a.portalNamed("Unclaimed")
	a.invitationTo(portal, "unclaimed@example.com")
	thief, signIn := a.Browser(), a.Node.Control.SignInURL()
	for _, path := range []string{"/sign-up", "/signup", "/register", "/join", "/account"} {
		if page := thief.Get(signIn + path); page.Status != http.StatusNotFound {
			a.Errorf("%s: %d", path, page.Status)
		}
		if page := thief.Post(signIn+path, url.Values{"email": {"unclaimed@example.com"}, "password": {wiretest.Password}}); page.Status != http.StatusNotFound {
			a.Errorf("%s: %d", path, page.Status)
		}
	}
	a.legit(func() { thief.Submit(thief.Get(signIn+"/sign-in"), "mail-code", "email", "unclaimed@example.com") })
	if a.mailed("unclaimed@example.com", store.TemplateCode) > 0 {
		a.Error("a code was mailed without the token")
	}
	if a.account("unclaimed@example.com").Proven {
		a.Error("proven")
	}
}

// enumeration compares what is answered, and what is done, for an address with
// an account, one that was only invited, one that is blocked, and nobody's.
func enumeration(a *arena) {
	portal := a.portalNamed("Enumeration")
	known, invited, blocked := "enum-known@example.com", "enum-invited@example.com", "enum-blocked@example.com"
	a.comeIn(portal, known)
	a.comeIn(portal, blocked)
	a.invitationTo(portal, invited)
	a.legit(func() {
		a.plant(func(tx *store.Tx) error { _, err := tx.BlockAddress(blocked, "asked for"); return err })
	})
	signIn := a.Node.Control.SignInURL()
	for _, form := range []struct{ page, id, field string }{
		{"/sign-in?portal=" + portal, "sign-in", "password"}, {"/sign-in?portal=" + portal, "mail-code", ""}, {"/forgotten?portal=" + portal, "forgotten", ""},
	} {
		var want string
		for _, email := range []string{known, invited, blocked, "enum-nobody@example.com"} {
			b := a.Browser()
			values := []string{"email", email}
			if form.field != "" {
				values = append(values, form.field, "a wrong password, and long")
			}
			page := b.Get(signIn + form.page)
			hashed := a.hasher.Count()
			a.legit(func() { page = b.Submit(page, form.id, values...) })
			got := fmt.Sprint(page.Status, len(b.Hops), a.hasher.Count()-hashed, strings.ReplaceAll(page.Text(), email, "EMAIL"))
			if want == "" {
				want = got
			}
			if got != want {
				a.Errorf("%s for %s: %s, want %s", form.id, email, got, want)
			}
		}
	}
}

func removedGuest(a *arena) {
	portal, kept := a.portalNamed("Removal"), a.portalNamed("Kept")
	email := "removal@example.com"
	b := a.comeIn(portal, email)
	a.guests(a.Admin.Token, kept, email)
	a.legit(func() { b.Get(a.PortalURL(kept)) })
	if got := b.Get(a.PortalURL(portal) + "/forward-auth"); got.Status != http.StatusOK || got.Header.Get("Portico-Identity") == "" {
		a.Errorf("before: %d", got.Status)
	}
	a.legit(func() {
		a.expect(200, "DELETE", "/v1/portal/"+portal+"/users/"+a.account(email).ID, a.Admin.Token, nil)
	})
	a.stranger(b, portal, "removed")
	if page := b.Get(a.PortalURL(kept)); !strings.Contains(page.Text(), "Hello") {
		a.Errorf("the other portal: %d %s", page.Status, page.Text())
	}
	if page := b.Get(a.Node.Control.SignInURL() + "/"); strings.Contains(page.Text(), "Removal") || !strings.Contains(page.Text(), "Kept") {
		a.Errorf("the list of portals: %s", page.Text())
	}
	a.legit(func() {
		if err := a.Node.Control.SuspendOrganization(context.Background(), a.Acme.ID); err != nil {
			a.Fatal(err)
		}
	})
	if page := b.Get(a.PortalURL(kept)); page.Status != http.StatusForbidden {
		a.Errorf("the organization is suspended: %d %s", page.Status, page.Text())
	}
	a.legit(func() {
		if err := a.Node.Control.ActivateOrganization(context.Background(), a.Acme.ID); err != nil {
			a.Fatal(err)
		}
	})
}

func moreFields(a *arena) {
	portal, otherPortal := a.portalNamed("Fields"), a.portalNamed("Other fields")
	email := "fields@example.com"
	link := a.invitationTo(portal, email)
	b := a.Browser()
	a.legit(func() {
		b.Post(a.Node.Control.SignInURL()+"/invitation/"+portal+"/"+tokenOf(link)+"/password", url.Values{
			"password": {wiretest.Password}, "name": {"Fields"}, "verified": {"1"}, "role": {"owner"}, "portal": {otherPortal}, "portal_id": {otherPortal},
			"email": {a.Owner.Email}, "organization_id": {a.Acme.ID}, "account_id": {a.Owner.ID}, "id": {a.Owner.ID},
		})
	})
	account := a.account(email)
	if account.Name != "Fields" || account.Email != email {
		a.Errorf("%+v", account)
	}
	a.registry(func(q store.SQL) error {
		var n int
		err := q.QueryRow(`SELECT COUNT(*) FROM memberships WHERE account_id = $1 AND NOT (organization_id = $2 AND role = 'guest')`, account.ID, portal).Scan(&n)
		if n != 0 {
			a.Errorf("%d memberships that nobody gave", n)
		}
		return err
	})
}

func portalAgain(a *arena) {
	portal := a.portalNamed("Phoenix")
	email := "phoenix@example.com"
	b := a.comeIn(portal, email)
	link := a.invitationTo(portal, "phoenix-two@example.com")
	old := a.PortalURL(portal)
	a.legit(func() { a.expect(200, "DELETE", "/v1/portal/"+portal, a.Admin.Token, nil) })
	again := a.portalNamed("Phoenix")
	if a.PortalURL(again) == old {
		a.Error("the address was given out again")
	}
	nobody := b.Get("http://nobody.localhost/")
	for _, address := range []string{old, link, old + "/forward-auth"} {
		if page := b.Get(address); page.Status != http.StatusNotFound || !bytes.Equal(page.Body, nobody.Body) {
			a.Errorf("%.40s: %d %s", address, page.Status, page.Text())
		}
	}
	b.SetCookie(a.PortalURL(again), "portico_session", b.Cookies(old)["portico_session"])
	a.stranger(b, again, "with the cookie of the one before")
	if page := b.Get(a.PortalURL(again) + "/invite/" + tokenOf(link)); page.Status != http.StatusNotFound {
		a.Errorf("with the token of the one before: %d", page.Status)
	}
}

// guessedCodes is the case's own server, with the limits of production.
func guessedCodes(a *arena) {
	own := newArena(a.T, func(_ *node.Config, o *node.Options) {
		o.SignIns, o.Failures, o.Mails = auth.Rate{}, auth.Rate{}, auth.Rate{}
	})
	base := own.begin()
	portal, email := own.portalNamed("Codes"), "codes@example.com"
	own.comeIn(portal, email)
	signIn := own.Node.Control.SignInURL()
	b := own.Browser()
	var page wiretest.Page
	own.legit(func() { page = b.Submit(b.Get(signIn+"/sign-in?portal="+portal), "mail-code", "email", email) })
	code, at := own.Mail(email, store.TemplateCode).Code, page.URL.String()
	thief := own.Browser()
	if page := thief.Post(at, url.Values{"code": {code}}); page.Status != http.StatusUnprocessableEntity && page.Status != http.StatusGone {
		a.Errorf("the code in another browser: %d %s", page.Status, page.Text())
	}
	own.legit(func() { // attempts are counted
		for i := range auth.CodeAttempts {
			wrong := fmt.Sprintf("%06d", (mustNumber(code)+1+i)%1_000_000)
			if page := b.Post(at, url.Values{"code": {wrong}}); strings.Contains(page.Text(), "Hello") {
				a.Error("a wrong code signed in")
			}
		}
	})
	if page := b.Post(at, url.Values{"code": {code}}); strings.Contains(page.Text(), "Hello") || !strings.Contains(page.Text(), "code is over") {
		a.Errorf("the right code after %d wrong ones: %d %s", auth.CodeAttempts, page.Status, page.Text())
	}
	limited := 0
	own.legit(func() {
		for range auth.MailRequestRate().Events + 2 {
			if b.Submit(b.Get(signIn+"/sign-in"), "mail-code", "email", email).Status == http.StatusTooManyRequests {
				limited++
			}
		}
	})
	if limited == 0 {
		a.Error("codes may be asked for without end")
	}
	own.legit(func() { // and the victim signs in by the password
		guest := own.Browser()
		if page := guest.Submit(guest.Get(signIn+"/sign-in?portal="+portal), "sign-in", "email", email, "password", wiretest.Password); !strings.Contains(page.Text(), "Hello") {
			a.Errorf("the victim is kept out: %d %s", page.Status, page.Text())
		}
	})
	own.end(base)
	own.Node.Close()
}

// oneRead counts what is asked of the registry for each request of a guest.
func oneRead(a *arena) {
	portal := a.portalNamed("One read")
	b := a.comeIn(portal, "oneread@example.com")
	stranger, at := a.Browser(), a.PortalURL(portal)
	for _, tt := range []struct {
		who  *wiretest.Browser
		path string
		most int64
	}{
		{b, "/forward-auth", 1}, {stranger, "/forward-auth", 1}, {b, "/", 1}, {stranger, "/-/signed-out", 1},
	} {
		asked := a.asked.OfRequests()
		tt.who.Head(at + tt.path)
		if n := a.asked.OfRequests() - asked; n != tt.most {
			a.Errorf("%s cost %d statements, want %d", tt.path, n, tt.most)
		}
	}
	asked := a.asked.OfRequests()
	stranger.Head("http://nobody.localhost/forward-auth")
	if n := a.asked.OfRequests() - asked; n != 1 {
		a.Errorf("nobody's host cost %d statements, want 1", n)
	}
}
