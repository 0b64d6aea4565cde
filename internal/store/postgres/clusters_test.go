package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
	"portico/internal/store/postgres/pgtest"
)

// TestClusters: databases on a server that the list names, and what becomes of
// them as the list changes.
func TestClusters(t *testing.T) {
	t.Parallel()
	own, other := servers.Server(t, t.Name()), servers.Server(t, t.Name()+" other")
	there := Cluster{ID: "clus_other", URL: other.URL(pgtest.Owner, "postgres")}
	var listed atomic.Pointer[[]Cluster]
	list := func(all ...Cluster) { listed.Store(&all) }
	list(Cluster{ID: "clus_own"})
	e := closing(t, openEngine(t, t.Name(), Config{
		URL:      own.URL(pgtest.Owner, "registry"),
		Clusters: func(context.Context) ([]Cluster, error) { return *listed.Load(), nil },
	}))
	near, far := newID(t), newID(t)
	near.Cluster, far.Cluster = "clus_own", there.ID
	noError(t, e.Create(t.Context(), near))
	if err := e.Create(t.Context(), far); portico.KindOf(err) != portico.KindUnavailable {
		t.Fatalf("on a cluster that is not listed: %v", err)
	}
	serverID, err := e.Probe(t.Context(), there.URL)
	noError(t, err)
	if serverID == "" || serverID == e.OwnServer() {
		t.Errorf("the servers call themselves %q and %q", serverID, e.OwnServer())
	}
	there.ServerID = serverID
	list(Cluster{ID: "clus_own"}, there)
	noError(t, e.Create(t.Context(), far))
	for id, at := range map[store.Identity]string{near: "clus_own", far: there.ID} {
		h, err := e.Open(t.Context(), id)
		noError(t, err)
		h.Release()
		var found []store.Place
		noError(t, e.List(t.Context(), at, func(f store.Found) error {
			found = append(found, f.Place)
			return nil
		}))
		if len(found) != 1 || found[0] != id.Place() {
			t.Errorf("%s has %v", at, found)
		}
	}
	lost := far
	lost.Cluster = "clus_own"
	if _, err := e.Open(t.Context(), lost); !errors.Is(err, store.ErrAbsent) {
		t.Errorf("opened where it is not: %v", err)
	}
	noError(t, e.Drop(t.Context(), far.Place()))
	if left := remains(t, other); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	aside := newID(t)
	aside.Cluster = there.ID
	noError(t, e.Create(t.Context(), aside))
	noError(t, e.Quarantine(t.Context(), aside.Place()))
	left, err := e.Clear(t.Context(), there.URL)
	noError(t, err)
	if len(left) != 1 || !strings.Contains(left[0], "q_") || !strings.Contains(left[0], "set aside") {
		t.Errorf("cleared but for %v", left)
	}
	all, err := other.Ask(t.Context(), "postgres", "SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')")
	noError(t, err)
	if len(all) != 1 || !strings.HasPrefix(all[0], "q_") {
		t.Errorf("on the cleared server: %v", all)
	}

	moved := there
	moved.URL = own.URL(pgtest.Owner, "registry")
	list(Cluster{ID: "clus_own"}, moved) // now it leads to another server
	if err := e.List(t.Context(), there.ID, nil); err == nil || !strings.Contains(err.Error(), "not the one that was added") {
		t.Errorf("at an address of another server: %v", err)
	}
	list(Cluster{ID: "clus_own"})
	if err := e.List(t.Context(), there.ID, nil); portico.KindOf(err) != portico.KindUnavailable {
		t.Errorf("a cluster that was removed: %v", err)
	}
}

// TestListings: a listing that was read before another and comes after it takes
// nothing back.
func TestListings(t *testing.T) {
	t.Parallel()
	other := servers.Server(t, t.Name()+" other")
	there := Cluster{ID: "clus_other", URL: other.URL(pgtest.Owner, "postgres")}
	var calls atomic.Int64
	read, goOn := make(chan struct{}), make(chan struct{})
	e := closing(t, openEngine(t, t.Name(), Config{Clusters: func(context.Context) ([]Cluster, error) {
		if calls.Add(1) == 1 { // read before the server was added, and late
			close(read)
			<-goOn
			return nil, nil
		}
		return []Cluster{there}, nil
	}}))
	late := make(chan error, 1)
	go func() { late <- e.clusters.refresh(context.Background()) }()
	<-read
	_, err := e.clusters.at(t.Context(), there.ID)
	noError(t, err)
	close(goOn)
	noError(t, <-late)
	if e.clusters.known(there.ID) == nil {
		t.Error("the server is gone again")
	}
}

