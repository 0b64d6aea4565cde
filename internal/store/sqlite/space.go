package sqlite

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"syscall"

	sqlite3 "modernc.org/sqlite/lib"

	"portico/internal/store"
)

// noRoom reports whether the system refused a write for want of room: on the
// storage, in a quota, or in the size that a file may have.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// probeSize is how much room is looked for.
const probeSize = 64 << 10

// explain returns what an error of a transaction means. SQLite keeps a full
// storage apart from other failures, but not a quota, nor a limit on the size
// of files: those are found by asking the system ourselves.
func (d *database) explain(cause error) error {
	if codeOf(cause) == sqlite3.SQLITE_IOERR_WRITE && noRoom(d.probe()) {
		return store.StorageFull(cause)
	}
	return translate(cause)
}

// probe writes as far into a file as the database or its WAL reaches. The file
// has lost its name by then, so that nothing is left of it.
func (d *database) probe() error {
	var reach int64
	for _, path := range []string{d.path, d.path + walSuffix} {
		if info, err := os.Lstat(path); err == nil {
			reach = max(reach, info.Size())
		}
	}
	content := make([]byte, probeSize)
	if _, err := rand.Read(content); err != nil {
		return err
	}
	path := strings.TrimSuffix(d.path, ".db") + temporaryMark + hex.EncodeToString(content[:8])
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // in the data folder
	if err != nil {
		return err
	}
	if err = os.Remove(path); err == nil {
		_, err = f.WriteAt(content, reach)
	}
	return errors.Join(err, f.Sync(), f.Close())
}
