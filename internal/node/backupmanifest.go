package node

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"portico"
)

// ManifestFile is the name of the list of what a backup holds. It is written
// last: a folder without it is no backup.
const ManifestFile = "manifest.json"

const (
	manifestFormat = 1
	backupPortals  = "portals"
)

// Manifest says what a backup holds.
type Manifest struct {
	Format        int             `json:"format"`
	Version       string          `json:"version"` // of the program that wrote it
	MadeAt        time.Time       `json:"made_at"`
	Epoch         string          `json:"epoch"`              // of the registry
	Engine        string          `json:"engine,omitempty"`   // postgres; empty: sqlite
	Secret        string          `json:"secret_fingerprint"` // of the secret that it needs and does not hold
	Organizations int             `json:"organizations"`
	Portals       int             `json:"portals"`
	Guests        int             `json:"guests"`
	Files         []BackupFile    `json:"files"`
	Missing       []BackupMissing `json:"missing"`
}

// enginePostgres says that a backup's files are pg_dump's, in its custom format.
const enginePostgres = "postgres"

// engineOf returns the engine that a configuration names, as a manifest does.
func engineOf(config Config) string {
	if config.DatabaseURL != "" {
		return enginePostgres
	}
	return ""
}

// BackupFile is a file of a backup: the registry, a portal's database, or its
// app's.
type BackupFile struct {
	Name     string `json:"name"`
	PortalID string `json:"portal_id,omitempty"` // empty for the registry
	App      bool   `json:"app,omitempty"`       // the portal's app's own file, which goes with the portal's
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
}

// BackupMissing is a portal of the registry whose database is not in the
// backup. Lost says that it should be.
type BackupMissing struct {
	PortalID string `json:"portal_id"`
	Reason   string `json:"reason"`
	Lost     bool   `json:"lost"`
}

// ReadManifest reads what a backup says of itself.
func ReadManifest(dir string) (Manifest, error) {
	var m Manifest
	raw, err := os.ReadFile(filepath.Join(dir, ManifestFile)) //nolint:gosec // the operator names the folder
	if errors.Is(err, fs.ErrNotExist) {
		return m, portico.Errorf(portico.KindNotFound, "%s is no backup, or one that was cut short: it has no %s.", dir, ManifestFile)
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, portico.WrapError(portico.KindInvalid, err, "%s of %s cannot be read.", ManifestFile, dir)
	}
	if m.Format != manifestFormat {
		return m, portico.Errorf(portico.KindInvalid,
			"The backup %s has format %d, this program knows %d. Use the version that wrote it: %s.", dir, m.Format, manifestFormat, m.Version)
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) {
			return m, portico.Errorf(portico.KindInvalid, "The backup %s names a file outside of itself: %q.", dir, f.Name)
		}
	}
	return m, nil
}

// path returns where a file of the backup in dir is.
func (f BackupFile) path(dir string) string { return filepath.Join(dir, filepath.FromSlash(f.Name)) }

// verify compares a file with what the manifest says of it.
func (f BackupFile) verify(dir string) error {
	size, sum, err := digest(f.path(dir))
	if err == nil && (size != f.Size || sum != f.SHA256) {
		err = errors.New("its checksum differs from the manifest's")
	}
	if err != nil {
		return portico.WrapError(portico.KindInvalid, nil, "The backup is damaged: %s: %s. Use another one.", f.Name, err)
	}
	return nil
}

// registry returns the registry's file.
func (m Manifest) registry() (BackupFile, error) { return m.file("") }

// file returns the file of a portal, of the registry without one.
func (m Manifest) file(portalID string) (BackupFile, error) {
	for _, f := range m.Files {
		if f.PortalID == portalID && !f.App {
			return f, nil
		}
	}
	for _, miss := range m.Missing {
		if miss.PortalID == portalID {
			return BackupFile{}, portico.Errorf(portico.KindNotFound, "The backup knows portal %s but has no copy of its database: %s.", portalID, miss.Reason)
		}
	}
	return BackupFile{}, portico.Errorf(portico.KindNotFound, "The backup holds nothing of %q.", portalID)
}

// Copied returns how many portals the backup has the databases of.
func (m Manifest) Copied() int {
	n := 0
	for _, f := range m.Files {
		if f.PortalID != "" && !f.App {
			n++
		}
	}
	return n
}

// digest returns a file's size and the SHA-256 of its content.
func digest(path string) (size int64, sum string, err error) {
	f, err := os.Open(path) //nolint:gosec // a file of a backup that the operator names
	if err != nil {
		return 0, "", err
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return 0, "", err
	}
	if !info.Mode().IsRegular() {
		return 0, "", fmt.Errorf("%s is not a regular file", path)
	}
	hash := sha256.New()
	size, err = io.Copy(hash, f)
	return size, hex.EncodeToString(hash.Sum(nil)), err
}
