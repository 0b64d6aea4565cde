package auth

import (
	"strings"
	"sync"
	"testing"
	"time"

	"portico"
	"portico/internal/keyring"
	"portico/internal/store"
)

// TestRefresh plays refreshes at times, each with the token of a rotation, and
// looks at what becomes of the session.
func TestRefresh(t *testing.T) {
	t.Parallel()
	type step struct {
		after time.Duration
		use   int // rotation of the token; the first is 1
		get   int // rotation of the token that comes back; 0: refused
		ended bool
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"one after the other", []step{{use: 1, get: 2}, {use: 2, get: 3}, {use: 3, get: 4}}},
		{"a lost answer", []step{{use: 1, get: 2}, {after: RefreshGrace, use: 1, get: 2}, {use: 2, get: 3}}},
		{"a lost answer, twice", []step{{use: 1, get: 2}, {use: 1, get: 2}, {use: 1, get: 2}}},
		{"reuse after the grace", []step{{use: 1, get: 2}, {after: RefreshGrace + time.Microsecond, use: 1, ended: true}, {use: 2}, {use: 1}}},
		{"reuse of an older one", []step{{use: 1, get: 2}, {use: 2, get: 3}, {use: 1, ended: true}, {use: 3}}},
		{"grace is counted from the rotation", []step{{use: 1, get: 2}, {after: 9 * time.Second, use: 1, get: 2}, {after: 9 * time.Second, use: 1, ended: true}}},
		{"a token of the future", []step{{use: 3, ended: true}, {use: 1}}},
		{"30 days of rest", []step{{after: SessionLife, use: 1}}},
		{"almost 30 days, twice", []step{{after: SessionLife - time.Second, use: 1, get: 2}, {after: SessionLife - time.Second, use: 2, get: 3}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, o := w.administrator()
			s, _ := w.session(a, o, AccessTokenAudience)
			at := func(rotation int) string {
				s.Rotation = int64(rotation)
				tokens, err := w.Issue(s)
				if err != nil {
					t.Fatal(err)
				}
				return tokens.RefreshToken
			}
			for i, step := range tt.steps {
				w.pass(step.after)
				tokens, ended, err := w.refresh(t.Context(), at(step.use))
				if ended != step.ended {
					t.Fatalf("step %d: ended is %v", i, ended)
				}
				if step.get == 0 {
					if !ended {
						want(t, err, portico.KindUnauthorized, notValidated)
					}
					continue
				}
				if err != nil || tokens.RefreshToken != at(step.get) {
					t.Fatalf("step %d: got %v, %v", i, tokens.RefreshToken, err)
				}
				if _, err := w.principal(tokens.AccessToken); err != nil {
					t.Fatalf("step %d: the new access token is refused: %v", i, err)
				}
			}
		})
	}
}

// TestReuseEndsAccess: when a family ends, its access tokens end with it, and
// other sessions of the account do not.
func TestReuseEndsAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, o := w.administrator()
	_, stolen := w.session(a, o, AccessTokenAudience)
	_, other := w.session(a, o, AccessTokenAudience)
	next, _, err := w.refresh(t.Context(), stolen.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	if _, ended, err := w.refresh(t.Context(), stolen.RefreshToken); err != nil || !ended {
		t.Fatalf("ended %v, %v", ended, err)
	}
	for _, token := range []string{stolen.AccessToken, next.AccessToken} {
		_, err := w.principal(token)
		want(t, err, portico.KindUnauthorized, notValidated)
	}
	if _, err := w.principal(other.AccessToken); err != nil {
		t.Errorf("another session ended too: %v", err)
	}
}

// TestParallelRefresh sends one token many times at once: all get the same
// next one, and the family lives.
func TestParallelRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, o := w.administrator()
	s, tokens := w.session(a, o, AccessTokenAudience)
	s.Rotation = 2
	next, err := w.Issue(s)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			got, ended, err := w.refresh(t.Context(), tokens.RefreshToken)
			if err != nil || ended || got.RefreshToken != next.RefreshToken {
				t.Errorf("got %q, %v, %v", got.RefreshToken, ended, err)
			}
		})
	}
	all.Wait()
}

func TestRefreshTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, o := w.administrator()
	_, tokens := w.session(a, o, AccessTokenAudience)
	good := tokens.RefreshToken
	body := strings.TrimPrefix(good, string(RefreshToken))
	parts := strings.Split(body, ".")
	other, _ := keyring.Generate()
	strange := *w
	strange.ring = other
	foreign, err := strange.auth().Issue(store.Session{ID: parts[0], Rotation: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"empty":              "",
		"prefix alone":       string(RefreshToken),
		"no prefix":          body,
		"truncated":          good[:len(good)-1],
		"extended":           good + "A",
		"line break":         good + "\n",
		"another rotation":   string(RefreshToken) + parts[0] + ".2." + parts[2],
		"rotation respelled": string(RefreshToken) + parts[0] + ".01." + parts[2],
		"no MAC":             string(RefreshToken) + parts[0] + ".1.",
		"another secret":     foreign.RefreshToken,
		"an access token":    tokens.AccessToken,
		"long":               good + strings.Repeat("A", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := w.ReadRefresh(token)
			want(t, err, portico.KindUnauthorized, notValidated)
		})
	}
	if _, _, err := w.refresh(t.Context(), good); err != nil {
		t.Errorf("the good one was refused: %v", err)
	}
}

// TestRemovedMemberRefresh: a session does not outlive the membership that it
// is for, however that ended.
func TestRemovedMemberRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, _ := w.administrator()
	elsewhere := w.organization(portico.Production, "")
	_, tokens := w.session(a, elsewhere, AccessTokenAudience)
	p, err := w.principal(tokens.AccessToken)
	if err != nil || p.Role != "" {
		t.Fatalf("got %+v, %v", p, err)
	}
	if _, ended, err := w.refresh(t.Context(), tokens.RefreshToken); err != nil || !ended {
		t.Errorf("ended %v, %v", ended, err)
	}
	_, err = w.principal(tokens.AccessToken)
	want(t, err, portico.KindUnauthorized, notValidated)
}
