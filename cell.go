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
// spreadsheet: what a spreadsheet would take for a formula, or for the end of a
// cell, begins with an apostrophe and is shown as text.
func SafeCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(s[0])) {
		return "'" + s
	}
	return s
}
