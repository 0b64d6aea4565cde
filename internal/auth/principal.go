package auth

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"portico"
	"portico/internal/store"
)

// Authenticate returns who sent a request, by its Authorization header: an
// access token for the API or a personal access token, with what the registry
// says now, read in one query. It is KindUnauthorized with one of the two
// published texts, and KindRateLimited in its place once too much failed from
// the remote address. A good credential is never limited, nor is the absence
// of one.
func (a *Auth) Authenticate(ctx context.Context, authorization, remote string) (portico.Principal, error) {
	token, ok := bearer(authorization)
	if !ok {
		// Who presents no credential guesses at none: it is not counted.
		return portico.Principal{}, portico.Errorf(portico.KindUnauthorized, "Not authenticated")
	}
	var p portico.Principal
	var err error
	if PersonalToken.Owns(token) {
		p, err = a.personal(ctx, token)
	} else {
		p, err = a.session(ctx, token)
	}
	if portico.KindOf(err) == portico.KindUnauthorized {
		err = a.Refused(remote, err)
	}
	return p, err
}

// bearer returns the credential of a header, which may be empty. It reports
// false when the header is of no or of another scheme.
func bearer(authorization string) (string, bool) {
	scheme, token, _ := strings.Cut(authorization, " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "bearer")
}

// refuseAbsent turns a missing row into the answer to a bad credential.
func refuseAbsent(err error) error {
	if portico.KindOf(err) == portico.KindNotFound {
		return refuse("what the credential names is gone")
	}
	return err
}

func (a *Auth) session(ctx context.Context, token string) (portico.Principal, error) {
	claims, err := a.access.Parse(token)
	if err != nil {
		return portico.Principal{}, err
	}
	var s store.Session
	var holder store.Holder
	err = a.store.Look(ctx, func(tx *store.Tx) (err error) {
		s, holder, err = tx.Session(claims.SessionID)
		return err
	})
	if err != nil {
		return portico.Principal{}, refuseAbsent(err)
	}
	ours := s.Audience == AccessTokenAudience || s.Audience == ConsoleAudience // by ConsoleAccess
	live := holder.Proven && a.store.Now().Before(s.ExpiresAt) && ours
	if !live || claims.AccountID != s.AccountID || claims.OrganizationID != s.OrganizationID {
		return portico.Principal{}, refuse("the session ended, or is another's")
	}
	return holder.Principal, nil
}

func (a *Auth) personal(ctx context.Context, token string) (portico.Principal, error) {
	hash, err := PersonalToken.Hash(token)
	if err != nil {
		return portico.Principal{}, err
	}
	var t store.Token
	var holder store.Holder
	err = a.store.Look(ctx, func(tx *store.Tx) (err error) {
		t, holder, err = tx.TokenByHash(hash)
		return err
	})
	if err != nil {
		return portico.Principal{}, refuseAbsent(err)
	}
	now := a.store.Now()
	if !holder.Proven || (t.ExpiresAt != nil && !now.Before(*t.ExpiresAt)) {
		return portico.Principal{}, refuse("the token has expired")
	}
	if t.LastUsedAt == nil || now.Sub(*t.LastUsedAt) >= usedResolution {
		a.used.note(t.ID, now)
	}
	return holder.Principal, nil
}

// usedResolution is how exact the last use of a token is, and how often it is
// written at most.
const usedResolution = time.Minute

// usage collects when tokens were used, so that a request never waits for a
// note of itself.
type usage struct {
	mu      sync.Mutex
	pending map[string]time.Time
	wake    chan struct{} // holds one: there is something to write

	cancel context.CancelFunc
	writer sync.WaitGroup
}

func newUsage() *usage {
	return &usage{pending: map[string]time.Time{}, wake: make(chan struct{}, 1)}
}

func (u *usage) note(tokenID string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if at, ok := u.pending[tokenID]; ok && now.Sub(at) < usedResolution {
		return
	}
	u.pending[tokenID] = now
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

func (u *usage) snapshot() map[string]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return maps.Clone(u.pending)
}

func (u *usage) written(done map[string]time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, at := range done {
		if u.pending[id].Equal(at) {
			delete(u.pending, id)
		}
	}
}

// LastUsed returns when a token was last used, given what the registry says:
// it knows of uses that are not written yet.
func (a *Auth) LastUsed(t store.Token) *time.Time {
	a.used.mu.Lock()
	defer a.used.mu.Unlock()
	at, ok := a.used.pending[t.ID]
	if ok && (t.LastUsedAt == nil || t.LastUsedAt.Before(at)) {
		return &at
	}
	return t.LastUsedAt
}

// FlushUsage writes when tokens were last used, as far as that is not written
// yet. What fails stays to be written.
func (a *Auth) FlushUsage(ctx context.Context) error {
	pending := a.used.snapshot()
	if len(pending) == 0 {
		return nil
	}
	err := a.store.Update(ctx, func(tx *store.Tx) error {
		for _, id := range slices.Sorted(maps.Keys(pending)) { // one order, so that nodes never wait in a ring
			if err := tx.SetTokenUsed(id, pending[id]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		a.used.written(pending)
	}
	return err
}

// Start begins to write, in the background, when tokens were last used.
func (a *Auth) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	a.used.cancel = cancel
	a.used.writer.Go(func() {
		for {
			select {
			case <-a.used.wake:
			case <-ctx.Done():
				return
			}
			if err := a.FlushUsage(ctx); err != nil {
				a.log.Warn("the use of tokens could not be recorded", "error", err)
			}
		}
	})
}

// Stop ends what Start began and writes what is left, until ctx ends.
func (a *Auth) Stop(ctx context.Context) error {
	a.used.cancel()
	a.used.writer.Wait()
	return a.FlushUsage(ctx)
}
