package wiretest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
)

// next returns the path of the next page, empty on the last one.
func (a Answer) next(t testing.TB) string {
	t.Helper()
	link := a.Header.Get("Link")
	if link == "" {
		return ""
	}
	path, rel, ok := strings.Cut(link, ">; ")
	if !ok || !strings.HasPrefix(path, "</v1/") || rel != `rel="next"` {
		t.Fatalf("Link is %q", link)
	}
	return path[1:]
}

type listed struct {
	ID, Name, Email, Status string
}

// walk follows a list page by page and calls between before each further page.
func (w *World) walk(path string, between func()) (all []listed, pages int) {
	w.T.Helper()
	for path != "" {
		a := w.Do("GET", path, w.Admin.Token, nil)
		if a.Status != http.StatusOK {
			w.T.Fatalf("GET %s: %d %s", path, a.Status, a.Body)
		}
		var page []listed
		a.JSON(w.T, &page)
		all = append(all, page...)
		pages++
		if path = a.next(w.T); path != "" && between != nil {
			between()
		}
	}
	return all, pages
}

func emails(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("list-%03d@example.com", i)
	}
	return all
}

// TestPages walks both lists with every kind of limit: each item once, in
// order, whatever is inserted or removed meanwhile.
func TestPages(t *testing.T) {
	t.Parallel()
	w := Start(t)
	portal := w.Portal("Pages 0")
	for i := 1; i < 7; i++ {
		w.Portal(fmt.Sprintf("Pages %d", i))
	}
	ids := w.Invite(w.Admin.Token, portal, emails(25)...)
	users := "/v1/portal/" + portal + "/users"
	for _, c := range []struct {
		path         string
		items, pages int
	}{
		{"/v1/portal", 7, 1}, {"/v1/portal?limit=1", 7, 7}, {"/v1/portal?limit=6", 7, 2}, {"/v1/portal?limit=7", 7, 1},
		{"/v1/portal?limit=1000", 7, 1}, {"/v1/portal?q=PAGES+3", 1, 1}, {"/v1/portal?q=%25", 0, 1}, {"/v1/portal?q=_", 0, 1},
		{"/v1/portal?q=pages&limit=3", 7, 3}, {"/v1/portal?cursor=&limit=3&cursor", 0, 0},
		{users, 25, 1}, {users + "?limit=5", 25, 5}, {users + "?limit=24", 25, 2}, {users + "?limit=25", 25, 1},
		{users + "?q=LIST-00", 10, 1}, {users + "?q=list-00&limit=4", 10, 3}, {users + "?status=invited", 25, 1},
		{users + "?status=invited&limit=10", 25, 3}, {users + "?status=active", 0, 1}, {users + "?unknown=1&limit=20", 25, 2},
		{"/v1/portal?q=pages%00", 0, 1}, {users + "?q=list%00", 0, 1}, {users + "?q=%ff", 0, 1}, {users, 25, 1}, // what no engine stores
		{"/v1/portal/" + portal + "/invitations?q=%00", 0, 1},
	} {
		if c.pages == 0 {
			if a := w.Do("GET", c.path, w.Admin.Token, nil); a.Status != 422 {
				t.Errorf("%s: %d", c.path, a.Status)
			}
			continue
		}
		all, pages := w.walk(c.path, nil)
		if len(all) != c.items || pages != c.pages {
			t.Errorf("%s: %d items on %d pages, want %d on %d", c.path, len(all), pages, c.items, c.pages)
		}
		for i := 1; i < len(all); i++ {
			if all[i-1].Name > all[i].Name && all[i-1].Email > all[i].Email {
				t.Errorf("%s: %v before %v", c.path, all[i-1], all[i])
			}
		}
	}
	more, seen := 0, map[string]int{}
	all, _ := w.walk(users+"?limit=4", func() {
		if more++; more < 4 {
			w.Invite(w.Admin.Token, portal, fmt.Sprintf("late-%d@example.com", more))
		}
		if more == 2 {
			w.Do("DELETE", users+"/"+ids[7], w.Admin.Token, nil) // the one that a cursor stands at
		}
	})
	for _, u := range all {
		seen[u.Email]++
	}
	for _, email := range emails(25) {
		if seen[email] != 1 {
			t.Errorf("%s was listed %d times while others were inserted", email, seen[email])
		}
	}
	if len(all) != 28 {
		t.Errorf("%d users, want 28", len(all))
	}
}

