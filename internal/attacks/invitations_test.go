package attacks

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"portico"
	"portico/internal/store"
	"portico/internal/wiretest"
)

func invitations() []attack {
	return []attack{
		{"A37 a token that a page passes on", referrers},
		{"A38 a token in what is written down", tokensInLogs},
		{"A46 a token that was changed", changedTokens},
		{"A47 a token that was used", usedTokens},
		{"A48 a token a second too late", lateToken},
		{"A49 a token at another portal", tokenElsewhere},
		{"A50 programs that follow links", robots},
		{"A61 a removed guest with the old link", removedLink},
	}
}

func tokenOf(link string) string { return link[strings.LastIndexByte(link, '/')+1:] }

func referrers(a *arena) {
	portal := a.portalNamed("Referrers")
	for _, link := range []string{a.invitationTo(portal, "referrer@example.com"), a.memberInvitation("referrer@members.example.com")} {
		page := a.Browser().Get(link)
		if bytes.Contains(page.Body, []byte(tokenOf(link))) {
			a.Error("the page holds its own token")
		}
		next := a.Browser().Submit(page, "accept")
		for _, p := range []wiretest.Page{page, next} {
			if p.Header.Get("Referrer-Policy") != "no-referrer" || p.Header.Get("Cache-Control") != "no-store" || p.Header.Get("Content-Encoding") != "" {
				a.Errorf("%s: %v", p.URL.Path[:6], p.Header)
			}
			for _, word := range []string{`<a href="http`, `<img`, `@import`, `<iframe`, `<base`} {
				if bytes.Contains(p.Body, []byte(word)) {
					a.Errorf("a page with a token has %s", word)
				}
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
