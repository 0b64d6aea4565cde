package portico

import "strings"

// maxCell is longer than any field of a recipient may be, so that what is cut
// does not become one by that.
const maxCell = 400

// CleanCell returns a cell of a pasted list as it can be kept: valid text
// without NUL, of bounded length.
func CleanCell(s string) string {
	return cut(strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD"), maxCell)
}

// SafeCell returns a text for a cell of a CSV file that a person may open in a
// spreadsheet: what a spreadsheet would take for a formula, in ASCII or in full
// width, or for the end of a cell, stands behind an apostrophe and is shown as
// text. In some languages a semicolon ends a cell, and a quote does not hold it.
func SafeCell(s string) string {
	var b strings.Builder
	begins := true
	for _, r := range s {
		if begins && strings.ContainsRune("=+-@\t\r\n|%＝＋－＠", r) {
			b.WriteByte('\'')
		}
		begins = strings.ContainsRune(";\t\r\n", r)
		b.WriteRune(r)
	}
	return b.String()
}
