package postgres

import (
	"strings"
	"testing"
	"time"

	"portico"
)

// TestPrepared: what a transaction that somebody prepared keeps from being set
// aside, or dropped, is said at once, with what to do, and nothing is half done.
func TestPrepared(t *testing.T) {
	t.Parallel()
	server, e := apps(t)
	id := newID(t)
	noError(t, e.Create(t.Context(), id))
	_, err := server.Ask(t.Context(), name(id), "BEGIN; CREATE TABLE app.half (); PREPARE TRANSACTION 'half'")
	noError(t, err)
	if f := listed(t, e)[name(id)]; !strings.Contains(f.Held, "ROLLBACK PREPARED") {
		t.Errorf("listed as %+v", f)
	}
	began := time.Now()
	for what, err := range map[string]error{
		"quarantine": e.Quarantine(t.Context(), id.Place()), "drop": e.Drop(t.Context(), id.Place()),
	} {
		if portico.KindOf(err) != portico.KindConflict || !strings.Contains(err.Error(), "ROLLBACK PREPARED") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if took := time.Since(began); took > dropLimit/2 {
		t.Errorf("it was tried for %v", took)
	}
	noError(t, server.Run(t.Context(), name(id), "ROLLBACK PREPARED 'half'"))
	err = e.Drop(t.Context(), id.Place())
	for codeOf(err) == "42501" { // the operator's connection ends in a moment
		err = e.Drop(t.Context(), id.Place())
	}
	noError(t, err)
	if left := remains(t, server); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}
