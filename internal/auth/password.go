package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"portico"
)

// MaxPasswordBytes is the longest password that is hashed.
const MaxPasswordBytes = 1024

// Cost is the work of one hash.
type Cost struct {
	Time      uint32 // passes
	MemoryKiB uint32
	Threads   uint8
}

// DefaultCost is OWASP's second choice for argon2id: 19 MiB, so that a
// sign-in storm stays within a small machine's memory.
func DefaultCost() Cost { return Cost{Time: 2, MemoryKiB: 19 * 1024, Threads: 1} }

// The bounds of what Verify computes for a stored hash, whoever wrote it.
const (
	maxHashTime      = 16
	maxHashMemoryKiB = 64 * 1024
	maxHashThreads   = 4

	saltBytes = 16
	keyBytes  = 32
)

// queuePerSlot is how many may wait for each hash under way: about a second.
const queuePerSlot = 32

// HasherConfig says how much a Hasher may do at once. The zero value is for
// production.
type HasherConfig struct {
	Parallel int  // hashes at once; 0: as many as the process may use processors
	Queue    int  // callers that may wait; 0: 32 for each of Parallel
	Cost     Cost // of new hashes; tests choose a small one
}

// Hasher makes and checks password hashes, a bounded number at once: beyond
// that callers wait, and beyond a bounded queue they are refused with
// KindRateLimited. Its memory is what the hashes under way need, and no more:
// see release. It is safe for concurrent use.
type Hasher struct {
	cost    Cost
	slots   chan struct{}
	tickets chan struct{} // of those who hash and those who wait
	dummy   string
	count   atomic.Int64
	garbage atomic.Int64 // bytes of finished hashes since the last collection
}

// NewHasher returns a hasher.
func NewHasher(config HasherConfig) *Hasher {
	if config.Parallel <= 0 {
		config.Parallel = runtime.GOMAXPROCS(0)
	}
	if config.Queue <= 0 {
		config.Queue = queuePerSlot * config.Parallel
	}
	if config.Cost == (Cost{}) {
		config.Cost = DefaultCost()
	}
	h := &Hasher{
		cost:    config.Cost,
		slots:   make(chan struct{}, config.Parallel),
		tickets: make(chan struct{}, config.Parallel+config.Queue),
	}
	h.dummy = phc{cost: h.cost, salt: randomBytes(saltBytes), key: randomBytes(keyBytes)}.String()
	return h
}

// Count returns how many hashes were computed.
func (h *Hasher) Count() int64 { return h.count.Load() }

// Hash returns the hash of a password in the PHC string format. Whether the
// password is a good one is for PasswordRules; Hash refuses only what Verify
// could never accept, as an error on the field "password".
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	normal, err := normalPassword(password)
	if err != nil {
		return "", err
	}
	p := phc{cost: h.cost, salt: randomBytes(saltBytes)}
	if p.key, err = h.compute(ctx, normal, p, keyBytes); err != nil {
		return "", err
	}
	return p.String(), nil
}

// Verify reports whether a password is the one that was hashed. Without a hash,
// for an account that does not exist or has no password, it does the same work
// and reports false.
func (h *Hasher) Verify(ctx context.Context, encoded, password string) (bool, error) {
	if encoded == "" {
		return false, h.VerifyDummy(ctx, password)
	}
	p, err := parsePHC(encoded)
	if err != nil {
		return false, err
	}
	normal, err := normalPassword(password)
	if err != nil {
		return false, nil //nolint:nilerr // no such password was ever hashed: it is just wrong
	}
	key, err := h.compute(ctx, normal, p, len(p.key))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, p.key) == 1, nil
}

// VerifyDummy does the work of Verify for an account that does not exist, so
// that neither the answer's time nor its error tells that.
func (h *Hasher) VerifyDummy(ctx context.Context, password string) error {
	_, err := h.Verify(ctx, h.dummy, password)
	return err
}

