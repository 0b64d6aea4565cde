package wiretest

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/control"
	"portico/internal/lifecycle"
	"portico/internal/node"
	"portico/internal/store"
)

// keyed sends a request with an Idempotency-Key.
func (w *World) keyed(key, method, path, token string, body any) Answer {
	w.T.Helper()
	return w.Do(method, path, token, body, "Idempotency-Key", key)
}

// TestIdempotencyKey repeats every write under its key and expects the same
// bytes and no second effect, before and after a restart, for 24 hours.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	clock := &Clock{}
	clock.Stop(time.Now())
	address := func(c *node.Config, _ *node.Options) { c.PublicURL = "https://portico.example.com" }
	w := Start(t, clock.Setup, address)
	w.URL = "http://" + w.Node.Addr()
	portal := w.Portal("Keys")
	guest := w.Invite(w.Admin.Token, portal, "guest@example.com")[0]
	doomed := w.Portal("Doomed")
	type write struct {
		key, method, path string
		body              any
	}
	writes := []write{
		{"create", "POST", "/v1/portal", `{"name":"Once","description":"d"}`},
		{"update", "PATCH", "/v1/portal/" + portal, `{"name":"Renamed","custom_domain":"keys.example.com"}`},
		{"invite", "POST", "/v1/portal/" + portal + "/users", `{"users":["a@example.com","a@example.com","bad","` + w.OtherAdmin.Email + `"]}`},
		{"remove", "DELETE", "/v1/portal/" + portal + "/users/" + guest, nil},
		{"delete", "DELETE", "/v1/portal/" + doomed, nil},
	}
	first := map[string]Answer{}
	for _, c := range writes {
		a := w.keyed(c.key, c.method, c.path, w.Admin.Token, c.body)
		if a.Status >= 300 {
			t.Fatalf("%s: %d %s", c.key, a.Status, a.Body)
		}
		first[c.key] = a
	}
	w.Do("PATCH", "/v1/portal/"+portal, w.Admin.Token, `{"name":"Renamed again"}`)
	again := func(when string) {
		for _, c := range writes {
			a := w.keyed(c.key, c.method, c.path, w.Admin.Token, c.body)
			if a.Status != first[c.key].Status || !bytes.Equal(a.Body, first[c.key].Body) {
				t.Errorf("%s, %s: %d %s, want %d %s", c.key, when, a.Status, a.Body, first[c.key].Status, first[c.key].Body)
			}
		}
	}
	again("at once")
	clock.Move(23 * time.Hour)
	w.Restart(clock.Setup, address)
	w.URL = "http://" + w.Node.Addr()
	again("after 23 hours and a restart")
	var portals []struct{ Name string }
	w.Do("GET", "/v1/portal", w.Admin.Token, nil).JSON(t, &portals)
	if len(portals) != 2 || portals[0].Name != "Renamed again" {
		t.Errorf("portals: %v", portals)
	}

	for _, c := range []write{
		{"create", "POST", "/v1/portal", `{"name":"Once"}`},
		{"update", "POST", "/v1/portal", `{"name":"Renamed","custom_domain":"keys.example.com"}`},
		{"delete", "DELETE", "/v1/portal/" + portal, nil},
		{"remove", "DELETE", "/v1/portal/" + portal, nil},
	} {
		if a := w.keyed(c.key, c.method, c.path, w.Admin.Token, c.body); a.Status != http.StatusConflict {
			t.Errorf("%s for another request: %d %s", c.key, a.Status, a.Body)
		}
	}
	for name, token := range map[string]string{"another account": w.Owner.Token, "another organization": w.OtherAdmin.Token} {
		a := w.keyed("create", "POST", "/v1/portal", token, `{"name":"Once","description":"d"}`)
		if a.Status != http.StatusCreated || bytes.Equal(a.Body, first["create"].Body) {
			t.Errorf("the key of %s: %d %s", name, a.Status, a.Body)
		}
	}
	clock.Move(2 * time.Hour)
	a := w.keyed("create", "POST", "/v1/portal", w.Admin.Token, `{"name":"Something else"}`)
	if a.Status != http.StatusCreated {
		t.Errorf("after 25 hours: %d %s", a.Status, a.Body)
	}
	if a := w.keyed("remove", "DELETE", writes[3].path, w.Admin.Token, nil); a.Status != http.StatusNotFound {
		t.Errorf("remove after 25 hours: %d %s", a.Status, a.Body)
	}
}

