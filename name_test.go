package portico

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestCleanName(t *testing.T) {
	t.Parallel()
	cases := []struct{ in, want string }{
		{"Acme", "Acme"},
		{" \t\n\u3000Acme Partner\u2029\u00A0", "Acme Partner"},
		{"e\u0301", "é"},
		{"👩\u200D🚀", "👩\u200D🚀"},
		{"می\u200Cخواهم", "می\u200Cخواهم"},
		{"a\u200Bb\uFEFF", "a\u200Bb\uFEFF"},
		{"<script>", "<script>"},
		{"=cmd|'/c calc'!A1", "=cmd|'/c calc'!A1"},
		{strings.Repeat("é", 80), strings.Repeat("é", 80)},
		{strings.Repeat("e\u0301", 80), strings.Repeat("é", 80)},
		{"שלום", "שלום"},

		{"", ""},
		{"  ", ""},
		{"\u200B\uFEFF\u200D\u2060", ""},
		{"\u3164", ""},
		{"\u2800", ""},
		{strings.Repeat("a", 81), ""},
		{strings.Repeat("\u0958", 41), ""}, // two code points each in NFC
		{"a\r\nb", ""},
		{"a\tb", ""},
		{"a\x00", ""},
		{"a\u0085b", ""},
		{"a\u2028b", ""},
		{"a\u202Eb", ""},
		{"a\u2066b", ""},
		{"a\u200Fb", ""},
		{"a\u061Cb", ""},
		{"a\uFFFEb", ""},
		{"a\U0010FFFFb", ""},
		{"a\xffb", ""},
		{"a\xed\xa0\x80b", ""}, // an encoded surrogate
	}
	for _, c := range cases {
		got, err := CleanName(c.in)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v; want %q", c.in, got, err, c.want)
		}
		if err != nil && KindOf(err) != KindInvalid {
			t.Errorf("%q: %v", c.in, KindOf(err))
		}
	}
}

