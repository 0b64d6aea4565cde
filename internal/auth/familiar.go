package auth

import "sync"

// familiar remembers where accounts were signed in to lately: pairs of account
// and remote address. It is in memory only; after a restart the first sign-in
// shares the account's count with everybody.
type familiar struct {
	mu    sync.Mutex
	pairs *recent[string, struct{}]
}

// familiarPairs is how many pairs are remembered.
const familiarPairs = 1 << 14

func newFamiliar() *familiar { return &familiar{pairs: newRecent[string, struct{}](familiarPairs)} }

func (f *familiar) note(pair string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pairs.put(pair, struct{}{})
}

func (f *familiar) knows(pair string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.pairs.get(pair)
	return ok
}
