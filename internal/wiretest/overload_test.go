package wiretest

import (
	"context"
	"errors"
	"net/http"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/internal/control"
	"portico/internal/failpoint"
	"portico/internal/node"
)

// TestOverload holds every place at work: others are shed at once, and what
// says that the service lives still says it.
func TestOverload(t *testing.T) {
	t.Parallel()
	const places = 2
	points, arrived, held := failpoint.New(), make(chan struct{}), make(chan struct{})
	w := Start(t, func(_ *node.Config, o *node.Options) { o.AtWork, o.Failpoints = places, points })
	points.On(control.PointIntent, func(context.Context, failpoint.Point) error {
		arrived <- struct{}{}
		<-held
		return errors.New("enough")
	})
	var working sync.WaitGroup
	for range places {
		working.Go(func() { w.Do("POST", "/v1/portal", w.Admin.Token, `{"name":"held"}`) })
		<-arrived
	}
	for path, want := range map[string]int{
		"/v1/portal": 503, "/v1/auth/load": 503, "/v1/status": 200, "/openapi.json": 200,
	} {
		a := w.Do("GET", path, w.Admin.Token, nil)
		if a.Status != want || want == 503 != (a.Header.Get("Retry-After") != "") {
			t.Errorf("GET %s: %d %v, want %d", path, a.Status, a.Header, want)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if a, err := Send(w.client, "http://"+w.Node.OpsAddr(), "GET", path, "", nil); err != nil || a.Status != http.StatusOK {
			t.Errorf("GET %s: %d, %v", path, a.Status, err)
		}
	}
	close(held)
	working.Wait()
	if a := w.Do("GET", "/v1/portal", w.Admin.Token, nil); a.Status != http.StatusOK {
		t.Errorf("afterwards: %d", a.Status)
	}
}

// TestSlowReaders: clients that ask for long lists and do not take them hold no
// place at work, do not keep the portal from being deleted, and where there are
// too many, make room for others.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	const slow = 4
	w := Start(t, func(_ *node.Config, o *node.Options) { o.AtWork, o.Readers = slow, slow })
	portal, other := w.Portal("Slow"), w.Portal("Other")
	w.crowd(portal, 4000, strings.Repeat("😀", 80)) // more bytes than sockets hold
	w.Invite(w.Admin.Token, other, emails(1000)...)
	for range slow {
		defer w.slow("/v1/portal/" + portal + "/users").Close()
	}
	end := time.Now().Add(30 * time.Second)
	for now := range time.Tick(time.Millisecond) {
		if stuck() >= slow {
			break
		}
		if now.After(end) {
			t.Fatalf("%d of %d readers are stuck", stuck(), slow)
		}
	}
	for range 2 * slow {
		if a := w.Do("GET", "/v1/portal", w.Admin.Token, nil); a.Status != http.StatusOK {
			t.Fatalf("beside slow readers: %d %s", a.Status, a.Body)
		}
	}
	for { // until one of them counts as slow
		a := w.Do("GET", "/v1/portal/"+other+"/users", w.Admin.Token, nil)
		if a.Status == http.StatusOK && strings.Count(string(a.Body), `"status":`) == 1000 {
			break
		}
		if a.Status != http.StatusServiceUnavailable || time.Now().After(end) {
			t.Fatalf("a long list beside slow readers: %d, %d bytes", a.Status, len(a.Body))
		}
	}
	if a := w.Do("DELETE", "/v1/portal/"+portal, w.Admin.Token, nil); a.Status != http.StatusOK {
		t.Errorf("deleting beside slow readers: %d %s", a.Status, a.Body)
	}
}

// stuck is how many answers wait for their readers.
func stuck() (n int) {
	var stacks strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&stacks, 2)
	for stack := range strings.SplitSeq(stacks.String(), "\n\n") {
		if strings.Contains(stack, "[IO wait") && strings.Contains(stack, "httpapi.(*array).flush(") {
			n++
		}
	}
	return n
}
