package console_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"portico"
	"portico/internal/lifecycle"
	"portico/internal/wiretest"
)

// made follows a form that creates a portal until that is there, and returns
// its id.
func (b *browser) made(p page) (portal string) {
	b.t.Helper()
	for at := b.goes(p, "/portals/port_"); ; at = b.want(b.get(p.location), http.StatusOK) {
		if !strings.Contains(at.text, "data-poll") {
			return regexp.MustCompile(`port_[0-9a-v]{26}`).FindString(p.location)
		}
	}
}

var tookMillis = regexp.MustCompile(`<span class="number">[0-9.,]+ ms</span>`)

// TestCreation looks at a portal while it is made, when it is, and when it
// cannot be.
func TestCreation(t *testing.T) {
	t.Parallel()
	stops := wiretest.NewStops()
	w := wiretest.Start(t, stops.Setup)
	b := newBrowser(t, w)
	b.signIn(w.Admin.Email)

	stop := stops.Hold(lifecycle.PointCreateActivate)
	begun := b.post("/portals", "name", "Seen")
	<-stop.Reached()
	live := b.want(b.goes(begun, "/portals/port_"), http.StatusOK, "Making Seen…", "data-poll", "Name and address reserved", "Database made", "Working on it")
	if n := len(tookMillis.FindAllString(live.text, -1)); n < 3 {
		t.Errorf("%d times while it is made: %s", n, words(live.text))
	}
	portal := regexp.MustCompile(`port_[0-9a-v]{26}`).FindString(begun.location)
	b.want(b.get("/portals/"+portal+"/guests"), http.StatusNotFound)
	other := newBrowser(t, w)
	other.signIn(w.OtherAdmin.Email)
	other.want(other.get(begun.location), http.StatusNotFound)
	stop.Open()
	b.made(begun)
	done := b.want(b.get(begun.location), http.StatusOK, "Seen is made", "It took ", "Open for guests", "/portals/"+portal+"/invite")
	if before, after := tookMillis.FindAllString(live.text, -1), tookMillis.FindAllString(done.text, -1); strings.Join(before, "") != strings.Join(after, "") {
		t.Errorf("it took %v, and afterwards %v", before, after)
	}
	w.Restart(stops.Setup)
	b.base = w.URL
	b.want(b.get(begun.location), http.StatusOK, "Seen is made", "It took ", "Database made")

	for range portico.MaxCreateAttempts {
		stops.Fail(lifecycle.PointCreateDatabase)
	}
	failed := b.post("/portals", "name", "Failed")
	b.made(failed)
	b.want(b.get(failed.location), http.StatusOK, "The portal could not be made", "/portals/new")
	other.base = w.URL
	other.want(other.get(failed.location), http.StatusNotFound)
	if err := os.RemoveAll(filepath.Join(w.Dir, "portals")); err != nil {
		t.Fatal(err)
	}
	b.want(b.get("/portals/"+portal+"/settings"), http.StatusOK, "its size cannot be told now")
	b.want(b.post("/portals/"+portal+"/delete", "confirm", "Seen"), http.StatusSeeOther)
	b.want(b.get(begun.location), http.StatusNotFound)
}
