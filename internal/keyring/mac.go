package keyring

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

// MACSize is the number of bytes of a sum.
const MACSize = sha256.Size

// MAC authenticates messages with HMAC-SHA256. It is safe for concurrent use.
type MAC struct {
	pool sync.Pool // of *macState
}

// macState is one keyed hash with the buffer for its message; both are used
// again, which saves hashing the key for each message.
type macState struct {
	hash hash.Hash
	buf  []byte
}

func newMAC(key []byte) *MAC {
	return &MAC{pool: sync.Pool{New: func() any {
		return &macState{hash: hmac.New(sha256.New, key)}
	}}}
}

// Sum returns the code of a message of several parts. Each part's length is
// part of the message: ("ab", "c") and ("a", "bc") have different sums.
func (m *MAC) Sum(parts ...string) [MACSize]byte {
	s := m.pool.Get().(*macState) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer m.pool.Put(s)
	s.buf = s.buf[:0]
	for _, p := range parts {
		s.buf = binary.BigEndian.AppendUint64(s.buf, uint64(len(p)))
		s.buf = append(s.buf, p...)
	}
	s.hash.Reset()
	s.hash.Write(s.buf)
	return [MACSize]byte(s.hash.Sum(s.buf[:0]))
}

// Equal reports whether sum is the code of the message, in a time that does
// not tell where it differs.
func (m *MAC) Equal(sum []byte, parts ...string) bool {
	want := m.Sum(parts...)
	return hmac.Equal(sum, want[:])
}
