package wiretest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"portico"
	"portico/internal/store"
)

// inviteMember invites an address to be a member of a token's organization.
func (w *World) inviteMember(token, email, role string) memberAnswer {
	w.T.Helper()
	body := map[string]string{"email": email}
	if role != "" {
		body["role"] = role
	}
	var m memberAnswer
	a := w.Do("POST", "/v1/members", token, body)
	if err := json.Unmarshal(a.Body, &m); err != nil || a.Status != http.StatusCreated || m.Status != "invited" || m.Expires == nil {
		w.T.Fatalf("inviting %s: %d %s", email, a.Status, a.Body)
	}
	return m
}

// opened goes to the page of an invitation and presses its button.
func (b *Browser) opened(link string) Page {
	b.T.Helper()
	return b.Submit(b.Get(link), "accept")
}

// roleOf returns the role of an address in a token's organization; empty: it is
// no member.
func (w *World) roleOf(token, email string) string {
	w.T.Helper()
	for _, m := range w.members(token) {
		if m.Email == email && m.Status == "active" {
			return m.Role
		}
	}
	return ""
}

// TestMemberByPassword is a colleague who has no account: invited, in, and in
// the console.
func TestMemberByPassword(t *testing.T) {
	t.Parallel()
	w := Start(t)
	const email = "colleague@example.com"
	w.inviteMember(w.Owner.Token, email, "admin")
	b := w.Browser()
	link := w.Mail(email, store.TemplateInvited).Link
	if !strings.HasPrefix(link, w.Node.Control.SignInURL()+"/join/"+w.Acme.ID+"/") {
		t.Errorf("the link leads to %s", link)
	}
	first := b.Get(link)
	shows(t, first, http.StatusOK, "You are invited to join Acme")
	if strings.Contains(first.Text(), email) || len(b.client.Jar.Cookies(first.URL)) > 0 {
		t.Errorf("the link alone shows the address, or sets a cookie: %s", first.Text())
	}
	page := b.Submit(first, "accept")
	shows(t, page, http.StatusOK, "Set a password for Acme")
	if got := w.roleOf(w.Owner.Token, email); got != "" {
		t.Errorf("the button alone makes a member: %s", got)
	}
	page = b.Submit(page, "set-password", "password", Password, "name", "Cole Porter")
	shows(t, page, http.StatusOK, "Your organizations Acme")
	if got := w.roleOf(w.Owner.Token, email); got != "admin" {
		t.Errorf("who accepted is %q", got)
	}
	if to := page.Link("Acme"); to != w.Node.Control.PublicURL()+"/sign-in" {
		t.Errorf("the organization leads to %s", to)
	}
	w.Console(w.client, email)
	shows(t, b.Get(link), http.StatusOK, "was accepted")
	w.checkEvents(portico.ActionMemberJoined, 1)
}

