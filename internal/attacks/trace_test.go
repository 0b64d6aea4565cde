package attacks

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/store"
)

// state is everything that a request could leave behind, by name: rows of the
// registry and of the portals' databases, files with their modes.
type state map[string]string

// settled reports whether a row or column changes without any request: notes
// of use, and jobs, which end on their own.
func settled(table, column string) bool {
	return table != "jobs" && (table != "tokens" || column != "last_used_at")
}

// snapshot reads the state. Jobs of earlier requests are waited for.
func (a *arena) snapshot() state {
	a.Helper()
	a.eventually("the jobs of earlier requests ended", func() bool {
		var n int
		a.registry(func(q store.SQL) error { return q.QueryRow(`SELECT COUNT(*) FROM jobs`).Scan(&n) })
		return n == 0
	})
	s := state{}
	var portals []store.PortalRow
	a.registry(func(q store.SQL) error { return dump(s, "registry", q) })
	err := a.Node.Store.View(context.Background(), func(tx *store.Tx) (err error) {
		portals, err = tx.PortalsAfter("", 1<<20)
		return err
	})
	if err != nil {
		a.Fatal(err)
	}
	for _, p := range portals {
		if p.State == portico.PortalActive {
			a.portalState(s, p)
		}
	}
	for _, dir := range []string{filepath.Dir(a.Dir), "."} {
		listing(s, dir)
	}
	return s
}

func (a *arena) portalState(s state, p store.PortalRow) {
	a.Helper()
	h, err := a.Node.Store.Engine().Open(context.Background(), a.Node.Store.Identity(p))
	if err != nil {
		s["portal "+p.ID] = err.Error()
		return
	}
	defer h.Release()
	if err := h.View(context.Background(), func(q store.SQL) error { return dump(s, p.ID, q) }); err != nil {
		a.Fatal(err)
	}
}

// registry reads the registry's tables.
func (a *arena) registry(fn func(store.SQL) error) {
	a.Helper()
	if err := a.Node.Store.Engine().Registry().View(context.Background(), fn); err != nil {
		a.Fatal(err)
	}
}

// dump puts each row of each table of a database into s.
func dump(s state, name string, q store.SQL) error {
	tables, err := column(q, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
	if err != nil {
		return err
	}
	for _, table := range tables {
		rows, err := q.Query(`SELECT * FROM "` + table + `"`) //nolint:unqueryvet // every column, whatever a later schema adds
		if err != nil {
			return err
		}
		if err := dumpRows(s, name, table, rows); err != nil {
			return err
		}
	}
	return nil
}

func dumpRows(s state, name, table string, rows *sql.Rows) error {
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	seen := map[string]int{}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		var text strings.Builder
		for i, c := range columns {
			if settled(table, c) {
				fmt.Fprintf(&text, "%s=%v ", c, values[i])
			}
		}
		if text.Len() > 0 {
			key := fmt.Sprintf("%s %s %v", name, table, values[0])
			seen[key]++
			s[fmt.Sprintf("%s #%d", key, seen[key])] = text.String()
		}
	}
	return rows.Err()
}

func column(q store.SQL, query string) ([]string, error) {
	rows, err := q.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// listing puts the files below a folder into s. What SQLite keeps beside an
// open database comes and goes.
func listing(s state, dir string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || strings.HasSuffix(path, "-wal") || strings.HasSuffix(path, "-shm") {
			return nil //nolint:nilerr // gone meanwhile: what it was shows the other time
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		text := info.Mode().String()
		if info.Mode().IsRegular() && !strings.HasSuffix(path, ".db") {
			text += fmt.Sprint(" ", info.Size())
		}
		s["file "+path] = text
		return nil
	})
}

// refused is the action of audit records that are written a little later than
// the answers. They are counted, not compared.
const refused = "action=" + string(portico.ActionRefused)

func (s state) refusals() (n int) {
	for key, row := range s {
		if strings.HasPrefix(key, "registry events ") && strings.Contains(row, refused) {
			n++
		}
	}
	return n
}

// traces returns what differs between two states.
func traces(before, after state) []string {
	var found []string
	for _, key := range slices.Sorted(maps.Keys(after)) {
		was, there := before[key]
		switch {
		case there && was == after[key]:
		case there:
			found = append(found, "changed: "+key+": "+was+" -> "+after[key])
		case strings.HasPrefix(key, "registry events ") && strings.Contains(after[key], refused):
		default:
			found = append(found, "new: "+key+": "+after[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, there := after[key]; !there {
			found = append(found, "gone: "+key+": "+before[key])
		}
	}
	return found
}

// base is what the process itself holds: goroutines, and open files but those
// of databases, which the engine keeps a bounded number of.
type base struct{ goroutines, files int }

func (a *arena) base() base { return base{runtime.NumGoroutine(), openFiles()} }

func openFiles() int {
	n := 0
	names, _ := os.ReadDir("/proc/self/fd")
	for _, name := range names {
		target, err := os.Readlink("/proc/self/fd/" + name.Name())
		if err == nil && !strings.Contains(target, ".db") {
			n++
		}
	}
	return n
}

// slack is what may come and go in a process by itself: the collector's
// workers, a timer's, a job's.
const slack = 3

func (a *arena) backToBase(b base) {
	a.Helper()
	a.client.CloseIdleConnections()
	var now base
	if !within(patience, func() bool {
		now = a.base()
		return now.goroutines <= b.goroutines+slack && now.files <= b.files+slack
	}) {
		var stacks strings.Builder
		_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
		a.Errorf("goroutines %d, were %d; files %d, were %d\n%s", now.goroutines, b.goroutines, now.files, b.files, stacks.String())
	}
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// eventually waits for something that happens on its own, and soon.
func (a *arena) eventually(what string, ok func() bool) {
	a.Helper()
	if !within(patience, ok) {
		a.Errorf("not in %s: %s", patience, what)
	}
}

func within(d time.Duration, ok func() bool) bool {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(d); ; <-ticker.C {
		if ok() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// resident returns the most memory that the process held since resetPeak.
func resident(t testing.TB) (bytes int64) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			if _, err := fmt.Sscanf(rest, "%d kB", &bytes); err != nil {
				t.Fatal(err)
			}
		}
	}
	return bytes << 10
}

// resetPeak makes resident count from now.
func resetPeak(t testing.TB) {
	t.Helper()
	runtime.GC()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200); err != nil {
		t.Logf("the peak of memory cannot be reset: %v", err)
	}
}
