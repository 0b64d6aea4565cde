package attacks

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"portico"
	"portico/internal/auth"
	"portico/internal/keyring"
	"portico/internal/node"
	"portico/internal/store"
	"portico/internal/wiretest"
)

func guests() []attack {
	return []attack{
		{"A37 a token that a page passes on", referrers},
		{"A38 a token in what is written down", tokensInLogs},
		{"A39 an account prepared for its owner", prepared},
		{"A42 a session planted for an unproven account", plantedSession},
		{"A43 a change planted for an unproven account", plantedChange},
		{"A45 an invitation opened by another account", anotherAccount},
		{"A46 a token that was changed", changedTokens},
		{"A47 a token that was used", usedTokens},
		{"A48 a token a second too late", lateToken},
		{"A49 a token at another portal", tokenElsewhere},
		{"A50 programs that follow links", robots},
		{"A51 an address that nobody claimed", unclaimed},
		{"A58 who has an account here", enumeration},
		{"A60 a guest who was removed", removedGuest},
		{"A61 a removed guest with the old link", removedLink},
		{"A62 fields that were not asked for", moreFields},
		{"A63 a portal made again", portalAgain},
		{"A72 guessing a mailed code", guessedCodes},
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

func tokenOf(link string) string { return link[strings.LastIndexByte(link, '/')+1:] }

func referrers(a *arena) {
	portal := a.portalNamed("Referrers")
	link := a.invitationTo(portal, "referrer@example.com")
	page := a.Browser().Get(link)
	if bytes.Contains(page.Body, []byte(tokenOf(link))) {
		a.Error("the page holds its own token")
	}
	next := a.Browser().Submit(page, "accept")
	for _, p := range []wiretest.Page{page, next} {
		if p.Header.Get("Referrer-Policy") != "no-referrer" || p.Header.Get("Cache-Control") != "no-store" || p.Header.Get("Content-Encoding") != "" {
			a.Errorf("%s: %v", p.URL.Path[:8], p.Header)
		}
		for _, word := range []string{`<a href="http`, `<img`, `@import`, `<iframe`, `<base`} {
			if bytes.Contains(p.Body, []byte(word)) {
				a.Errorf("a page with a token has %s", word)
			}
		}
	}
}

func tokensInLogs(a *arena) {
	portal := a.portalNamed("Written")
	email := "written@example.com"
	link := a.invitationTo(portal, email)
	b := a.Browser()
	secrets := []string{tokenOf(link), wiretest.Password}
	a.legit(func() {
		page := b.Submit(b.Get(link), "accept")
		b.Submit(page, "set-password", "password", "too short")
		b.Submit(page, "set-password", "password", wiretest.Password)
		for _, hop := range b.Hops {
			if _, code, ok := strings.Cut(hop, "code="); ok {
				secrets = append(secrets, code)
			}
		}
		for _, host := range []string{a.PortalURL(portal), a.Node.Control.SignInURL()} {
			for _, value := range b.Cookies(host) {
				secrets = append(secrets, value)
			}
		}
		signIn := a.Browser()
		signIn.Submit(signIn.Get(a.Node.Control.SignInURL()+"/forgotten"), "forgotten", "email", email)
		reset := a.Mail(email, store.TemplateReset).Link
		signIn.Get(reset)
		signIn.Get(reset + "x")
		signIn.Submit(signIn.Get(a.Node.Control.SignInURL()+"/sign-in"), "mail-code", "email", email)
		secrets = append(secrets, tokenOf(reset))
	})
	b.Get(link)
	b.Get(link + "x")
	if len(secrets) < 6 {
		a.Errorf("%d secrets to look for", len(secrets))
	}
	log := a.log.take()
	for _, s := range secrets {
		if strings.Contains(log, s) {
			a.Errorf("the log holds %.12s…", s)
		}
	}
	for where, what := range a.onDisk(needles(secrets)) {
		a.Errorf("%s holds %s", where, what)
	}
}

// prepared tries everything that could give an unproven account a way in, and
// then plants one in the database.
func prepared(a *arena) {
	portal := a.portalNamed("Prepared")
	email := "prepared@example.com"
	link := a.invitationTo(portal, email)
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

func changedTokens(a *arena) {
	portal := a.portalNamed("Changed")
	link := a.invitationTo(portal, "changed@example.com")
	token, base := tokenOf(link), a.PortalURL(portal)+"/invite/"
	b := a.Browser()
	want := b.Get(base + "nothing").Body
	forged := []string{token + "A", token[:len(token)-1], token[1:], strings.ToUpper(token), strings.ToLower(token), "null", "[]", "%5B%5D", "%00", token + "=", token + "%0A", strings.Repeat("A", len(token)), strings.Repeat("A", 5000)}
	for i := range token {
		forged = append(forged, token[:i]+other(token[i])+token[i+1:])
	}
	for _, f := range forged {
		page := b.Get(base + f)
		if page.Status != http.StatusNotFound || !bytes.Equal(page.Body, want) {
			a.Errorf("%.100s: %d, or another body", f, page.Status)
		}
		if page := b.Post(a.Node.Control.SignInURL()+"/invitation/"+portal+"/"+f+"/password", url.Values{"password": {wiretest.Password}}); page.Status != http.StatusNotFound {
			a.Errorf("%.100s claims: %d", f, page.Status)
		}
	}
	if page := b.Get(base); page.Status != http.StatusNotFound {
		a.Errorf("an empty token: %d", page.Status)
	}
}

func usedTokens(a *arena) {
	portal := a.portalNamed("Used")
	link := a.invitationTo(portal, "used@example.com")
	at := a.Node.Control.SignInURL() + "/invitation/" + portal + "/" + tokenOf(link)
	var won, lost atomic.Int64
	a.legit(func() {
		var all sync.WaitGroup
		for range size(20, 100) {
			b := a.Browser()
			all.Go(func() {
				page := b.Post(at+"/password", url.Values{"password": {wiretest.Password}})
				if strings.Contains(page.Text(), "Hello") {
					won.Add(1)
				} else {
					lost.Add(1)
				}
			})
		}
		all.Wait()
	})
	if won.Load() != 1 || lost.Load() == 0 {
		a.Errorf("%d of %d parallel accepts won", won.Load(), won.Load()+lost.Load())
	}
	again := func(what, text string) {
		b := a.Browser()
		if page := b.Get(link); !strings.Contains(page.Text(), text) {
			a.Errorf("%s: %d %s", what, page.Status, page.Text())
		}
		if page := b.Post(at+"/password", url.Values{"password": {"another password of mine"}}); strings.Contains(page.Text(), "Hello") {
			a.Errorf("%s: accepted again", what)
		}
	}
	again("accepted", "was accepted")
	a.legit(func() {
		a.expect(200, "DELETE", "/v1/portal/"+portal+"/users/"+a.account("used@example.com").ID, a.Admin.Token, nil)
	})
	again("removed", "does not exist any more")
	a.guests(a.Admin.Token, portal, "used@example.com") // proven by now: linked at once, by a new invitation
	again("linked again", "does not exist any more")
	a.legit(func() { a.expect(200, "DELETE", "/v1/portal/"+portal, a.Admin.Token, nil) })
	again("deleted", "Nothing is here")
}

// lateToken is the case's own server, with a clock that stands still.
func lateToken(a *arena) {
	clock := &wiretest.Clock{}
	own := newArena(a.T, clock.Setup)
	base := own.begin()
	portal := own.portalNamed("Late")
	link := own.invitationTo(portal, "late@example.com")
	clock.Stop(time.Now().Add(portico.InvitationLife + time.Minute))
	b := own.Browser()
	page := b.Get(link)
	if page.Status != http.StatusGone || !strings.Contains(page.Text(), "has expired") {
		a.Errorf("%d %s", page.Status, page.Text())
	}
	at := own.Node.Control.SignInURL() + "/invitation/" + portal + "/" + tokenOf(link)
	for _, form := range []string{"/password", "/join", "/code", "/sign-in"} {
		if page := b.Post(at+form, url.Values{"password": {wiretest.Password}, "email": {"late@example.com"}}); strings.Contains(page.Text(), "Hello") {
			a.Errorf("accepted by %s", form)
		}
	}
	own.legit(func() {
		for range 3 {
			page = b.Post(link+"/ask-again", nil)
		}
	})
	if !strings.Contains(page.Text(), "is told") || own.mailed(own.Admin.Email, store.TemplateAsked) != 1 {
		a.Errorf("asked three times: %d mails, %s", own.mailed(own.Admin.Email, store.TemplateAsked), page.Text())
	}
	own.end(base)
	own.Node.Close()
}

func tokenElsewhere(a *arena) {
	one, two := a.portalNamed("Elsewhere one"), a.portalNamed("Elsewhere two")
	token := tokenOf(a.invitationTo(one, "elsewhere@example.com"))
	b := a.Browser()
	if page := b.Get(a.PortalURL(two) + "/invite/" + token); page.Status != http.StatusNotFound || strings.Contains(page.Text(), "Elsewhere one") {
		a.Errorf("%d %s", page.Status, page.Text())
	}
	if page := b.Post(a.PortalURL(two)+"/invite/"+token, nil); page.Status != http.StatusNotFound {
		a.Errorf("pressed: %d", page.Status)
	}
	for _, form := range []string{"/password", "/join", "/code"} {
		page := b.Post(a.Node.Control.SignInURL()+"/invitation/"+two+"/"+token+form, url.Values{"password": {wiretest.Password}})
		if page.Status != http.StatusNotFound {
			a.Errorf("%s: %d %s", form, page.Status, page.Text())
		}
	}
}

// robots fetch and press what a mail scanner would. Nothing changes, and the
// guest comes in afterwards.
func robots(a *arena) {
	portal := a.portalNamed("Robots")
	link := a.invitationTo(portal, "robots@example.com")
	b := a.Browser()
	for range 3 {
		b.Head(link)
		page := b.Get(link)
		for asset := range strings.SplitSeq(string(page.Body), `"`) {
			if strings.HasPrefix(asset, "/-/assets/") {
				if got := b.Get(a.PortalURL(portal) + asset); got.Status != http.StatusOK {
					a.Errorf("%s: %d", asset, got.Status)
				}
			}
		}
		next := b.Submit(page, "accept")
		if next.Status != http.StatusOK || !strings.Contains(next.Text(), "Set a password") {
			a.Errorf("the button led to %d %s", next.Status, next.Text())
		}
		b.Head(next.URL.String())
		b.Get(next.URL.String())
		for _, scheme := range []string{"prefetch", "prerender"} {
			if got := a.at(a.hostOf(portal), "GET", "/invite/"+tokenOf(link), "Sec-Purpose: "+scheme, "Purpose: "+scheme); got.Status != http.StatusOK {
				a.Errorf("%s: %d", scheme, got.Status)
			}
		}
	}
	a.noTrace()
	a.stranger(b, portal, "a robot")
	a.legit(func() {
		guest := a.Browser()
		if page := guest.Submit(guest.Submit(guest.Get(link), "accept"), "set-password", "password", wiretest.Password); !strings.Contains(page.Text(), "Hello") {
			a.Errorf("the guest after the robot: %d %s", page.Status, page.Text())
		}
	})
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

func removedLink(a *arena) {
	portal := a.portalNamed("Old link")
	email := "oldlink@example.com"
	link := a.invitationTo(portal, email)
	a.legit(func() {
		a.expect(200, "DELETE", "/v1/portal/"+portal+"/users/"+a.account(email).ID, a.Admin.Token, nil)
	})
	b := a.Browser()
	at := a.Node.Control.SignInURL() + "/invitation/" + portal + "/" + tokenOf(link)
	for _, page := range []wiretest.Page{b.Get(link), b.Post(link, nil), b.Post(at+"/password", url.Values{"password": {wiretest.Password}}), b.Post(at+"/join", nil), b.Post(at+"/code", nil)} {
		if page.Status != http.StatusGone || !strings.Contains(page.Text(), "does not exist any more") {
			a.Errorf("%s: %d %s", page.URL.Path[:12], page.Status, page.Text())
		}
	}
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
