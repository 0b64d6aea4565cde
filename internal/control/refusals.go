package control

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"portico"
	"portico/internal/store"
)

// Refuse records that a known caller was refused an operation. It neither
// delays nor fails the answer: records are written in batches, and when more
// wait than are kept, the rest is counted and recorded as a number.
func (c *Control) Refuse(by portico.Principal, operation string) { c.refusals.add(by, operation) }

// refusalsKept is how many refusals wait for the next batch.
const refusalsKept = 256

type refusals struct {
	store   *store.Store
	log     *slog.Logger
	queue   chan portico.Event
	dropped atomic.Int64
	quit    chan struct{}
	done    sync.WaitGroup
}

func newRefusals(s *store.Store, log *slog.Logger) *refusals {
	return &refusals{store: s, log: log, queue: make(chan portico.Event, refusalsKept), quit: make(chan struct{})}
}

func (r *refusals) add(by portico.Principal, operation string) {
	detail, err := json.Marshal(map[string]string{"operation": operation})
	if err != nil {
		return
	}
	e := event(by, portico.ActionRefused, "", by.AccountID)
	e.Detail = string(detail)
	select {
	case r.queue <- e:
	default:
		r.dropped.Add(1)
	}
}

func (r *refusals) start() {
	r.done.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				r.flush()
			case <-r.quit:
				r.flush()
				return
			}
		}
	})
}

func (r *refusals) stop() {
	close(r.quit)
	r.done.Wait()
}

func (r *refusals) flush() {
	var batch []portico.Event
	for len(r.queue) > 0 {
		batch = append(batch, <-r.queue)
	}
	if n := r.dropped.Swap(0); n > 0 {
		r.log.Warn("refusals came faster than they are recorded", "not_recorded", n)
	}
	if len(batch) == 0 {
		return
	}
	err := r.store.Update(context.Background(), func(tx *store.Tx) error { return tx.InsertEvents(batch...) })
	if err != nil {
		r.log.Warn("refusals could not be recorded", "count", len(batch), "error", err)
	}
}
