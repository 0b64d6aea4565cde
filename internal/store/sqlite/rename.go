package sqlite

import (
	"errors"
	"io/fs"
	"os"
)

// renameChecked is renameNew in two steps, for systems without it in one. The
// engine's claim on the name keeps others of this process from coming between.
func renameChecked(from, to string) error {
	_, err := os.Lstat(to)
	if err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(from, to)
}
