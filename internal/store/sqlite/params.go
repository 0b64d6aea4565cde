package sqlite

import (
	"strconv"
	"strings"
)

// positional returns the text with ? in the place of $1 … $n where these stand
// in this order, each once, and the text itself otherwise. It means the same,
// and costs less: SQLite looks for the name of each parameter among all names
// at each use, which is the square of their number.
func positional(text string) string {
	var b strings.Builder
	parameters, copied := 0, 0
	for at := 0; at < len(text); at++ {
		switch text[at] {
		case '\'', '"':
			end := strings.IndexByte(text[at+1:], text[at])
			if end < 0 {
				return text
			}
			at += end + 1
		case '?', '-', '/': // comments may hold quotes; ours are in no statement
			if text[at] == '?' || strings.HasPrefix(text[at:], "--") || strings.HasPrefix(text[at:], "/*") {
				return text
			}
		case '$':
			end := at + 1
			for end < len(text) && text[end] >= '0' && text[end] <= '9' {
				end++
			}
			parameters++
			if text[at+1:end] != strconv.Itoa(parameters) {
				return text
			}
			b.WriteString(text[copied:at])
			b.WriteByte('?')
			copied, at = end, end-1
		}
	}
	if parameters == 0 {
		return text
	}
	return b.String() + text[copied:]
}
