package portico

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"sync"
	"time"
)

// The prefixes of ids. A portal's organization id is its portal id, so both
// begin with port_.
const (
	PrefixPortal       = "port_"
	PrefixOrganization = "org_"
	PrefixAccount      = "user_"
	PrefixInvitation   = "inv_"
	PrefixSession      = "sess_"
	PrefixToken        = "pat_"
	PrefixCredential   = "cred_"
	PrefixEvent        = "evt_"
	PrefixMail         = "mail_"
	PrefixJob          = "job_"
	PrefixImport       = "imp_"
	PrefixChallenge    = "chal_"
	PrefixCluster      = "clus_"
)

// idLength is the number of base32 characters after the prefix: 128 bits.
const idLength = 26

// idEncoding is RFC 4648's base32hex in lower case: its alphabet is in ASCII
// order, so that ids compare as the numbers that they encode.
var idEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// IDSource makes ids: 48 bits of Unix milliseconds, 16 bits of sequence and 64
// random bits. The ids of one source are unique and strictly increasing even
// when its clock stands still or goes back. It is safe for concurrent use.
type IDSource struct {
	now  func() time.Time
	mu   sync.Mutex
	last uint64 // milliseconds << 16 | sequence
}

// NewIDSource returns a source that reads the time from now.
func NewIDSource(now func() time.Time) *IDSource { return &IDSource{now: now} }

// New returns prefix and 26 lower-case base32 characters.
func (s *IDSource) New(prefix string) string {
	tick := uint64(s.now().UnixMilli()) << 16
	s.mu.Lock()
	if tick <= s.last {
		tick = s.last + 1
	}
	s.last = tick
	s.mu.Unlock()

	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], tick)
	if _, err := rand.Read(raw[8:]); err != nil {
		panic("portico: the system's random source failed: " + err.Error())
	}
	buf := make([]byte, len(prefix), len(prefix)+idLength)
	copy(buf, prefix)
	return string(idEncoding.AppendEncode(buf, raw[:]))
}

// ValidID reports whether id is prefix followed by 26 lower-case base32
// characters. Requests carry ids as opaque strings; this is for what builds
// names from them.
func ValidID(id, prefix string) bool {
	rest, ok := strings.CutPrefix(id, prefix)
	if !ok || len(rest) != idLength {
		return false
	}
	for _, c := range []byte(rest) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'v') {
			return false
		}
	}
	return true
}
