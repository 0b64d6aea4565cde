package faults

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"portico/internal/control"
	"portico/internal/lifecycle"
	"portico/internal/store/sqlite"
	"portico/internal/wiretest"
)

// together runs requests at once and returns their answers in order.
func together(t testing.TB, s *server, requests ...*request) []wiretest.Answer {
	t.Helper()
	answers := make([]wiretest.Answer, len(requests))
	gate := make(chan struct{})
	var wait sync.WaitGroup
	for i, r := range requests {
		wait.Go(func() {
			<-gate
			headers := []string{}
			if r.key != "" {
				headers = []string{"Idempotency-Key", r.key}
			}
			var err error
			if answers[i], err = s.send(r.method, r.path, r.token, r.body, headers...); err != nil {
				t.Errorf("%s %s: %v", r.method, r.path, err)
			}
		})
	}
	close(gate)
	wait.Wait()
	return answers
}

func TestRaces(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*testing.T, *world, *server){
		"F17 delete while 50 requests use the portal":       deleteInUse,
		"F18 delete racing create of the same domain":       deleteAndCreate,
		"F19 two deletes at once":                           twoDeletes,
		"F19 delete and update at once":                     deleteAndUpdate,
		"F19 delete and invite at once":                     deleteAndInvite,
		"F20 two creates with the same key at once":         twoCreates,
		"F21 the same key with another body":                otherBody,
		"F23 the client disconnects while a portal is made": disconnect,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := start(t, w.config())
			w.portal(s, 2) // one that must not notice
			for range size(2, 8, 40) {
				run(t, w, s)
				w.holds(s)
				w.forget()
			}
			s.stop()
			w.holdsClosed()
		})
	}
}

// holdsClosed is holds for a folder that nobody serves.
func (w *world) holdsClosed() {
	w.t.Helper()
	if wrong := w.violations(nil); len(wrong) > 0 {
		w.t.Fatalf("the oracle, with the server closed:\n\t%s", strings.Join(wrong, "\n\t"))
	}
}

func deleteInUse(t *testing.T, w *world, s *server) {
	p := w.portal(s, 40)
	p.loose = true
	requests := make([]*request, 0, 51)
	for i := range 50 {
		r := &request{method: "GET", path: "/v1/portal/" + p.id + "/users", token: w.Token}
		switch i % 5 {
		case 1:
			r = w.invite(p, 1)
		case 2:
			r = w.rename(p)
		case 3:
			r.path = "/v1/portal/" + p.id
		}
		requests = append(requests, r)
	}
	remove := w.remove(p)
	requests = append(requests[:25:25], append([]*request{remove}, requests[25:]...)...)
	answers := together(t, s, requests...)
	for i, a := range answers {
		switch {
		case requests[i] == remove:
			if a.Status != http.StatusOK {
				t.Errorf("DELETE: %d %s", a.Status, a.Body)
			}
			remove.done(a)
		case a.Status == http.StatusOK, a.Status == http.StatusCreated, a.Status == http.StatusNotFound, a.Status == http.StatusConflict:
			note(w, requests[i], a)
		default:
			t.Errorf("%s %s: %d %s", requests[i].method, requests[i].path, a.Status, a.Body)
		}
	}
}

// note enters an answer in the ledger when it is a success.
func note(w *world, r *request, a wiretest.Answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.done != nil && a.Status == r.want && !r.settled {
		r.settled = true
		r.done(a)
	}
}

func deleteAndCreate(t *testing.T, w *world, s *server) {
	old, create := w.create()
	w.must(s, create)
	_, next := w.create()
	next.body.(map[string]any)["custom_domain"] = create.body.(map[string]any)["custom_domain"]
	answers := together(t, s, w.remove(old), next)
	old.gone = true
	if answers[0].Status != http.StatusOK || answers[1].Status != http.StatusCreated {
		t.Fatalf("delete %d %s, create %d %s", answers[0].Status, answers[0].Body, answers[1].Status, answers[1].Body)
	}
	note(w, next, answers[1])
}

