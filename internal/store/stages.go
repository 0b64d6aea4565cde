package store

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"portico"
)

// Stages is a stopwatch over the making of one portal. It is safe for
// concurrent use, and nil is one that nobody reads.
type Stages struct {
	mu    sync.Mutex
	since time.Time
	done  []portico.Stage
}

// NewStages returns a stopwatch that runs.
func NewStages() *Stages { return &Stages{since: time.Now()} }

// Done notes the end of a stage, which began where the one before ended. One
// that comes again, because something failed in between, took longer.
func (s *Stages) Done(name portico.StageName) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	took := now.Sub(s.since)
	s.since = now
	if i := slices.IndexFunc(s.done, func(d portico.Stage) bool { return d.Name == name }); i >= 0 {
		s.done[i].Took += took
		return
	}
	s.done = append(s.done, portico.Stage{Name: name, Took: took})
}

// All returns the stages that ended.
func (s *Stages) All() []portico.Stage {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.done)
}

type stagesKey struct{}

// WithStages returns a context in which an engine notes what it does.
func WithStages(ctx context.Context, s *Stages) context.Context {
	return context.WithValue(ctx, stagesKey{}, s)
}

// StagesOf returns the stopwatch of a context; nil without one.
func StagesOf(ctx context.Context) *Stages {
	s, _ := ctx.Value(stagesKey{}).(*Stages)
	return s
}

// ActivatePortal makes a portal that was being created active, as
// SetPortalState does, and keeps how that went.
func (tx *Tx) ActivatePortal(portalID string, fence int64, stages []portico.Stage) error {
	raw, err := json.Marshal(stages)
	if err != nil {
		return err
	}
	return tx.fenced(`UPDATE portals SET state = 'active', attempts = 0, last_error = '', lease_until = 0, stages = $3
		WHERE id = $1 AND fence = $2 AND state = 'creating'`, portalID, fence, string(raw))
}

// PortalStages returns how a portal came to be active; none where that is not
// known.
func (tx *Tx) PortalStages(portalID string) (stages []portico.Stage, err error) {
	var raw string
	err = tx.q.QueryRow(`SELECT stages FROM portals WHERE id = $1`, portalID).Scan(&raw)
	if err != nil || raw == "" {
		return nil, notFound(err)
	}
	return stages, json.Unmarshal([]byte(raw), &stages)
}