// TestIdempotencyKeyForm checks which keys are refused, and that a refused
// request leaves its key free.
func TestIdempotencyKeyForm(t *testing.T) {
	t.Parallel()
	w := Start(t)
	for key, status := range map[string]int{
		"":                                422,
		"a b":                             422,
		"é":                               422,
		"tab\there":                       422,
		strings.Repeat("k", 256):          422,
		strings.Repeat("k", 255):          201,
		`!"#$%&'()*+,-./:;<=>?@[\]^_{|}~`: 201,
	} {
		a := w.keyed(key, "POST", "/v1/portal", w.Admin.Token, `{"name":"Key"}`)
		if a.Status != status || (status == 422 && !strings.Contains(string(a.Body), `{"type":"value_error","loc":["header","idempotency-key"]`)) {
			t.Errorf("key %q: %d %s", key, a.Status, a.Body)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/v1/portal", strings.NewReader(`{"name":"Key"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer " + w.Admin.Token}, "Content-Type": {"application/json"}, "Idempotency-Key": {"a", "b"}}
	response, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("two keys: %d", response.StatusCode)
	}

	portal := w.Portal("Key")
	for _, c := range []struct {
		name, method, path, token string
		body                      any
		status                    int
	}{
		{"fields", "POST", "/v1/portal", w.Admin.Token, `{}`, 422},
		{"may", "POST", "/v1/portal", w.Member.Token, `{"name":"a"}`, 403},
		{"object", "PATCH", "/v1/portal/port_unknown", w.Admin.Token, `{"name":"a"}`, 404},
		{"user", "DELETE", "/v1/portal/" + portal + "/users/user_x", w.Admin.Token, nil, 404},
	} {
		if a := w.keyed("free", c.method, c.path, c.token, c.body); a.Status != c.status {
			t.Errorf("%s: %d %s", c.name, a.Status, a.Body)
		}
	}
	if a := w.keyed("free", "POST", "/v1/portal", w.Admin.Token, `{"name":"Free"}`); a.Status != 201 {
		t.Errorf("a key that only failed: %d %s", a.Status, a.Body)
	}
	if a := w.keyed("a b", "GET", "/v1/portal", w.Admin.Token, nil); a.Status != 200 {
		t.Errorf("a key on a read: %d %s", a.Status, a.Body)
	}
}

// TestIdempotencyKeyInFlight repeats writes while the first one is under way.
func TestIdempotencyKeyInFlight(t *testing.T) {
	t.Parallel()
	stops := NewStops()
	w := Start(t, stops.Setup)
	answers := make(chan Answer, 4)
	send := func(key, method, path string, body any) {
		go func() {
			a, err := Send(w.client, w.URL, method, path, w.Admin.Token, body, "Idempotency-Key", key)
			if err != nil {
				a.Body = []byte(err.Error())
			}
			answers <- a
		}()
	}
	stop := stops.Hold(lifecycle.PointCreateActivate)
	send("c", "POST", "/v1/portal", `{"name":"Slow"}`)
	<-stop.Reached()
	if a := w.keyed("c", "POST", "/v1/portal", w.Admin.Token, `{"name":"Slow"}`); a.Status != 409 || !strings.Contains(string(a.Body), "in flight") {
		t.Errorf("in flight: %d %s", a.Status, a.Body)
	}
	if a := w.keyed("c", "POST", "/v1/portal", w.Admin.Token, `{"name":"Other"}`); a.Status != 409 {
		t.Errorf("in flight, another request: %d %s", a.Status, a.Body)
	}
	stop.Open()
	created := <-answers
	again := w.keyed("c", "POST", "/v1/portal", w.Admin.Token, `{"name":"Slow"}`)
	if created.Status != 201 || again.Status != 201 || !bytes.Equal(created.Body, again.Body) {
		t.Errorf("created %d %s, again %d %s", created.Status, created.Body, again.Status, again.Body)
	}

	portal := created.ID(t)
	stop = stops.Hold(lifecycle.PointDeleteDatabase)
	send("d", "DELETE", "/v1/portal/"+portal, nil)
	<-stop.Reached()
	joined := stops.Hold(control.PointRecorded)
	send("d", "DELETE", "/v1/portal/"+portal, nil)
	<-joined.Reached()
	joined.Open()
	joined = stops.Hold(control.PointRecorded)
	send("e", "DELETE", "/v1/portal/"+portal, nil)
	<-joined.Reached()
	joined.Open()
	stop.Open()
	for range 3 {
		if a := <-answers; a.Status != 200 || string(a.Body) != "{}" {
			t.Errorf("a delete that joined: %d %s", a.Status, a.Body)
		}
	}
	for key, status := range map[string]int{"d": 200, "e": 200, "f": 404} {
		if a := w.keyed(key, "DELETE", "/v1/portal/"+portal, w.Admin.Token, nil); a.Status != status {
			t.Errorf("delete with key %s afterwards: %d %s", key, a.Status, a.Body)
		}
	}
}

// TestIdempotencyKeyAtOnce sends the same create many times at once: one
// portal, and nothing but its answer or a 409.
func TestIdempotencyKeyAtOnce(t *testing.T) {
	t.Parallel()
	w := Start(t)
	const many = 16
	answers := make(chan Answer, many)
	for range many {
		go func() {
			a, err := Send(w.client, w.URL, "POST", "/v1/portal", w.Admin.Token, `{"name":"Race"}`, "Idempotency-Key", "race")
			if err != nil {
				a.Body = []byte(err.Error())
			}
			answers <- a
		}()
	}
	bodies := map[string]int{}
	for range many {
		a := <-answers
		bodies[fmt.Sprint(a.Status, " ", string(a.Body))]++
	}
	created := 0
	for body := range bodies {
		if strings.HasPrefix(body, "201") {
			created++
		} else if !strings.HasPrefix(body, "409") {
			t.Errorf("%s", body)
		}
	}
	var rows []store.PortalRow
	err := w.Node.Store.View(t.Context(), func(tx *store.Tx) (err error) {
		rows, err = tx.PortalsAfter("", 10)
		return err
	})
	if err != nil || created != 1 || len(rows) != 1 || rows[0].State != portico.PortalActive {
		t.Errorf("%d different answers, %d portals, %v", created, len(rows), err)
	}
}
