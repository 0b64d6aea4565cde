package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"portico/internal/lifecycle"
	"portico/internal/store"
	"portico/internal/store/postgres"
)

// CheckStatus is how a check came out.
type CheckStatus string

// The outcomes of a check, from good to bad.
const (
	CheckOK   CheckStatus = "ok"
	CheckWarn CheckStatus = "warn" // works, and somebody should look
	CheckFail CheckStatus = "fail" // does not work
)

// Check is one thing that Examine looked at.
type Check struct {
	Name   string      `json:"name"`
	Status CheckStatus `json:"status"`
	Text   string      `json:"text"`
	Portal string      `json:"portal_id,omitempty"`
}

// The limits below which Examine complains.
const (
	fewFiles    = 1024
	lowSpace    = 1 << 30
	noSpace     = 64 << 20
	filesOfEach = 7 // files that an open portal takes at most
	looseShown  = 5
)

// Examine looks at an installation, beside a running server too, and changes
// nothing about it.
func Examine(ctx context.Context, config Config, o Options) []Check {
	var checks []Check
	if config.DatabaseURL == "" {
		checks = []Check{checkFolder(config.Data)}
		if checks[0].Status == CheckFail {
			return checks
		}
		checks = append(checks, checkModes(config.Data), checkSpace(config.Data))
	} else {
		checks = append(checks, checkPrograms())
	}
	checks = append(checks, checkSecretFile(config), checkFiles(config))
	if failed(checks, "secret") {
		// Opening the parts would make a new secret, or end at the wrong one.
		return append(checks, Check{Name: "registry", Status: CheckWarn, Text: "not looked at: the secret comes first"})
	}
	o.Existing = true
	core, err := OpenCore(config, false, o)
	if err != nil {
		return append(checks, Check{Name: "registry", Status: CheckFail, Text: err.Error()})
	}
	defer core.Close()
	return append(checks, core.examine(ctx)...)
}

func failed(checks []Check, name string) bool {
	return slices.ContainsFunc(checks, func(c Check) bool { return c.Name == name && c.Status == CheckFail })
}

// checkPrograms looks for what backups and moves are made by. Serving needs none.
func checkPrograms() Check {
	if err := postgres.CheckPrograms(); err != nil {
		return Check{Name: "programs", Status: CheckWarn, Text: err.Error()}
	}
	return Check{Name: "programs", Status: CheckOK, Text: "pg_dump and pg_restore are there"}
}

func checkFolder(data string) Check {
	c := Check{Name: "data folder", Status: CheckOK, Text: data}
	info, err := os.Lstat(data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Status, c.Text = CheckFail, "there is no folder "+data+"; name the folder with --data"
	case err != nil:
		c.Status, c.Text = CheckFail, err.Error()+"; name the folder with --data"
	case info.Mode()&fs.ModeSymlink != 0:
		c.Status, c.Text = CheckFail, data+" is a symbolic link; name the folder itself"
	case !info.IsDir():
		c.Status, c.Text = CheckFail, data+" is not a folder"
	case !exists(filepath.Join(data, registryFile)):
		c.Status, c.Text = CheckFail, "there is no data in "+data+"; name the folder with --data"
	case exists(filepath.Join(data, restoringFile)):
		c.Status, c.Text = CheckFail, "a restore into "+data+" did not come to its end; empty the folder and restore again"
	}
	return c
}

// checkModes looks for what others than the owner may read or write.
func checkModes(data string) Check {
	var loose []string
	count := 0
	err := filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return nil //nolint:nilerr // gone since it was listed
		}
		count++
		if info.Mode().Perm()&0o077 != 0 {
			loose = append(loose, path)
		}
		return nil
	})
	switch {
	case err != nil:
		return Check{Name: "modes", Status: CheckFail, Text: err.Error()}
	case len(loose) > 0:
		text := fmt.Sprintf("%d open to others, such as %v; run: chmod -R go= %s", len(loose), loose[:min(len(loose), looseShown)], data)
		return Check{Name: "modes", Status: CheckFail, Text: text}
	}
	return Check{Name: "modes", Status: CheckOK, Text: fmt.Sprintf("%d files and folders, all private", count)}
}

