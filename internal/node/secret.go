package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"portico"
	"portico/internal/keyring"
	"portico/internal/store"
)

// SecretFile is the name of the secret's file in the data folder.
const SecretFile = "secret.key"

// ringMeta is the registry's value that says which secret its data is made with.
const ringMeta = "keyring"

// openRing opens the secret that the data was made with; with new data it may
// be a new one. Another secret is refused: everything signed or sealed would be
// worthless.
func (c *Core) openRing() error {
	var want string
	err := c.Store.View(context.Background(), func(tx *store.Tx) (err error) {
		want, err = tx.Meta(ringMeta)
		return err
	})
	if err != nil {
		return fmt.Errorf("open the registry: %w", err)
	}
	path := filepath.Join(c.Config.Data, SecretFile)
	switch {
	case c.Config.SecretKey != "":
		c.Ring, err = keyring.Parse(c.Config.SecretKey)
	case want != "" && !exists(path):
		return errNoSecret(path)
	default:
		c.Ring, err = keyring.LoadOrCreate(path)
	}
	if err != nil {
		return err
	}
	have := c.Ring.Fingerprint()
	if want == "" {
		err = c.Store.Update(context.Background(), func(tx *store.Tx) (err error) {
			if want, err = tx.Meta(ringMeta); err == nil && want == "" {
				want = have
				err = tx.SetMeta(ringMeta, have)
			}
			return err
		})
	}
	if err == nil && have != want {
		err = fmt.Errorf("the secret is %s, the data was made with %s: restore %s, or set PORTICO_SECRET_KEY to the right one", have, want, path)
	}
	return err
}

// haveRing opens the secret that is configured or in the data folder. It makes
// none.
func haveRing(config Config) (*keyring.Ring, error) {
	if config.SecretKey != "" {
		return keyring.Parse(config.SecretKey)
	}
	if config.DatabaseURL != "" {
		return nil, errSecretRequired
	}
	path := filepath.Join(config.Data, SecretFile)
	if !exists(path) {
		return nil, errNoSecret(path)
	}
	return keyring.LoadOrCreate(path)
}

var errSecretRequired = portico.Errorf(portico.KindInvalid,
	"PORTICO_SECRET_KEY or PORTICO_SECRET_KEY_FILE is required with PostgreSQL: every node needs the same one. Make it with: openssl rand -hex 32")

func errNoSecret(path string) error {
	return portico.Errorf(portico.KindConflict,
		"The secret that the data was made with is missing: put it back as %s (mode 0600), or set PORTICO_SECRET_KEY", path)
}

// CheckSecret returns what is to be done before the data can be served, when
// its secret is not at hand.
func CheckSecret(config Config) error {
	_, err := haveRing(config)
	return err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
