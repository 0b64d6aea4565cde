package attacks

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"portico"
	"portico/internal/store"
	"portico/internal/wiretest"
)

// TestOracle plants each sort of trace, and shows that the oracle sees it, and
// that it is content when there is none.
func TestOracle(t *testing.T) { //nolint:paralleltest // as TestAttacks
	a := newArena(t)
	a.begin()
	portal := a.portalNamed("Oracle")
	a.guests(a.Admin.Token, portal, "guest@example.com")
	update := func(fn func(*store.Tx) error) func() {
		return func() {
			if err := a.Node.Store.Update(context.Background(), fn); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, plant := range map[string]func(){
		"a row": update(func(tx *store.Tx) error { return tx.SetMeta("planted", "x") }),
		"a change of a row": update(func(tx *store.Tx) error {
			_, err := tx.SetRole(a.Acme.ID, a.Member.ID, portico.Admin, portico.OperatorActor)
			return err
		}),
		"a record": update(func(tx *store.Tx) error {
			return tx.InsertEvents(portico.Event{OrganizationID: a.Acme.ID, Action: portico.ActionPortalUpdated})
		}),
		"a mail": update(func(tx *store.Tx) error {
			return tx.InsertMails([]store.Mail{{Template: store.TemplateInvited, OrganizationID: a.Acme.ID, PortalID: portal, InvitationID: "inv_x"}})
		}),
		"a row in a portal": func() { a.plantUser(portal) },
		"a file":            func() { write(t, filepath.Join(a.Dir, "planted")) },
		"a file outside":    func() { write(t, filepath.Join(filepath.Dir(a.Dir), "planted")) },
		"another mode":      func() { _ = os.Chmod(filepath.Join(a.Dir, "registry.db"), 0o640) },
	} {
		before := a.snapshot()
		if found := traces(before, a.snapshot()); len(found) != 0 {
			t.Errorf("before %s was planted: %q", name, found)
		}
		plant()
		if found := traces(before, a.snapshot()); len(found) == 0 {
			t.Errorf("%s was planted and not seen", name)
		}
	}
	oracleOfProcess(t, a)
}

// oracleOfProcess plants what a process holds, and what it logs.
func oracleOfProcess(t *testing.T, a *arena) {
	t.Helper()
	base := a.base()
	quit := make(chan struct{})
	var files []*os.File
	for range slack + 1 {
		go func() { <-quit }()
		f, err := os.Open("/dev/null")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if now := a.base(); now.goroutines <= base.goroutines+slack || now.files <= base.files+slack {
		t.Errorf("goroutines %d of %d, files %d of %d: not seen", now.goroutines, base.goroutines, now.files, base.files)
	}
	close(quit)
	for _, f := range files {
		f.Close()
	}
	log := slog.New(slog.NewTextHandler(a.log, nil))
	for _, line := range []string{"password=" + wiretest.Password, "token " + a.Admin.Token, "a handler panicked"} {
		_ = a.log.take()
		log.Info("planted", "text", line)
		if leaks := a.leaks(a.log.take()); leaks == "" {
			t.Errorf("%q was logged and not seen", line)
		}
	}
	if found := a.onDisk(needles([]string{a.Admin.Email})); len(found) == 0 {
		t.Error("an address is stored and was not found")
	}
	if answer := (wiretest.Answer{Status: 500, Body: []byte("goroutine 1 [running]:")}); inside(answer, a.Dir) == "" {
		t.Error("a stack in an answer was not seen")
	}
	if c, err := net.Dial("tcp", a.Node.Addr()); err == nil {
		defer c.Close()
		if now := a.base(); now.files <= base.files {
			t.Errorf("a connection was not seen: files %d of %d", now.files, base.files)
		}
	}
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// plantUser changes a portal's own database.
func (a *arena) plantUser(portal string) {
	a.Helper()
	h, err := a.Node.Store.Engine().Open(context.Background(), a.Node.Store.Identity(store.PortalRow{Portal: portico.Portal{ID: portal, Generation: 1}}))
	if err != nil {
		a.Fatal(err)
	}
	defer h.Release()
	err = h.Update(context.Background(), func(q store.SQL) error {
		_, err := q.Exec(`INSERT INTO settings (user_id, name, value) VALUES ('x', 'y', 'z')`)
		return err
	})
	if err != nil {
		a.Fatal(err)
	}
}
