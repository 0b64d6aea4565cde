package bench

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"portico/internal/wiretest"
)

// measureConsole times the console's pages in an installation of 10,000
// portals, and counts what each asks of the registry.
func measureConsole(t *testing.T, r *report, dir string) {
	var asked wiretest.Statements
	n, err := wiretest.Open(dir, asked.Setup)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	c := console{t: t, base: n.URL(), client: wiretest.NewClient(t), asked: &asked}
	c.send("POST", "/sign-in", url.Values{"email": {address}, "password": {password}}, http.StatusSeeOther)
	for _, page := range [][2]string{
		{"newest first", "/portals"}, {"by name", "/portals?sort=name"}, {"the last page", "/portals?sort=name&page=200"}, {"a search", "/portals?q=filler-77"},
	} {
		r.plain("console, 10,000 portals, "+page[0], c.times(30, func() { c.send("GET", page[1], nil, http.StatusOK) }))
	}
	found := regexp.MustCompile(`/portals/port_\w+`).FindString(c.send("GET", "/portals", nil, http.StatusOK))
	list := tenThousand()
	r.plain("console, preview of 10,000 pasted lines, 7 % bad", c.times(5, func() {
		c.send("POST", found+"/invite", url.Values{"list": {list}, "mail": {"yes"}}, http.StatusSeeOther)
	}))
}

// tenThousand is a pasted list of 10,000 lines, of which 7 in 100 hold no
// address.
func tenThousand() string {
	var b strings.Builder
	for i := range 10_000 {
		if i%100 < 7 {
			fmt.Fprintf(&b, "Guest %d <guest-%d@@guests..example.com>\n", i, i)
			continue
		}
		fmt.Fprintf(&b, "Guest %d <guest-%d@guests.example.com>\n", i, i)
	}
	return b.String()
}

// console is an administrator's browser.
type console struct {
	t      *testing.T
	base   string
	client *http.Client
	asked  *wiretest.Statements
}

func (c console) send(method, path string, form url.Values, status int) string {
	c.t.Helper()
	headers := []string{"Origin", c.base, "Content-Type", "application/x-www-form-urlencoded"}
	answer, err := wiretest.Send(c.client, c.base, method, path, "", form.Encode(), headers...)
	if err != nil || answer.Status != status {
		c.t.Fatalf("%s %s: %d, %v", method, path, answer.Status, err)
	}
	return string(answer.Body)
}

// times does something several times and says how long it took, and how many
// statements it was each time.
func (c console) times(rounds int, do func()) string {
	do()
	var times []time.Duration
	before := c.asked.OfRequests()
	for range rounds {
		began := time.Now()
		do()
		times = append(times, time.Since(began))
	}
	each := float64(c.asked.OfRequests()-before) / float64(rounds)
	return fmt.Sprintf("p50 / p99 ms: %s; %.0f queries", quantiles(times), each)
}
