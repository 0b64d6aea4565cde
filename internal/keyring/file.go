package keyring

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxFileSize bounds what is read of a secret's file: 44 characters, white
// space, and room for a mistake that the message should name.
const maxFileSize = 1024

// LoadOrCreate reads the secret's file of a data folder, or makes it with a new
// random secret when there is none. A file that a crash cut short never stands
// under the path, and of two processes that start at once one makes the file
// and both use it.
//
// The file must be a regular one that only its owner may read: a symbolic link,
// or a file open to the group or to others, is refused.
func LoadOrCreate(path string) (*Ring, error) {
	ring, err := loadPrivate(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return ring, err
	}
	if err := create(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making the secret key's file: %w", err)
	}
	return loadPrivate(path)
}

// ReadFile reads a secret's file that the operator provides. Unlike the file of
// a data folder it may be a link and open for reading, because that is how
// container platforms mount secrets; it must not be open for writing to the
// group or to others.
func ReadFile(path string) (*Ring, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the secret key's file: %w", err)
	}
	return load(path, info, 0o022, "chmod go-w")
}

func loadPrivate(path string) (*Ring, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("the secret key's file: %w", err)
	}
	return load(path, info, 0o077, "chmod 600")
}

// load reads the file that info describes. The check is repeated on the opened
// file, so that one put in its place meanwhile is not read.
func load(path string, info fs.FileInfo, forbidden fs.FileMode, remedy string) (*Ring, error) {
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the secret key's file %s is not a regular file (%s)", path, info.Mode().Type())
	}
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("the secret key's file: %w", err)
	}
	defer func() { _ = f.Close() }() // it is only read
	opened, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("the secret key's file: %w", err)
	}
	if !os.SameFile(info, opened) {
		return nil, fmt.Errorf("the secret key's file %s was replaced while it was opened", path)
	}
	if mode := opened.Mode().Perm(); mode&forbidden != 0 {
		return nil, fmt.Errorf("the secret key's file %s is open to others (mode %04o); run: %s %s", path, mode, remedy, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("the secret key's file: %w", err)
	}
	if len(text) > maxFileSize {
		return nil, fmt.Errorf("the secret key's file %s is too long; %s", path, howToMake)
	}
	ring, err := Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", path, err)
	}
	return ring, nil
}

// create writes a complete file under another name and links it to the path,
// which fails when the path exists: exclusive and all or nothing in one step.
func create(path string) (err error) {
	_, text := Generate()
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-*") // O_EXCL, 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name()), syncFolder(dir)) }()
	_, err = f.WriteString(text + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the folder of the file that the operator names
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