// TestMemberWithAccount is somebody who signs in already, by each way: no role
// before they show that the address is theirs.
func TestMemberWithAccount(t *testing.T) {
	t.Parallel()
	w := Start(t)
	for _, c := range []struct {
		name  string
		enter func(*Browser, Page, Person) Page
	}{
		{"by signing in", func(b *Browser, p Page, who Person) Page {
			shows(t, b.Submit(p, "sign-in", "password", "not the right one, at all"), http.StatusUnprocessableEntity, "do not belong together")
			return b.Submit(p, "sign-in", "password", Password)
		}},
		{"by a mailed code", func(b *Browser, p Page, who Person) Page {
			return b.Submit(b.Submit(p, "by-code"), "enter-code", "code", w.Mail(who.Email, store.TemplateCode).Code)
		}},
		{"signed in", func(b *Browser, p Page, who Person) Page {
			b.Submit(b.Get(w.Node.Control.SignInURL()+"/sign-in"), "sign-in", "email", who.Email, "password", Password)
			p = b.Get(p.URL.String())
			shows(t, p, http.StatusOK, "You are signed in as "+who.Email)
			return b.Submit(p, "join")
		}},
	} {
		who := w.Person(strings.ReplaceAll(c.name, " ", ".")+"@other.example.com", w.Other, portico.Member)
		w.inviteMember(w.Owner.Token, who.Email, "owner")
		b := w.Browser()
		page := b.opened(w.Mail(who.Email, store.TemplateInvited).Link)
		if got := w.roleOf(w.Owner.Token, who.Email); got != "" {
			t.Errorf("%s: %s before it", c.name, got)
		}
		shows(t, c.enter(b, page, who), http.StatusOK, "Your organizations")
		if got := w.roleOf(w.Owner.Token, who.Email); got != "owner" {
			t.Errorf("%s: is %q", c.name, got)
		}
	}
	// Somebody else's session accepts nothing.
	w.inviteMember(w.Owner.Token, "third@example.com", "")
	b := w.Browser()
	b.Submit(b.Get(w.Node.Control.SignInURL()+"/sign-in"), "sign-in", "email", w.OtherAdmin.Email, "password", Password)
	shows(t, b.opened(w.Mail("third@example.com", store.TemplateInvited).Link), http.StatusOK, "This invitation is for another address")
}

// TestMemberInvitationIsNoDirectory shows that nothing an inviter sees tells an
// address with an account from one that nobody has.
func TestMemberInvitationIsNoDirectory(t *testing.T) {
	t.Parallel()
	w := Start(t)
	_, known := w.Person("Known@other.example.com", w.Other, portico.Member), "KNOWN@other.example.com"
	mask := regexp.MustCompile(`(inv|evt)_[a-z0-9]+|\d{4}-\d\d-\d\dT[0-9:.]+Z|(known|nobody)@`)
	see := func(email string) string {
		m := w.inviteMember(w.Owner.Token, email, "admin")
		if !strings.HasPrefix(m.ID, portico.PrefixInvitation) {
			t.Errorf("%s has the id %s", email, m.ID)
		}
		resent := w.Do("POST", "/v1/members/invitations/"+m.ID+"/resend", w.Owner.Token, nil)
		list, _ := json.Marshal(w.members(w.Owner.Token))
		again := w.Do("POST", "/v1/members", w.Owner.Token, map[string]string{"email": email})
		gone := w.Do("DELETE", "/v1/members/invitations/"+m.ID, w.Owner.Token, nil)
		return mask.ReplaceAllString(strings.Join([]string{string(resent.Body), string(list), string(again.Body), string(gone.Body)}, "\n"), "*")
	}
	if a, b := see(known), see("NOBODY@other.example.com"); a != b {
		t.Errorf("an account can be told:\n%s\n%s", a, b)
	}
	err := w.Node.Store.View(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.AccountByKey("nobody@other.example.com"); portico.KindOf(err) != portico.KindNotFound {
			t.Errorf("the stub of a revoked invitation is left: %v", err)
		}
		_, err := tx.AccountByKey("known@other.example.com")
		return err
	})
	if err != nil {
		t.Errorf("the account of somebody else went with the invitation: %v", err)
	}
}

