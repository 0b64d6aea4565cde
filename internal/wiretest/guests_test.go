package wiretest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"portico"
	"portico/internal/store"
)

// shows fails unless a page has a status and words.
func shows(t *testing.T, p Page, status int, text string) {
	t.Helper()
	if p.Status != status || !strings.Contains(p.Text(), text) {
		t.Fatalf("%s: %d %s; want %d and %q", p.URL, p.Status, p.Text(), status, text)
	}
}

// actions returns what an organization's log says of a portal, oldest first.
func (w *World) actions(portal string) (all []string) {
	w.T.Helper()
	err := w.Node.Store.View(w.T.Context(), func(tx *store.Tx) error {
		events, err := tx.Events(w.Acme.ID, "", 1000)
		for _, e := range events {
			if e.PortalID == portal && e.Action != portico.ActionPortalCreated {
				all = append(all, string(e.Action))
			}
		}
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return all
}

// TestGuestByPassword is a guest's whole life: invited, in, out, in again by
// password, by a new password, gone.
func TestGuestByPassword(t *testing.T) {
	t.Parallel()
	w := Start(t)
	portal, email := w.Portal("Harbour"), "grace@example.com"
	w.Invite(w.Admin.Token, portal, email)
	b := w.Browser()
	page := b.Submit(b.Get(w.Mail(email, store.TemplateInvited).Link), "accept")
	page = b.Submit(page, "set-password", "password", Password, "name", "Grace Hopper")
	shows(t, page, http.StatusOK, "Hello, Grace Hopper")
	shows(t, b.Submit(page, "sign-out"), http.StatusOK, "You are signed out")

	signIn := b.Get(w.PortalURL(portal))
	shows(t, signIn, http.StatusOK, "Sign in to Harbour")
	shows(t, b.Submit(signIn, "sign-in", "email", email, "password", "not the right one, at all"), http.StatusUnprocessableEntity, "do not belong together")
	page = b.Submit(signIn, "sign-in", "email", " Grace@EXAMPLE.com ", "password", Password)
	shows(t, page, http.StatusOK, "Hello, Grace Hopper")

	other := w.Browser()
	sent := other.Submit(other.Get(signIn.Link("Forgotten password")), "forgotten", "email", email)
	shows(t, sent, http.StatusOK, "If the address has an account")
	reset := other.Get(w.Mail(email, store.TemplateReset).Link)
	shows(t, other.Submit(reset, "reset", "password", "short"), http.StatusUnprocessableEntity, "at least 15 characters")
	const changed = "nine green bottles hang there"
	done := other.Submit(reset, "reset", "password", changed)
	shows(t, done, http.StatusOK, "Your password is changed")
	shows(t, other.Submit(reset, "reset", "password", changed), http.StatusGone, "This link is used up")
	shows(t, b.Get(page.URL.String()), http.StatusOK, "Sign in to Harbour") // out at the next click
	page = other.Submit(other.Get(done.Link("Sign in")), "sign-in", "email", email, "password", changed)
	shows(t, page, http.StatusOK, "Hello, Grace Hopper")
	shows(t, other.Submit(page, "leave"), http.StatusOK, "You left this portal")
	shows(t, other.Get(page.URL.String()), http.StatusForbidden, "You have no access to Harbour")
	if a := w.Do("GET", "/v1/portal/"+portal+"/users", w.Admin.Token, nil); string(a.Body) != "[]" {
		t.Errorf("who left is still listed: %s", a.Body)
	}
	want := "guest.invited guest.accepted session.signed_in session.ended session.signed_in session.signed_in guest.left"
	if got := strings.Join(w.actions(portal), " "); got != want {
		t.Errorf("the log says %s, want %s", got, want)
	}
}

// TestGuestByCode is a guest without a password, in two portals and two
// browsers.
func TestGuestByCode(t *testing.T) {
	t.Parallel()
	w := Start(t)
	first, second, email := w.Portal("Quay"), w.Portal("Dock"), "mary@example.com"
	w.Invite(w.Admin.Token, first, email)
	w.Invite(w.Admin.Token, second, email)
	invitations := w.Mails(email, store.TemplateInvited)
	b := w.Browser()
	page := b.Submit(b.Submit(b.Get(invitations[0].Link), "accept"), "by-code")
	shows(t, page, http.StatusOK, "Enter the code")
	shows(t, b.Submit(page, "enter-code", "code", "000000"), http.StatusUnprocessableEntity, "not the right one")
	code := w.Mail(email, store.TemplateCode).Code
	page = b.Submit(page, "enter-code", "code", code[:3]+" "+code[3:])
	shows(t, page, http.StatusOK, "Hello, "+email)

	page = b.Submit(b.Get(invitations[1].Link), "accept")
	shows(t, page, http.StatusOK, "You are signed in as "+email)
	page = b.Submit(page, "join")
	shows(t, page, http.StatusOK, "Hello, "+email)
	shows(t, b.Get(page.Link("Dock")), http.StatusOK, "Hello, "+email)

	other := w.Browser()
	page = other.Submit(other.Get(w.PortalURL(first)), "by-code", "email", email)
	page = other.Submit(page, "enter-code", "code", w.Mail(email, store.TemplateCode).Code)
	shows(t, page, http.StatusOK, "Hello, "+email)
	shows(t, other.Submit(page, "sign-out-everywhere"), http.StatusOK, "You are signed out")
	shows(t, b.Get(w.PortalURL(first)), http.StatusOK, "Sign in to Quay")
	end := w.Mail(email, store.TemplateInvited).Unsubscribe
	shows(t, b.Submit(other.Get(end), "unsubscribe"), http.StatusOK, "No more invitations")
	oneClick, err := Send(w.client, w.URL, "POST", strings.TrimPrefix(end, w.Node.Control.SignInURL()), "",
		"--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n",
		"Content-Type", "multipart/form-data; boundary=x", "Host", "")
	if err != nil || oneClick.Status != http.StatusNotFound { // the public host has no such page
		t.Errorf("at the public host: %d %v", oneClick.Status, err)
	}
}

// TestGuestMeetsEveryState shows what each state of a portal and an account
// means at the next request.
func TestGuestMeetsEveryState(t *testing.T) {
	t.Parallel()
	w := Start(t)
	portal, email := w.Portal("Pier"), "joan@example.com"
	w.Invite(w.Admin.Token, portal, email)
	b := w.Browser()
	b.Submit(b.Submit(b.Get(w.Mail(email, store.TemplateInvited).Link), "accept"), "set-password", "password", Password)
	at := w.PortalURL(portal)
	shows(t, b.Get(at), http.StatusOK, "Hello, "+email)
	asked := func(want int) {
		t.Helper()
		if got := b.Get(at + "/forward-auth"); got.Status != want {
			t.Errorf("forward-auth: %d, want %d", got.Status, want)
		}
	}
	asked(http.StatusOK)
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	step(w.Node.Control.SuspendOrganization(t.Context(), w.Acme.ID))
	shows(t, b.Get(at), http.StatusForbidden, "This portal is closed")
	asked(http.StatusForbidden)
	step(w.Node.Control.ActivateOrganization(t.Context(), w.Acme.ID))
	shows(t, b.Get(at), http.StatusOK, "Hello, "+email)
	step(w.Node.Store.Update(t.Context(), func(tx *store.Tx) error {
		row, err := tx.PortalByID(portal)
		if err != nil {
			return err
		}
		return tx.SetPortalState(row.ID, row.Fence, portico.PortalActive, portico.PortalUnavailable)
	}))
	page := b.Get(at)
	shows(t, page, http.StatusServiceUnavailable, "This portal is not available")
	if page.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	asked(http.StatusServiceUnavailable)
	if a := w.Do("DELETE", "/v1/portal/"+portal, w.Admin.Token, nil); a.Status != http.StatusOK {
		t.Fatalf("delete: %d %s", a.Status, a.Body)
	}
	shows(t, b.Get(at), http.StatusNotFound, "Nothing is here")
	asked(http.StatusNotFound)
	shows(t, b.Get(w.Node.Control.SignInURL()+"/"), http.StatusOK, "a guest of no portal")
	shows(t, b.Post(w.Node.Control.SignInURL()+"/sign-out", url.Values{}), http.StatusOK, "Sign in")
}