// TestCursors sends cursors that were not made for the request.
func TestCursors(t *testing.T) {
	t.Parallel()
	w := Start(t)
	first, second := w.Portal("First"), w.Portal("Second")
	for _, portal := range []string{first, second} {
		w.Invite(w.Admin.Token, portal, emails(5)...)
	}
	next := w.Do("GET", "/v1/portal/"+first+"/users?limit=2&status=invited", w.Admin.Token, nil).next(t)
	u, err := url.Parse(next)
	if err != nil {
		t.Fatal(err)
	}
	cursor := u.Query().Get("cursor")
	good := "/v1/portal/" + first + "/users?limit=2&status=invited&cursor="
	if a := w.Do("GET", good+cursor, w.Admin.Token, nil); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := w.Do("GET", good+cursor, w.Owner.Token, nil); a.Status != 200 {
		t.Errorf("a colleague's cursor: %d %s", a.Status, a.Body)
	}
	flipped := []byte(cursor)
	flipped[3] ^= 1
	for _, c := range []struct{ name, path, token string }{
		{"empty", good, w.Admin.Token},
		{"garbage", good + "x", w.Admin.Token},
		{"edited", good + string(flipped), w.Admin.Token},
		{"truncated", good + cursor[:len(cursor)-1], w.Admin.Token},
		{"extended", good + cursor + "AA", w.Admin.Token},
		{"padded", good + cursor + "%3D", w.Admin.Token},
		{"broken by a line", good + cursor[:4] + "%0A" + cursor[4:], w.Admin.Token},
		{"other portal", "/v1/portal/" + second + "/users?limit=2&status=invited&cursor=" + cursor, w.Admin.Token},
		{"other list", "/v1/portal?limit=2&status=invited&cursor=" + cursor, w.Admin.Token},
		{"other organization", good + cursor, w.OtherAdmin.Token},
		{"other limit", "/v1/portal/" + first + "/users?limit=3&status=invited&cursor=" + cursor, w.Admin.Token},
		{"other status", "/v1/portal/" + first + "/users?limit=2&status=active&cursor=" + cursor, w.Admin.Token},
		{"other query", good + cursor + "&q=x", w.Admin.Token},
		{"no limit", "/v1/portal/" + first + "/users?cursor=" + cursor, w.Admin.Token},
	} {
		a := w.Do("GET", c.path, c.token, nil)
		if a.Status != 422 || !strings.Contains(string(a.Body), `"loc":["query","cursor"]`) {
			t.Errorf("%s: %d %s", c.name, a.Status, a.Body)
		}
	}
	for _, c := range []struct{ query, want string }{
		{"limit=abc", `{"detail":[{"type":"int_parsing","loc":["query","limit"],"msg":"Input should be a valid integer, unable to parse string as an integer","input":"abc"}]}`},
		{"limit=0", `{"detail":[{"type":"greater_than_equal","loc":["query","limit"],"msg":"Input should be greater than or equal to 1","input":"0","ctx":{"ge":1}}]}`},
		{"limit=-1", `"greater_than_equal"`},
		{"limit=1001", `{"detail":[{"type":"less_than_equal","loc":["query","limit"],"msg":"Input should be less than or equal to 1000","input":"1001","ctx":{"le":1000}}]}`},
		{"limit=", `"int_parsing"`},
		{"limit=1.5", `"int_parsing"`},
		{"limit=99999999999999999999", `"less_than_equal"`},
		{"status=gone", `{"detail":[{"type":"enum","loc":["query","status"],"msg":"Input should be 'invited', 'active', 'expired' or 'bounced'","input":"gone","ctx":{"expected":"'invited', 'active', 'expired' or 'bounced'"}}]}`},
		{"q=" + strings.Repeat("x", 201), `"string_too_long"`},
		{"limit=x&status=y", `"loc":["query","status"]`},
		{"status=gone&q=" + strings.Repeat("x", 201) + "&cursor=x&limit=0", // all of them, in the order of the parameters
			`"ctx":{"ge":1}},{"type":"value_error","loc":["query","cursor"],"msg":"Value error, this cursor was not made for this request; start again without one","input":"x","ctx":{"error":{}}},{"type":"string_too_long","loc":["query","q"]`},
		{"status=gone&cursor=", `{"detail":[{"type":"value_error","loc":["query","cursor"],"msg":"Value error, this cursor was not made for this request; start again without one","input":"","ctx":{"error":{}}},{"type":"enum","loc":["query","status"]`},
	} {
		a := w.Do("GET", "/v1/portal/"+first+"/users?"+c.query, w.Admin.Token, nil)
		if a.Status != 422 || !strings.Contains(string(a.Body), c.want) {
			t.Errorf("%.40s: %d %.300s, want %s", c.query, a.Status, a.Body, c.want)
		}
	}
	for _, query := range []string{"limit=2.0", "limit=+2", "limit=%202%20", "limit=02", "limit=7&limit=2"} {
		if a := w.Do("GET", "/v1/portal/"+first+"/users?"+query, w.Admin.Token, nil); a.Status != 200 || a.next(t) == "" {
			t.Errorf("%s: %d %s", query, a.Status, a.Body)
		}
	}
}

