package sqlite

// The points at which a test makes an engine die, fail or wait.
const (
	FailCommitBefore = "sqlite.commit.before" // the closures ran, nothing is committed
	FailCommitAfter  = "sqlite.commit.after"  // durable; an error counts as a failed sync

	FailMigrateStep = "sqlite.migrate.step" // a step ran, its transaction is open

	FailCreateFolder  = "sqlite.create.folder"  // the folder is there
	FailCreateWritten = "sqlite.create.written" // the temporary file is written, not synced
	FailCreateSynced  = "sqlite.create.synced"  // synced, not in place
	FailCreateRenamed = "sqlite.create.renamed" // in place, the folder not synced
	FailCreateDone    = "sqlite.create.done"    // durable, nobody knows

	FailDropDrained  = "sqlite.drop.drained"  // closed to all, nothing removed
	FailDropDatabase = "sqlite.drop.database" // the file is gone, its WAL may be there
	FailDropFiles    = "sqlite.drop.files"    // all files are gone, the folder is there
	FailDropDone     = "sqlite.drop.done"     // all is gone, nobody knows

	FailQuarantineMoved = "sqlite.quarantine.moved" // the file is moved, its WAL is not
	FailBackupWritten   = "sqlite.backup.written"   //nolint:gosec // no credential; the copy is written, not synced
)

// FailPoints returns the names of all points of this package.
func FailPoints() []string {
	return []string{
		FailCommitBefore, FailCommitAfter, FailMigrateStep,
		FailCreateFolder, FailCreateWritten, FailCreateSynced, FailCreateRenamed, FailCreateDone,
		FailDropDrained, FailDropDatabase, FailDropFiles, FailDropDone,
		FailQuarantineMoved, FailBackupWritten,
	}
}
