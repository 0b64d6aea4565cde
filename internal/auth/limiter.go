package auth

import (
	"sync"
	"time"
)

// Rate is a number of events in a time.
type Rate struct {
	Events int
	Per    time.Duration
}

// SignInRate is how often one account may try to sign in, and FailureRate how
// often one address may fail to authenticate, unless configured otherwise.
func SignInRate() Rate { return Rate{Events: 10, Per: time.Minute} }

// FailureRate is described at SignInRate.
func FailureRate() Rate { return Rate{Events: 100, Per: time.Minute} }

// DefaultLimiterKeys is the number of keys that a Limiter remembers unless told
// otherwise: some 10 MiB with long keys.
const DefaultLimiterKeys = 1 << 16

// Limiter bounds how often something happens for each of many keys. Each key
// has a bucket of Rate.Events tokens that fills evenly in Rate.Per: so many
// events at once, and no more than that in each Per afterwards. It remembers a
// bounded number of keys and forgets the least recently used, whose buckets are
// full again. It is safe for concurrent use.
type Limiter struct {
	now      func() time.Time
	interval time.Duration // in which one token comes back
	per      time.Duration

	mu sync.Mutex
	// full holds when the bucket of a key will be full again.
	full *recent[string, time.Time]
}

// NewLimiter returns a limiter that remembers so many keys. A rate without
// events allows nothing.
func NewLimiter(rate Rate, keys int, now func() time.Time) *Limiter {
	interval := rate.Per + 1 // no token fits
	if rate.Events > 0 {
		interval = max(rate.Per/time.Duration(rate.Events), 1)
	}
	return &Limiter{now: now, interval: interval, per: rate.Per, full: newRecent[string, time.Time](keys)}
}

// Take takes one token of the key's bucket. Without one it reports false and
// after what time there will be one; refused callers cost the key nothing.
func (l *Limiter) Take(key string) (retryAfter time.Duration, ok bool) { return l.use(key, true) }

// Check is Take without taking: for a limit on failures, which may ask before
// an attempt and takes after a failed one.
func (l *Limiter) Check(key string) (retryAfter time.Duration, ok bool) { return l.use(key, false) }

func (l *Limiter) use(key string, take bool) (time.Duration, bool) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	full, known := l.full.get(key)
	if !known || full.Before(now) {
		full = now
	}
	// A clock that went back must not keep anybody out for longer than a whole
	// bucket takes.
	if limit := now.Add(l.per); full.After(limit) {
		full = limit
	}
	full = full.Add(l.interval)
	if wait := full.Sub(now) - l.per; wait > 0 {
		return wait, false
	}
	if take {
		l.full.put(key, full)
	}
	return 0, true
}
