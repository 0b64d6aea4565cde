package console

import (
	"testing"
	"time"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 KB", 1: "1 KB", 94_208: "95 KB", 999_999: "1,000 KB", 7_900_123: "7.9 MB", 12_345_678_901: "12.3 GB"} {
		if got := bytes(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
	for micros, want := range map[int64]string{0: "0.0 ms", 940: "0.9 ms", 99_000: "99.0 ms", 1_234_567: "1,235 ms"} {
		if got := millis(time.Duration(micros) * time.Microsecond); got != want {
			t.Errorf("%d microseconds are %q, want %q", micros, got, want)
		}
	}
}
