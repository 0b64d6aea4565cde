package wiretest

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portico/internal/control"
	"portico/internal/lifecycle"
	"portico/internal/store"
)

// background sends a request and returns where its answer comes.
func (w *World) background(method, path, token string, body any) <-chan Answer {
	answers := make(chan Answer, 1)
	go func() {
		a, err := Send(w.client, w.URL, method, path, token, body)
		if err != nil {
			a.Body = []byte(err.Error())
		}
		answers <- a
	}()
	return answers
}

// TestSecondDeleteEndsWithThePortalGone: a DELETE that finds the portal
// deleting may join what ran before the first one, here the creation, which
// ends with an active portal. It is answered when the portal is gone all the
// same, though the first one does not get on.
func TestSecondDeleteEndsWithThePortalGone(t *testing.T) {
	t.Parallel()
	stops := NewStops()
	w := Start(t, stops.Setup)
	creation := stops.Hold(lifecycle.PointCreated)
	created := w.background("POST", "/v1/portal", w.Admin.Token, `{"name":"Short-lived"}`)
	<-creation.Reached()
	var portals []struct{ ID string }
	w.Do("GET", "/v1/portal", w.Admin.Token, nil).JSON(t, &portals)
	if len(portals) != 1 {
		t.Fatalf("%d portals", len(portals))
	}
	path := "/v1/portal/" + portals[0].ID

	first := stops.Hold(control.PointRecorded)
	firstAnswer := w.background("DELETE", path, w.Admin.Token, nil)
	<-first.Reached()
	second := stops.Hold(control.PointRecorded)
	destroyed := stops.Hold(lifecycle.PointDeleteDatabase)
	secondAnswer := w.background("DELETE", path, w.Admin.Token, nil)
	<-second.Reached()
	second.Open()
	for range 20 { // while the second one comes to wait for the creation
		w.Do("GET", path, w.Admin.Token, nil)
	}
	creation.Open()
	select {
	case a := <-secondAnswer:
		first.Open()
		t.Fatalf("answered %d %s before anything was dropped", a.Status, a.Body)
	case <-destroyed.Reached():
	}
	destroyed.Open()
	if a := <-secondAnswer; a.Status != http.StatusOK {
		t.Errorf("the second DELETE: %d %s", a.Status, a.Body)
	}
	if left, err := filepath.Glob(filepath.Join(w.Dir, "portals", "*", "*", "*")); err != nil || len(left) > 0 {
		t.Errorf("answered, but there is %v (%v)", left, err)
	}
	first.Open()
	for name, answer := range map[string]<-chan Answer{"create": created, "the first DELETE": firstAnswer} {
		if a := <-answer; a.Status >= 300 {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if a := w.Do("DELETE", path, w.Admin.Token, nil); a.Status != http.StatusNotFound {
		t.Errorf("a third DELETE: %d %s", a.Status, a.Body)
	}
}

// TestInviteAgain repeats an invitation that was answered 503, without a key:
// the repeat finishes it, also where it invites somebody else beside.
func TestInviteAgain(t *testing.T) {
	t.Parallel()
	for name, more := range map[string][]string{"the same": nil, "with another": {"b@example.com"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stops, clock := NewStops(), &Clock{}
			clock.Stop(time.Now()) // the job is not due before the clock moves
			w := Start(t, stops.Setup, clock.Setup)
			portal := w.Portal("Again")
			path := "/v1/portal/" + portal + "/users"
			stops.Fail(lifecycle.PointProject)
			users := []string{"a@example.com"}
			a := w.Do("POST", path, w.Admin.Token, map[string]any{"users": users})
			if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			if a := w.Do("GET", path, w.Admin.Token, nil); string(a.Body) != "[]" {
				t.Fatalf("the projection did not fail: %s", a.Body)
			}
			users = append(users, more...)
			a = w.Do("POST", path, w.Admin.Token, map[string]any{"users": users})
			if a.Status != http.StatusCreated || !strings.Contains(string(a.Body), `"already_invited"`) {
				t.Fatalf("again: %d %s", a.Status, a.Body)
			}
			list := string(w.Do("GET", path, w.Admin.Token, nil).Body)
			for _, email := range users {
				if !strings.Contains(list, `"`+email+`"`) {
					t.Errorf("%s is not in the portal's database: %s", email, list)
				}
			}
		})
	}
}

// TestRemoveAgain: a removal is told once. A repeat after a 503 finishes it and
// is told, whether the work was finished meanwhile or not; after a 200 there is
// no such guest, whatever of the work is not cleared away yet.
func TestRemoveAgain(t *testing.T) {
	t.Parallel()
	type step func(*removal)
	once := func(status int) step { return func(r *removal) { r.remove(status) } }
	fail := func(r *removal) { r.stops.Fail(lifecycle.PointProject) }
	for name, steps := range map[string][]step{
		"twice":                            {once(200), once(404), once(404)},
		"after a 503":                      {fail, once(503), once(200), once(404)},
		"after two":                        {fail, once(503), fail, once(503), once(200), once(404)},
		"after a 503, finished meanwhile":  {fail, once(503), (*removal).finish, once(200), once(404)},
		"after a 200, with a job left":     {once(200), (*removal).leave, once(404)},
		"after a 503 and a day":            {fail, once(503), (*removal).day, once(404)},
		"invited again in between":         {fail, once(503), (*removal).invite, once(200), once(404)},
		"invited again after the removal":  {once(200), (*removal).invite, fail, once(503), once(200), once(404)},
		"after a 503, by another's hand":   {fail, once(503), (*removal).byOwner, once(404)},
		"after a 503 and a restart":        {fail, once(503), (*removal).restart, once(200), once(404)},
		"before the answer, at once":       {(*removal).joined, once(404)},
		"failing after the database knows": {func(r *removal) { r.stops.Fail(lifecycle.PointProjected) }, once(503), once(200), once(404)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &removal{stops: NewStops(), clock: &Clock{}}
			r.clock.Stop(time.Now())
			r.World = Start(t, r.stops.Setup, r.clock.Setup)
			r.portal = r.Portal("Removal")
			r.invite()
			for _, step := range steps {
				step(r)
			}
			if list := r.Do("GET", "/v1/portal/"+r.portal+"/users", r.Admin.Token, nil); string(list.Body) != "[]" {
				t.Errorf("left: %s", list.Body)
			}
		})
	}
}

