package faults

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sort"
	"strings"
	"sync"

	"portico/internal/wiretest"
)

// ledger is what the service promised: every answer of 2xx, and nothing else.
type ledger struct {
	mu      sync.Mutex
	next    int
	more    bool // the portals' schema is one version newer
	portals []*portal
}

// portal is what is known of one portal.
type portal struct {
	id      string
	name    string
	gone    bool
	broken  bool              // its database was damaged by the case
	loose   bool              // requests that overlapped its deletion may have had an effect before it
	guests  map[string]string // user id by address
	invited int               // audit records of invitations
	removed int
	updated int
	body    []byte // of the last answer that showed it
}

// request is one logical request: however often it is sent, it has one effect.
type request struct {
	method, path, key string
	body              any
	token             string
	want              int
	done              func(wiretest.Answer) // notes the effect, once
	settled           bool
}

// answer is an answer.
type answer = wiretest.Answer

// number returns a number that was not used in this world.
func (w *world) number() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	return w.next
}

func (w *world) key() string { return fmt.Sprintf("key-%d", w.number()) }

// create is a request for a portal of a name of its own.
func (w *world) create() (*portal, *request) {
	p := &portal{name: fmt.Sprintf("Portal %d", w.number()), guests: map[string]string{}}
	return p, &request{
		method: "POST", path: "/v1/portal", key: w.key(), token: w.Token, want: http.StatusCreated,
		body: map[string]any{"name": p.name, "custom_domain": fmt.Sprintf("p%d.portal.example.com", w.number())},
		done: func(a wiretest.Answer) {
			p.id, p.body = idOf(a.Body), a.Body
			w.portals = append(w.portals, p)
		},
	}
}

func idOf(body []byte) string {
	var object struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(body, &object) // an empty id is found out by the next request
	return object.ID
}

// rename is a request for another name.
func (w *world) rename(p *portal) *request {
	name := fmt.Sprintf("Renamed %d", w.number())
	return &request{
		method: "PATCH", path: "/v1/portal/" + p.id, key: w.key(), token: w.Token, want: http.StatusOK,
		body: map[string]any{"name": name},
		done: func(a wiretest.Answer) { p.name, p.body, p.updated = name, a.Body, p.updated+1 },
	}
}

// remove is a request to delete a portal.
func (w *world) remove(p *portal) *request {
	return &request{
		method: "DELETE", path: "/v1/portal/" + p.id, key: w.key(), token: w.Token, want: http.StatusOK,
		done: func(wiretest.Answer) { p.gone = true },
	}
}

// invite is a request to invite new people.
func (w *world) invite(p *portal, people int) *request {
	emails := make([]string, people)
	for i := range emails {
		emails[i] = fmt.Sprintf("guest%d@people.example.com", w.number())
	}
	return w.inviteThese(p, emails...)
}

func (w *world) inviteThese(p *portal, emails ...string) *request {
	return &request{
		method: "POST", path: "/v1/portal/" + p.id + "/users", key: w.key(), token: w.Token, want: http.StatusCreated,
		body: map[string]any{"users": emails},
		done: func(a wiretest.Answer) {
			var answer struct {
				Users []struct {
					Email, Status string
					UserID        string `json:"user_id"`
				} `json:"users"`
			}
			_ = json.Unmarshal(a.Body, &answer) // what is missing then, check finds out
			for _, u := range answer.Users {
				p.guests[u.Email] = u.UserID
				if u.Status == "invited" || u.Status == "linked" {
					p.invited++
				}
			}
		},
	}
}

// expel is a request to remove a guest.
func (w *world) expel(p *portal, email string) *request {
	return &request{
		method: "DELETE", path: "/v1/portal/" + p.id + "/users/" + p.guests[email], key: w.key(), token: w.Token, want: http.StatusOK,
		done: func(wiretest.Answer) { delete(p.guests, email); p.removed++ },
	}
}

// guest returns the address of some guest, or none.
func (p *portal) guest() string {
	emails := slices.Sorted(maps.Keys(p.guests))
	if len(emails) == 0 {
		return ""
	}
	return emails[len(emails)/2]
}

// send sends a request once and reports its status, 0 when no answer came.
func (w *world) send(s *server, r *request) (int, string) {
	headers := []string{}
	if r.key != "" {
		headers = []string{"Idempotency-Key", r.key}
	}
	a, err := s.send(r.method, r.path, r.token, r.body, headers...)
	if err != nil {
		return 0, err.Error()
	}
	if a.Status == r.want {
		w.mu.Lock()
		if !r.settled {
			r.settled = true
			r.done(a)
		}
		w.mu.Unlock()
	}
	return a.Status, string(a.Body)
}

// must sends a request that must succeed at once.
func (w *world) must(s *server, r *request) {
	w.t.Helper()
	if status, body := w.send(s, r); status != r.want {
		w.t.Fatalf("%s %s: %d %s", r.method, r.path, status, body)
	}
}

