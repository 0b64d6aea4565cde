package sqlite

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"portico"
	"portico/internal/store"
)

var errSource = errors.New("sqlite: the copy to restore from cannot be read")

// translate turns what the driver reports into the kinds and sentinels that
// callers know. It decides by result code, never by text, and keeps the
// driver's error as the cause.
func translate(err error) error {
	code := codeOf(err)
	if code == 0 || store.Translated(err) {
		return err
	}
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return fmt.Errorf("%w: %w", store.ErrUnique, err)
	case sqlite3.SQLITE_IOERR_SHMSIZE: // the only way in which a full disk shows on the shared memory file
		return store.StorageFull(err)
	}
	switch code & 0xff {
	case sqlite3.SQLITE_FULL:
		return store.StorageFull(err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT:
		return unavailable(err)
	case sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
		return fmt.Errorf("%w: %w", store.ErrValue, err)
	}
	return err
}

func unavailable(cause error) error { return store.Unavailable(cause) }

// translateFile is translate for what the engine itself does to files.
func translateFile(err error) error {
	switch {
	case err == nil || store.Translated(err) || codeOf(err) != 0:
		return translate(err)
	case noRoom(err):
		return store.StorageFull(err)
	}
	return unavailable(err)
}

// codeOf returns the extended result code in err's chain, 0 when there is none.
func codeOf(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

// spoils reports whether SQLite may have given up the whole transaction over a
// statement that failed with this code.
func spoils(code int) bool {
	switch code & 0xff {
	case 0, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH,
		sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_SCHEMA:
		return false
	}
	return true
}

// unsure reports whether, after this code, what is on the disk is not known:
// a write or a sync failed, and the kernel may have dropped the pages.
func unsure(code int) bool {
	return code&0xff == sqlite3.SQLITE_IOERR &&
		code != sqlite3.SQLITE_IOERR_SHMSIZE && code != sqlite3.SQLITE_IOERR_NOMEM
}

// readOnly reports whether a connection may not write: SQLite opens one so when
// it may only read the file, and it stays so when the file may be written again.
func readOnly(code int) bool { return code&0xff == sqlite3.SQLITE_READONLY }

// isFull reports whether err says that there is no room.
func isFull(err error) bool { return portico.KindOf(translate(err)) == portico.KindStorageFull }
