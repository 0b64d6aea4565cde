package node_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"portico"
	"portico/internal/control"
	"portico/internal/node"
	"portico/internal/store/postgres/pgtest"
	"portico/internal/wiretest"
)

const testSecret = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// servers starts throwaway PostgreSQL servers.
func servers(t *testing.T, count int) []*pgtest.Server {
	t.Helper()
	all := make([]*pgtest.Server, count)
	for i := range all {
		s, err := pgtest.Start(t.Context(), "fsync = off")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
		})
		all[i] = s
	}
	return all
}

// onServer has a world keep its registry on a server.
func onServer(s *pgtest.Server) wiretest.Setup {
	return func(c *node.Config, _ *node.Options) {
		c.DatabaseURL, c.SecretKey = s.URL(pgtest.Owner, "registry"), testSecret
	}
}

// appOf asks for the address of a portal's app, and returns its role and database.
func appOf(t *testing.T, w *wiretest.World, portal string) (role, database string) {
	t.Helper()
	a := w.Do("GET", "/v1/portal/"+portal+"/database", w.Admin.Token, nil)
	if a.Status != http.StatusOK {
		t.Fatalf("the app's address: %d %s", a.Status, a.Body)
	}
	var at struct{ URL string }
	a.JSON(t, &at)
	u, err := url.Parse(at.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.User.Username(), strings.TrimPrefix(u.Path, "/")
}

// databases returns the portals' databases and roles on a server.
func databases(t *testing.T, s *pgtest.Server) []string {
	t.Helper()
	all, err := s.Ask(t.Context(), "postgres", `SELECT datname::text FROM pg_database WHERE starts_with(datname, 'p_')
		UNION ALL SELECT rolname::text FROM pg_roles WHERE starts_with(rolname, 'p_') ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestMove takes a portal to another server and back while guests are invited,
// removed and listed.
func TestMove(t *testing.T) {
	t.Parallel()
	both := servers(t, 2)
	w := wiretest.Start(t, onServer(both[0]))
	core := beside(t, w)
	if _, err := core.Control.AddCluster(t.Context(), "eu-2", both[1].URL(pgtest.Owner, "postgres")); err != nil {
		t.Fatal(err)
	}
	if _, err := core.Control.SetCluster(t.Context(), "eu-2", capOf(0)); err != nil {
		t.Fatal(err)
	}
	portal := w.Portal("Moves")
	if err := core.Lifecycle.Move(t.Context(), portal, "eu-2", nil); portico.KindOf(err) != portico.KindConflict {
		t.Errorf("a move to a full server: %v", err)
	}
	if _, err := core.Control.SetCluster(t.Context(), "eu-2", capOf(10)); err != nil {
		t.Fatal(err)
	}
	role, database := appOf(t, w, portal)
	for _, text := range []string{
		`CREATE TABLE notes (id SERIAL PRIMARY KEY, body TEXT, at TIMESTAMPTZ DEFAULT now(), raw BYTEA, f FLOAT8)`,
		`INSERT INTO notes (body, raw, f) SELECT repeat('ü', n % 50), decode(md5(n::text), 'hex'), n / 3.0 FROM generate_series(1, 2000) n`,
		`CREATE VIEW long AS SELECT * FROM notes WHERE length(body) > 40`,
	} {
		if _, err := both[0].AskAs(t.Context(), role, database, text); err != nil {
			t.Fatal(err)
		}
	}

	// Sixteen write while it goes there and back.
	stop := make(chan struct{})
	var writers sync.WaitGroup
	kept := make([][]string, 16)
	for i := range kept {
		client := wiretest.NewClient(t)
		writers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				email := fmt.Sprintf("guest-%d-%d@example.com", i, n)
				a, err := wiretest.Send(client, w.URL, "POST", "/v1/portal/"+portal+"/users", w.Admin.Token, map[string]any{"users": []string{email}})
				switch {
				case err != nil:
					t.Error(err)
					return
				case a.Status == http.StatusCreated:
					kept[i] = append(kept[i], email)
				case a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "":
					t.Errorf("invite: %d %s", a.Status, a.Body)
				}
				list, err := wiretest.Send(client, w.URL, "GET", "/v1/portal/"+portal+"/users", w.Admin.Token, nil)
				if err != nil || list.Status != http.StatusOK && list.Status != http.StatusServiceUnavailable {
					t.Errorf("list: %v %d %s", err, list.Status, list.Body)
				}
				if list.Status == http.StatusOK && a.Status == http.StatusCreated && !strings.Contains(string(list.Body), email) {
					t.Errorf("%s is not in the list after 201", email)
				}
			}
		})
	}
	for i, to := range []string{"eu-2", portico.FirstCluster, "eu-2"} {
		if err := core.Lifecycle.Move(t.Context(), portal, to, nil); err != nil {
			t.Fatalf("move %d: %v", i, err)
		}
		now, at := appOf(t, w, portal)
		if got, err := both[(i+1)%2].AskAs(t.Context(), now, at, `INSERT INTO notes (body) VALUES ('after') RETURNING id`); err != nil || got[0] != strconv.Itoa(2001+i) {
			t.Errorf("the app after move %d: %v %v", i, got, err)
		}
	}
	close(stop)
	writers.Wait()
	if err := core.Lifecycle.Move(t.Context(), portal, "eu-2", nil); portico.KindOf(err) != portico.KindConflict {
		t.Errorf("a move to where it is: %v", err)
	}

	want := slices.Concat(kept...)
	slices.Sort(want)
	t.Logf("%d guests were invited meanwhile", len(want))
	got := emails(t, w, portal)
	for _, email := range want {
		if _, ok := slices.BinarySearch(got, email); !ok {
			t.Errorf("%s is lost", email)
		}
	}
	left, err := w.Node.Lifecycle.Reconcile(t.Context(), -1)
	if err != nil || len(left) > 0 {
		t.Errorf("left: %+v, %v", left, err)
	}
	role, database = appOf(t, w, portal)
	if there := databases(t, both[1]); !slices.Equal(there, []string{database, role}) {
		t.Errorf("on the target: %v", there)
	}
	if there := databases(t, both[0]); len(there) > 0 {
		t.Errorf("on the source: %v", there)
	}
}

func capOf(n int) control.ClusterChange { return control.ClusterChange{Cap: &n} }
