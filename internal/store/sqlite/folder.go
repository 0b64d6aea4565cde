package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"portico"
	"portico/internal/store"
)

// The names in the data folder.
const (
	lockName       = "portico.lock"
	registryName   = "registry.db"
	reserveName    = "reserve"
	portalsName    = "portals"
	templateName   = "template"
	quarantineName = "quarantine"
)

// The files that SQLite keeps beside a database.
const (
	walSuffix     = "-wal"
	shmSuffix     = "-shm"
	journalSuffix = "-journal"
)

// temporaryMark is in the name of a database that is not in place yet:
// <name>.db.new-<random>.
const temporaryMark = ".db.new-"

// folder is the data folder. All that the engine itself does to files goes
// through root, so that no name, however made, leads out of it.
//
// A file that SQLite may have open in this process is never opened by other
// means: closing any descriptor of it would end SQLite's locks on it.
type folder struct {
	path string // absolute
	root *os.Root
	self *os.File // the folder, for what root has no call for
	lock *os.File // held by a server
}

func openFolder(path string) (*folder, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if strings.ContainsRune(abs, 0) {
		return nil, fmt.Errorf("data folder %q: not a path", abs)
	}
	info, err := os.Lstat(abs)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(abs, 0o700); err != nil {
			return nil, fmt.Errorf("make the data folder: %w", err)
		}
		info, err = os.Lstat(abs)
	}
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := ownFolder(info); err != nil {
		return nil, fmt.Errorf("data folder %s: %w", abs, err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	self, err := root.Open(".")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("data folder: %w", err), root.Close())
	}
	return &folder{path: abs, root: root, self: self}, nil
}

// takeLock makes this process the one server of the folder.
func (f *folder) takeLock() error {
	file, err := f.root.OpenFile(lockName, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock the data folder: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		f.lock = file
		return nil
	}
	err = errors.Join(err, file.Close())
	if errors.Is(err, unix.EWOULDBLOCK) {
		return portico.WrapError(portico.KindConflict, err,
			"Another server uses the data folder %s. Stop it first, or give this one a folder of its own.", f.path)
	}
	return fmt.Errorf("lock the data folder: %w", err)
}

func (f *folder) dropLock() error {
	if f.lock == nil {
		return nil
	}
	err := f.lock.Close()
	f.lock = nil
	return err
}

func (f *folder) close() error { return errors.Join(f.dropLock(), f.self.Close(), f.root.Close()) }

func (f *folder) abs(rel string) string { return filepath.Join(f.path, rel) }

// sync makes what was created, renamed or removed in a folder durable.
func (f *folder) sync(rel string) error {
	d, err := f.root.Open(rel)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// mkdir makes a folder in another one, durably. It may be there already.
func (f *folder) mkdir(rel string) error {
	err := f.root.Mkdir(rel, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.sync(filepath.Dir(rel))
}

// remove removes a file or an empty folder that may be gone already.
func (f *folder) remove(rel string) error {
	if err := f.root.Remove(rel); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// fileID tells a file from another of the same name.
type fileID struct{ device, inode uint64 }

// inspect checks a database's file and those beside it before SQLite opens
// them: regular, ours alone to write, with one name, in folders of ours.
func (f *folder) inspect(rel string) (fileID, error) {
	for dir := filepath.Dir(rel); dir != "."; dir = filepath.Dir(dir) {
		info, err := os.Lstat(f.abs(dir))
		if err != nil {
			return fileID{}, missing(err)
		}
		if err := ownFolder(info); err != nil {
			return fileID{}, fmt.Errorf("%w: folder %s: %w", store.ErrDamaged, dir, err)
		}
	}
	id, err := f.identify(rel)
	if err != nil {
		return fileID{}, err
	}
	for _, suffix := range []string{walSuffix, shmSuffix, journalSuffix} {
		if _, err := f.identify(rel + suffix); err != nil && !errors.Is(err, store.ErrAbsent) {
			return fileID{}, err
		}
	}
	return id, nil
}

// identify checks one file and says which it is.
func (f *folder) identify(rel string) (fileID, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(int(f.self.Fd()), rel, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fileID{}, missing(err)
	}
	var wrong string
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		wrong = "is not a regular file"
	case int64(st.Uid) != int64(os.Geteuid()):
		wrong = "belongs to another user"
	case st.Nlink != 1:
		wrong = "has more than one name"
	case st.Mode&0o022 != 0:
		wrong = "can be written by others"
	default:
		return fileID{device: uint64(st.Dev), inode: st.Ino}, nil //nolint:unconvert // the type differs between systems
	}
	return fileID{}, fmt.Errorf("%w: %s %s", store.ErrDamaged, rel, wrong)
}

func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return store.ErrAbsent
	}
	return unavailable(err)
}

func ownFolder(info fs.FileInfo) error {
	switch st, ok := info.Sys().(*syscall.Stat_t); {
	case info.Mode()&fs.ModeSymlink != 0:
		return errors.New("is a symbolic link; name the folder itself")
	case !info.IsDir():
		return errors.New("is not a folder")
	case ok && int64(st.Uid) != int64(os.Geteuid()):
		return errors.New("belongs to another user; chown it to the user that runs portico")
	case info.Mode().Perm()&0o022 != 0:
		return errors.New("can be written by others; chmod it to 0700")
	}
	return nil
}

// portalFolder returns the folder of a portal's files. Ids begin with the
// time, so their ends are what spreads.
func portalFolder(portalID string) string {
	raw := strings.TrimPrefix(portalID, portico.PrefixPortal)
	return filepath.Join(portalsName, raw[len(raw)-2:], raw)
}

// portalFile returns the path of a database by its name, which is checked.
func portalFile(name string) (rel string, err error) {
	portalID, _, ok := portico.ParseDatabaseName(name)
	if !ok {
		return "", fmt.Errorf("sqlite: %q is no database name", name)
	}
	return filepath.Join(portalFolder(portalID), name+".db"), nil
}

// nameOf returns the database name of an identity, which is checked: a name
// is never made from anything else.
func nameOf(id store.Identity) (string, error) {
	if !portico.ValidID(id.PortalID, portico.PrefixPortal) || id.Generation < 1 {
		return "", fmt.Errorf("sqlite: %+v identifies no database", id)
	}
	return portico.DatabaseName(id.PortalID, id.Generation), nil
}