// removal is a guest who is removed again and again.
type removal struct {
	*World
	stops         *Stops
	clock         *Clock
	portal, guest string
}

func (r *removal) path() string { return "/v1/portal/" + r.portal + "/users/" + r.guest }

func (r *removal) remove(status int) {
	r.T.Helper()
	if a := r.Do("DELETE", r.path(), r.Admin.Token, nil); a.Status != status {
		r.T.Errorf("%d %s, want %d", a.Status, a.Body, status)
	}
}

func (r *removal) invite() {
	r.T.Helper()
	// An account of its own keeps its id through removals.
	r.guest = r.Invite(r.Admin.Token, r.portal, r.OtherAdmin.Email)[0]
}

// finish lets the runner do what waits.
func (r *removal) finish() {
	r.T.Helper()
	r.clock.Move(time.Minute)
	if err := r.Node.Jobs.RunDue(r.T.Context()); err != nil {
		r.T.Fatal(err)
	}
	r.waiting(0)
}

func (r *removal) waiting(want int) {
	r.T.Helper()
	err := r.Node.Store.View(r.T.Context(), func(tx *store.Tx) error {
		jobs, err := tx.CountJobs()
		if jobs != want {
			r.T.Errorf("%d jobs wait, want %d", jobs, want)
		}
		return err
	})
	if err != nil {
		r.T.Fatal(err)
	}
}

// leave puts a projection job of the guest's back, as one whose row is not
// deleted yet.
func (r *removal) leave() {
	r.T.Helper()
	err := r.Node.Store.Update(r.T.Context(), func(tx *store.Tx) error {
		_, err := lifecycle.EnqueueProjection(tx, r.portal, []string{r.guest})
		return err
	})
	if err != nil {
		r.T.Fatal(err)
	}
}

func (r *removal) day() {
	r.clock.Move(24 * time.Hour)
	r.finish()
}

func (r *removal) byOwner() {
	r.T.Helper()
	if a := r.Do("DELETE", r.path(), r.Owner.Token, nil); a.Status != http.StatusOK {
		r.T.Errorf("%d %s", a.Status, a.Body)
	}
}

func (r *removal) restart() {
	r.T.Helper()
	r.Restart(r.stops.Setup, r.clock.Setup)
}

// joined has a second DELETE come while the first one is under way.
func (r *removal) joined() {
	r.T.Helper()
	first := r.stops.Hold(control.PointRecorded)
	answer := r.background("DELETE", r.path(), r.Admin.Token, nil)
	<-first.Reached()
	r.remove(http.StatusOK)
	first.Open()
	if a := <-answer; a.Status != http.StatusOK {
		r.T.Errorf("the first DELETE: %d %s", a.Status, a.Body)
	}
}
