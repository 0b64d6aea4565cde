package postgres

import (
	"context"
	"strings"
	"time"

	"portico/internal/store"
)

// List implements store.Engine. What is in quarantine is not listed.
func (e *Engine) List(ctx context.Context, cluster string, fn func(store.Found) error) error {
	if err := e.clusters.refresh(ctx); err != nil {
		return err
	}
	s, err := e.clusters.at(ctx, cluster)
	if err != nil {
		return err
	}
	var found []store.Found
	err = s.session(ctx, func(a *session) (err error) {
		found, err = e.survey(ctx, a)
		return err
	})
	if err != nil {
		return translate(err)
	}
	for _, f := range found {
		f.Cluster, f.Identity.Cluster = cluster, cluster
		if ctx.Err() != nil {
			return unavailable(context.Cause(ctx))
		}
		if err := fn(f); err != nil {
			return err
		}
	}
	return nil
}

// Size implements store.Handle.
func (h *handle) Size(ctx context.Context) (size int64, err error) {
	err = h.View(ctx, func(q store.SQL) error {
		return q.QueryRow(`SELECT pg_database_size(current_database())`).Scan(&size)
	})
	return size, err
}

func (e *Engine) survey(ctx context.Context, a *session) ([]store.Found, error) {
	// The folders first: one whose database is made meanwhile is then known.
	folders, err := a.folders()
	if err != nil {
		return nil, err
	}
	found, err := e.databases(ctx, a)
	if err != nil {
		return nil, err
	}
	roles, err := a.column(`SELECT r.rolname::text FROM pg_roles r WHERE r.rolname LIKE 'p\_%\_app' ESCAPE '\'
		AND NOT EXISTS (SELECT 1 FROM pg_database d WHERE d.datname || '_app' = r.rolname)`)
	if err != nil {
		return nil, err
	}
	for _, role := range roles {
		found = append(found, store.Found{Place: store.Place{Name: strings.TrimSuffix(role, appRoleEnd)}})
	}
	orphans, err := a.orphans(folders)
	return append(found, orphans...), err
}

// databases returns the databases with a portal's name, and what only looks
// like one.
func (e *Engine) databases(ctx context.Context, a *session) ([]store.Found, error) {
	var found []store.Found
	err := a.transact(context.Background(), func(q store.SQL) error {
		rows, err := q.Query(`SELECT datname::text, datallowconn AND datconnlimit <> -2, COALESCE(shobj_description(oid, 'pg_database'), ''),
			(SELECT COUNT(*) FROM pg_prepared_xacts WHERE database = datname)
			FROM pg_database WHERE datname LIKE 'p\_%' ESCAPE '\'`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var f store.Found
			var marker string
			var prepared int
			if err := rows.Scan(&f.Name, &f.Complete, &marker, &prepared); err != nil {
				return err
			}
			if prepared > 0 {
				f.Held = heldByPrepared(f.Name, prepared)
			}
			f.Identity, f.ModTime, f.Marked = parseMarker(marker)
			found = append(found, f)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	for i := range found {
		if found[i].Complete && !found[i].Marked {
			e.ask(ctx, a.server.cluster, &found[i])
		}
	}
	return found, nil
}

// ask looks into a database without a marker: one that an operator put back
// has none, and is whole.
func (e *Engine) ask(ctx context.Context, cluster string, f *store.Found) {
	f.Complete = false
	if checkName(f.Name) != nil {
		return
	}
	entry, err := e.handles.Acquire(ctx, store.Place{Cluster: cluster, Name: f.Name}, false)
	if err != nil {
		return // it is what it looks like: not finished
	}
	defer entry.Release()
	f.Identity, f.Marked, f.Complete = entry.Database.id, true, true
}

// folders returns the folders that databases are in, by the numbers they are
// named for; none where the role may not look.
func (a *session) folders() ([]string, error) {
	if !a.server.facts.Load().looksInto {
		return nil, nil
	}
	return a.column(`SELECT name FROM pg_ls_dir('base') AS name WHERE name ~ '^[0-9]+$'`)
}

// orphans returns those folders that no database has: what a server's crash in
// a CREATE DATABASE leaves. Folders of databases that are just being made or
// dropped are none.
func (a *session) orphans(folders []string) ([]store.Found, error) {
	if len(folders) == 0 {
		return nil, nil
	}
	known, err := a.column(`SELECT oid::text FROM pg_database`)
	if err != nil {
		return nil, err
	}
	has := make(map[string]bool, len(known))
	for _, oid := range known {
		has[oid] = true
	}
	var orphans []store.Found
	for _, folder := range folders {
		if has[folder] {
			continue
		}
		f, there, err := a.measure(folder)
		if err != nil {
			return nil, err
		}
		if there {
			orphans = append(orphans, f)
		}
	}
	if len(orphans) == 0 {
		return nil, nil
	}
	var busy int
	err = a.query(`SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()
		AND query ~* '^\s*(create|drop)\s+database'`, nil, &busy)
	if err != nil || busy > 0 {
		return nil, err
	}
	return orphans, nil
}

// measure reads the size of a folder, and whether it is there.
func (a *session) measure(folder string) (store.Found, bool, error) {
	f := store.Found{Place: store.Place{Name: "base/" + folder}}
	var touched *time.Time
	err := a.query(`SELECT (pg_stat_file($1, true)).modification,
		COALESCE((SELECT SUM((pg_stat_file($1 || '/' || name, true)).size) FROM pg_ls_dir($1, true, false) AS name), 0)::bigint`,
		[]any{f.Name}, &touched, &f.Size)
	if err != nil || touched == nil {
		return f, false, err
	}
	f.ModTime = *touched
	return f, true, nil
}
