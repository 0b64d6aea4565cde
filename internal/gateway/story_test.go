package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"portico/internal/store"
	"portico/internal/wiretest"
)

const guestEmail = "ada@example.com"

// TestAGuestComesIn follows a guest by links and buttons alone: from the mail
// to the first page, to a second portal, out again.
func TestAGuestComesIn(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	portal := w.Portal("Acme Customers")
	w.Invite(w.Admin.Token, portal, guestEmail)
	b := w.Browser()

	page := b.Get(w.Mail(guestEmail, store.TemplateInvited).Link)
	want(t, page, http.StatusOK, "invited you to Acme Customers")
	if strings.Contains(page.Text(), guestEmail) {
		t.Error("the whole address is shown to who only has the link")
	}
	page = b.Submit(page, "accept")
	want(t, page, http.StatusOK, "Set a password for Acme Customers")
	page = b.Submit(page, "set-password", "password", "short")
	want(t, page, http.StatusUnprocessableEntity, "Use at least 15 characters")
	page = b.Submit(page, "set-password", "password", wiretest.Password, "name", "Ada Lovelace")
	want(t, page, http.StatusOK, "Hello, Ada Lovelace")
	if page.URL.String() != w.PortalURL(portal)+"/" {
		t.Errorf("arrived at %s by %v", page.URL, b.Hops)
	}

	want(t, page, http.StatusOK, "Your portals Acme Customers Here Leave")

	second := w.Portal("Second")
	w.Invite(w.Admin.Token, second, guestEmail)
	page = b.Get(page.URL.String())
	want(t, page, http.StatusOK, "Your portals Acme Customers Here Second Leave")
	page = b.Get(page.Link("Second"))
	want(t, page, http.StatusOK, "Your portals Acme Customers Second Here Leave")
	if page.URL.String() != w.PortalURL(second)+"/" {
		t.Errorf("the switcher led to %s", page.URL)
	}

	page = b.Submit(page, "sign-out")
	want(t, page, http.StatusOK, "You are signed out")
	want(t, b.Get(w.PortalURL(portal)), http.StatusOK, "Sign in to Acme Customers")
}

func want(t *testing.T, p wiretest.Page, status int, text string) {
	t.Helper()
	if p.Status != status || !strings.Contains(p.Text(), text) {
		t.Fatalf("%s: %d %s; want %d and %q", p.URL, p.Status, p.Text(), status, text)
	}
}
