package faults

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"portico"
	"portico/internal/store"
	"portico/internal/store/postgres"
	"portico/internal/store/postgres/pgtest"
	"portico/internal/store/sqlite"
)

// oracle looks at a data folder, or a PostgreSQL server, at rest, as an engine beside the server sees
// it, and says what breaks the invariants. It trusts nothing that the service
// says of itself.
type oracle struct {
	dir    string
	server *pgtest.Server // of a registry in PostgreSQL; nil: SQLite in dir
	// broken are portals whose databases a case damaged: they are to be
	// unavailable, every other one is to be active.
	broken map[string]bool
	more   bool // the portals' schema is one version newer

	wrong   []string
	portals map[string]portalAt // by id
	events  map[string]int      // audit records by portal and action
	orphans int                 // folders that no database of the server has
}

type portalAt struct {
	state, cluster string
	generation     int
}

func (o *oracle) sayf(format string, args ...any) {
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}

// look returns every violation.
func (o *oracle) look() []string {
	o.wrong, o.portals, o.events = nil, map[string]portalAt{}, map[string]int{}
	ctx := context.Background()
	var files []string
	var err error
	if o.server == nil {
		if files, err = o.walk(); err != nil {
			o.sayf("walk: %v", err)
		}
	}
	engine, err := o.open(ctx)
	if err != nil {
		o.sayf("the registry does not open: %v", err)
		return o.wrong
	}
	defer engine.Close()
	err = engine.Registry().View(ctx, func(q store.SQL) error { return o.registry(q) })
	if err != nil {
		o.sayf("the registry cannot be read: %v", err)
		return o.wrong
	}
	if o.server == nil {
		o.compare(files)
	} else {
		o.compareCatalog(ctx)
	}
	o.databases(ctx, engine)
	return o.wrong
}

// open opens an engine beside those of the servers.
func (o *oracle) open(ctx context.Context) (store.Engine, error) {
	var more []store.Migration
	if o.more {
		more = moreSteps()
	}
	log := slog.New(slog.DiscardHandler)
	if o.server == nil {
		return sqlite.Open(ctx, sqlite.Config{Dir: o.dir, Log: log, MorePortalSteps: more})
	}
	url := o.server.URL(pgtest.Owner, registryName)
	return postgres.Open(ctx, postgres.Config{URL: url, Log: log, MorePortalSteps: more, Clusters: func(context.Context) (all []postgres.Cluster, _ error) {
		for _, p := range o.portals { // there is one server, by whatever name
			return []postgres.Cluster{{ID: p.cluster, URL: url}}, nil
		}
		return nil, nil
	}})
}

// walk returns the paths below portals/, folders with a slash at the end, and
// says what else is not expected in the data folder.
func (o *oracle) walk() ([]string, error) {
	entries, err := os.ReadDir(o.dir)
	if err != nil {
		return nil, err
	}
	expected := strings.Fields("registry.db registry.db-wal registry.db-shm portico.lock reserve secret.key portals template lost+found")
	for _, e := range entries {
		if !slices.Contains(expected, e.Name()) {
			o.sayf("stray in the data folder: %s", e.Name())
		}
	}
	if left, _ := os.ReadDir(filepath.Join(o.dir, "template")); len(left) > 0 {
		o.sayf("stray in template/: %s", left[0].Name())
	}
	var paths []string
	root := filepath.Join(o.dir, "portals")
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil || path == root {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if d.IsDir() {
			rel += "/"
		}
		paths = append(paths, rel)
		return err
	})
	return paths, err
}

