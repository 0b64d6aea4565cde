package node_test

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"testing"

	"portico"
	"portico/internal/node"
	"portico/internal/wiretest"
)

// TestFirstAdministrator: a first start that is refused leaves nothing, so that
// the next one, with what was wrong put right, makes organization and owner.
func TestFirstAdministrator(t *testing.T) {
	t.Parallel()
	const email, password = "first@example.com", "a password that is long enough"
	type row struct {
		setting string // that the refusal names
		first   node.Config
	}
	for name, refused := range map[string]row{
		"a short password":           {"admin-password", node.Config{AdminEmail: email, AdminPassword: "short"}},
		"a password of the address":  {"admin-password", node.Config{AdminEmail: email, AdminPassword: email}},
		"no address":                 {"admin-email", node.Config{AdminEmail: "first", AdminPassword: password}},
		"a name with a line break":   {"organization", node.Config{AdminEmail: email, AdminPassword: password, Organization: "Acme\nEvil"}},
		"a name of white space only": {"organization", node.Config{AdminEmail: email, AdminPassword: password, Organization: " "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			open := func(first node.Config) (*node.Node, error) {
				return wiretest.Open(dir, func(c *node.Config, _ *node.Options) {
					c.AdminEmail, c.AdminPassword, c.Organization = first.AdminEmail, first.AdminPassword, first.Organization
				})
			}
			n, err := open(refused.first)
			if err == nil {
				n.Close()
				t.Fatal("it started")
			}
			if e, ok := errors.AsType[*portico.Error](err); !ok || e.Field != refused.setting {
				t.Errorf("refused with %v, want one about %s", err, refused.setting)
			}
			for range 2 { // the second start founds nothing
				n, err := open(node.Config{AdminEmail: email, AdminPassword: password, Organization: "Acme"})
				if err != nil {
					t.Fatal(err)
				}
				all, err := n.Control.Organizations(t.Context())
				if err != nil || len(all) != 1 || all[0].Name != "Acme" {
					t.Errorf("organizations: %v %v", all, err)
				}
				form := url.Values{"grant_type": {"password"}, "username": {email}, "password": {password}}
				answer, err := http.PostForm("http://"+n.Addr()+"/v1/oauth2/login", form)
				if err != nil {
					t.Fatal(err)
				}
				_ = answer.Body.Close()
				if answer.StatusCode != http.StatusOK {
					t.Errorf("signing in: %d", answer.StatusCode)
				}
				n.Close()
			}
		})
	}
}
