// Package store holds the registry's tables and those of the portal databases:
// one SQL text for both engines, over database/sql. It owns the Engine
// contract, which the engines below it implement, and the schemas.
//
// Rules are not here: a method reads or writes rows, and package control says
// which. It imports package portico only, never an engine.
//
// Start with engine.go (the contract), then Tx in this file, then the file of
// the noun in question.
package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"portico"
)

// Store is the registry over an engine, with the clock and the ids that its
// rows are made with.
type Store struct {
	engine Engine
	now    func() time.Time
	ids    *portico.IDSource
	epoch  string
}

// New returns the store over an open engine. epoch is what Epoch read.
func New(engine Engine, now func() time.Time, ids *portico.IDSource) (*Store, error) {
	s := &Store{engine: engine, now: now, ids: ids}
	err := s.Update(context.Background(), func(tx *Tx) error {
		var err error
		s.epoch, err = tx.epoch()
		return err
	})
	return s, err
}

// Engine returns the engine, for what concerns databases rather than rows.
func (s *Store) Engine() Engine { return s.engine }

// Identity returns the identity of the database that a portal's row names.
func (s *Store) Identity(p PortalRow) Identity {
	return Identity{PortalID: p.ID, Generation: p.Generation, Epoch: s.epoch, Cluster: p.Cluster}
}

// Epoch returns the mark of this registry.
func (s *Store) Epoch() string { return s.epoch }

// Now returns the time of the store's clock, in UTC with microseconds.
func (s *Store) Now() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// View runs fn on a consistent, read-only snapshot of the registry.
func (s *Store) View(ctx context.Context, fn func(*Tx) error) error {
	return unreadable(s.engine.Registry().View(ctx, func(q SQL) error { return fn(s.tx(q)) }))
}

// Look runs fn, which makes one SELECT, on the registry; see Database.Look. Its
// time is this node's: nobody compares what it finds with what others wrote by
// theirs.
func (s *Store) Look(ctx context.Context, fn func(*Tx) error) error {
	return unreadable(s.engine.Registry().Look(ctx, func(q SQL) error { return fn(s.tx(q)) }))
}

// updateTries is how often Update runs a closure that another write got in the
// way of.
const updateTries = 3

// ErrStale says that a row was changed since the transaction read it.
var ErrStale = errors.New("store: the row was changed since it was read")

// Update runs fn in a transaction of the registry; see Database.Update. What
// fn looked for may be written by another before fn writes it: then a unique
// constraint or ErrStale refuses it, and fn runs again, from its reading on, so
// that it decides on what is there now.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) (err error) {
	for range updateTries {
		err = s.engine.Registry().Update(ctx, func(q SQL) error { return fn(s.tx(q)) })
		if !errors.Is(err, ErrUnique) && !errors.Is(err, ErrStale) {
			return unreadable(err)
		}
	}
	e := portico.WrapError(portico.KindUnavailable, err, "Others changed the same thing at the same time. Try again in a moment.")
	e.RetryAfter = time.Second
	return e
}

// unreadable says of a damaged registry what a caller may know. A damaged
// portal database is another matter: it is the portal that is unavailable then.
func unreadable(err error) error {
	if errors.Is(err, ErrDamaged) && portico.KindOf(err) == portico.KindInternal {
		return portico.WrapError(portico.KindUnavailable, err, "The service cannot read its registry now. Its operator has been told.")
	}
	return err
}

func (s *Store) tx(q SQL) *Tx {
	now := s.Now()
	if c, ok := q.(Clocked); ok {
		if shared, ok := c.ServerNow(); ok {
			now = shared.UTC().Truncate(time.Microsecond)
		}
	}
	return &Tx{q: q, Now: now, ids: s.ids}
}

// Tx is a transaction of the registry. It carries one reading of the clock, the
// engine's where it has one, so that all it writes and compares agrees.
type Tx struct {
	Now time.Time
	q   SQL
	ids *portico.IDSource
}

// NewID returns an id that was never given out.
func (tx *Tx) NewID(prefix string) string { return tx.ids.New(prefix) }

// epoch returns the registry's epoch, which it draws on first use: the mark by
// which databases made for another registry are told apart.
func (tx *Tx) epoch() (string, error) {
	var epoch string
	err := tx.q.QueryRow(`SELECT value FROM meta WHERE name = 'epoch'`).Scan(&epoch)
	if !errors.Is(err, sql.ErrNoRows) {
		return epoch, err
	}
	epoch = tx.NewID("epoch_")
	_, err = tx.q.Exec(`INSERT INTO meta (name, value) VALUES ('epoch', $1)`, epoch)
	return epoch, err
}

// Meta returns a named value of the registry, empty when it was never set.
func (tx *Tx) Meta(name string) (string, error) {
	var value string
	err := tx.q.QueryRow(`SELECT value FROM meta WHERE name = $1`, name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return value, err
}

// SetMeta sets a named value of the registry.
func (tx *Tx) SetMeta(name, value string) error { return SetMeta(tx.q, name, value) }

// SetMeta is Tx.SetMeta for a registry that no Store has opened.
func SetMeta(q SQL, name, value string) error {
	_, err := q.Exec(`INSERT INTO meta (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}

// TakeMeta removes a named value of the registry if it is this one, and reports
// whether it was: of several that take the same, one does.
func (tx *Tx) TakeMeta(name, value string) (bool, error) {
	n, err := tx.q.Exec(`DELETE FROM meta WHERE name = $1 AND value = $2`, name, value)
	return n == 1, err
}

// notFound turns a missing row into the one error that every lookup gives.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return portico.Errorf(portico.KindNotFound, "Not found")
	}
	return err
}

// micros is how times are stored: microseconds since 1970.
func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
