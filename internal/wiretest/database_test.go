package wiretest

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"portico"
	"portico/internal/node"
	"portico/internal/store"
)

// logged is a log that a test reads while a server writes it.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

type database struct {
	Engine string
	URL    *string
	Path   *string
}

// TestPortalDatabase: the app is told how to reach its database, each time is
// recorded, and its password is in no log and, but sealed, nowhere else.
func TestPortalDatabase(t *testing.T) {
	t.Parallel()
	var log logged
	w := Start(t, func(_ *node.Config, o *node.Options) {
		o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	portal := w.Portal("App")
	path := "/v1/portal/" + portal + "/database"
	ask := func(method, path string) (d database) {
		t.Helper()
		a := w.Do(method, path, w.Admin.Token, nil)
		if a.Status != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
		}
		a.JSON(t, &d)
		return d
	}
	first, again, rotated := ask("GET", path), ask("GET", path), ask("POST", path+"/rotate")
	name := strings.TrimPrefix(portal, portico.PrefixPortal)
	switch os.Getenv(ServerVar) {
	case "":
		if first.Engine != "sqlite" || first.URL != nil || *first.Path != *again.Path || *first.Path != *rotated.Path {
			t.Fatalf("%+v, %+v, %+v", first, again, rotated)
		}
		info, err := os.Stat(*first.Path)
		if err != nil || info.Mode() != 0o600 || !strings.HasSuffix(*first.Path, name+"/app.db") {
			t.Errorf("%s: %v", *first.Path, err)
		}
	default:
		if first.Engine != "postgres" || first.Path != nil || *first.URL != *again.URL || *first.URL == *rotated.URL {
			t.Fatalf("%+v, %+v, %+v", first, again, rotated)
		}
		w.checkSecrets(t, portal, log.String(), *first.URL, *rotated.URL)
	}
	var actions []portico.Action
	err := w.Node.Store.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.FindEvents(w.Acme.ID, store.EventFilter{PortalID: portal, Limit: 3})
		for _, e := range events {
			actions = append(actions, e.Action)
			if e.ActorID != w.Admin.ID || e.RequestID == "" {
				t.Errorf("recorded: %+v", e)
			}
		}
		return err
	})
	if err != nil || len(actions) != 3 || actions[0] != portico.ActionDatabaseRotated || actions[1] != portico.ActionDatabaseShown || actions[2] != actions[1] {
		t.Errorf("recorded: %v, %v", actions, err)
	}
	w.Do("DELETE", "/v1/portal/"+portal, w.Admin.Token, nil)
	if first.Path != nil {
		if _, err := os.Stat(*first.Path); err == nil {
			t.Error("the app's file outlives the portal")
		}
	}
}

// checkSecrets checks that passwords are withheld where nobody needs them.
func (w *World) checkSecrets(t *testing.T, portal, log string, addresses ...string) {
	t.Helper()
	var sealed string
	err := w.Node.Store.View(t.Context(), func(tx *store.Tx) (err error) {
		sealed, err = tx.AppSecret(portal)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		secret, _ := u.User.Password()
		if len(secret) < 26 || strings.Contains(log, secret) || strings.Contains(sealed, secret) {
			t.Errorf("the password has %d characters, or shows", len(secret))
		}
	}
}
