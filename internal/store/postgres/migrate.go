package postgres

import (
	"context"
	"errors"
	"strconv"

	"portico"
	"portico/internal/store"
)

// schemaName is the schema of all tables of ours, in the registry and in every
// portal's database. The app's role has no rights in it.
const schemaName = "portico"

// registryLock is taken by who changes the registry's schema.
const registryLock = "registry"

// migrateRegistry brings the registry to the newest schema version, one step a
// transaction, one node at a time. existing refuses to make one.
func (e *Engine) migrateRegistry(ctx context.Context, existing bool) error {
	steps, err := store.RegistryMigrations()
	if err != nil {
		return err
	}
	return e.clusters.own.session(ctx, func(a *session) error {
		if err := a.lock(ctx, registryLock); err != nil {
			return err
		}
		if err := a.prepareRegistry(existing); err != nil {
			return err
		}
		var version int
		if err := a.query(`SELECT version FROM `+schemaName+`.schema_version`, nil, &version); err != nil {
			return err
		}
		if version > len(steps) {
			return store.TooNew("The registry", version, len(steps))
		}
		for ; version < len(steps); version++ {
			done := `UPDATE schema_version SET version = ` + strconv.Itoa(version+1)
			if err := e.migrateOnce(ctx, a.conn, steps[version].SQL, done); err != nil {
				return err
			}
		}
		return nil
	})
}

// prepareRegistry makes the schema where there is none, has it looked into first
// by every connection of our role, and keeps everybody else out, the portals'
// apps above all. existing refuses to make one.
func (a *session) prepareRegistry(existing bool) error {
	there, err := a.holdsRegistry()
	if err == nil && !there && existing {
		err = a.server.noRegistry()
	}
	if err != nil {
		return err
	}
	if err := a.closeRegistry(); err != nil || there {
		return err
	}
	return a.exec(statementLimit,
		`CREATE SCHEMA IF NOT EXISTS `+schemaName,
		`CREATE TABLE `+schemaName+`.schema_version (version BIGINT NOT NULL)`,
		`INSERT INTO `+schemaName+`.schema_version VALUES (0)`)
}

// holdsRegistry reports whether the database that we are connected to holds a
// registry. One that holds something else is refused: it is somebody's.
func (a *session) holdsRegistry() (there bool, err error) {
	var foreign int
	err = a.query(`SELECT to_regclass('`+schemaName+`.schema_version') IS NOT NULL,
		(SELECT COUNT(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND NOT starts_with(n.nspname, 'pg_')
		AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))`,
		nil, &there, &foreign)
	if err == nil && !there && foreign > 0 {
		err = portico.Errorf(portico.KindConflict,
			"The database %s at %s holds %d tables and views of something else, and no registry. Name a database that does not exist, and it is made.",
			a.server.database, a.server.address().url.Redacted(), foreign)
	}
	return there, err
}

// closeRegistry closes the registry's database to everybody but us, and refuses
// one that is not ours to close, or to make tables in.
func (a *session) closeRegistry() error {
	var ours, open, rights bool
	var owner, user string
	err := a.query(`SELECT pg_has_role(datdba, 'USAGE'), has_database_privilege('public', oid, 'CONNECT'), has_database_privilege(oid, 'CREATE'),
		pg_get_userbyid(datdba), current_user FROM pg_database WHERE datname = current_database()`, nil, &ours, &open, &rights, &owner, &user)
	if err != nil {
		return err
	}
	database := quote(a.server.database)
	if !ours && (open || !rights) {
		return portico.Errorf(portico.KindUnavailable,
			"The registry's database %s at %s belongs to %s, and is open to others or closed to us. Run there as a superuser: ALTER DATABASE %s OWNER TO %s;",
			a.server.database, a.server.address().url.Redacted(), owner, database, quote(user))
	}
	statements := []string{lookInto(a.server.database)}
	if open {
		statements = append(statements, "REVOKE ALL ON DATABASE "+database+" FROM PUBLIC")
	}
	return a.exec(statementLimit, statements...)
}

// lookInto makes our tables the ones that our role finds in a database, and
// ends its transactions that stand still: the locks of a process that was
// stopped in one would keep everybody else waiting.
func lookInto(database string) string {
	ours := `ALTER ROLE CURRENT_USER IN DATABASE ` + quote(database) + ` SET `
	return ours + `search_path = ` + schemaName + `; ` + ours + `idle_in_transaction_session_timeout = '10s'`
}

// migrateOnce takes one step, with the statement that notes it, in a
// transaction.
func (e *Engine) migrateOnce(ctx context.Context, c *conn, step, done string) error {
	c.link.limit = createLimit
	defer func() { c.link.limit = statementLimit }()
	_, err := c.link.run("BEGIN; SET LOCAL search_path = " + schemaName + ";\n" + step + ";\n" + done)
	if err == nil {
		err = e.points.Hit(ctx, FailMigrateStep)
	}
	if err == nil {
		_, err = c.link.run("COMMIT")
	}
	if err != nil {
		_, rollback := c.link.run("ROLLBACK")
		return errors.Join(translate(err), rollback)
	}
	return nil
}

// migratePortal brings a portal's database from an older schema version to the
// newest. Another node may do the same: the identity row makes one wait.
func (e *Engine) migratePortal(ctx context.Context, d *database) error {
	c, err := d.begin(ctx, "BEGIN; ROLLBACK")
	if err != nil {
		return err
	}
	defer c.finish()
	for {
		var version int
		if err := c.query(`SELECT schema_version FROM identity`, nil, &version); err != nil {
			return err
		}
		if version >= len(e.portalSteps) {
			return nil
		}
		now, next := strconv.Itoa(version), strconv.Itoa(version+1)
		claim := `DO $$BEGIN PERFORM 1 FROM identity WHERE schema_version = ` + now + ` FOR UPDATE;
			IF NOT FOUND THEN RAISE serialization_failure; END IF; END$$;`
		err := e.migrateOnce(ctx, c, claim+e.portalSteps[version].SQL, `UPDATE identity SET schema_version = `+next)
		if err != nil && !collided(codeOf(err)) {
			return err
		}
	}
}