// compare holds rows and files against each other, one to one.
func (o *oracle) compare(paths []string) {
	want := map[string]bool{} // true: must be there
	for id, p := range o.portals {
		raw := strings.TrimPrefix(id, portico.PrefixPortal)
		if !portico.ValidID(id, portico.PrefixPortal) {
			o.sayf("portal with a malformed id: %s", id)
			continue
		}
		shelf := raw[len(raw)-2:] + "/"
		file := shelf + raw + "/" + portico.DatabaseName(id, p.generation) + ".db"
		must := !o.broken[id]
		want[shelf], want[shelf+raw+"/"], want[file] = want[shelf] || must, must, must
		want[file+"-wal"], want[file+"-shm"] = false, false
	}
	there := map[string]bool{}
	for _, path := range paths {
		there[path] = true
		if _, ok := want[path]; !ok {
			o.sayf("stray below portals/: %s", path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if want[path] && !there[path] {
			o.sayf("missing below portals/: %s", path)
		}
	}
}

// absurdities are queries that must find nothing: what is wrong, and the
// columns that say where.
var absurdities = []struct{ what, query string }{
	{"portal without an organization", `SELECT p.id FROM portals p LEFT JOIN organizations o ON o.id = p.id AND o.kind = 'portal' WHERE o.id IS NULL`},
	{"organization of a portal that is not there", `SELECT o.id FROM organizations o LEFT JOIN portals p ON p.id = o.id WHERE o.kind = 'portal' AND p.id IS NULL`},
	{"tombstone that is still open", `SELECT database_name, reason FROM tombstones WHERE gone_at IS NULL`},
	{"label without a portal or its tombstone", `SELECT n.api_name, n.portal_id FROM api_names n LEFT JOIN portals p ON p.id = n.portal_id
		LEFT JOIN tombstones t ON t.portal_id = n.portal_id AND t.reason IN ('deleted', 'aborted') WHERE p.id IS NULL AND t.portal_id IS NULL`},
	{"portal without its label", `SELECT p.id FROM portals p LEFT JOIN api_names n ON n.portal_id = p.id AND n.api_name = p.api_name WHERE n.portal_id IS NULL`},
	{"portal that has a tombstone", `SELECT p.id FROM portals p JOIN tombstones t ON t.database_name = 'p_' || substr(p.id, 6) || '_g' || p.generation`},
	{"tombstone of a delete without the one who asked", `SELECT t.database_name FROM tombstones t LEFT JOIN
		(SELECT portal_id, actor_id, COUNT(*) AS n FROM events WHERE action = 'portal.deleted' GROUP BY portal_id, actor_id) e
		ON e.portal_id = t.portal_id AND e.actor_id = t.actor_id
		WHERE t.reason = 'deleted' AND (COALESCE(e.n, 0) <> 1 OR t.actor_id NOT LIKE 'user_%')`},
	{"portal without exactly one audit record of its creation", `SELECT p.id FROM portals p LEFT JOIN
		(SELECT portal_id, COUNT(*) AS n FROM events WHERE action = 'portal.created' GROUP BY portal_id) e ON e.portal_id = p.id
		WHERE COALESCE(e.n, 0) <> 1`},
	{"deleted portal without exactly one record of creation and deletion", `SELECT t.portal_id FROM tombstones t LEFT JOIN
		(SELECT portal_id, COUNT(*) FILTER (WHERE action = 'portal.created') AS made, COUNT(*) FILTER (WHERE action = 'portal.deleted') AS ended FROM events GROUP BY portal_id) e
		ON e.portal_id = t.portal_id WHERE t.reason = 'deleted' AND (COALESCE(e.made, 0) <> 1 OR COALESCE(e.ended, 0) <> 1)`},
	{"audit record of a deletion without a tombstone", `SELECT e.portal_id FROM events e LEFT JOIN tombstones t
		ON t.portal_id = e.portal_id AND t.reason = 'deleted' WHERE e.action = 'portal.deleted' AND t.portal_id IS NULL`},
	{"job that waits", `SELECT id, kind, portal_id, attempts, last_error FROM jobs`},
	{"answer in flight", `SELECT name, portal_id FROM idempotency WHERE snapshot IS NULL`},
	{"mail without its invitation", `SELECT x.id, x.portal_id FROM outbox x LEFT JOIN invitations i ON i.id = x.invitation_id AND
		i.generation = x.generation AND i.portal_id = CASE i.role WHEN 'guest' THEN x.portal_id ELSE x.organization_id END AND i.account_id = x.account_id WHERE i.id IS NULL AND x.template IN ('invited', 'linked')`},
	{"invitation without exactly one mail", `SELECT i.id, i.portal_id FROM invitations i
		WHERE i.state <> 'revoked' AND (SELECT COUNT(*) FROM outbox x WHERE x.invitation_id = i.id AND x.generation = i.generation) <> 1`},
	{"invitation to a portal that is not there", `SELECT i.id, i.portal_id FROM invitations i LEFT JOIN portals p ON p.id = i.portal_id WHERE p.id IS NULL AND i.role = 'guest'`},
	{"removal in a portal that is not there", `SELECT r.portal_id, r.account_id FROM removals r LEFT JOIN portals p ON p.id = r.portal_id WHERE p.id IS NULL`},
	{"invitation of nobody", `SELECT i.id FROM invitations i LEFT JOIN accounts a ON a.id = i.account_id WHERE a.id IS NULL`},
	{"membership in nothing", `SELECT m.organization_id FROM memberships m LEFT JOIN organizations o ON o.id = m.organization_id WHERE o.id IS NULL`},
	{"guest without an accepted invitation", `SELECT m.organization_id, m.account_id FROM memberships m LEFT JOIN invitations i ON
		i.portal_id = m.organization_id AND i.account_id = m.account_id AND i.state = 'accepted' WHERE m.role = 'guest' AND i.id IS NULL`},
	{"account that nothing holds", `SELECT a.id, a.email FROM accounts a WHERE a.proven = 0 AND NOT EXISTS (SELECT 1 FROM invitations i WHERE i.account_id = a.id)
		AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.account_id = a.id)`},
	{"guest whose audit records do not add up", `SELECT e.portal_id, e.subject_id FROM
		(SELECT portal_id, subject_id, SUM(CASE WHEN action = 'guest.removed' THEN -1 ELSE 1 END) AS n FROM events
		WHERE action IN ('guest.invited', 'guest.linked', 'guest.removed') GROUP BY portal_id, subject_id) e
		JOIN portals p ON p.id = e.portal_id LEFT JOIN invitations i ON i.portal_id = e.portal_id AND i.account_id = e.subject_id
		WHERE e.n <> CASE WHEN i.id IS NULL THEN 0 ELSE 1 END`},
	{"guest without an audit record", `SELECT i.portal_id, i.account_id FROM invitations i LEFT JOIN
		(SELECT DISTINCT portal_id, subject_id FROM events WHERE action IN ('guest.invited', 'guest.linked')) e
		ON e.portal_id = i.portal_id AND e.subject_id = i.account_id WHERE e.portal_id IS NULL AND i.role = 'guest'`},
	{"two answers to one key", `SELECT name, COUNT(*) FROM idempotency GROUP BY organization_id, account_id, name HAVING COUNT(*) > 1`},
	{"two portals by one name", `SELECT o.name, COUNT(*) FROM organizations o WHERE o.kind = 'portal' GROUP BY o.parent_id, o.name HAVING COUNT(*) > 1`},
	{"domain that two portals have verified", `SELECT custom_domain FROM portals WHERE domain_verified_at IS NOT NULL GROUP BY custom_domain HAVING COUNT(*) > 1`},
	{"domain claim without a domain or a state", `SELECT id FROM portals WHERE (custom_domain IS NULL) <> (domain_status = '')`},
}

// registry reads the registry. Cases give every portal a name of its own and
// mail to every guest.
func (o *oracle) registry(q store.SQL) error {
	rows, err := table(q, `SELECT id, state, generation, cluster_id FROM portals`)
	if err != nil {
		return err
	}
	for _, row := range rows {
		generation, err := strconv.Atoi(row[2])
		if err != nil {
			return err
		}
		o.portals[row[0]] = portalAt{state: row[1], cluster: row[3], generation: generation}
		want := string(portico.PortalActive)
		if o.broken[row[0]] {
			want = string(portico.PortalUnavailable)
		}
		if row[1] != want {
			o.sayf("portal %s is %s, not %s", row[0], row[1], want)
		}
	}
	counts, err := table(q, `SELECT portal_id, action, COUNT(*) FROM events GROUP BY portal_id, action`)
	if err != nil {
		return err
	}
	for _, row := range counts {
		n, err := strconv.Atoi(row[2])
		if err != nil {
			return err
		}
		o.events[row[0]+" "+row[1]] = n
	}
	for _, a := range absurdities {
		rows, err := table(q, a.query)
		if err != nil {
			return fmt.Errorf("%s: %w", a.what, err)
		}
		for _, row := range rows {
			o.sayf("%s: %s", a.what, strings.Join(row, " "))
		}
	}
	return nil
}

// table returns the rows of a query as text.
func table(q store.SQL, query string, args ...any) ([][]string, error) {
	rows, err := q.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all [][]string
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(columns))
		for i, v := range values {
			row[i] = fmt.Sprint(v)
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// databases reads every portal's database through and holds it against the
// registry.
func (o *oracle) databases(ctx context.Context, engine store.Engine) {
	s, err := store.New(engine, time.Now, portico.NewIDSource(time.Now))
	if err != nil {
		o.sayf("the registry cannot be written: %v", err)
		return
	}
	for id, p := range o.portals {
		if o.broken[id] {
			continue
		}
		handle, err := engine.Open(ctx, s.Identity(store.PortalRow{Portal: portico.Portal{ID: id, Generation: p.generation}, Cluster: p.cluster}))
		if err != nil {
			o.sayf("database of %s: %v", id, err)
			continue
		}
		if same, err := s.Projected(ctx, handle, id); err != nil || !same {
			o.sayf("database of %s has other guests than the registry (%v)", id, err)
		}
		err = handle.View(ctx, func(q store.SQL) error { return o.database(q, id) })
		if err != nil {
			o.sayf("database of %s cannot be read: %v", id, err)
		}
		handle.Release()
	}
}

func (o *oracle) database(q store.SQL, id string) error {
	if o.server == nil {
		rows, err := table(q, `PRAGMA integrity_check`)
		if err != nil {
			return err
		}
		if len(rows) != 1 || rows[0][0] != "ok" {
			o.sayf("database of %s: integrity_check: %v", id, rows)
		}
	}
	for what, query := range map[string]string{
		"user without a membership document": `SELECT u.user_id FROM users u LEFT JOIN memberships m ON m.user_id = u.user_id WHERE m.user_id IS NULL`,
		"membership document without a user": `SELECT m.user_id FROM memberships m LEFT JOIN users u ON m.user_id = u.user_id WHERE u.user_id IS NULL`,
		"setting without a user":             `SELECT s.user_id FROM settings s LEFT JOIN users u ON s.user_id = u.user_id WHERE u.user_id IS NULL`,
	} {
		rows, err := table(q, query)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			o.sayf("database of %s: %s: %v", id, what, rows)
		}
	}
	return nil
}
