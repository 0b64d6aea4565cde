package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"portico/client"
	"portico/internal/wiretest"
)

func connect(t *testing.T, w *wiretest.World, token string) *client.Client {
	t.Helper()
	c, err := client.New(w.URL+"/v1", token)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestStory does everything that the SDK can, on a real server.
func TestStory(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	c, ctx := connect(t, w, w.Admin.Token), t.Context()
	p, err := c.CreatePortal(ctx, client.PortalCreate{Name: "Acme Customers", Description: new("first")})
	if err != nil {
		t.Fatal(err)
	}
	updated, err := c.UpdatePortal(ctx, p.ID, client.PortalUpdate{Name: "Acme Partners", Description: client.Clear()})
	if err != nil || updated.Name != "Acme Partners" || updated.Description != nil || updated.APIName != "acme-customers" {
		t.Errorf("updated: %+v, %v", updated, err)
	}
	updated, err = c.UpdatePortal(ctx, p.ID, client.PortalUpdate{Description: client.Set("second")})
	if err != nil || updated.Name != "Acme Partners" || updated.Description == nil || *updated.Description != "second" {
		t.Errorf("updated again: %+v, %v", updated, err)
	}
	same, err := c.Portal(ctx, p.ID)
	if err != nil || *same.Description != "second" || !same.CreatedDate.Equal(p.CreatedDate) {
		t.Errorf("read: %+v, %v", same, err)
	}
	answer, err := c.InviteGuests(ctx, p.ID, client.Invite{Users: []client.Recipient{
		{Email: "ada@example.com", FirstName: "Ada"}, {Email: "oops"},
	}})
	if err != nil || len(answer.Users) != 2 || answer.Users[0].Status != client.Invited || answer.Users[1].Status != client.Failed {
		t.Fatalf("invited: %+v, %v", answer, err)
	}
	guests, err := client.Collect(c.Guests(ctx, p.ID, client.Filter{Status: "invited", Query: "ada"}))
	if err != nil || len(guests) != 1 || guests[0].FirstName != "Ada" {
		t.Fatalf("guests: %+v, %v", guests, err)
	}
	invitations, err := client.Collect(c.Invitations(ctx, p.ID, client.Filter{Status: "pending"}))
	if err != nil || len(invitations) != 1 || invitations[0].UserID != guests[0].ID || invitations[0].Generation != 1 {
		t.Fatalf("invitations: %+v, %v", invitations, err)
	}
	if again, err := c.ResendInvitation(ctx, p.ID, invitations[0].ID); err != nil || again.Generation != 2 || *again.MailStatus != "waiting" {
		t.Errorf("sent again: %+v, %v", again, err)
	}
	results, err := c.ResendInvitations(ctx, p.ID, []string{invitations[0].ID, "inv_x"})
	if err != nil || len(results) != 2 || results[0].Status != client.Resent || results[1].Status != client.Failed || *results[1].Detail != "not_found" {
		t.Errorf("sent again: %+v, %v", results, err)
	}
	if err := c.RevokeInvitation(ctx, p.ID, invitations[0].ID); err != nil {
		t.Error(err)
	}
	if err := c.RemoveGuest(ctx, p.ID, guests[0].ID); err != nil {
		t.Error(err)
	}
	if err := c.DeletePortal(ctx, p.ID); err != nil {
		t.Error(err)
	}
	records, err := client.Collect(c.Audit(ctx, client.AuditFilter{Action: "guest.removed", PortalID: p.ID, From: p.CreatedDate}))
	if err != nil || len(records) != 1 || *records[0].SubjectID != guests[0].ID || records[0].Detail[0] != '{' {
		t.Errorf("the audit log: %+v, %v", records, err)
	}
	if _, err := c.Portal(ctx, p.ID); client.StatusOf(err) != http.StatusNotFound {
		t.Errorf("deleted: %v", err)
	}
}

// TestLists reads more than a page.
func TestLists(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	c, ctx := connect(t, w, w.Admin.Token), t.Context()
	id := w.Portal("Many")
	users := make([]client.Recipient, 700)
	for i := range users {
		users[i].Email = fmt.Sprintf("guest%03d@example.com", i)
	}
	if _, err := c.InviteGuests(ctx, id, client.Invite{Users: users}); err != nil {
		t.Fatal(err)
	}
	guests, err := client.Collect(c.Guests(ctx, id, client.Filter{}))
	if err != nil || len(guests) != len(users) || guests[699].Email != users[699].Email {
		t.Errorf("%d guests, %v", len(guests), err)
	}
	portals, err := client.Collect(c.Portals(ctx, "nothing like it"))
	if err != nil || portals == nil || len(portals) != 0 {
		t.Errorf("%v, %v", portals, err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	c, ctx := connect(t, w, w.Admin.Token), t.Context()
	_, err := c.CreatePortal(ctx, client.PortalCreate{Name: "", CustomDomain: new(strings.Repeat("a", 300))})
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Status != http.StatusUnprocessableEntity || len(e.Fields) != 2 || e.RequestID == "" {
		t.Fatalf("%+v", err)
	}
	if text := e.Error(); text != "name: String should have at least 1 character; custom_domain: String should have at most 253 characters" {
		t.Error(text)
	}
	_, err = connect(t, w, "wrong").Portal(ctx, "x")
	if client.StatusOf(err) != http.StatusUnauthorized || err.Error() != "Could not validate credentials" {
		t.Errorf("a wrong token: %v", err)
	}
	for _, base := range []string{"", "localhost:8010", "ftp://x", "https://a:b@c", "https://x?y"} {
		if _, err := client.New(base, "token"); err == nil {
			t.Errorf("%q is taken for an address", base)
		}
	}
	for _, token := range []string{"", "a b", "a\n"} {
		if _, err := client.New("https://x", token); err == nil {
			t.Errorf("%q is taken for a token", token)
		}
	}
}

// TestAgain: a write that was cut off, shed or still in flight is sent again
// under the same key; what was refused is not.
func TestAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail  http.HandlerFunc
		sent  int64
		works bool
	}{
		"cut off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 2, true},
		"shed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "0")
			http.Error(w, `{"detail":"busy"}`, http.StatusServiceUnavailable)
		}, 2, true},
		"in flight": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"detail":"A request with this Idempotency-Key is in flight."}`, http.StatusConflict)
		}, 2, true},
		"taken":  {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"detail":"taken"}`, http.StatusConflict) }, 1, false},
		"a page": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) }, 1, false},
		"long": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			http.Error(w, `{"detail":"busy"}`, http.StatusTooManyRequests)
		}, 1, false},
		"no JSON": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent atomic.Int64
			var first atomic.Value
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				key := r.Header.Get("Idempotency-Key")
				if sent.Add(1) == 1 {
					first.Store(key)
					c.fail(w, r)
					return
				}
				if key == "" || key != first.Load() {
					t.Errorf("sent again under %q, first under %q", key, first.Load())
				}
				fmt.Fprint(w, `{"id":"port_x"}`)
			}))
			t.Cleanup(server.Close)
			api, err := client.New(server.URL, "token")
			if err != nil {
				t.Fatal(err)
			}
			p, err := api.CreatePortal(t.Context(), client.PortalCreate{Name: "x"})
			if sent.Load() != c.sent || (err == nil) != c.works || (c.works && p.ID != "port_x") {
				t.Errorf("sent %d times, %+v, %v", sent.Load(), p, err)
			}
		})
	}
}

// TestNextPage: a server cannot send the token elsewhere.
func TestNextPage(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Link", `<https://elsewhere.example/v1/portal>; rel="next"`)
		fmt.Fprint(w, `[{"id":"port_x"}]`)
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, "token")
	if err != nil {
		t.Fatal(err)
	}
	all, err := client.Collect(c.Portals(t.Context(), ""))
	if err != nil || len(all) != 1 || asked.Load() != 1 {
		t.Errorf("%v, %v, asked %d times", all, err, asked.Load())
	}
}

func TestKeyOfTheCaller(t *testing.T) {
	t.Parallel()
	w := wiretest.Start(t)
	c := connect(t, w, w.Admin.Token)
	ctx := client.WithIdempotencyKey(t.Context(), "import-1")
	first, err := c.CreatePortal(ctx, client.PortalCreate{Name: "Once"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.CreatePortal(ctx, client.PortalCreate{Name: "Once"})
	if err != nil || second.ID != first.ID {
		t.Errorf("%+v, %v", second, err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Portal(stopped, first.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
