package auth

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"portico"
)

func TestPasswordRules(t *testing.T) {
	t.Parallel()
	rules := NewPasswordRules("Portico")
	owner := PasswordOwner{Email: "Grace.Hopper@navy-yard.example"}
	for _, good := range []string{
		"violin cupboard teapot",
		"kettle-harbour-91-moss",
		"xK9#mQ2$vL7@pR4",
		"eine lange Nacht im Zug nach Wien",
		"пароль из нескольких слов",
		"日本語の長い合言葉を使いましょうね",
		"🦊🐢🌵🎻🚲🧭🪁🧩🛶🪴🦉🍄🎈🔭🧵",
		"dragon coffee umbrella piano",
		"my cat weighs 7 kilos in 2024",
		strings.Repeat("mossy kettle ", 4) + "and one harbour",
	} {
		if err := rules.Check(good, owner); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for name, bad := range map[string]string{
		"repeated character":     strings.Repeat("a", 20),
		"repeated character, é":  strings.Repeat("é", 20),
		"repeated block":         "abcabcabcabcabcabc",
		"repeated block, cut":    "xk9xk9xk9xk9xk9xk",
		"repeated common word":   "passwordpassword",
		"repeated, with blanks":  "secret secret secret",
		"alphabet":               "abcdefghijklmnop",
		"alphabet backwards":     "ponmlkjihgfedcba",
		"alphabet, spread":       "a b c d e f g h ?",
		"digits":                 "123456789012345",
		"digits backwards":       "987654321098765",
		"keyboard row":           "qwertyuiopasdfgh",
		"keyboard rows":          "qwertyuiopasdfghjkl",
		"keyboard columns":       "1qaz2wsx3edc4rfv",
		"keyboard and digits":    "qwertyuiop12345",
		"word and digits":        "password1234567",
		"word and year":          "Sommerfruehling2024",
		"two words, year, mark":  "SummerHoliday2024!",
		"substitutions":          "P@$$w0rdP@$$w0rd",
		"word, year, word":       "Welcome2024Welcome",
		"phrase":                 "correct horse battery staple",
		"phrase, dressed up":     "CorrectHorseBatteryStaple1!",
		"pangram":                "The quick brown fox jumps over the lazy dog",
		"the address":            "grace.hopper@navy-yard.example",
		"the address in capital": "GRACE.HOPPER@NAVY-YARD.EXAMPLE",
		"name of the address":    "gracehopper12345",
		"host of the address":    "navy-yard.example",
		"product and year":       "Portico2026Portico",
		"product and word":       "portico-password",
		"punctuation":            "!!!???...,,,;;;:::---",
		"blanks":                 strings.Repeat(" ", 15),
	} {
		err := rules.Check(bad, owner)
		checkPasswordRefusal(t, name, err, "among the first passwords")
		if err != nil && strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %q repeats the password", name, err)
		}
	}
}

func checkPasswordRefusal(t *testing.T, name string, err error, text string) {
	t.Helper()
	e, ok := errors.AsType[*portico.Error](err)
	if !ok || e.Kind != portico.KindInvalid || e.Field != "password" || !strings.Contains(e.Msg, text) {
		t.Errorf("%s: %v", name, err)
	}
}

func TestPasswordLengths(t *testing.T) {
	t.Parallel()
	rules := NewPasswordRules()
	// moss has no period and no known word in it.
	moss := "kvlq7mtz0rdyw4hx9cnb2gpf6sj"
	long := strings.Repeat(moss, 40)
	for name, c := range map[string]struct {
		password string
		owner    PasswordOwner
		want     string // part of the refusal; empty when accepted
	}{
		"empty":                         {"", PasswordOwner{}, "at least 15"},
		"14":                            {moss[:14], PasswordOwner{}, "at least 15"},
		"15":                            {moss[:15], PasswordOwner{}, ""},
		"14 in 28 bytes":                {"żółćęśąźńłóżćę", PasswordOwner{}, "at least 15"},
		"15 in 30 bytes":                {"żółćęśąźńłóżćęś", PasswordOwner{}, ""},
		"14 composed of 28":             {"e\u0301a\u0301o\u0301u\u0301i\u0301e\u0300a\u0300o\u0300u\u0300i\u0300e\u0302a\u0302o\u0302u\u0302", PasswordOwner{}, "at least 15"},
		"7 with a second factor":        {moss[:7], PasswordOwner{SecondFactor: true}, "at least 8"},
		"8 with a second factor":        {moss[:8], PasswordOwner{SecondFactor: true}, ""},
		"common with a second factor":   {"password", PasswordOwner{SecondFactor: true}, "first passwords"},
		"64":                            {moss + moss[5:20] + moss[1:23], PasswordOwner{}, ""},
		"1024 bytes":                    {"#" + long[:1023], PasswordOwner{}, ""},
		"1025 bytes":                    {"#" + long[:1024], PasswordOwner{}, "at most 1024 bytes"},
		"a megabyte":                    {strings.Repeat("x", 1<<20), PasswordOwner{}, "at most 1024 bytes"},
		"NUL":                           {moss[:10] + "\x00" + moss[10:], PasswordOwner{}, "NUL"},
		"no UTF-8":                      {moss + "\xff", PasswordOwner{}, "UTF-8"},
		"no address, one part too few":  {"@@@@@@@@@@@@@@@@", PasswordOwner{Email: "@"}, "first passwords"},
		"an address that is a syllable": {moss[:15], PasswordOwner{Email: "k@v"}, ""},
	} {
		err := rules.Check(c.password, c.owner)
		if c.want != "" {
			checkPasswordRefusal(t, name, err, c.want)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryListedPasswordIsRefused(t *testing.T) {
	t.Parallel()
	rules := NewPasswordRules()
	n := 0
	for line := range strings.Lines(commonText) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		n++
		if len(line) > longestWord {
			t.Errorf("%q is longer than the search looks", line)
		}
		for utf8.RuneCountInString(line) < MinPasswordRunes {
			line += line
		}
		if err := rules.Check(line, PasswordOwner{}); err == nil {
			t.Errorf("%q: accepted", line)
		}
	}
	if n < 300 {
		t.Errorf("%d lines", n)
	}
}

func FuzzPasswordRules(f *testing.F) {
	rules := NewPasswordRules("Portico")
	f.Add("correct horse battery staple", "a@b.co")
	f.Add("ééééééééééééééé", "@")
	f.Add("1920192019201920qwerty", "")
	f.Fuzz(func(t *testing.T, password, email string) {
		err := rules.Check(password, PasswordOwner{Email: email})
		if err == nil && (len(password) > MaxPasswordBytes || strings.EqualFold(password, email)) {
			t.Errorf("%q for %q: accepted", password, email)
		}
	})
}
