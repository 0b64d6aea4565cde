package auth

import (
	"context"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"portico"
)

// cheap is a cost at which tests can hash often.
func cheap() Cost { return Cost{Time: 1, MemoryKiB: 8, Threads: 1} }

func TestHasher(t *testing.T) {
	t.Parallel()
	h := NewHasher(HasherConfig{})
	const password = "violin cupboard teapot"
	encoded, err := h.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(encoded, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(encoded, "violin") {
		t.Errorf("hash %q", encoded)
	}
	for text, want := range map[string]bool{password: true, password + " ": false} {
		if got, err := h.Verify(t.Context(), encoded, text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if h.Outdated(encoded) || !NewHasher(HasherConfig{Cost: cheap()}).Outdated(encoded) || !h.Outdated("") {
		t.Error("the cost of a hash is not compared")
	}
}

// The reference implementation's test vectors, and what differs in one point.
func TestHasherReadsOthersHashes(t *testing.T) {
	t.Parallel()
	h := NewHasher(HasherConfig{Cost: cheap()})
	const vector = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	if ok, err := h.Verify(t.Context(), vector, "password"); err != nil || !ok {
		t.Errorf("%v, %v", ok, err)
	}
	const two = "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"
	if ok, err := h.Verify(t.Context(), two, "password"); err != nil || !ok {
		t.Errorf("two threads: %v, %v", ok, err)
	}
	hashes := h.Count()
	replace := func(old, text string) string { return strings.Replace(vector, old, text, 1) }
	for name, encoded := range map[string]string{
		"a word":          "password",
		"bcrypt":          "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"argon2i":         replace("argon2id", "argon2i"),
		"another version": replace("v=19", "v=16"),
		"no version":      replace("$v=19", ""),
		"no memory":       replace("m=256", "m=0"),
		"all the memory":  replace("m=256", "m=4194304"),
		"no passes":       replace("t=2", "t=0"),
		"endless passes":  replace("t=2", "t=4000000000"),
		"no threads":      replace("p=1", "p=0"),
		"many threads":    replace("p=1", "p=255"),
		"leading zero":    replace("t=2", "t=02"),
		"another order":   replace("m=256,t=2", "t=2,m=256"),
		"no salt":         replace("c29tZXNhbHQ", ""),
		"no hash":         replace("nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", ""),
		"short hash":      replace("nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "nf65"),
		"padded":          vector + "=",
		"more":            vector + "$x",
		"line break":      vector + "\n",
	} {
		if ok, err := h.Verify(t.Context(), encoded, "password"); ok || err == nil || portico.KindOf(err) != portico.KindInternal {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	if h.Count() != hashes {
		t.Error("hashed for a stored value that cannot be read")
	}
}

func TestHasherHashesAllOfAPassword(t *testing.T) {
	t.Parallel()
	h := NewHasher(HasherConfig{Cost: cheap()})
	long := strings.Repeat("x", MaxPasswordBytes-1)
	encoded, err := h.Hash(t.Context(), long+"y")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{long + "y": true, long + "z": false, long: false, long[:72]: false} {
		if got, err := h.Verify(t.Context(), encoded, text); err != nil || got != want {
			t.Errorf("%d bytes: %v, %v", len(text), got, err)
		}
	}
	composed, err := h.Hash(t.Context(), "caf\u00e9 im Regen")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"cafe\u0301 im Regen": true, "cafe im Regen": false, "CAF\u00c9 im Regen": false} {
		if got, err := h.Verify(t.Context(), composed, text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestHasherRefusesBeforeHashing(t *testing.T) {
	t.Parallel()
	h := NewHasher(HasherConfig{Cost: cheap()})
	encoded, err := h.Hash(t.Context(), "violin cupboard teapot")
	if err != nil {
		t.Fatal(err)
	}
	hashes := h.Count()
	for name, password := range map[string]string{
		"a megabyte": strings.Repeat("x", 1<<20),
		"1025 bytes": strings.Repeat("x", MaxPasswordBytes+1),
		"NUL":        "violin\x00",
		"no UTF-8":   "violin\xff",
	} {
		if _, err := h.Hash(t.Context(), password); portico.KindOf(err) != portico.KindInvalid {
			t.Errorf("%s: hash: %v", name, err)
		}
		if ok, err := h.Verify(t.Context(), encoded, password); ok || err != nil {
			t.Errorf("%s: verify: %v, %v", name, ok, err)
		}
		if err := h.VerifyDummy(t.Context(), password); err != nil {
			t.Errorf("%s: dummy: %v", name, err)
		}
	}
	if h.Count() != hashes {
		t.Errorf("%d hashes", h.Count()-hashes)
	}
}

func TestUnknownAccountsCostTheSame(t *testing.T) {
	t.Parallel()
	h := NewHasher(HasherConfig{Cost: cheap()})
	p, err := parsePHC(h.dummy)
	if err != nil || p.cost != cheap() || len(p.salt) != saltBytes || len(p.key) != keyBytes {
		t.Fatalf("%+v, %v", p, err)
	}
	encoded, err := h.Hash(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	for name, verify := range map[string]func() (bool, error){
		"known":   func() (bool, error) { return h.Verify(t.Context(), encoded, "y") },
		"unknown": func() (bool, error) { return h.Verify(t.Context(), "", "y") },
		"dummy":   func() (bool, error) { return false, h.VerifyDummy(t.Context(), "y") },
	} {
		before := h.Count()
		if ok, err := verify(); ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
		if n := h.Count() - before; n != 1 {
			t.Errorf("%s: %d hashes", name, n)
		}
	}
}

func TestHasherBoundsItsQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(HasherConfig{Parallel: 2, Queue: 3, Cost: cheap()})
		h.slots <- struct{}{} // two hashes under way
		h.slots <- struct{}{}
		h.tickets <- struct{}{}
		h.tickets <- struct{}{}

		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		var served atomic.Int64
		for range 2 {
			waiting.Go(func() {
				if _, err := h.Hash(t.Context(), "x"); err != nil {
					t.Error(err)
				}
				served.Add(1)
			})
		}
		waiting.Go(func() {
			if _, err := h.Hash(ctx, "x"); portico.KindOf(err) != portico.KindUnavailable {
				t.Errorf("given up: %v", err)
			}
		})
		synctest.Wait()
		if _, err := h.Hash(t.Context(), "x"); portico.KindOf(err) != portico.KindRateLimited {
			t.Errorf("past the queue: %v", err)
		}
		if err := h.VerifyDummy(t.Context(), "x"); portico.KindOf(err) != portico.KindRateLimited {
			t.Errorf("past the queue, unknown account: %v", err)
		}
		if h.Count() != 0 {
			t.Error("hashed without a slot")
		}
		cancel()
		synctest.Wait()
		<-h.slots
		<-h.tickets
		waiting.Wait()
		if served.Load() != 2 || h.Count() != 2 {
			t.Errorf("served %d, %d hashes", served.Load(), h.Count())
		}
		<-h.slots
		<-h.tickets
		if len(h.slots) != 0 || len(h.tickets) != 0 {
			t.Error("a place was not given back")
		}
	})
}

// A storm of sign-ins needs the memory of the hashes under way, not of those
// that ended.
func TestHasherMemory(t *testing.T) { //nolint:paralleltest // alone: it measures the process
	const parallel, storm = 2, 12
	h := NewHasher(HasherConfig{Parallel: parallel, Queue: storm})
	runtime.GC()
	before := heapInUse()
	var peak atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			now := heapInUse()
			if now > peak.Load() {
				peak.Store(now)
			}
			select {
			case <-stop:
				return
			default:
				runtime.Gosched()
			}
		}
	}()
	var wg sync.WaitGroup
	for range storm {
		wg.Go(func() {
			if err := h.VerifyDummy(t.Context(), "violin cupboard teapot"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(stop)
	<-stopped
	const slack = 19 << 20 // one hash that ended and is not swept yet
	allowed := before + parallel*19<<20 + slack
	if peak.Load() > allowed {
		t.Errorf("peak %d MiB, allowed %d MiB", peak.Load()>>20, allowed>>20)
	}
	if h.Count() != storm {
		t.Errorf("%d hashes", h.Count())
	}
}

// heapInUse returns the bytes of objects, live or not yet swept.
func heapInUse() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	p := NewPasswords(HasherConfig{Cost: cheap()}, "Portico")
	owner := PasswordOwner{Email: "a@example.com"}
	if _, err := p.HashNew(t.Context(), "portico-password", owner); portico.KindOf(err) != portico.KindInvalid {
		t.Errorf("a bad one: %v", err)
	}
	if p.Count() != 0 {
		t.Error("hashed a password that was refused")
	}
	encoded, err := p.HashNew(t.Context(), "violin cupboard teapot", owner)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := p.Verify(t.Context(), encoded, "violin cupboard teapot"); err != nil || !ok {
		t.Errorf("%v, %v", ok, err)
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	f.Fuzz(func(t *testing.T, encoded string) {
		p, err := parsePHC(encoded)
		if err == nil && p.String() != encoded {
			t.Errorf("%q: read as %q", encoded, p)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	h := NewHasher(HasherConfig{})
	for b.Loop() {
		if err := h.VerifyDummy(b.Context(), "violin cupboard teapot"); err != nil {
			b.Fatal(err)
		}
	}
}
