package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"portico"
	"portico/internal/store"
)

// Backup implements store.Engine by pg_dump, within one snapshot: writers go
// on meanwhile.
func (e *Engine) Backup(ctx context.Context, at store.Place, path string) error {
	s, err := e.clusters.at(ctx, at.Cluster)
	if err != nil {
		return err
	}
	database, args := s.database, []string{"--format=custom", "--lock-wait-timeout=" + lockWait}
	if at.Name != "" {
		entry, err := e.handles.Acquire(ctx, at, false)
		if err != nil {
			return err
		}
		defer entry.Release()
		database, args = at.Name, append(args, "--schema="+schemaName, "--schema="+appSchema, "--blobs")
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // where the operator wants it
	if err != nil {
		return err
	}
	err = runProgram(ctx, s.address(), nil, file, "pg_dump", database, args...)
	if err == nil {
		err = unavailableIf(e.points.Hit(ctx, FailBackupWritten))
	}
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = syncPath(filepath.Dir(path))
	}
	if err != nil {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

func syncPath(path string) error {
	f, err := os.Open(path) //nolint:gosec // the folder of the copy
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Restore implements store.Engine by pg_restore.
func (e *Engine) Restore(ctx context.Context, id store.Identity, path string) error {
	if err := runProgram(ctx, nil, nil, io.Discard, "pg_restore", "", "--list", path); err != nil {
		return fmt.Errorf("the copy to restore from cannot be read: %w", err)
	}
	return e.makeFilled(ctx, id, func(ctx context.Context, into *address, database, schema string) error {
		err := into.restore(ctx, database, schema, nil, path)
		if err == nil && schema == appSchema {
			err = into.restoreObjects(ctx, database, path)
		}
		return err
	})
}

// pour fills one schema of a database from a copy, with the rights that the
// address gives.
type pour func(ctx context.Context, into *address, database, schema string) error

// makeFilled makes the database of id from a copy. What fails to be filled is
// dropped: it never had an identity of ours.
func (e *Engine) makeFilled(ctx context.Context, id store.Identity, from pour) error {
	return e.make(ctx, id, func(ctx context.Context, s *server, name string) error {
		err := e.fillFrom(ctx, s, id, from)
		if err == nil {
			return nil
		}
		return errors.Join(err, s.session(context.WithoutCancel(ctx), func(a *session) error {
			err := a.exec(dropLimit, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)")
			if err != nil {
				return err
			}
			return a.dropRole(ctx, appRole(name))
		}))
	})
}

// fillFrom gives a database that is being made the content of a copy. The
// app's part comes first and ours last, for with the identity it is usable.
func (e *Engine) fillFrom(ctx context.Context, s *server, id store.Identity, from pour) error {
	name := id.Place().Name
	err := s.inside(ctx, name, func(a *session) error {
		return a.exec(createLimit,
			"DROP SCHEMA IF EXISTS "+schemaName+" CASCADE", "DROP SCHEMA IF EXISTS "+appSchema+" CASCADE",
			"CREATE SCHEMA "+schemaName, "CREATE SCHEMA "+appSchema+" AUTHORIZATION "+quote(appRole(name)))
	})
	if err != nil {
		return err
	}
	if err := s.restoreApp(ctx, name, from); err != nil {
		return err
	}
	if err := from(ctx, s.address(), name, schemaName); err != nil {
		return err
	}
	return s.inside(ctx, name, func(a *session) error { return e.rename(a, id) })
}

// restore fills one schema of a database from a copy: what is read from in, or
// the file that more names.
func (a *address) restore(ctx context.Context, database, schema string, in io.Reader, more ...string) error {
	return runProgram(ctx, a, in, io.Discard, "pg_restore", database, append([]string{
		"--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--schema=" + schema}, more...)...)
}

// restoreObjects puts back the large objects in a copy: they belong to no schema.
// Theirs are the lines of its list with the type BLOB, BLOBS or BLOB METADATA.
func (a *address) restoreObjects(ctx context.Context, database, path string) error {
	var all bytes.Buffer
	if err := runProgram(ctx, nil, nil, &all, "pg_restore", "", "--list", path); err != nil {
		return err
	}
	var objects strings.Builder
	for line := range strings.Lines(all.String()) {
		if columns := strings.Fields(line); len(columns) > listType && strings.HasPrefix(columns[listType], "BLOB") {
			objects.WriteString(line)
		}
	}
	if objects.Len() == 0 {
		return nil
	}
	list, err := os.CreateTemp("", "portico-objects-")
	if err != nil {
		return err
	}
	defer os.Remove(list.Name()) //nolint:errcheck // it holds numbers
	_, err = list.WriteString(objects.String())
	if err = errors.Join(err, list.Close()); err != nil {
		return err
	}
	return runProgram(ctx, a, nil, io.Discard, "pg_restore", database,
		"--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--use-list="+list.Name(), path)
}

// listType is the column of a copy's list that an entry's type begins in.
const listType = 3

// restoreApp fills the app's schema from a copy, signed in as the app with a
// password that is good for this once: what the app had in its database, checks
// of its tables above all, runs with the rights of whoever puts it back.
func (s *server) restoreApp(ctx context.Context, name string, from pour) error {
	role, password := appRole(name), rand.Text()
	verifier, err := scramVerifier(password)
	if err != nil {
		return err
	}
	let := func(ctx context.Context, as string) error {
		return s.session(ctx, func(a *session) error { return a.exec(statementLimit, "ALTER ROLE "+quote(role)+" "+as) })
	}
	if err := let(ctx, "LOGIN PASSWORD "+literal(verifier)); err != nil {
		return err
	}
	at, err := parseAddress(s.address().forApp(name, role, password))
	if err == nil {
		err = from(ctx, at, name, appSchema)
	}
	return errors.Join(err, let(context.WithoutCancel(ctx), "NOLOGIN PASSWORD NULL"))
}

// rename gives the content of a copy another identity.
func (e *Engine) rename(a *session, id store.Identity) error {
	var version int
	if err := a.query(`SELECT schema_version FROM `+schemaName+`.identity`, nil, &version); err != nil {
		return fmt.Errorf("%w: the copy has no identity: %w", store.ErrDamaged, err)
	}
	if version > len(e.portalSteps) {
		return store.TooNew("The copy", version, len(e.portalSteps))
	}
	return a.transact(context.Background(), func(q store.SQL) error {
		n, err := q.Exec(`UPDATE `+schemaName+`.identity SET portal_id = $1, generation = $2, epoch = $3`, id.PortalID, id.Generation, id.Epoch)
		if err == nil && n != 1 {
			err = portico.Errorf(portico.KindUnavailable, "The copy holds %d identities.", n)
		}
		return err
	})
}

// RestoreRegistry fills a registry from a copy that Backup wrote. The database
// must be empty, or not be there, and its server hold no portals: theirs are to
// be made, and could not be told from those of the copy. mark says in the
// registry that the rest is to come. Until it has, no server starts on it.
func RestoreRegistry(ctx context.Context, cfg Config, path string, mark func(store.SQL) error) (err error) {
	e, err := build(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	own := e.clusters.own
	if err := own.examineRegistry(ctx, false); err != nil {
		return err
	}
	err = own.session(ctx, func(a *session) error {
		var tables, portals int
		err := a.query(`SELECT (SELECT COUNT(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')),
			(SELECT COUNT(*) FROM pg_database WHERE datname LIKE 'p\_%' ESCAPE '\')`, nil, &tables, &portals)
		if err == nil && tables+portals > 0 {
			err = portico.Errorf(portico.KindConflict,
				"At %s there are %d tables in the registry's database and %d databases of portals. Restore into a database that does not exist, on a server without portals.",
				own.address().url.Redacted(), tables, portals)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := own.remark(ctx, restoring); err != nil {
		return err
	}
	err = runProgram(ctx, own.address(), nil, io.Discard, "pg_restore", own.database,
		"--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", path)
	if err != nil {
		return err
	}
	if err := e.points.Hit(ctx, FailRestoreFilled); err != nil {
		return err
	}
	err = own.session(ctx, func(a *session) error {
		begin := "BEGIN; SET LOCAL search_path = " + schemaName
		return a.within(begin, func() error { return a.transact(ctx, mark) })
	})
	if err != nil {
		return err
	}
	return own.remark(ctx, "")
}

// restoring is the comment of a registry's database while it is filled: the
// program that fills it commits before anything of ours can be written.
const restoring = "portico restore: not at its end"

func (s *server) remark(ctx context.Context, text string) error {
	return s.session(ctx, func(a *session) error {
		return a.exec(statementLimit, "COMMENT ON DATABASE "+quote(s.database)+" IS "+literal(text))
	})
}

// refuseRestoring refuses a registry that was being filled from a copy.
func (s *server) refuseRestoring(ctx context.Context) error {
	return s.session(ctx, func(a *session) error {
		var text string
		err := a.query(`SELECT COALESCE(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = current_database()`, nil, &text)
		if err == nil && text == restoring {
			err = store.RestoreUnfinished()
		}
		return err
	})
}
