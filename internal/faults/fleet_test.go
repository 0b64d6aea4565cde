package faults

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"portico"
	"portico/internal/control"
	"portico/internal/lifecycle"
	"portico/internal/node"
	"portico/internal/store"
	"portico/internal/store/postgres/pgtest"
	"portico/internal/wiretest"
)

// The steps of the app's schema in these cases. The poisoned portal has the
// table of the second one already.
const (
	firstStep  = `CREATE TABLE notes (id BIGINT PRIMARY KEY);`
	secondStep = `CREATE TABLE more (id BIGINT); INSERT INTO notes VALUES (1);`
)

// TestFleet kills sweeps over the fleet, on both engines.
func TestFleet(t *testing.T) {
	t.Parallel()
	t.Run("F39 a fleet migration is killed and goes on, sqlite", func(t *testing.T) {
		t.Parallel()
		fleetKilled(t, childConfig{Dir: filepath.Join(t.TempDir(), "data")})
	})
	t.Run("F39 a fleet migration is killed and goes on, postgres", func(t *testing.T) {
		t.Parallel()
		server, err := pgtest.Start(t.Context(), "fsync = off")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.Stop(); err != nil {
				t.Error(err)
			}
		})
		fleetKilled(t, childConfig{
			Dir: filepath.Join(t.TempDir(), "data"), DatabaseURL: server.URL(pgtest.Owner, registryName), SecretKey: secretKey,
		})
	})
}

// flock is a fleet in which one portal is poisoned.
type flock struct {
	portals  []string
	poisoned string
	token    string
}

func fleetKilled(t *testing.T, config childConfig) {
	t.Helper()
	steps := t.TempDir()
	f := newFlock(t, config, steps, size(10, 30, 500))
	config.AppMigrations = steps
	s := start(t, config)
	for range size(1, 1, 5) {
		s.arm(fmt.Sprintf("%s=kill:%d", lifecycle.PointFleetMigrated, max(len(f.portals)/size(3, 4, 8), 2)))
		if r, err := s.ask("fleet"); err == nil {
			t.Fatalf("the sweep was not killed: %+v", r.Fleet)
		}
		s.died()
		f.served(t, config, 0)
		s = s.restart()
	}
	began := time.Now()
	r, err := s.ask("fleet")
	for err == nil && r.Fleet.Stopped { // by the poisoned one, which came first
		r, err = s.ask("fleet")
	}
	if err != nil || r.Fleet.Failed != 1 || r.Fleet.Postponed != 0 || r.Fleet.Migrated != r.Fleet.Due-1 {
		t.Fatalf("the sweep that went on: %+v, %v", r.Fleet, err)
	}
	t.Logf("%d portals in %v, after the kills", r.Fleet.Due, time.Since(began).Round(time.Millisecond))
	for _, portal := range f.portals {
		want := http.StatusOK
		if portal == f.poisoned {
			want = http.StatusServiceUnavailable
		}
		if a, err := s.send("GET", "/v1/portal/"+portal+"/users", f.token, nil); err != nil || a.Status != want {
			t.Errorf("%s: %d %s, %v, want %d", portal, a.Status, a.Body, err, want)
		}
	}
	s.stop()
	f.served(t, config, 1)
}

// serving opens a node in this process, for as long as fn runs.
func serving(t *testing.T, config childConfig, fn func(*node.Node)) {
	t.Helper()
	n, err := wiretest.Open(config.Dir, config.setup)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	fn(n)
}

// newFlock makes an installation with so many portals, before the app had a
// second step, and the folder of the steps.
func newFlock(t *testing.T, config childConfig, steps string, count int) *flock {
	t.Helper()
	f := &flock{}
	serving(t, config, func(n *node.Node) {
		o, err := n.Control.CreateOrganization(t.Context(), control.OrganizationCreate{Name: "Acme", Kind: portico.Production})
		if err != nil {
			t.Fatal(err)
		}
		account := control.AccountCreate{Email: "admin@acme.example.com", Password: wiretest.Password, OrganizationID: o.ID, Role: portico.Admin}
		made, err := n.Control.CreateAccount(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		token, err := n.Control.CreateTokenFor(t.Context(), o.ID, account.Email, control.TokenCreate{Name: "test"})
		if err != nil {
			t.Fatal(err)
		}
		f.token = token.Secret
		by := portico.Principal{AccountID: made.Account.ID, OrganizationID: o.ID, Kind: portico.Production, Role: portico.Admin}
		f.portals = make([]string, count)
		var wait sync.WaitGroup
		for worker := range 4 {
			wait.Go(func() {
				for i := worker; i < count; i += 4 {
					p, err := n.Control.CreatePortal(context.Background(), by, control.Once{}, portico.PortalCreate{Name: "Fleet"})
					if err != nil {
						t.Error(err)
					}
					f.portals[i] = p.ID
				}
			})
		}
		wait.Wait()
		f.poisoned = f.portals[count/2]
		f.poison(t, n, steps)
	})
	return f
}

// poison writes the steps, and has one portal take the first with something
// more in it.
func (f *flock) poison(t *testing.T, n *node.Node, folder string) {
	t.Helper()
	for name, text := range map[string]string{"0001_notes.sql": firstStep, "0002_more.sql": secondStep} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	steps, err := store.ReadAppSteps(os.DirFS(folder))
	if err != nil {
		t.Fatal(err)
	}
	steps[0].SQL += `CREATE TABLE more (id BIGINT);`
	var row store.PortalRow
	err = n.Store.View(t.Context(), func(tx *store.Tx) (err error) {
		row, err = tx.PortalByID(f.poisoned)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h, err := n.Lifecycle.Open(t.Context(), row)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	_, err = h.App().Admit(t.Context(), func() (string, error) { return "the test's", nil }, false)
	if err == nil {
		_, err = h.App().Migrate(t.Context(), "the test's", steps[:1])
	}
	if err != nil {
		t.Fatal(err)
	}
}

// served looks what the registry says of each portal: so many are marked, the
// poisoned one at most, and each other is active, at the newest version once
// the sweep has come to its end.
func (f *flock) served(t *testing.T, config childConfig, marked int) {
	t.Helper()
	serving(t, config, func(n *node.Node) {
		var bad []string
		err := n.Lifecycle.Fleet(t.Context(), func(r store.FleetRow) {
			switch {
			case r.State == portico.PortalUnavailable && r.ID == f.poisoned && r.Schema.Error != "":
				bad = append(bad, r.ID)
			case r.State != portico.PortalActive || r.Schema.Error != "" || marked > 0 && r.Schema.AppVersion != 2:
				t.Errorf("%s is %s, %+v", r.ID, r.State, r.Schema)
			}
		})
		if err != nil || marked > 0 && len(bad) != marked {
			t.Errorf("marked: %q, %v", bad, err)
		}
	})
}