// crowd writes guests straight into the registry and a portal's database.
func (w *World) crowd(portal string, n int, name string) {
	w.T.Helper()
	ctx := context.Background()
	var row store.PortalRow
	err := w.Node.Store.Update(ctx, func(tx *store.Tx) (err error) {
		accounts, invitations := make([]portico.Account, n), make([]portico.Invitation, n)
		for i := range accounts {
			email := fmt.Sprintf("crowd-%06d@example.com", i)
			accounts[i] = portico.Account{ID: tx.NewID(portico.PrefixAccount), Email: email, EmailKey: email, CreatedAt: tx.Now}
			invitations[i] = portico.Invitation{
				ID: tx.NewID(portico.PrefixInvitation), PortalID: portal, AccountID: accounts[i].ID, Role: portico.Guest, State: portico.InvitationPending,
				Generation: 1, FirstName: name, LastName: name, ExpiresAt: tx.Now.Add(time.Hour), CreatedAt: tx.Now, CreatedBy: w.Admin.ID,
				ModifiedAt: tx.Now, ModifiedBy: w.Admin.ID,
			}
		}
		if err := tx.InsertAccounts(accounts); err != nil {
			return err
		}
		if err := tx.SaveInvitations(invitations); err != nil {
			return err
		}
		row, err = tx.PortalByID(portal)
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	handle, err := w.Node.Lifecycle.Open(ctx, row)
	if err != nil {
		w.T.Fatal(err)
	}
	defer handle.Release()
	if err := w.Node.Store.ProjectAll(ctx, handle, portal); err != nil {
		w.T.Fatal(err)
	}
}

// TestLongList streams a list that is larger than the memory it may take, lets
// a slow reader hold up nobody, and is cut when its portal is deleted.
func TestLongList(t *testing.T) { //nolint:paralleltest // alone: the heap that it measures is the process's
	guests, name := 100_000, "Crowd"
	if raceEnabled || testing.Short() { // as many bytes as fit into no socket's buffer, in fewer rows
		guests, name = 4_000, strings.Repeat("😀", 80)
	}
	w := Start(t)
	portal := w.Portal("Crowd")
	w.crowd(portal, guests, name)
	users := "/v1/portal/" + portal + "/users"

	response := w.stream(users)
	decoder := json.NewDecoder(response.Body)
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	last, count, peak := "", 0, uint64(0)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for decoder.More() {
		var u struct{ ID, Email string }
		if err := decoder.Decode(&u); err != nil {
			t.Fatal(err)
		}
		if u.ID <= last {
			t.Fatalf("%s after %s", u.ID, last)
		}
		last = u.ID
		if count++; count%2000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
		}
	}
	response.Body.Close()
	if count != guests {
		t.Errorf("%d guests, want %d", count, guests)
	}
	if grown := int64(peak) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("the heap grew by %d MiB while %d guests were listed", grown>>20, guests)
	}

	slow := w.slow(users)
	defer slow.Close()
	first := make([]byte, 4<<10)
	if _, err := io.ReadFull(slow, first); err != nil {
		t.Fatal(err)
	}
	if a := w.Do("DELETE", "/v1/portal/"+portal, w.Admin.Token, nil); a.Status != http.StatusOK {
		t.Fatalf("delete beside a slow reader: %d %s", a.Status, a.Body)
	}
	rest, _ := io.ReadAll(slow) // an error is the cut that is looked for
	if strings.HasSuffix(string(rest), "\r\n0\r\n\r\n") || !strings.Contains(string(first), "200 OK") {
		t.Errorf("the list of a deleted portal was ended as if it were whole, after %d bytes", len(rest))
	}
}

func (w *World) stream(path string) *http.Response {
	w.T.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, w.URL+path, http.NoBody)
	if err != nil {
		w.T.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.Admin.Token)
	response, err := w.client.Do(r)
	if err != nil {
		w.T.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/json" {
		w.T.Fatalf("%d %v", response.StatusCode, response.Header)
	}
	return response
}

// slow asks for a list on a connection with small buffers, of which the caller
// reads what it likes.
func (w *World) slow(path string) net.Conn {
	w.T.Helper()
	conn, err := net.Dial("tcp", w.Node.Addr())
	if err != nil {
		w.T.Fatal(err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetReadBuffer(64 << 10); err != nil {
			w.T.Fatal(err)
		}
	}
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", path, w.Admin.Token)
	if err != nil {
		w.T.Fatal(err)
	}
	return conn
}