// TestUnreadAddress: a cluster whose address cannot be read, or is none, is that
// cluster's trouble alone; one that was known before is served as it was.
func TestUnreadAddress(t *testing.T) {
	t.Parallel()
	other := servers.Server(t, t.Name()+" other")
	good := Cluster{ID: "clus_good", URL: other.URL(pgtest.Owner, "postgres")}
	sealed := errors.New("sealed with another secret")
	var listed atomic.Pointer[[]Cluster]
	listed.Store(&[]Cluster{{ID: "clus_sealed", Err: sealed}, {ID: "clus_odd", URL: "postgres://%zz"}, good})
	e := closing(t, openEngine(t, t.Name(), Config{Clusters: func(context.Context) ([]Cluster, error) { return *listed.Load(), nil }}))
	nothing := func(f store.Found) error { return fmt.Errorf("found %v", f) }
	noError(t, e.List(t.Context(), good.ID, nothing))
	if err := e.List(t.Context(), "clus_sealed", nothing); portico.KindOf(err) != portico.KindUnavailable || !errors.Is(err, sealed) {
		t.Errorf("one that is sealed: %v", err)
	}
	if err := e.List(t.Context(), "clus_odd", nothing); portico.KindOf(err) != portico.KindUnavailable {
		t.Errorf("one without an address: %v", err)
	}
	listed.Store(&[]Cluster{{ID: good.ID, Err: sealed}})
	noError(t, e.List(t.Context(), good.ID, nothing))
	if err := e.List(t.Context(), "clus_odd", nothing); err == nil || !strings.Contains(err.Error(), "lists no cluster") {
		t.Errorf("one that was removed: %v", err)
	}
}

// TestBreaker: after an attempt that took long and failed, one at a time tries
// again; what fails quickly does not count.
func TestBreaker(t *testing.T) {
	t.Parallel()
	var b breaker
	broken := errors.New("broken")
	fails := func() error { return broken }
	for range 3 {
		if err := b.try(fails); !errors.Is(err, broken) {
			t.Fatal(err)
		}
	}
	b.cause, b.until = broken, time.Now().Add(time.Hour) // as after a long attempt
	if err := b.try(func() error { t.Error("tried"); return nil }); portico.KindOf(err) != portico.KindUnavailable {
		t.Errorf("while it is silent: %v", err)
	}
	b.until = time.Now()
	err := b.try(func() error {
		if err := b.try(func() error { return nil }); portico.KindOf(err) != portico.KindUnavailable {
			t.Errorf("beside who tries again: %v", err)
		}
		return nil
	})
	noError(t, err)
	noError(t, b.try(func() error { return nil }))
}

// TestPlainAddress makes a registry at an address that leaves TLS open: the
// driver has two ways to each host then, and asks both for what is not there.
func TestPlainAddress(t *testing.T) {
	t.Parallel()
	server := servers.Server(t, t.Name())
	proxy, err := server.Proxy()
	noError(t, err)
	t.Cleanup(func() { _ = proxy.Close() })
	at := strings.TrimSuffix(proxy.URL(pgtest.Owner, "registry"), "?sslmode=disable")
	if _, err := Open(t.Context(), Config{URL: at, Existing: true}); portico.KindOf(err) != portico.KindNotFound {
		t.Fatalf("a registry that is not there: %v", err)
	}
	e, err := Open(t.Context(), Config{URL: at})
	noError(t, err)
	id := newID(t)
	noError(t, closing(t, e).Create(t.Context(), id))
	if _, err := e.Open(t.Context(), newID(t)); !errors.Is(err, store.ErrAbsent) {
		t.Errorf("a database that is not there: %v", err)
	}
}
