package wiretest

import (
	"fmt"
	"testing"
)

// TestPageAtInnerPage asks for pages whose look-ahead row begins another page
// of the database.
func TestPageAtInnerPage(t *testing.T) {
	t.Parallel()
	w := Start(t)
	portal := w.Portal("Pages")
	users := make([]string, 1000)
	for i := range users {
		users[i] = fmt.Sprintf("guest%d@example.com", i)
	}
	path := "/v1/portal/" + portal + "/users"
	for _, more := range [][]string{users, {"one-more@example.com"}} {
		if a := w.Do("POST", path, w.Admin.Token, map[string]any{"users": more}); a.Status != 201 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	for _, limit := range []int{499, 500, 501, 999, 1000} {
		a := w.Do("GET", fmt.Sprintf("%s?limit=%d", path, limit), w.Admin.Token, nil)
		var page []struct{ ID string }
		a.JSON(t, &page)
		if a.Status != 200 || len(page) != limit || a.Header.Get("Link") == "" {
			t.Errorf("limit %d: %d, %d users, link %q", limit, a.Status, len(page), a.Header.Get("Link"))
		}
	}
}
