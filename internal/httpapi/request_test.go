package httpapi

import (
	"net/http"
	"testing"
)

func TestCoded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		lines []string
		want  bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"identity"}, false},
		{[]string{"Identity, identity"}, false},
		{[]string{"identity", "identity"}, false},
		{[]string{"gzip"}, true},
		{[]string{"identity, br"}, true},
		{[]string{"identity", "gzip"}, true},
		{[]string{"", "x"}, true},
	} {
		if got := coded(http.Header{"Content-Encoding": tt.lines}); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.lines, got, tt.want)
		}
	}
}
