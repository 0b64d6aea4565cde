package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"portico"
	"portico/internal/store"
)

// ProjectJob is the kind of job that applies the registry's guests to a
// portal's database. While it exists, the mail of its transaction is held.
const ProjectJob = "project"

type projectPayload struct {
	AccountIDs []string `json:"account_ids"`
}

// projectGrace is how long the request that wrote a projection job has to do
// it before the runner does.
const projectGrace = 2 * time.Second

// EnqueueProjection writes, in the transaction that changed guests of a
// portal, the job that makes the portal's database follow.
func EnqueueProjection(tx *store.Tx, portalID string, accountIDs []string) (jobID string, err error) {
	payload, err := json.Marshal(projectPayload{accountIDs})
	if err != nil {
		return "", err
	}
	return tx.InsertJob(store.Job{
		Kind: ProjectJob, PortalID: portalID, Payload: string(payload), RunAt: tx.Now.Add(projectGrace),
	})
}

// Project does a projection job right after its transaction, before the answer
// to the request. When it fails the job stays and the error is
// KindUnavailable: the effect stands, and the runner finishes it.
func (l *Lifecycle) Project(ctx context.Context, portalID, jobID string, accountIDs []string) error {
	ctx = context.WithoutCancel(ctx)
	err := l.config.Failpoints.Hit(ctx, PointProject)
	if err == nil {
		err = l.project(ctx, portalID, accountIDs)
	}
	if err == nil {
		err = l.config.Failpoints.Hit(ctx, PointProjected)
	}
	if err == nil {
		l.config.Jobs.Finish(jobID)
		return nil
	}
	l.config.Jobs.Wake() // to see that the job is due soon
	if kind := portico.KindOf(err); kind == portico.KindNotFound || kind == portico.KindUnavailable {
		return err
	}
	l.log.Warn("a projection failed and is tried again", "portal", portalID, "error", err)
	return &portico.Error{
		Kind: portico.KindUnavailable, RetryAfter: projectGrace,
		Msg: "The change is recorded and will be finished in a moment. Repeating the request is harmless.",
	}
}

// project applies guests to the database that the portal has. One that was
// given another meanwhile has them applied to that.
func (l *Lifecycle) project(ctx context.Context, portalID string, accountIDs []string) error {
	for {
		var row store.PortalRow
		err := l.store.View(ctx, func(tx *store.Tx) (err error) {
			row, err = tx.PortalByID(portalID)
			return err
		})
		if err != nil {
			return err
		}
		if !row.Found() {
			return errGone
		}
		replaced := false
		err = l.Use(ctx, row, func(handle store.Handle) error {
			err := l.store.Project(ctx, handle, row, accountIDs)
			replaced = errors.Is(err, store.ErrRetired)
			return err
		})
		if !replaced {
			return err
		}
	}
}

func (l *Lifecycle) runProjectJob(ctx context.Context, job store.Job) error {
	var payload projectPayload
	if err := json.Unmarshal([]byte(job.Payload), &payload); err != nil {
		return err
	}
	err := l.project(ctx, job.PortalID, payload.AccountIDs)
	if portico.KindOf(err) == portico.KindNotFound {
		return nil // the portal went, and its database with it
	}
	return err
}

// FinishProjections does what projection jobs a portal still has. It makes a
// repeat of a call that was answered 503 settle what the first one began.
func (l *Lifecycle) FinishProjections(ctx context.Context, p store.PortalRow) error {
	finished := l.config.Jobs.Finished()
	var pending []store.Job
	err := l.store.View(ctx, func(tx *store.Tx) (err error) {
		pending, err = tx.JobsOf(p.ID, ProjectJob)
		return err
	})
	if err != nil {
		return err
	}
	for _, job := range pending {
		if slices.Contains(finished, job.ID) {
			continue
		}
		var payload projectPayload
		if err := json.Unmarshal([]byte(job.Payload), &payload); err != nil {
			return err
		}
		if err := l.Project(ctx, p.ID, job.ID, payload.AccountIDs); err != nil {
			return err
		}
	}
	return nil
}
