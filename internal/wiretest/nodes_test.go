package wiretest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"portico"
	"portico/internal/node"
	"portico/internal/store"
)

// second returns where another node of the same installation answers. On
// SQLite, where there can be none, it is the one node once more.
func (w *World) second() string {
	w.T.Helper()
	first := w.Node.Config
	if first.DatabaseURL == "" {
		return w.URL
	}
	n, err := Open(w.T.TempDir(), func(c *node.Config, _ *node.Options) {
		c.DatabaseURL, c.SecretKey, c.PublicURL = first.DatabaseURL, first.SecretKey, w.URL
	})
	if err != nil {
		w.T.Fatal(err)
	}
	w.T.Cleanup(n.Close)
	return "http://" + n.Addr()
}

// call is a request of an administrator's.
type call struct {
	method, path string
	body         any
	headers      []string
}

// both sends calls at once, one to this node and the next to the other one, and
// returns their answers in order.
func (w *World) both(other string, calls ...call) []Answer {
	w.T.Helper()
	answers, errs := make([]Answer, len(calls)), make([]error, len(calls))
	gate, done := make(chan struct{}), make(chan struct{})
	for i, c := range calls {
		go func() {
			defer func() { done <- struct{}{} }()
			<-gate
			base := []string{w.URL, other}[i%2]
			answers[i], errs[i] = Send(w.client, base, c.method, c.path, w.Admin.Token, c.body, c.headers...)
		}()
	}
	close(gate)
	for range calls {
		<-done
	}
	for _, err := range errs {
		if err != nil {
			w.T.Fatal(err)
		}
	}
	return answers
}

// statuses returns the statuses of answers, sorted.
func statuses(answers []Answer) string {
	all := make([]string, len(answers))
	for i, a := range answers {
		all[i] = strconv.Itoa(a.Status)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TestAtOnceOnTwoNodes sends what conflicts to two nodes at once, again and
// again: each time the outcome is that of one call after the other.
func TestAtOnceOnTwoNodes(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*testing.T, *World, string, int){
		"creates of one name (F20)":          creates,
		"creates with one key (F20)":         createsWithKey,
		"changes of two fields":              changes,
		"invitations of one address":         invitations,
		"demotions of the last two (A28)":    demotions,
		"deletions of one portal (F19)":      deletions,
		"removals of one guest":              removals,
		"an invitation and a removal":        inviteAndRemove,
		"an invitation and a deletion (F19)": inviteAndDelete,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := Start(t)
			other := w.second()
			for round := range 8 {
				run(t, w, other, round)
			}
		})
	}
}