func twoDeletes(t *testing.T, w *world, s *server) {
	p := w.portal(s, 3)
	a, b := w.remove(p), w.remove(p)
	deleted := 0
	for _, answer := range together(t, s, a, b) {
		switch answer.Status {
		case http.StatusOK:
			deleted++
		case http.StatusNotFound: // it came when the portal was gone already
		default:
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
	}
	if deleted == 0 {
		t.Error("neither of two deletes was told of its success")
	}
	p.gone = true
}

func deleteAndUpdate(t *testing.T, w *world, s *server) {
	p := w.portal(s, 3)
	p.loose = true
	update := w.rename(p)
	answers := together(t, s, w.remove(p), update)
	p.gone = true
	if answers[0].Status != http.StatusOK || answers[1].Status != http.StatusOK && answers[1].Status != http.StatusNotFound {
		t.Errorf("delete %d %s, update %d %s", answers[0].Status, answers[0].Body, answers[1].Status, answers[1].Body)
	}
	note(w, update, answers[1])
}

func deleteAndInvite(t *testing.T, w *world, s *server) {
	p := w.portal(s, 3)
	p.loose = true
	invite := w.invite(p, 20)
	answers := together(t, s, w.remove(p), invite)
	p.gone = true
	if answers[0].Status != http.StatusOK || answers[1].Status != http.StatusCreated && answers[1].Status != http.StatusNotFound {
		t.Errorf("delete %d %s, invite %d %s", answers[0].Status, answers[0].Body, answers[1].Status, answers[1].Body)
	}
	note(w, invite, answers[1])
}

func twoCreates(t *testing.T, w *world, s *server) {
	_, r := w.create()
	answers := together(t, s, r, r, r, r)
	for _, a := range answers {
		switch a.Status {
		case http.StatusCreated:
			if r.settled && !bytes.Equal(a.Body, w.portals[len(w.portals)-1].body) {
				t.Errorf("two answers to one key: %s", a.Body)
			}
			note(w, r, a)
		case http.StatusConflict:
		default:
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	w.finish(s, r)
}

func otherBody(t *testing.T, w *world, s *server) {
	_, first := w.create()
	_, second := w.create()
	second.key = first.key
	w.must(s, first)
	if status, body := w.send(s, second); status != http.StatusConflict {
		t.Errorf("%d %s", status, body)
	}
	_, third := w.create()
	_, fourth := w.create()
	fourth.key = third.key
	made := 0
	for i, a := range together(t, s, third, fourth) {
		switch a.Status {
		case http.StatusCreated:
			made++
			note(w, []*request{third, fourth}[i], a)
		case http.StatusConflict:
		default:
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if made != 1 {
		t.Errorf("%d of two requests with one key were executed", made)
	}
}

// disconnect cuts the connection while the operation stands at a step.
func disconnect(t *testing.T, w *world, s *server) {
	for _, point := range []string{
		control.PointIntent, control.PointRecorded, lifecycle.PointCreateDatabase, sqlite.FailCreateSynced,
		sqlite.FailCreateDone, lifecycle.PointCreateActivate, control.PointAnswering,
	} {
		_, r := w.create()
		s.arm(point + "=delay:30ms")
		ctx, cancel := context.WithCancel(context.Background())
		var wait sync.WaitGroup
		wait.Go(func() {
			request, err := http.NewRequestWithContext(ctx, r.method, s.URL+r.path,
				strings.NewReader(fmt.Sprintf(`{"name":%q,"custom_domain":null}`, r.body.(map[string]any)["name"])))
			if err != nil {
				t.Error(err)
				return
			}
			request.Header.Set("Authorization", "Bearer "+w.Token)
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Idempotency-Key", r.key)
			if answer, err := s.client.Do(request); err == nil { // it was quicker
				answer.Body.Close()
			}
		})
		within(soon, func() []string {
			if hits, err := s.ask("hits"); err == nil && hits.Hits > 0 {
				for _, p := range hits.Points {
					if p.Name == point {
						return nil
					}
				}
			}
			return []string{"not there yet"}
		})
		cancel()
		wait.Wait()
		s.arm("")
		r.body = fmt.Sprintf(`{"name":%q,"custom_domain":null}`, r.body.(map[string]any)["name"])
		w.finish(s, r)
	}
}
