package auth

import (
	"context"
	_ "embed"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"portico"
)

// The shortest passwords, in code points (NIST SP 800-63B-4).
const (
	MinPasswordRunes            = 15
	MinPasswordRunesSecondProof = 8 // where a second factor is asked for
)

// commonText is the words and phrases that obvious passwords are made of, one a
// line. Lines with a # in front are comments.
//
//go:embed commonpasswords.txt
var commonText string

// PasswordRules tells bad passwords. It asks for length and refuses what a
// guesser tries first; it does not ask for kinds of characters.
type PasswordRules struct {
	common map[string]bool
	rows   []string // of keyboards and alphabets, each twice, both ways
}

// PasswordOwner is who a password is for: it must not be made of what is known
// of its owner.
type PasswordOwner struct {
	Email        string
	SecondFactor bool // the account also asks for one
}

// NewPasswordRules returns the rules. The words given, such as the product's
// name, are as obvious as those of the built-in list.
func NewPasswordRules(words ...string) *PasswordRules {
	r := &PasswordRules{common: map[string]bool{}}
	for line := range strings.Lines(commonText) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			r.common[fold(line)] = true
		}
	}
	for _, w := range words {
		r.common[fold(w)] = true
	}
	for _, row := range []string{
		"abcdefghijklmnopqrstuvwxyz", "1234567890",
		"qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertyuiopasdfghjklzxcvbnm",
		"azertyuiop", "qsdfghjklm", "wxcvbn", "qwertzuiop", "yxcvbnm",
		"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "qazwsxedcrfvtgbyhnujmikolp", "1q2w3e4r5t6y7u8i9o0p",
	} {
		back := []byte(row)
		slices.Reverse(back)
		r.rows = append(r.rows, row+row, string(back)+string(back))
	}
	return r
}

// Check returns nil for a password that may be used, and otherwise an error on
// the field "password" that says what to do. It never repeats the password.
func (r *PasswordRules) Check(password string, owner PasswordOwner) error {
	normal, err := normalPassword(password)
	if err != nil {
		return err
	}
	shortest := MinPasswordRunes
	if owner.SecondFactor {
		shortest = MinPasswordRunesSecondProof
	}
	if utf8.RuneCountInString(normal) < shortest {
		return portico.FieldErrorf("password", "use at least %d characters; a few unrelated words are easy to remember", shortest)
	}
	words := r.ownerWords(owner.Email)
	if strings.EqualFold(normal, owner.Email) || r.obvious(fold(normal), words) || r.obvious(plain(normal), words) {
		return portico.FieldErrorf("password", "this is among the first passwords that somebody would try; use a few unrelated words")
	}
	return nil
}

// Passwords is the rules and the hasher, together what an installation does
// with passwords.
type Passwords struct {
	*Hasher
	*PasswordRules
}

// NewPasswords returns the rules, with words of the installation's own, and a
// hasher.
func NewPasswords(config HasherConfig, words ...string) *Passwords {
	return &Passwords{Hasher: NewHasher(config), PasswordRules: NewPasswordRules(words...)}
}

// HashNew returns the hash of a new password that obeys the rules.
func (p *Passwords) HashNew(ctx context.Context, password string, owner PasswordOwner) (string, error) {
	if err := p.Check(password, owner); err != nil {
		return "", err
	}
	return p.Hash(ctx, password)
}

// ownerWords returns the parts of an address that are long enough to mean
// something.
func (r *PasswordRules) ownerWords(email string) map[string]bool {
	words := map[string]bool{}
	local, domain, _ := strings.Cut(email, "@")
	label, _, _ := strings.Cut(domain, ".")
	for _, w := range []string{email, local, domain, label} {
		if w = fold(w); len(w) >= 3 {
			words[w] = true
		}
	}
	return words
}

// fold returns a text without blanks and punctuation, in lower case, with the
// substitutions of letters that everybody knows undone.
func fold(text string) string {
	return strings.Map(func(c rune) rune {
		switch c {
		case '@':
			return 'a'
		case '$':
			return 's'
		case '!':
			return -1 // more often added at the end than put for a letter
		case '0':
			return 'o'
		case '3':
			return 'e'
		}
		return plainRune(c)
	}, text)
}

// plain is fold without undoing substitutions, which would hide digits.
func plain(text string) string { return strings.Map(plainRune, text) }

func plainRune(c rune) rune {
	ornament := c <= unicode.MaxASCII || unicode.IsPunct(c) || unicode.IsSpace(c)
	if ornament && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
		return -1
	}
	return unicode.ToLower(c)
}

// longestObvious bounds the search in obvious, and longestWord the words that
// it knows. A longer password is only looked at for repetition.
const (
	longestObvious = 64
	longestWord    = 40
	maxWords       = 2
)

// obvious reports whether a folded text is nothing but punctuation, a short
// block again and again, or at most two different known words with runs of a
// keyboard, years and repeated characters around them.
func (r *PasswordRules) obvious(text string, own map[string]bool) bool {
	if text == "" || r.common[text] || own[text] {
		return true
	}
	if block := period(text); block < len(text) && (block <= 4 || r.obvious(text[:block], own)) {
		return true
	}
	return len(text) <= longestObvious && r.made(text, own, nil)
}

// period returns the length of the shortest block of which text is a
// repetition, the last one possibly cut.
func period(text string) int {
	for n := 1; n <= len(text)/2; n++ {
		if strings.HasPrefix(text[n:], text[:len(text)-n]) {
			return n
		}
	}
	return len(text)
}

// made reports whether text is made of known pieces, with at most maxWords
// different words, those in used included.
func (r *PasswordRules) made(text string, own map[string]bool, used []string) bool {
	if text == "" {
		return true
	}
	if n := r.run(text); n >= 3 && r.made(text[n:], own, used) {
		return true
	}
	if n := year(text); n > 0 && r.made(text[n:], own, used) {
		return true
	}
	for n := min(len(text), longestWord); n >= 3; n-- {
		word := text[:n]
		if !r.common[word] && !own[word] {
			continue
		}
		next := used
		if !slices.Contains(used, word) {
			if len(used) == maxWords {
				continue
			}
			next = append(slices.Clone(used), word)
		}
		if r.made(text[n:], own, next) {
			return true
		}
	}
	// One or two characters at the end are what people add to be let in.
	return len(used) > 0 && len(text) <= 2
}

// run returns how many characters at the start of text are one character again
// and again, or neighbours in a row of a keyboard or an alphabet.
func (r *PasswordRules) run(text string) int {
	longest := len(text) - len(strings.TrimLeft(text, text[:1]))
	for _, row := range r.rows {
		for start := range len(row) / 2 {
			n := 0
			for n < len(text) && start+n < len(row) && text[n] == row[start+n] {
				n++
			}
			longest = max(longest, n)
		}
	}
	return longest
}

// year returns 4 when text begins with a year of the last or this century, as
// fold or plain leaves it.
func year(text string) int {
	if len(text) < 4 || !strings.HasPrefix(text, "19") && !strings.HasPrefix(text, "20") && !strings.HasPrefix(text, "2o") {
		return 0
	}
	for _, c := range []byte(text[2:4]) {
		if !unicode.IsDigit(rune(c)) && c != 'o' && c != 'e' {
			return 0
		}
	}
	return 4
}
