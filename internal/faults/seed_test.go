package faults

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"portico"
	"portico/internal/control"
	"portico/internal/store/postgres/pgtest"
	"portico/internal/wiretest"
)

// people are the organizations and tokens of a seeded folder.
type people struct {
	Organization, Other string // ids
	Token, OtherToken   string // of an administrator of each
	Member              string // address of a proven account
}

// seeded makes a folder once, of which every case gets a copy.
var seeded = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "portico-faults-")
	if err != nil {
		return "", err
	}
	seedDir = dir
	who, err := fill(filepath.Join(dir, "data"))
	if err != nil {
		return dir, err
	}
	raw, err := json.Marshal(who)
	if err != nil {
		return dir, err
	}
	return dir, os.WriteFile(filepath.Join(dir, "people.json"), raw, 0o600)
})

// seedDir is where seeded put its folder, once it did.
var seedDir string

func removeSeed() {
	if seedDir != "" {
		_ = os.RemoveAll(seedDir)
	}
}

func fill(dir string, setups ...wiretest.Setup) (people, error) {
	n, err := wiretest.Open(dir, setups...)
	if err != nil {
		return people{}, err
	}
	defer n.Close()
	ctx := context.Background()
	var who people
	for _, o := range []struct {
		name, email string
		id, token   *string
	}{{"Acme", "admin@acme.example.com", &who.Organization, &who.Token}, {"Other", "admin@other.example.com", &who.Other, &who.OtherToken}} {
		made, err := n.Control.CreateOrganization(ctx, control.OrganizationCreate{Name: o.name, Kind: portico.Production})
		if err != nil {
			return people{}, err
		}
		*o.id = made.ID
		if _, err := n.Control.CreateAccount(ctx, control.AccountCreate{
			Email: o.email, Password: wiretest.Password, OrganizationID: made.ID, Role: portico.Admin,
		}); err != nil {
			return people{}, err
		}
		token, err := n.Control.CreateTokenFor(ctx, made.ID, o.email, control.TokenCreate{Name: "test"})
		if err != nil {
			return people{}, err
		}
		*o.token = token.Secret
	}
	who.Member = "admin@other.example.com"
	return who, nil
}

// world is a data folder with the people in it and what it must hold.
type world struct {
	t      testing.TB
	dir    string
	server *pgtest.Server // of a registry in PostgreSQL; nil: SQLite in dir
	people
	ledger
}

// newWorld copies the seeded folder to where a case may break it.
func newWorld(t testing.TB) *world {
	t.Helper()
	return worldIn(t, filepath.Join(t.TempDir(), "data"))
}

// worldIn copies the seeded folder to dir.
func worldIn(t testing.TB, dir string) *world {
	t.Helper()
	from, err := seeded()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: dir}
	raw, err := os.ReadFile(filepath.Join(from, "people.json"))
	if err == nil {
		err = json.Unmarshal(raw, &w.people)
	}
	if err == nil {
		err = copyTree(filepath.Join(from, "data"), dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// config returns the configuration of a child that serves the world.
func (w *world) config() childConfig {
	config := childConfig{Dir: w.dir}
	if w.server != nil {
		config.DatabaseURL, config.SecretKey = w.server.URL(pgtest.Owner, registryName), secretKey
	}
	return config
}

// copyTree copies a folder with its modes. The target may exist.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			if err := os.MkdirAll(target, info.Mode().Perm()); err != nil {
				return err
			}
			return os.Chmod(target, info.Mode().Perm())
		}
		return copyFile(path, target, info.Mode().Perm())
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closing := out.Close(); err == nil {
		err = closing
	}
	return err
}