func TestCleanText(t *testing.T) {
	t.Parallel()
	cases := []struct {
		in, want string
		ok       bool
	}{
		{"", "", true},
		{" \n ", "", true},
		{"a\r\nb\rc\td\n", "a\nb\nc\td", true},
		{"e\u0301", "é", true},
		{"1234567890", "1234567890", true},
		{"12345678901", "", false},
		{"a\x1b[31m", "", false},
		{"a\u202Eb", "", false},
		{"a\xff", "", false},
		{"a\u2028b", "", false},
	}
	for _, c := range cases {
		got, err := CleanText(c.in, 10)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%q: %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

func TestCleanPersonName(t *testing.T) {
	t.Parallel()
	cases := []struct{ in, want string }{
		{"", ""},
		{"  Ann  Marie ", "Ann Marie"},
		{"Ann\r\nBcc: x", "Ann Bcc: x"},
		{"A\u202Enn\x00", "Ann"},
		{"e\u202E\u0301", "é"},
		{"\u200B", ""},
		{"A\xff", "A"},
		{strings.Repeat("a", 79) + " b", strings.Repeat("a", 79)},
		{strings.Repeat("é", 100), strings.Repeat("é", 80)},
	}
	for _, c := range cases {
		if got := CleanPersonName(c.in); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestSlug(t *testing.T) {
	t.Parallel()
	cases := []struct{ in, want string }{
		{"Acme Partner Portal", "acme-partner-portal"},
		{"Bücher & Größe", "bucher-grosse"},
		{"Ærø Łódź Đà Þór", "aero-lodz-da-thor"},
		{"ＡＢＣ №1", "abc-no1"},
		{"İstanbul ISPARTA ı", "istanbul-isparta-i"},
		{"STRAẞE", "strasse"},
		{"Æ\u0301", "ae"},
		{"a\u0301b", "ab"},
		{"--a--b--", "a-b"},
		{"xn--bcher-kva", "xn-bcher-kva"},
		{"2024", "2024"},
		{"日本", "portal"},
		{"日本 Tokyo", "tokyo"},
		{"", "portal"},
		{"💩", "portal"},
		{"a\xffb", "a-b"},
		{strings.Repeat("a", 50), strings.Repeat("a", 40)},
		{strings.Repeat("a", 39) + " b", strings.Repeat("a", 39)},
		{strings.Repeat("a", 39) + "ß", strings.Repeat("a", 39) + "s"},
	}
	for _, c := range cases {
		if got := Slug(c.in); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestReservedLabel(t *testing.T) {
	t.Parallel()
	for label := range strings.FieldsSeq("www api admin console docs mail login auth app static assets status help support localhost autodiscover wpad ns1 mx10 www2") {
		if !ReservedLabel(label) {
			t.Errorf("%q is free", label)
		}
	}
	for label := range strings.FieldsSeq("acme portal nscale 2024 acme1 mxyz api-partners") {
		if ReservedLabel(label) {
			t.Errorf("%q is reserved", label)
		}
	}
}

func TestSafeMailText(t *testing.T) {
	t.Parallel()
	cases := []struct{ in, want string }{
		{"Acme Partner Portal", "Acme Partner Portal"},
		{"Acme Inc. and J.R. Doe", "Acme Inc. and J. R. Doe"},
		{"http://evil click", "http: //evil click"},
		{"https://evil.com/x?y", "https: //evil. com/x?y"},
		{"www.evil.com", "www. evil. com"},
		{"evil。com", "evil。 com"},
		{"evil.\u200Bcom", "evil. \u200Bcom"},
		{"evil\u202E.com", "evil. com"},
		{"mailto:x@evil.com", "mailto: x@ evil. com"},
		{"http://1.2.3.4", "http: //1. 2. 3. 4"},
		{"at 10:30, 2.5 (1.5)", "at 10:30, 2.5 (1.5)"},
		{"Wait... (Inc.)", "Wait... (Inc.)"},
		{"a..com", "a.. com"},
		{"a\r\nb\tc\x00", "a\nb\tc"},
		{"<b>", "<b>"},
		{"a\xff", "a"},
	}
	for _, c := range cases {
		got := SafeMailText(c.in)
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
		if again := SafeMailText(got); again != got {
			t.Errorf("%q: %q, then %q", c.in, got, again)
		}
	}
}

func TestSubjectText(t *testing.T) {
	t.Parallel()
	cases := []struct{ in, want string }{
		{"Invitation to Acme", "Invitation to Acme"},
		{"a\r\nBcc: x@y.co", "a Bcc: x@ y. co"},
		{" a\t\x00b ", "a b"},
		{"=?utf-8?q?x?=", "= ?utf-8?q?x?="},
		{strings.Repeat("é", 120), strings.Repeat("é", 120)},
		{strings.Repeat("é", 121), strings.Repeat("é", 117) + "..."},
	}
	for _, c := range cases {
		if got := SubjectText(c.in); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

// FuzzCleanName checks that a clean name is clean, normalised and short, and
// that what is made of any text for people and mail is too.
func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"Acme", " e\u0301 ", "a\u202Eb", "\u200B", "👩\u200D🚀", "a\r\nb", "\u0958", "http://evil.com", "=?utf-8?q?x?="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, err := CleanName(s); err == nil {
			if again, err := CleanName(name); err != nil || again != name {
				t.Fatalf("%q: %q, then %q, %v", s, name, again, err)
			}
			if n := utf8.RuneCountInString(name); n < 1 || n > MaxNameLength || !norm.NFC.IsNormalString(name) {
				t.Fatalf("%q: %q", s, name)
			}
		}
		if text, err := CleanText(s, 1000); err == nil {
			if again, err := CleanText(text, 1000); err != nil || again != text {
				t.Fatalf("%q: text %q, then %q, %v", s, text, again, err)
			}
		}
		person := CleanPersonName(s)
		if again := CleanPersonName(person); again != person {
			t.Fatalf("%q: person %q, then %q", s, person, again)
		}
		if _, err := CleanName(person); person != "" && err != nil {
			t.Fatalf("%q: person %q: %v", s, person, err)
		}
		if safe := SafeMailText(s); SafeMailText(safe) != safe || strings.Contains(safe, "://") {
			t.Fatalf("%q: mail text %q", s, safe)
		}
		subject := SubjectText(s)
		if strings.ContainsFunc(subject, lineBreaking) || strings.Contains(subject, "=?") || utf8.RuneCountInString(subject) > MaxSubjectLength {
			t.Fatalf("%q: subject %q", s, subject)
		}
	})
}

// FuzzSlug checks that a slug is a DNS label that is no A-label, and its own
// slug.
func FuzzSlug(f *testing.F) {
	for _, s := range []string{"Acme", "xn--a", "Größe", "日本", "--", strings.Repeat("a-", 30), "Æ\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		slug := Slug(s)
		if slug == "" || len(slug) > MaxSlugLength || strings.Trim(slug, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" ||
			slug[0] == '-' || slug[len(slug)-1] == '-' || strings.Contains(slug, "--") {
			t.Fatalf("%q: %q", s, slug)
		}
		if again := Slug(slug); again != slug {
			t.Fatalf("%q: %q, then %q", s, slug, again)
		}
	})
}
