package lifecycle

import (
	"context"
	"errors"
	"time"

	"portico/internal/store"
)

// joinEvery is how often an operation looks whether another node, whose it
// joined, has ended its own.
const joinEvery = 200 * time.Millisecond

// lease returns the fence under which an operation works: what it was begun
// with or given, or a lease that it takes. While another node holds that, it
// waits. A portal that is settled needs none, and comes as its row.
func (l *Lifecycle) lease(ctx context.Context, op *operation) (row store.PortalRow, fence int64, err error) {
	for {
		if fence := l.fenceOf(op, 0); fence != 0 {
			return row, fence, nil
		}
		row, fence, err = l.takeLease(ctx, op.portalID)
		if err == nil && !row.Found() {
			fence = l.fenceOf(op, fence)
		}
		if !errors.Is(err, store.ErrLeaseHeld) {
			return row, fence, err
		}
		timer := time.NewTimer(joinEvery)
		select {
		case <-timer.C:
		case <-op.given:
		case <-ctx.Done():
			timer.Stop()
			return row, 0, ctx.Err()
		}
		timer.Stop()
	}
}

// fenceOf returns an operation's fence. One that was taken, not 0, becomes it:
// it is newer than what the operation may have been given meanwhile.
func (l *Lifecycle) fenceOf(op *operation, taken int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	op.fence = max(op.fence, taken)
	return op.fence
}

// takeLease takes the lease on a portal on its way, and leaves one that is
// settled as it is. In a sole process a lease that is held is one of this
// process, taken with the row by a request that has not come to Settle yet: its
// operation is joined, under the same fence. Among several processes it is
// ErrLeaseHeld.
func (l *Lifecycle) takeLease(ctx context.Context, portalID string) (row store.PortalRow, fence int64, err error) {
	err = l.store.View(ctx, func(tx *store.Tx) (err error) { // who waits does not write
		row, err = tx.PortalByID(portalID)
		if err == nil && !l.config.SoleProcess && !row.Found() && row.LeaseUntil.After(tx.Now) {
			err = store.ErrLeaseHeld
		}
		return err
	})
	if err != nil || row.Found() {
		return row, 0, err
	}
	err = l.store.Update(store.WithReserve(ctx), func(tx *store.Tx) (err error) {
		fence = 0
		if row, err = tx.PortalByID(portalID); err != nil || row.Found() {
			return err
		}
		fence, err = tx.TakeLease(portalID, LeaseLife, false)
		if errors.Is(err, store.ErrLeaseHeld) && l.config.SoleProcess {
			fence, err = row.Fence, nil
		}
		return err
	})
	return row, fence, err
}

// keepLease renews a lease until release is called. A lease that cannot be
// renewed is lost; the fence then refuses what its holder writes.
func (l *Lifecycle) keepLease(ctx context.Context, portalID string, fence int64) (release func()) {
	ctx, cancel := context.WithCancel(ctx)
	l.done.Go(func() {
		for pause(ctx, LeaseLife/3) {
			err := l.store.Update(store.WithReserve(ctx), func(tx *store.Tx) error {
				return tx.RenewLease(portalID, fence, LeaseLife)
			})
			if errors.Is(err, store.ErrLeaseLost) {
				return
			}
		}
	})
	return cancel
}

// pause waits and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