// TestMemberInvitationEnds shows what voids an invitation: a resend, its time,
// a revocation, and that its inviter may not give the role any more.
func TestMemberInvitationEnds(t *testing.T) {
	t.Parallel()
	clock := &Clock{}
	w := Start(t, clock.Setup)
	const email = "late@example.com"
	link := func() string { return w.Mail(email, store.TemplateInvited).Link }
	b := w.Browser()

	m := w.inviteMember(w.Owner.Token, email, "owner")
	if a := w.Do("POST", "/v1/members/invitations/"+m.ID+"/resend", w.Admin.Token, nil); a.Status != http.StatusForbidden {
		t.Errorf("an admin sends an owner's invitation again: %d", a.Status)
	}
	if a := w.Do("DELETE", "/v1/members/invitations/"+m.ID, w.Admin.Token, nil); a.Status != http.StatusForbidden {
		t.Errorf("an admin revokes an owner's invitation: %d", a.Status)
	}
	old := link()
	if a := w.Do("POST", "/v1/members/invitations/"+m.ID+"/resend", w.Owner.Token, nil); a.Status != http.StatusOK {
		t.Fatalf("resend: %d %s", a.Status, a.Body)
	}
	shows(t, b.Get(old), http.StatusGone, "There is a newer invitation")
	shows(t, b.Get(link()), http.StatusOK, "invited to join")
	proof := b.opened(link())

	// Whoever sent it is an admin now: it gives no owner.
	second := w.Person("second@example.com", w.Acme, portico.Owner)
	if a := w.Do("PATCH", "/v1/members/"+w.Owner.ID, second.Token, `{"role":"admin"}`); a.Status != http.StatusOK {
		t.Fatalf("demotion: %d %s", a.Status, a.Body)
	}
	shows(t, b.Submit(proof, "set-password", "password", Password), http.StatusGone, "withdrawn")
	shows(t, b.Get(link()), http.StatusGone, "withdrawn")
	if got := w.roleOf(second.Token, email); got != "" {
		t.Errorf("a role came of it: %s", got)
	}

	if a := w.Do("DELETE", "/v1/members/invitations/"+m.ID, second.Token, nil); a.Status != http.StatusOK {
		t.Fatalf("revoke: %d %s", a.Status, a.Body)
	}
	shows(t, b.Get(old), http.StatusGone, "does not exist any more")

	m = w.inviteMember(second.Token, email, "")
	before := link()
	clock.Move(portico.InvitationLife)
	shows(t, b.Get(before), http.StatusGone, "has expired")
	admin := w.Person("third@example.com", w.Acme, portico.Admin) // the tokens of before ran out
	status := ""
	for _, one := range w.members(admin.Token) {
		if one.ID == m.ID {
			status = one.Status
		}
	}
	if status != "expired" {
		t.Errorf("the list says %q", status)
	}
	if a := w.Do("POST", "/v1/members/invitations/"+m.ID+"/resend", admin.Token, nil); a.Status != http.StatusOK {
		t.Fatalf("resend: %d %s", a.Status, a.Body)
	}
	shows(t, b.opened(link()), http.StatusOK, "Set a password")
}

// TestMemberTokenElsewhere shows that a token is good for what it was made for
// alone: a member's opens no portal, and a guest's no organization.
func TestMemberTokenElsewhere(t *testing.T) {
	t.Parallel()
	w := Start(t)
	portal := w.Portal("Harbour")
	w.Invite(w.Admin.Token, portal, "guest@example.com")
	w.inviteMember(w.Owner.Token, "member@example.com", "")
	tail := func(email string) string {
		link := w.Mail(email, store.TemplateInvited).Link
		return link[strings.LastIndex(link, "/")+1:]
	}
	b := w.Browser()
	signIn := w.Node.Control.SignInURL()
	for _, address := range []string{
		w.PortalURL(portal) + "/invite/" + tail("member@example.com"),
		signIn + "/invitation/" + portal + "/" + tail("member@example.com"),
		signIn + "/join/" + w.Acme.ID + "/" + tail("guest@example.com"),
		signIn + "/invitation/" + w.Other.ID + "/" + tail("member@example.com"),
		signIn + "/join/" + w.Sandbox.ID + "/" + tail("member@example.com"),
	} {
		if p := b.Get(address); p.Status != http.StatusNotFound {
			t.Errorf("%s: %d %s", address, p.Status, p.Text())
		}
	}
	if err := w.Node.Control.SuspendOrganization(t.Context(), w.Acme.ID); err != nil {
		t.Fatal(err)
	}
	shows(t, b.Get(w.Mail("member@example.com", store.TemplateInvited).Link), http.StatusForbidden, "is closed")
}
