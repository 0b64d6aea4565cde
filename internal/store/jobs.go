package store

import (
	"database/sql"
	"errors"
	"time"

	"portico"
)

// Job is durable work, written in the transaction of what makes it necessary.
type Job struct {
	ID       string
	Kind     string
	PortalID string // empty when it is about no portal
	Payload  string // JSON, of the kind's own form
	RunAt    time.Time
	Attempts int
	Fence    int64
}

// InsertJob writes a job and returns its id.
func (tx *Tx) InsertJob(j Job) (string, error) {
	id := tx.NewID(portico.PrefixJob)
	_, err := tx.q.Exec(`INSERT INTO jobs (id, kind, portal_id, payload, run_at, attempts, lease_until, fence,
		last_error, created_at) VALUES ($1, $2, $3, $4, $5, 0, 0, 0, '', $6)`,
		id, j.Kind, j.PortalID, j.Payload, micros(j.RunAt), micros(tx.Now))
	return id, err
}

const jobColumns = `id, kind, portal_id, payload, run_at, attempts, fence`

func scanJob(row scanner) (Job, error) {
	var j Job
	var run int64
	err := row.Scan(&j.ID, &j.Kind, &j.PortalID, &j.Payload, &run, &j.Attempts, &j.Fence)
	j.RunAt = fromMicros(run)
	return j, err
}

// LeaseJob takes the job that has been due longest, or ok = false when none is,
// or when another took that one in the same moment. The condition is said twice
// for that: the inner one chooses, the outer one holds when the row is written.
func (tx *Tx) LeaseJob(life time.Duration) (job Job, ok bool, err error) {
	job, err = scanJob(tx.q.QueryRow(`UPDATE jobs SET lease_until = $2, fence = fence + 1, attempts = attempts + 1
		WHERE id = (SELECT id FROM jobs WHERE run_at <= $1 AND lease_until <= $1 ORDER BY run_at, id LIMIT 1)
		AND run_at <= $1 AND lease_until <= $1
		RETURNING `+jobColumns, micros(tx.Now), micros(tx.Now.Add(life))))
	if errors.Is(err, sql.ErrNoRows) {
		return Job{}, false, nil
	}
	return job, err == nil, err
}

// RenewJob lengthens the lease on a job, unless another took it.
func (tx *Tx) RenewJob(j Job, life time.Duration) error {
	_, err := tx.q.Exec(`UPDATE jobs SET lease_until = $3 WHERE id = $1 AND fence = $2 AND lease_until > 0`,
		j.ID, j.Fence, micros(tx.Now.Add(life)))
	return err
}

// RetryJob gives a leased job back, to be run again at a time.
func (tx *Tx) RetryJob(j Job, at time.Time, cause string) error {
	_, err := tx.q.Exec(`UPDATE jobs SET run_at = $3, lease_until = 0, last_error = $4 WHERE id = $1 AND fence = $2`,
		j.ID, j.Fence, micros(at), cause)
	return err
}

// DeleteJobs removes jobs that are done. What one of them held back is free.
func (tx *Tx) DeleteJobs(ids ...string) error {
	for _, id := range ids {
		if _, err := tx.q.Exec(`DELETE FROM jobs WHERE id = $1`, id); err != nil {
			return err
		}
	}
	return nil
}

// JobsOf returns the jobs of a kind that a portal still has, oldest first.
func (tx *Tx) JobsOf(portalID, kind string) ([]Job, error) {
	var jobs []Job
	err := scanAll(tx.q, `SELECT `+jobColumns+` FROM jobs WHERE portal_id = $1 AND kind = $2 ORDER BY id`,
		[]any{portalID, kind}, func(row scanner) error {
			j, err := scanJob(row)
			jobs = append(jobs, j)
			return err
		})
	return jobs, err
}

// NextJob returns when the next job is due, or ok = false when there is none.
func (tx *Tx) NextJob() (at time.Time, ok bool, err error) {
	var run sql.NullInt64
	err = tx.q.QueryRow(`SELECT MIN(CASE WHEN lease_until > run_at THEN lease_until ELSE run_at END) FROM jobs`).Scan(&run)
	return fromMicros(run.Int64), run.Valid, err
}

// VoidJobLeases ends every lease on a job. Only who bars all other processes
// may call it.
func (tx *Tx) VoidJobLeases() error {
	_, err := tx.q.Exec(`UPDATE jobs SET lease_until = 0 WHERE lease_until > 0`)
	return err
}

// HurryJobs makes the jobs of a kind due now. Only who bars all other processes
// may call it: nobody is about to do them.
func (tx *Tx) HurryJobs(kind string) error {
	_, err := tx.q.Exec(`UPDATE jobs SET run_at = $2 WHERE kind = $1 AND run_at > $2`, kind, micros(tx.Now))
	return err
}

// CountJobs returns how many jobs wait.
func (tx *Tx) CountJobs() (int, error) {
	var n int
	err := tx.q.QueryRow(`SELECT COUNT(*) FROM jobs`).Scan(&n)
	return n, err
}
