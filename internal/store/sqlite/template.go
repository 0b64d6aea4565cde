package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"portico"
	"portico/internal/store"
)

// prefixEpoch begins the epoch of a registry (package store draws it).
const prefixEpoch = "epoch_"

// The identity in the template: values that every real one can take the place
// of, byte for byte.
const (
	placePortal = portico.PrefixPortal + "portalportalportalportalpo"
	placeEpoch  = prefixEpoch + "epochepochepochepochepoche"
)

// template is the content of a new portal's file, made once in memory when it
// is first needed. Nothing of it is kept on the disk, so it cannot be stale.
type template struct {
	mu      sync.Mutex
	content []byte
	exact   bool // writing an identity over the template's was tried, and works
}

// portalContent returns the file of a new portal. When its identity could not
// be written into it, stamped is false, and it has the template's.
func (e *Engine) portalContent(id store.Identity) (content []byte, stamped bool, err error) {
	t := &e.template
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.content == nil {
		made, err := e.makeTemplate()
		if err != nil {
			return nil, false, fmt.Errorf("make the template: %w", err)
		}
		t.content = made
		if err := e.tryTemplate(made); err != nil {
			e.log.Warn("identities are written by SQLite, which is slower", "error", err)
		} else {
			t.exact = true
		}
	}
	if t.exact && id.Generation == 1 && portico.ValidID(id.Epoch, prefixEpoch) {
		return patch(t.content, id), true, nil
	}
	return t.content, false, nil
}

// makeTemplate runs the schema in a database in memory.
func (e *Engine) makeTemplate() ([]byte, error) {
	c, err := dial(e.pool, target{memory: true, profile: portalProfile, write: true, synchronous: "OFF"})
	if err != nil {
		return nil, err
	}
	for _, step := range e.portalSteps {
		err = errors.Join(err, c.link.script(step.SQL))
	}
	err = errors.Join(err, c.transact(context.Background(), func(q store.SQL) error {
		_, err := q.Exec(`INSERT INTO identity (portal_id, generation, epoch, schema_version, writes)
			VALUES ($1, 1, $2, $3, 0)`, placePortal, placeEpoch, len(e.portalSteps))
		return err
	}))
	var content []byte
	if err == nil {
		content, err = c.link.inner.Serialize()
	}
	if err = errors.Join(err, c.close()); err != nil {
		return nil, err
	}
	const writeVersion, readVersion, wal = 18, 19, 2 // of the file's header
	content[writeVersion], content[readVersion] = wal, wal
	return content, nil
}

// patch returns the template with the identity in the place of its own.
func patch(content []byte, id store.Identity) []byte {
	content = bytes.ReplaceAll(content, []byte(placePortal), []byte(id.PortalID))
	return bytes.ReplaceAll(content, []byte(placeEpoch), []byte(id.Epoch))
}

// tryTemplate opens a file made by patch and looks what SQLite finds in it.
func (e *Engine) tryTemplate(content []byte) (err error) {
	want := store.Identity{
		PortalID:   portico.PrefixPortal + strings.Repeat("0", 25) + "1",
		Generation: 1,
		Epoch:      prefixEpoch + strings.Repeat("v", 25) + "u",
	}
	if err := e.folder.mkdir(templateName); err != nil {
		return err
	}
	rel, err := e.folder.writeNew(filepath.Join(templateName, "try"), patch(content, want))
	if err != nil {
		return err
	}
	d := newDatabase("template", rel, portalProfile, e)
	have, version, err := e.readIdentity(d)
	if err == nil && (have != want || version != len(e.portalSteps)) {
		err = fmt.Errorf("the template reads as %+v version %d, want %+v", have, version, want)
	}
	if err == nil {
		err = d.check()
	}
	return errors.Join(err, d.close(), e.folder.removeDatabase(rel))
}

// stamp gives a database that is not in place yet an identity, by SQLite.
func (e *Engine) stamp(rel string, id store.Identity) error {
	d := newDatabase(id.PortalID, rel, portalProfile, e)
	c, err := d.dial(true)
	if err != nil {
		return err
	}
	err = errors.Join(quickCheck(c), c.link.script("PRAGMA journal_mode = WAL"))
	if err == nil {
		err = c.exclusively(func() error { return e.writeIdentity(c, id) })
	}
	return errors.Join(err, c.close())
}

func (e *Engine) writeIdentity(c *conn, id store.Identity) error {
	return c.transact(context.Background(), func(q store.SQL) error {
		var version int
		if err := q.QueryRow(`SELECT schema_version FROM identity`).Scan(&version); err != nil {
			return fmt.Errorf("%w: the copy has no identity: %w", store.ErrDamaged, err)
		}
		if version > len(e.portalSteps) {
			return store.TooNew("The copy", version, len(e.portalSteps))
		}
		_, err := q.Exec(`UPDATE identity SET portal_id = $1, generation = $2, epoch = $3`,
			id.PortalID, id.Generation, id.Epoch)
		return err
	})
}

// sweepTemplates removes what a crash left in the template's folder.
func (e *Engine) sweepTemplates() error {
	names, err := e.folder.names(templateName)
	for _, name := range names {
		err = errors.Join(err, e.folder.remove(filepath.Join(templateName, name)))
	}
	return err
}
