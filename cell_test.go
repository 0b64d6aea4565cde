package portico

import "testing"

// TestSafeCell is A64, in a spreadsheet of any language.
func TestSafeCell(t *testing.T) {
	t.Parallel()
	for _, tt := range [][2]string{
		{"", ""},
		{"Ada Lovelace", "Ada Lovelace"},
		{"a=b+c-d@e.co", "a=b+c-d@e.co"},
		{"=1+1", "'=1+1"},
		{"+1", "'+1"},
		{"-1", "'-1"},
		{"@SUM(1)", "'@SUM(1)"},
		{"|cmd", "'|cmd"},
		{"%0A", "'%0A"},
		{"＝1+1", "'＝1+1"},
		{"＠SUM(1)", "'＠SUM(1)"},
		{"\t=1", "'\t'=1"},
		{"Ada;=HYPERLINK(1)", "Ada;'=HYPERLINK(1)"},
		{"Ada;Lovelace", "Ada;Lovelace"},
		{"one\n=1", "one\n'=1"},
		{"é;é", "é;é"},
	} {
		if got := SafeCell(tt[0]); got != tt[1] {
			t.Errorf("%q: %q, want %q", tt[0], got, tt[1])
		}
	}
}
