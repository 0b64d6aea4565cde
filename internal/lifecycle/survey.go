package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portico"
	"portico/internal/store"
)

// Remedy is what the reconciler does about a finding.
type Remedy string

// The remedies. RemedyReport leaves a thing as it is for a person to judge.
const (
	RemedySettle     Remedy = "settle"     // drive the portal on
	RemedyMark       Remedy = "mark"       // make it unavailable
	RemedyRecover    Remedy = "recover"    // make it active again
	RemedyDrop       Remedy = "drop"       // a tombstone says so
	RemedyQuarantine Remedy = "quarantine" // ours, old, and nobody's
	RemedyProject    Remedy = "project"    // apply the registry's guests again
	RemedyReport     Remedy = "report"
)

// Remedies returns all remedies.
func Remedies() []Remedy {
	return []Remedy{RemedySettle, RemedyMark, RemedyRecover, RemedyDrop, RemedyQuarantine, RemedyProject, RemedyReport}
}

// Finding is one thing that is not as it should be.
type Finding struct {
	Remedy   Remedy
	PortalID string
	Database string
	Cluster  string // that the database is on; empty where there is no choice
	Text     string
	Size     int64

	row   store.PortalRow
	cause error // why it could not be mended
}

func (f Finding) place() store.Place { return store.Place{Cluster: f.Cluster, Name: f.Database} }

// orphanAge is how old a database of ours that nothing names must be before it
// is set aside.
const orphanAge = 24 * time.Hour

// survey holds registry and engine side by side for one pass.
type survey struct {
	lifecycle  *Lifecycle
	rows       map[string]store.PortalRow // by portal id
	tombstones map[string]store.Tombstone // by database name
	present    map[store.Place]bool       // complete databases that were found
	unseen     map[string]bool            // clusters that could not be listed: nothing is said of them
	failed     map[string]string          // by portal id: why its schema is older than it should be
	findings   []Finding
	databases  map[string]int // by cluster
}

// Survey compares registry and databases and returns what is not as it should
// be. It changes nothing: it is what 'portico doctor' shows. verify is how many
// active portals have their databases read through, -1 for all.
func (l *Lifecycle) Survey(ctx context.Context, verify int) ([]Finding, error) {
	s, err := l.survey(ctx, verify)
	if err != nil {
		return nil, err
	}
	return s.findings, nil
}

func (l *Lifecycle) survey(ctx context.Context, verify int) (*survey, error) {
	s := &survey{
		lifecycle: l, rows: map[string]store.PortalRow{},
		tombstones: map[string]store.Tombstone{}, present: map[store.Place]bool{}, unseen: map[string]bool{}, databases: map[string]int{},
	}
	// The databases are listed before the rows are read: a portal created in
	// between has a row, one deleted in between has a tombstone, so neither
	// looks like something that nobody knows.
	found, err := s.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("list databases: %w", err)
	}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	for _, f := range found {
		if err := s.judge(ctx, f); err != nil {
			return nil, err
		}
	}
	s.judgeTombstones(found)
	for _, row := range s.rows {
		s.judgeRow(row)
	}
	if err := s.deepCheck(ctx, verify); err != nil {
		return nil, err
	}
	return s, nil
}

// list returns what there is on all clusters. One that does not answer is a
// finding, and hides what is on it; an engine without clusters must answer.
func (s *survey) list(ctx context.Context) (found []store.Found, err error) {
	l := s.lifecycle
	clusters, err := l.clusters(ctx)
	if err != nil {
		return nil, err
	}
	one := func(cluster string) ([]store.Found, error) {
		var on []store.Found
		err := l.engine.List(ctx, cluster, func(f store.Found) error {
			on = append(on, f)
			return ctx.Err()
		})
		return on, err
	}
	if len(clusters) == 0 {
		return one("")
	}
	for _, c := range clusters {
		on, err := one(c.ID)
		if ctx.Err() != nil {
			return nil, err
		}
		if err != nil {
			s.unseen[c.ID] = true
			s.add(Finding{Remedy: RemedyReport, Cluster: c.ID, Text: fmt.Sprintf("the cluster %s cannot be looked at: %v", c.Name, err)})
			continue
		}
		found = append(found, on...)
	}
	return found, nil
}

// surveyPage is how many rows are read at once.
const surveyPage = 1000

func (s *survey) load(ctx context.Context) error {
	for after := ""; ; {
		var page []store.PortalRow
		err := s.lifecycle.store.View(ctx, func(tx *store.Tx) (err error) {
			page, err = tx.PortalsAfter(after, surveyPage)
			return err
		})
		if err != nil {
			return fmt.Errorf("read portals: %w", err)
		}
		for _, row := range page {
			s.rows[row.ID] = row
			after = row.ID
		}
		if len(page) < surveyPage {
			break
		}
	}
	return s.lifecycle.store.View(ctx, func(tx *store.Tx) error {
		open, err := tx.OpenTombstones("")
		for _, t := range open {
			s.tombstones[t.DatabaseName] = t
		}
		if err == nil {
			s.failed, err = tx.FailedSchemas()
		}
		return err
	})
}