func creates(t *testing.T, w *World, other string, round int) {
	c := call{"POST", "/v1/portal", fmt.Sprintf(`{"name":"Same %d"}`, round), nil}
	labels := map[string]bool{}
	for _, a := range w.both(other, c, c, c, c) {
		var p portalAnswer
		a.JSON(t, &p)
		if a.Status != http.StatusCreated || labels[p.APIName] {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		labels[p.APIName] = true
	}
}

func createsWithKey(t *testing.T, w *World, other string, round int) {
	c := call{"POST", "/v1/portal", fmt.Sprintf(`{"name":"Once %d"}`, round), []string{"Idempotency-Key", fmt.Sprint("once-", round)}}
	var made []byte
	for _, a := range w.both(other, c, c, c, c) {
		switch {
		case a.Status == http.StatusConflict:
		case a.Status == http.StatusCreated && (made == nil || bytes.Equal(made, a.Body)):
			made = a.Body
		default:
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	var all []json.RawMessage
	w.Do("GET", "/v1/portal", w.Admin.Token, nil).JSON(t, &all)
	if made == nil || len(all) != round+1 {
		t.Errorf("%d portals after %d rounds", len(all), round+1)
	}
}

func changes(t *testing.T, w *World, other string, round int) {
	path := "/v1/portal/" + w.Portal("Changes")
	w.both(other,
		call{"PATCH", path, fmt.Sprintf(`{"name":"Name %d"}`, round), nil},
		call{"PATCH", path, fmt.Sprintf(`{"description":"Description %d"}`, round), nil},
		call{"PATCH", path, fmt.Sprintf(`{"custom_domain":"c%d.example.com"}`, round), nil})
	var p portalAnswer
	a := w.Do("GET", path, w.Admin.Token, nil)
	a.JSON(t, &p)
	if p.Name != fmt.Sprint("Name ", round) || p.Description == nil || p.CustomDomain == nil {
		t.Errorf("a change was lost: %s", a.Body)
	}
}

func invitations(t *testing.T, w *World, other string, round int) {
	path := "/v1/portal/" + w.Portal("Invitations") + "/users"
	c := call{"POST", path, fmt.Sprintf(`{"users":["a%d@example.com","b%d@example.com"]}`, round, round), nil}
	said := map[string]int{}
	ids := map[string]bool{}
	for _, a := range w.both(other, c, c) {
		var got struct {
			Users []struct {
				Status string
				UserID string `json:"user_id"`
			}
		}
		if a.JSON(t, &got); a.Status != http.StatusCreated {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		for _, u := range got.Users {
			said[u.Status]++
			ids[u.UserID] = true
		}
	}
	if said["invited"] != 2 || said["already_invited"] != 2 || len(ids) != 2 {
		t.Errorf("said %v of %d accounts", said, len(ids))
	}
	w.guests(path, 2)
}

// guests fails the test unless a list has so many.
func (w *World) guests(path string, want int) {
	w.T.Helper()
	var all []json.RawMessage
	a := w.Do("GET", path, w.Admin.Token, nil)
	if a.JSON(w.T, &all); len(all) != want {
		w.T.Errorf("%d guests, want %d: %s", len(all), want, a.Body)
	}
}

func demotions(t *testing.T, w *World, other string, _ int) {
	for email, role := range map[string]portico.Role{
		w.Admin.Email: portico.Admin, w.Insider.Email: portico.Admin, w.Owner.Email: portico.Member, w.Member.Email: portico.Member,
	} {
		if err := w.Node.Control.SetRole(t.Context(), w.Acme.ID, email, role); err != nil {
			t.Fatal(err)
		}
	}
	// Two are left. The caller goes, and so does the other one: who comes second
	// is the last, or may not demote any more.
	answers := w.both(other,
		call{"PATCH", "/v1/members/" + w.Admin.ID, `{"role":"member"}`, nil},
		call{"PATCH", "/v1/members/" + w.Insider.ID, `{"role":"member"}`, nil})
	if got := statuses(answers); got != "200 403" && got != "200 409" {
		t.Errorf("answered %s", got)
	}
	if left := w.administrators(); left != 1 {
		t.Errorf("%d administrators are left", left)
	}
}

func deletions(t *testing.T, w *World, other string, _ int) {
	path := "/v1/portal/" + w.Portal("Deletions")
	c := call{"DELETE", path, nil, nil}
	answers := w.both(other, c, c, c, c)
	for _, a := range answers {
		if a.Status != http.StatusOK && a.Status != http.StatusNotFound {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if got := statuses(answers); !strings.HasPrefix(got, "200") {
		t.Errorf("nobody was told: %s", got)
	}
	if a := w.Do("GET", path, w.Admin.Token, nil); a.Status != http.StatusNotFound {
		t.Errorf("afterwards: %d %s", a.Status, a.Body)
	}
}

func removals(t *testing.T, w *World, other string, round int) {
	portal := w.Portal("Removals")
	guest := w.Invite(w.Admin.Token, portal, fmt.Sprintf("r%d@example.com", round))[0]
	c := call{"DELETE", "/v1/portal/" + portal + "/users/" + guest, nil, nil}
	if got := statuses(w.both(other, c, c)); got != "200 200" && got != "200 404" {
		t.Errorf("answered %s", got)
	}
	if got := statuses(w.both(other, c, c)); got != "404 404" {
		t.Errorf("afterwards %s", got)
	}
	w.guests("/v1/portal/"+portal+"/users", 0)
}

// inviteAndRemove invites a stub to one portal while its last invitation to
// another ends, with which the account would go.
func inviteAndRemove(t *testing.T, w *World, other string, round int) {
	here, there := w.Portal("Here"), w.Portal("There")
	email := fmt.Sprintf("stub%d@example.com", round)
	guest := w.Invite(w.Admin.Token, here, email)[0]
	answers := w.both(other,
		call{"DELETE", "/v1/portal/" + here + "/users/" + guest, nil, nil},
		call{"POST", "/v1/portal/" + there + "/users", fmt.Sprintf(`{"users":[%q]}`, email), nil})
	if got := statuses(answers); got != "200 201" {
		t.Errorf("answered %s", got)
	}
	w.guests("/v1/portal/"+here+"/users", 0)
	w.guests("/v1/portal/"+there+"/users", 1)
	if again := w.Invite(w.Admin.Token, there, email)[0]; w.accountOf(email) != again {
		t.Errorf("the guest is %s, the account %s", again, w.accountOf(email))
	}
}

func inviteAndDelete(t *testing.T, w *World, other string, round int) {
	portal := w.Portal("Doomed")
	email := fmt.Sprintf("doomed%d@example.com", round)
	answers := w.both(other,
		call{"DELETE", "/v1/portal/" + portal, nil, nil},
		call{"POST", "/v1/portal/" + portal + "/users", fmt.Sprintf(`{"users":[%q]}`, email), nil})
	if answers[0].Status != http.StatusOK || answers[1].Status != http.StatusCreated && answers[1].Status != http.StatusNotFound {
		t.Errorf("deleted %d %s, invited %d %s", answers[0].Status, answers[0].Body, answers[1].Status, answers[1].Body)
	}
	if id := w.accountOf(email); id != "" {
		t.Errorf("%s is left of a portal that is gone", id)
	}
}

// accountOf returns the account of an address, empty when there is none.
func (w *World) accountOf(email string) (id string) {
	w.T.Helper()
	err := w.Node.Store.View(w.T.Context(), func(tx *store.Tx) error {
		a, err := tx.AccountByKey(email)
		id = a.ID
		return err
	})
	if err != nil && portico.KindOf(err) != portico.KindNotFound {
		w.T.Fatal(err)
	}
	return id
}

// administrators returns how many Acme has.
func (w *World) administrators() (n int) {
	w.T.Helper()
	err := w.Node.Store.View(w.T.Context(), func(tx *store.Tx) (err error) {
		n, err = tx.CountAdministrators(w.Acme.ID, "")
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return n
}

// TestEndedOnTheOtherNode: who is demoted or removed, and whose organization is
// suspended, by one of two nodes is refused by the other from the next request
// on, whatever the credential.
func TestEndedOnTheOtherNode(t *testing.T) {
	t.Parallel()
	t.Run("A24 what one node ended, on the other", endedOnTheOtherNode)
}

func endedOnTheOtherNode(t *testing.T) {
	t.Parallel()
	w := Start(t)
	other := w.second()
	control := w.Node.Control
	for _, tt := range []struct {
		name string
		who  Person
		end  func() error
		want int
	}{
		{"demoted", w.Admin, func() error { return control.SetRole(t.Context(), w.Acme.ID, w.Admin.Email, portico.Member) }, http.StatusForbidden},
		{"removed", w.OtherAdmin, func() error {
			w.Person("second@other.example.com", w.Other, portico.Owner)
			return control.RemoveMember(t.Context(), w.Other.ID, w.OtherAdmin.Email)
		}, http.StatusUnauthorized},
		{"suspended", w.Owner, func() error { return control.SuspendOrganization(t.Context(), w.Acme.ID) }, http.StatusForbidden},
	} {
		access := w.SignIn(tt.who.Email).Access
		status := func(base, token string) int {
			a, err := Send(w.client, base, "GET", "/v1/portal", token, nil)
			if err != nil {
				t.Fatal(err)
			}
			return a.Status
		}
		for _, token := range []string{access, tt.who.Token} {
			if got := status(other, token); got != http.StatusOK {
				t.Errorf("before %s is %s: %d", tt.who.Email, tt.name, got)
			}
		}
		if err := tt.end(); err != nil {
			t.Fatal(err)
		}
		for _, base := range []string{other, w.URL} {
			for _, token := range []string{access, tt.who.Token} {
				if got := status(base, token); got != tt.want {
					t.Errorf("%s is %s, and at %s: %d, want %d", tt.who.Email, tt.name, base, got, tt.want)
				}
			}
		}
	}
}
