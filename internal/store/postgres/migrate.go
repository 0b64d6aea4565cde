package postgres

import (
	"context"
	"errors"
	"strconv"

	"portico/internal/store"
)

// schemaName is the schema of all tables of ours, in the registry and in every
// portal's database. The app's role has no rights in it.
const schemaName = "portico"

// registryLock is taken by who changes the registry's schema.
const registryLock = "registry"

// migrateRegistry brings the registry to the newest schema version, one step a
// transaction, one node at a time.
func (e *Engine) migrateRegistry(ctx context.Context) error {
	steps, err := store.RegistryMigrations()
	if err != nil {
		return err
	}
	return e.clusters.own.session(ctx, func(a *session) error {
		if err := a.lock(ctx, registryLock); err != nil {
			return err
		}
		if err := a.prepareRegistry(); err != nil {
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

// closeRegistry keeps everybody else out of a registry's database that was there
// before us, the portals' apps above all, where it is ours to close.
const closeRegistry = `DO $$BEGIN
	IF pg_has_role((SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE') THEN
		EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
	END IF; END$$`

// prepareRegistry makes the schema and has it looked into first by every
// connection of our role.
func (a *session) prepareRegistry() error {
	var there bool
	err := a.query(`SELECT to_regclass('`+schemaName+`.schema_version') IS NOT NULL`, nil, &there)
	if err != nil || there {
		return err
	}
	return a.exec(statementLimit,
		`CREATE SCHEMA IF NOT EXISTS `+schemaName,
		lookInto(a.server.database),
		closeRegistry,
		`CREATE TABLE `+schemaName+`.schema_version (version BIGINT NOT NULL)`,
		`INSERT INTO `+schemaName+`.schema_version VALUES (0)`)
}

// lookInto makes our tables the ones that our role finds in a database.
func lookInto(database string) string {
	return `ALTER ROLE CURRENT_USER IN DATABASE ` + quote(database) + ` SET search_path = ` + schemaName
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