// finish repeats a request with its key until it succeeds.
func (w *world) finish(s *server, r *request) {
	w.t.Helper()
	eventually(w.t, "repeat of "+r.method+" "+r.path, func() []string {
		switch status, body := w.send(s, r); status {
		case r.want:
			return nil
		case 0, http.StatusConflict, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusInsufficientStorage:
			return []string{fmt.Sprint(status, " ", body)}
		default:
			w.t.Fatalf("%s %s repeated with its key: %d %s", r.method, r.path, status, body)
			return nil
		}
	})
}

// portal makes a portal with some guests.
func (w *world) portal(s *server, guests int) *portal {
	w.t.Helper()
	p, create := w.create()
	w.must(s, create)
	if guests > 0 {
		w.must(s, w.invite(p, guests))
	}
	return p
}

// check asks the service for everything that it promised.
func (l *ledger) check(s *server, token string) (wrong []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	a, err := s.send("GET", "/v1/portal", token, nil)
	if err != nil || a.Status != http.StatusOK {
		return []string{fmt.Sprintf("list: %v %d %s", err, a.Status, a.Body)}
	}
	var listed []json.RawMessage
	if err := json.Unmarshal(a.Body, &listed); err != nil {
		return []string{err.Error()}
	}
	there := map[string]string{}
	for _, one := range listed {
		there[idOf(one)] = string(one)
	}
	for _, p := range l.portals {
		body, listed := there[p.id]
		delete(there, p.id)
		switch {
		case p.gone && listed:
			say("%s was deleted and is listed", p.id)
		case p.gone:
			if a, err := s.send("GET", "/v1/portal/"+p.id, token, nil); err != nil || a.Status != http.StatusNotFound {
				say("%s was deleted and is %v %d", p.id, err, a.Status)
			}
		case !listed:
			say("%s is not listed", p.id)
		case p.broken:
		case body != string(p.body):
			say("%s is %s, and was answered to be %s", p.id, body, p.body)
		default:
			wrong = append(wrong, p.checkGuests(s, token)...)
		}
	}
	for id := range there {
		say("%s is listed and nobody was told of it", id)
	}
	return wrong
}

func (p *portal) checkGuests(s *server, token string) []string {
	a, err := s.send("GET", "/v1/portal/"+p.id+"/users", token, nil)
	if err != nil || a.Status != http.StatusOK {
		return []string{fmt.Sprintf("users of %s: %v %d %s", p.id, err, a.Status, a.Body)}
	}
	var users []struct{ ID, Email string }
	if err := json.Unmarshal(a.Body, &users); err != nil {
		return []string{err.Error()}
	}
	have := make([]string, len(users))
	for i, u := range users {
		have[i] = u.Email
	}
	sort.Strings(have)
	if want := slices.Sorted(maps.Keys(p.guests)); !slices.Equal(have, want) {
		return []string{fmt.Sprintf("users of %s: %d %v, promised %d %v", p.id, len(have), brief(have), len(want), brief(want))}
	}
	return nil
}

func brief(all []string) []string { return all[:min(len(all), 4)] }

// recorded holds the audit log against the ledger: one record for each effect.
func (l *ledger) recorded(o *oracle) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var wrong []string
	for _, p := range l.portals {
		for action, want := range map[string]int{
			"portal.created": 1, "portal.updated": p.updated, "guest.invited": p.invited, "guest.removed": p.removed,
		} {
			have := o.events[p.id+" "+action]
			if p.loose && have > want {
				continue
			}
			if have != want {
				wrong = append(wrong, fmt.Sprintf("%s has %d audit records %s, promised %d", p.id, have, action, want))
			}
		}
	}
	return wrong
}

// holds waits until everything that must hold does: I1 to I7, by the service's
// answers and behind its back.
func (w *world) holds(s *server) {
	w.t.Helper()
	wrong := within(soon, func() []string { return w.violations(s) })
	if len(wrong) == 0 {
		return
	}
	if a, err := wiretest.Send(s.client, s.Ops, "GET", "/debug/pprof/goroutine?debug=2", "", nil); err == nil {
		w.t.Logf("what the server was doing:\n%s", a.Body)
	}
	w.t.Fatalf("the oracle, after %v:\n\t%s", soon, strings.Join(wrong, "\n\t"))
}

func (w *world) violations(s *server) []string {
	o := &oracle{dir: w.dir, server: w.server, broken: w.broken(), more: w.more}
	wrong := o.look()
	wrong = append(wrong, w.recorded(o)...)
	if s != nil {
		wrong = append(wrong, w.check(s, w.Token)...)
	}
	return wrong
}

func (w *world) broken() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	broken := map[string]bool{}
	for _, p := range w.portals {
		if p.broken && !p.gone {
			broken[p.id] = true
		}
	}
	return broken
}
