package wiretest

import (
	"net/http"
	"strings"
	"testing"
)

// TestStory is the main job from end to end: a portal is created, guests are
// invited, listed and removed, and the portal is deleted with nothing left.
func TestStory(t *testing.T) {
	t.Parallel()
	w := Start(t)
	a := w.Do("POST", "/v1/portal", w.Admin.Token, `{"name":"Café Customers","description":" x "}`)
	if a.Status != http.StatusCreated || !strings.Contains(string(a.Body), `"api_name":"cafe-customers"`) {
		t.Fatalf("create: %d %s", a.Status, a.Body)
	}
	id := a.ID(t)
	t.Logf("%s", a.Body)
	a = w.Do("POST", "/v1/portal/"+id+"/users", w.Admin.Token,
		`{"users":["ada@example.com",{"email":"Grace@Example.com","first_name":"Grace"},"nope","ADA@example.com","`+w.Member.Email+`"]}`)
	want := []string{"invited", "invited", "failed", "duplicate", "linked"}
	var invited struct {
		Added []string `json:"added_users"`
		Users []struct{ Status string }
	}
	a.JSON(t, &invited)
	t.Logf("%s", a.Body)
	for i, u := range invited.Users {
		if u.Status != want[i] {
			t.Errorf("user %d: %s, want %s", i, u.Status, want[i])
		}
	}
	a = w.Do("GET", "/v1/portal/"+id+"/users", w.Admin.Token, nil)
	var users []struct{ ID, Email, Status string }
	a.JSON(t, &users)
	t.Logf("%s", a.Body)
	if len(users) != 3 || users[0].Status != "active" || users[1].Email != "ada@example.com" {
		t.Fatalf("list: %s", a.Body)
	}
	if a = w.Do("DELETE", "/v1/portal/"+id+"/users/"+users[0].ID, w.Admin.Token, nil); a.Status != 200 || string(a.Body) != "{}" {
		t.Fatalf("remove: %d %s", a.Status, a.Body)
	}
	if a = w.Do("DELETE", "/v1/portal/"+id+"/users/"+users[0].ID, w.Admin.Token, nil); a.Status != 404 {
		t.Fatalf("remove again: %d %s", a.Status, a.Body)
	}
	if a = w.Do("PATCH", "/v1/portal/"+id, w.Admin.Token, `{"name":"New name","custom_domain":"Portal.Example.COM"}`); a.Status != 200 {
		t.Fatalf("update: %d %s", a.Status, a.Body)
	}
	t.Logf("%s", a.Body)
	if a = w.Do("DELETE", "/v1/portal/"+id, w.Admin.Token, nil); a.Status != 200 {
		t.Fatalf("delete: %d %s", a.Status, a.Body)
	}
	if a = w.Do("DELETE", "/v1/portal/"+id, w.Admin.Token, nil); a.Status != 404 {
		t.Fatalf("delete again: %d %s", a.Status, a.Body)
	}
	a = w.Do("GET", "/openapi.json", "", nil)
	t.Logf("%d %s", a.Status, a.Body)
	t.Logf("%s", w.Do("GET", "/docs/portal.md", "", nil).Body)
}
