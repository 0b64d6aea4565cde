package mail

import (
	"net/textproto"
	"strings"
	"testing"
)

// FuzzShown gives the words of mail servers to what keeps them: whatever they
// are, one short line of printable ASCII comes out.
func FuzzShown(f *testing.F) {
	f.Add(550, "5.1.1 <ada@example.com>: no such person\nhere")
	f.Add(-1, "\x00\x1b[31m\r\n\u202e<script>"+strings.Repeat("ü", 300))
	f.Add(0, "")
	f.Fuzz(func(t *testing.T, code int, words string) {
		got := shown(&textproto.Error{Code: code, Msg: words})
		if len(got) > maxDetail || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q", got)
		}
	})
}
