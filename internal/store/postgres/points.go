package postgres

// The points at which a test makes an engine die, fail or wait.
const (
	FailCommitBefore = "postgres.commit.before" // the closure ran, nothing is committed
	FailCommitAfter  = "postgres.commit.after"  // durable; an error counts as an unknown outcome

	FailMigrateStep = "postgres.migrate.step" // a step ran, its transaction is open

	FailCreateDatabase = "postgres.create.database" // it is there, closed to all
	FailCreateGrants   = "postgres.create.grants"   // closed to others, without an identity
	FailCreateIdentity = "postgres.create.identity" // usable, not marked
	FailCreateDone     = "postgres.create.done"     // marked, nobody knows

	FailDropFenced   = "postgres.drop.fenced"   // no one may connect any more
	FailDropDatabase = "postgres.drop.database" // the database is gone, its role is there
	FailDropDone     = "postgres.drop.done"     // all is gone, nobody knows

	FailQuarantineMoved = "postgres.quarantine.moved" // renamed, connections are not refused yet
	FailBackupWritten   = "postgres.backup.written"   //nolint:gosec // the copy is written, not synced
	FailRestoreFilled   = "postgres.restore.filled"   // a registry is filled, and not marked
)

// FailPoints returns the names of all points of this package.
func FailPoints() []string {
	return []string{
		FailCommitBefore, FailCommitAfter, FailMigrateStep,
		FailCreateDatabase, FailCreateGrants, FailCreateIdentity, FailCreateDone,
		FailDropFenced, FailDropDatabase, FailDropDone,
		FailQuarantineMoved, FailBackupWritten, FailRestoreFilled,
	}
}