// judge says what a database, or what is left of one, is to the registry.
func (s *survey) judge(ctx context.Context, f store.Found) error {
	s.databases[f.Cluster]++
	portalID, generation, ok := portico.ParseDatabaseName(f.Name)
	if !ok {
		s.add(Finding{Remedy: RemedyReport, Database: f.Name, Cluster: f.Cluster, Size: f.Size, Text: "not made by this service"})
		return nil
	}
	row, known := s.rows[portalID]
	named := known && row.Generation == generation
	if named && row.Cluster == f.Cluster {
		s.present[f.Place] = f.Complete
		return nil // judgeRow decides
	}
	tombstone, err := s.tombstone(ctx, f.Name)
	finding := Finding{PortalID: portalID, Database: f.Name, Cluster: f.Cluster, Size: f.Size}
	switch {
	case err == nil:
		finding.Remedy, finding.Text = RemedyDrop, fmt.Sprintf("given up (%s), not gone yet", tombstone.Reason)
	case portico.KindOf(err) != portico.KindNotFound:
		return err
	case named:
		finding.Remedy, finding.Text = RemedyReport, "the registry has it on another cluster"
	case f.Marked && f.Identity.Epoch == s.lifecycle.store.Epoch() && s.old(f):
		finding.Remedy, finding.Text = RemedyQuarantine, "made for this registry, which knows nothing of it"
		if f.Held != "" {
			finding.Remedy, finding.Text = RemedyReport, finding.Text+"; "+f.Held
		}
	default:
		finding.Remedy, finding.Text = RemedyReport, "the registry knows nothing of it"
	}
	s.add(finding)
	return nil
}

// judgeTombstones finds those that nothing is left of, or never was: who wrote
// one died before the database was made, or after it was dropped.
func (s *survey) judgeTombstones(found []store.Found) {
	there := make(map[string]bool, len(found))
	for _, f := range found {
		there[f.Name] = true
	}
	for name, t := range s.tombstones {
		row, known := s.rows[t.PortalID]
		underWay := known && (!row.Found() || row.LeaseUntil.After(s.lifecycle.store.Now()))
		if !there[name] && !underWay && !s.unseen[t.Cluster] {
			s.add(Finding{
				Remedy: RemedyDrop, PortalID: t.PortalID, Database: name, Cluster: t.Cluster,
				Text: fmt.Sprintf("given up (%s), nothing is left of it", t.Reason),
			})
		}
	}
}

func (s *survey) old(f store.Found) bool {
	return s.lifecycle.store.Now().Sub(f.ModTime) > orphanAge
}

// tombstone looks among the open ones first, then at all: a database may have
// come back after its tombstone was closed.
func (s *survey) tombstone(ctx context.Context, name string) (t store.Tombstone, err error) {
	if t, ok := s.tombstones[name]; ok {
		return t, nil
	}
	err = s.lifecycle.store.View(ctx, func(tx *store.Tx) (err error) {
		t, err = tx.Tombstone(name)
		return err
	})
	return t, err
}

func (s *survey) judgeRow(row store.PortalRow) {
	at := s.lifecycle.store.Identity(row).Place()
	f := Finding{PortalID: row.ID, Database: at.Name, Cluster: at.Cluster, row: row}
	switch row.State {
	case portico.PortalActive:
		if s.present[at] || s.unseen[at.Cluster] {
			return
		}
		f.Remedy, f.Text = RemedyMark, "active, but its database is missing"
	case portico.PortalUnavailable:
		f.Remedy, f.Text = RemedyReport, "unavailable: "+row.LastError
		switch text, failed := s.failed[row.ID]; {
		case failed && s.present[at]: // its database is well, but not what the app needs
			f.Text = "not served until 'portico fleet migrate' succeeds: " + text
		case s.present[at]:
			f.Remedy = RemedyRecover
		}
	default:
		f.Remedy, f.Text = RemedySettle, fmt.Sprintf("%s, %d failed attempts", row.State, row.Attempts)
		if row.LastError != "" {
			f.Text += ", the last: " + row.LastError
		}
	}
	s.add(f)
}

// deepCheck reads some active databases through, going on where the last pass
// ended, and compares their guests with the registry's.
func (s *survey) deepCheck(ctx context.Context, count int) error {
	for _, row := range s.lifecycle.nextToVerify(s.rows, count) {
		if !s.present[s.lifecycle.store.Identity(row).Place()] {
			continue
		}
		f, err := s.lifecycle.verify(ctx, row)
		if err != nil {
			return err
		}
		if f.Remedy != "" {
			s.add(f)
		}
	}
	return nil
}

// verify reads one portal's database through. The finding is empty when all is
// well, or when it cannot be told now.
func (l *Lifecycle) verify(ctx context.Context, row store.PortalRow) (Finding, error) {
	id := l.store.Identity(row)
	f := Finding{PortalID: row.ID, Database: id.Place().Name, Cluster: row.Cluster, row: row}
	switch err := l.engine.Verify(ctx, id); {
	case errors.Is(err, store.ErrDamaged), errors.Is(err, store.ErrIdentity), errors.Is(err, store.ErrAbsent):
		f.Remedy, f.Text = RemedyMark, err.Error()
		return f, nil
	case err != nil:
		return Finding{}, ctx.Err()
	}
	handle, err := l.engine.Open(ctx, id)
	if err != nil {
		return Finding{}, ctx.Err()
	}
	defer handle.Release()
	same, err := l.store.Projected(ctx, handle, row.ID)
	if err == nil && !same {
		f.Remedy, f.Text = RemedyProject, "its guests are not those of the registry"
		return f, nil
	}
	return Finding{}, ctx.Err()
}

func (s *survey) add(f Finding) { s.findings = append(s.findings, f) }