func checkSecretFile(config Config) Check {
	ring, err := haveRing(config)
	if err != nil {
		return Check{Name: "secret", Status: CheckFail, Text: err.Error()}
	}
	where := "from the environment"
	if config.SecretKey == "" {
		where = filepath.Join(config.Data, SecretFile) + "; keep a copy elsewhere, no backup holds it"
	}
	return Check{Name: "secret", Status: CheckOK, Text: ring.Fingerprint() + ", " + where}
}

func checkFiles(config Config) Check {
	c := Check{Name: "open files", Status: CheckOK}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return Check{Name: c.Name, Status: CheckWarn, Text: err.Error()}
	}
	most := uint64(limit.Max) //nolint:unconvert // the type differs between systems
	c.Text = fmt.Sprintf("at most %d", most)
	if need := uint64(config.OpenPortals) * filesOfEach; most < need+fewFiles {
		c.Status = CheckWarn
		c.Text += fmt.Sprintf("; %d open portals may need %d: raise it (ulimit -n, LimitNOFILE)", config.OpenPortals, need+fewFiles)
	}
	return c
}

func checkSpace(data string) Check {
	c := Check{Name: "disk space", Status: CheckOK}
	var st unix.Statfs_t
	if err := unix.Statfs(data, &st); err != nil {
		return Check{Name: c.Name, Status: CheckWarn, Text: err.Error()}
	}
	free := st.Bavail * uint64(st.Bsize)
	c.Text = fmt.Sprintf("%d MiB free", free>>20)
	switch {
	case free < noSpace:
		c.Status = CheckFail
	case free < lowSpace:
		c.Status = CheckWarn
	}
	return c
}

// examine looks at what the registry says and whether the databases agree.
func (c *Core) examine(ctx context.Context) []Check {
	var waiting, jobs, portals int
	err := c.Store.View(ctx, func(tx *store.Tx) (err error) {
		states, err := tx.CountPortals()
		if err != nil {
			return err
		}
		portals = 0
		for _, n := range states {
			portals += n
		}
		if jobs, err = tx.CountJobs(); err != nil {
			return err
		}
		waiting, _, err = tx.OutboxDepth()
		return err
	})
	if err != nil {
		return []Check{{Name: "registry", Status: CheckFail, Text: err.Error()}}
	}
	checks := []Check{
		{Name: "registry", Status: CheckOK, Text: fmt.Sprintf("%d portals, %d jobs and %d mails wait", portals, jobs, waiting)},
	}
	checks = append(checks, c.checkServers(ctx)...)
	findings, err := c.Lifecycle.Survey(ctx, -1)
	if err != nil {
		return append(checks, Check{Name: "portals", Status: CheckFail, Text: err.Error()})
	}
	if len(findings) == 0 {
		return append(checks, Check{Name: "portals", Status: CheckOK, Text: "every database was read through and agrees with the registry"})
	}
	for _, f := range findings {
		checks = append(checks, checkOf(f))
	}
	return checks
}

// checkOf says what a finding means to a person.
func checkOf(f lifecycle.Finding) Check {
	c := Check{Name: "portals", Status: CheckWarn, Text: f.Text, Portal: f.PortalID}
	if f.Database != "" {
		c.Text = f.Database + ": " + f.Text
	}
	lost := f.Remedy == lifecycle.RemedyMark || (f.Remedy == lifecycle.RemedyReport && strings.HasPrefix(f.Text, "unavailable"))
	switch {
	case lost:
		c.Status = CheckFail
		c.Text += "; put the file back, or restore it with 'portico restore DIR --portal " + f.PortalID + "'"
	case strings.HasPrefix(f.Text, "not served"): // it says itself until when
		c.Status = CheckFail
	case f.Remedy == lifecycle.RemedyReport:
		c.Text += "; left for a person to judge"
	default:
		c.Text += "; a running server mends it within a minute (" + string(f.Remedy) + ")"
	}
	return c
}
