package postgres

import (
	"strings"
	"testing"

	"portico"
)

// TestCopyRefusedByTarget: where the target cannot take what the app made, what
// it says is the error, however much was still to come.
func TestCopyRefusedByTarget(t *testing.T) {
	t.Parallel()
	e, own, other := twoServers(t)
	from := newID(t)
	from.Cluster = "clus_own"
	noError(t, e.Create(t.Context(), from))
	noError(t, own.Run(t.Context(), name(from), `CREATE SCHEMA elsewhere; GRANT USAGE ON SCHEMA elsewhere TO PUBLIC; CREATE FUNCTION elsewhere.good(TEXT) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true'`,
		"SET ROLE "+quote(appRole(name(from)))+`; CREATE TABLE app.big (body TEXT CHECK (elsewhere.good(body)));
		INSERT INTO app.big SELECT repeat(md5(n::text), 100) FROM generate_series(1, 2000) n`))
	to := from
	to.Cluster, to.Generation = "clus_other", 2
	err := e.Copy(t.Context(), from.Place(), to, nil)
	if portico.KindOf(err) != portico.KindUnavailable || !strings.Contains(err.Error(), "schema \"elsewhere\" does not exist") {
		t.Errorf("the copy: %v", err)
	}
	if left := remains(t, other); len(left) > 0 {
		t.Errorf("left on the target: %v", left)
	}
}

// TestCopyProgress: who waits for a copy is told how much of it arrived, never
// more than there is, and nothing after its end.
func TestCopyProgress(t *testing.T) {
	t.Parallel()
	e, own, _ := twoServers(t)
	id := newID(t)
	id.Cluster = "clus_own"
	noError(t, e.Create(t.Context(), id))
	target, err := e.clusters.at(t.Context(), id.Cluster)
	noError(t, err)
	m := &move{into: name(id), target: target, total: 1 << 20}
	told := make(chan int64)
	stop := m.watch(t.Context(), func(done, total int64) {
		if done < 0 || done > total || total != m.total {
			t.Errorf("%d of %d bytes", done, total)
		}
		select {
		case told <- done:
		case <-t.Context().Done():
		}
	})
	if done := <-told; done != 0 {
		t.Errorf("%d bytes of nothing", done)
	}
	grown := make(chan error, 1)
	go func() {
		grown <- own.Run(t.Context(), name(id), "CREATE TABLE app.big AS SELECT repeat(md5(n::text), 100) FROM generate_series(1, 50000) n")
	}()
	for done := int64(0); done < m.total; {
		now := <-told
		if now < done {
			t.Errorf("%d bytes after %d", now, done)
		}
		done = now
	}
	noError(t, <-grown)
	ended := make(chan struct{})
	go func() {
		stop()
		close(ended)
	}()
	for {
		select {
		case <-told: // one that was under way
			continue
		case <-ended:
			return
		}
	}
}
