package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"portico"
	"portico/internal/store"
)

// DemoFile is the name of the file, in a data folder that was seeded, with what
// a person needs to sign in.
const DemoFile = "demo.json"

// Demo is what a seeded installation tells about itself.
type Demo struct {
	URL      string        `json:"url"`
	Accounts []DemoAccount `json:"accounts"`
	Portals  []DemoPortal  `json:"portals"`
}

// DemoAccount is somebody who can sign in, with an unrestricted personal access
// token for the organization.
type DemoAccount struct {
	Email            string                   `json:"email"`
	Password         string                   `json:"password"`
	Token            string                   `json:"token"`
	Role             portico.Role             `json:"role"`
	OrganizationID   string                   `json:"organization_id"`
	OrganizationKind portico.OrganizationKind `json:"organization_kind"`
}

// DemoPortal is a portal of the demonstration.
type DemoPortal struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

// demoRecord is what DemoFile holds.
type demoRecord struct {
	Epoch string `json:"epoch"` // of the registry that was seeded
	Demo
}

// OpenDemo serves a demonstration: it seeds an empty data folder, or serves the
// one that it seeded before, and refuses a folder with other data. It listens
// on loopback only and shows the outbox at /dev/mail.
func OpenDemo(ctx context.Context, config Config, o Options) (*Node, Demo, error) {
	if !loopback(config.Listen) || (config.OpsListen != "" && !loopback(config.OpsListen)) {
		return nil, Demo{}, portico.FieldErrorf("listen",
			"the demonstration listens on loopback only, such as 127.0.0.1:8010: its credentials are on the screen")
	}
	config.DevMail = true
	record, err := readDemo(config)
	if errors.Is(err, fs.ErrNotExist) {
		err = seedDemo(ctx, config, o)
		if err == nil {
			record, err = readDemo(config)
		}
	}
	if err != nil {
		return nil, Demo{}, err
	}
	n, err := Open(config, o)
	if err != nil {
		return nil, Demo{}, err
	}
	if record.Epoch != n.Store.Epoch() {
		n.Close()
		return nil, Demo{}, errNotDemo(config.Data)
	}
	demo := record.Demo
	if demo, err = n.describeDemo(ctx, demo); err != nil {
		n.Close()
		return nil, Demo{}, err
	}
	return n, demo, nil
}

func errNotDemo(where string) error {
	return portico.Errorf(portico.KindConflict,
		"%s holds data that no demonstration finished making, or whose %s is not at hand. Name an empty folder or registry, or no folder.", where, DemoFile)
}

// where returns where the data is, as it may be told.
func (c *Core) where() string {
	if c.Config.DatabaseURL != "" {
		return RedactURL(c.Config.DatabaseURL)
	}
	return c.Config.Data
}

// readDemo reads what an earlier seeding left; fs.ErrNotExist says that the
// folder is empty, or absent, and can be seeded.
func readDemo(config Config) (demoRecord, error) {
	var record demoRecord
	path := filepath.Join(config.Data, DemoFile)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(config.Data)
		if err != nil {
			return record, err
		}
		if len(entries) > 0 {
			return record, errNotDemo(config.Data)
		}
		return record, fs.ErrNotExist
	}
	if err != nil {
		return record, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return record, portico.Errorf(portico.KindConflict, "%s holds credentials and is open to others; run: chmod 600 %s", path, path)
	}
	raw, err := os.ReadFile(path) //nolint:gosec // in the data folder that the operator names
	if err == nil {
		err = json.Unmarshal(raw, &record)
	}
	if err != nil {
		return record, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return record, nil
}

// describeDemo adds what follows from where the demonstration listens and from
// what became of its portals.
func (n *Node) describeDemo(ctx context.Context, demo Demo) (Demo, error) {
	demo.URL = n.URL()
	err := n.Store.View(ctx, func(tx *store.Tx) error {
		portals := make([]DemoPortal, 0, len(demo.Portals))
		for _, p := range demo.Portals {
			row, err := tx.PortalByID(p.ID)
			if portico.KindOf(err) == portico.KindNotFound || (err == nil && !row.Found()) {
				continue
			}
			if err != nil {
				return err
			}
			portals = append(portals, DemoPortal{ID: row.ID, Name: row.Name, URL: n.Control.PortalURL(row.Portal)})
		}
		demo.Portals = portals
		return nil
	})
	return demo, err
}

// Account returns the first account of a role in a kind of organization.
func (d Demo) Account(role portico.Role, kind portico.OrganizationKind) DemoAccount {
	i := slices.IndexFunc(d.Accounts, func(a DemoAccount) bool { return a.Role == role && a.OrganizationKind == kind })
	if i < 0 {
		return DemoAccount{}
	}
	return d.Accounts[i]
}

// seedDemo fills an empty data folder. DemoFile comes last, so that a folder
// whose seeding was cut short is not taken for a whole one.
func seedDemo(ctx context.Context, config Config, o Options) (err error) {
	clock := newSeedClock(o.Now)
	o.Now = clock.Now
	config.InvitationDays = seedInvitationDays
	config.MaxGuests = 0
	core, err := OpenCore(config, true, o)
	if err != nil {
		return err
	}
	defer core.Close()
	if all, err := core.Control.Organizations(ctx); err != nil || len(all) > 0 {
		return errors.Join(err, errNotDemo(core.where()))
	}
	demo, err := newSeeder(core, clock).run(ctx)
	if err != nil {
		return fmt.Errorf("seed the demonstration: %w", err)
	}
	raw, err := json.MarshalIndent(demoRecord{Epoch: core.Store.Epoch(), Demo: demo}, "", "  ")
	if err != nil {
		return err
	}
	return writeDurably(filepath.Join(config.Data, DemoFile), append(raw, '\n'))
}

// writeDurably writes a private file, whole or not at all.
func writeDurably(path string, content []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(dir)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // a folder that the operator names
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