// Outdated reports whether a hash was made at another cost than new ones are:
// after the next good sign-in it should be made again.
func (h *Hasher) Outdated(encoded string) bool {
	p, err := parsePHC(encoded)
	return err != nil || p.cost != h.cost
}

func (h *Hasher) compute(ctx context.Context, normal string, p phc, size int) ([]byte, error) {
	select {
	case h.tickets <- struct{}{}:
	default:
		return nil, portico.Errorf(portico.KindRateLimited, "Too many sign-ins at once. Try again in a moment.")
	}
	defer func() { <-h.tickets }()
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, portico.WrapError(portico.KindUnavailable, ctx.Err(), "The password was not checked in time. Try again.")
	}
	defer h.release(int64(p.cost.MemoryKiB) << 10)
	h.count.Add(1)
	return argon2.IDKey([]byte(normal), p.salt, p.cost.Time, p.cost.MemoryKiB, p.cost.Threads, uint32(size)), nil
}

// release gives a slot on. The memory of the hash is garbage now, and left
// alone the collector would let as much garbage pile up as the heap had in use,
// in-flight hashes included: twice the memory that the slots allow. So the
// garbage of hashes may only take the room that the rest of the heap would
// leave for garbage anyway; past that, it is collected before the next hash
// begins. With a small heap that is after each hash, and cheap; with a large
// one it is seldom.
func (h *Hasher) release(size int64) {
	garbage := h.garbage.Add(size)
	inFlight := int64(cap(h.slots)) * int64(h.cost.MemoryKiB) << 10
	if size >= collectFrom && garbage > liveHeap()-inFlight {
		h.garbage.Add(-garbage)
		runtime.GC()
	}
	<-h.slots
}

// collectFrom is the size of a hash below which memory is no concern.
const collectFrom = 1 << 20

// liveHeap returns the bytes that the last collection found in use.
func liveHeap() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(sample[0].Value.Uint64())
}

// normalPassword returns what of a password is hashed: all of it, in Unicode's
// composed form, so that it does not matter how a keyboard spells it.
func normalPassword(password string) (string, error) {
	switch {
	case len(password) > MaxPasswordBytes:
		return "", portico.FieldErrorf("password", "a password has at most %d bytes", MaxPasswordBytes)
	case !utf8.ValidString(password):
		return "", portico.FieldErrorf("password", "the password is not UTF-8")
	case strings.ContainsRune(password, 0):
		return "", portico.FieldErrorf("password", "a password has no NUL character")
	}
	return norm.NFC.String(password), nil
}

// phc is a hash in the PHC string format:
// $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
type phc struct {
	cost      Cost
	salt, key []byte
}

// String returns the one spelling that parsePHC accepts.
func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.cost.MemoryKiB, p.cost.Time, p.cost.Threads, b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

// parsePHC reads a hash. What it refuses was damaged in storage or written by
// something else; the error repeats none of it.
func parsePHC(encoded string) (phc, error) {
	bad := errors.New("a stored password hash cannot be read")
	fields := strings.Split(encoded, "$")
	if len(fields) != 6 {
		return phc{}, bad
	}
	var p phc
	if _, err := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &p.cost.MemoryKiB, &p.cost.Time, &p.cost.Threads); err != nil {
		return phc{}, bad
	}
	var saltErr, keyErr error
	p.salt, saltErr = base64.RawStdEncoding.DecodeString(fields[4])
	p.key, keyErr = base64.RawStdEncoding.DecodeString(fields[5])
	switch {
	case saltErr != nil, keyErr != nil, p.String() != encoded:
		return phc{}, bad
	case len(p.salt) < 8, len(p.salt) > 64, len(p.key) < 16, len(p.key) > 64:
		return phc{}, bad
	case p.cost.Time < 1, p.cost.Time > maxHashTime, p.cost.Threads < 1, p.cost.Threads > maxHashThreads:
		return phc{}, bad
	case p.cost.MemoryKiB < 8*uint32(p.cost.Threads), p.cost.MemoryKiB > maxHashMemoryKiB:
		return phc{}, bad
	}
	return p, nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never returns an error: the program stops instead
	return b
}
