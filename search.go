package portico

import (
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// SearchKey folds what a person may search by into one text: NFKC, case folded,
// the parts joined by line feeds. Both the stored text and the words searched
// for are folded here, so that engines only compare bytes.
func SearchKey(parts ...string) string {
	joined := strings.Join(parts, "\n")
	if isASCII(joined) {
		return strings.ToLower(joined)
	}
	return cases.Fold().String(norm.NFKC.String(joined))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
