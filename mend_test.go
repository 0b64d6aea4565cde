package portico

import "testing"

func TestMendAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ada@example,com":            "ada@example.com",
		"ada@@example.com":           "ada@example.com",
		"ada@example..com":           "ada@example.com",
		"ada.@example.com":           "ada@example.com",
		"ada @example.com":           "ada@example.com",
		"ada@ example. com":          "ada@example.com",
		"ada@example.com;":           "ada@example.com",
		"mailto:ada@example.com":     "ada@example.com",
		"ada (at) example (dot) com": "ada@example.com",
		"ada at example dot com":     "ada@example.com",
		"ada@gmail":                  "ada@gmail.com",
		"ada@gmailcom":               "ada@gmail.com",
		"ada@gmial,com":              "ada@gmail.com",
		"ada#gmail.com":              "ada@gmail.com",
		"jos\u00e9@example.com":      "jose@example.com",
		"[ada@example.com":           "ada@example.com",
		"ada@example.com":            "",
		"ada@gmial.com":              "", // SuggestAddress is about those
		"ada":                        "",
		"@example.com":               "",
		"ada@":                       "",
		"ada@localhost":              "",
		"\u043c\u0438\u0440@a.co":    "",
		"":                           "",
	} {
		if got := MendAddress(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// FuzzMendAddress: what is suggested is an address, and the text is none.
func FuzzMendAddress(f *testing.F) {
	for _, seed := range []string{"ada@example,com", "a at b dot co", "\u00e9@@x..y", "mailto:<a@b>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := MendAddress(text)
		if got == "" {
			return
		}
		if a, err := ParseAddress(got); err != nil || a.Stored != got {
			t.Errorf("%q: %q is no address: %v", text, got, err)
		}
		if _, err := ParseAddress(text); err == nil {
			t.Errorf("%q is an address and was mended to %q", text, got)
		}
	})
}
