package portico

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The limits of names and labels: names in code points after normalisation,
// labels and subjects as they are written.
const (
	MaxNameLength    = 80
	MaxSlugLength    = 40
	MaxSubjectLength = 120
)

const (
	zeroWidthNonJoiner = '\u200C'
	zeroWidthJoiner    = '\u200D'
)

func joiner(r rune) bool { return r == zeroWidthNonJoiner || r == zeroWidthJoiner }

// CleanName returns a portal's name as it is stored: without surrounding white
// space, in NFC, of 1 to MaxNameLength code points.
//
// Refused, as KindInvalid: text that is not valid UTF-8, control characters and
// line separators, characters that change the direction of what follows, and
// noncharacters. Other invisible characters are kept, because emoji and several
// scripts are written with joiners and nobody is deceived by a name that shows
// the same; a name of invisible characters only is blank.
func CleanName(s string) (string, error) {
	s, err := cleanText(s, "name", func(rune) bool { return false })
	if err != nil {
		return "", err
	}
	if blank(s) {
		return "", Errorf(KindInvalid, "The name is blank; give it at least one visible character.")
	}
	if utf8.RuneCountInString(s) > MaxNameLength {
		return "", Errorf(KindInvalid, "The name is too long: at most %d characters.", MaxNameLength)
	}
	return s, nil
}

// CleanText returns a description or a message as it is stored: without
// surrounding white space, in NFC, lines ended by a line feed, of at most limit
// code points. It may be empty. Line feeds and tabs are allowed; beyond that it
// refuses what CleanName refuses.
func CleanText(s string, limit int) (string, error) {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	s, err := cleanText(s, "text", func(r rune) bool { return r == '\n' || r == '\t' })
	if err != nil {
		return "", err
	}
	if utf8.RuneCountInString(s) > limit {
		return "", Errorf(KindInvalid, "The text is too long: at most %d characters.", limit)
	}
	return s, nil
}

// CleanPersonName returns a first or last name as it is stored: one line, in
// NFC, of at most MaxNameLength code points, and possibly empty. It never
// fails, because one bad name in an invitation of many must not fail the
// others: what CleanName refuses is left out, and a name that is too long is
// cut.
func CleanPersonName(s string) string {
	s = norm.NFC.String(oneLine(s))
	if blank(s) {
		return ""
	}
	return strings.TrimSpace(cut(s, MaxNameLength))
}

func cleanText(s, what string, allowed func(rune) bool) (string, error) {
	if !utf8.ValidString(s) {
		return "", Errorf(KindInvalid, "The %s is not valid Unicode text.", what)
	}
	s = strings.TrimSpace(norm.NFC.String(strings.TrimSpace(s)))
	for _, r := range s {
		switch {
		case allowed(r):
		case lineBreaking(r):
			return "", Errorf(KindInvalid, "The %s contains a control character (%U); remove it.", what, r)
		case redirecting(r):
			return "", Errorf(KindInvalid, "The %s contains an invisible character that changes the direction of text (%U); remove it.", what, r)
		case nonCharacter(r):
			return "", Errorf(KindInvalid, "The %s contains %U, which is not a character; remove it.", what, r)
		}
	}
	return s, nil
}

// lineBreaking: control characters and the two separators that break lines.
func lineBreaking(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

// redirecting: the characters with the property Bidi_Control, which can make a
// text show as another one.
func redirecting(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }

func nonCharacter(r rune) bool { return unicode.Is(unicode.Noncharacter_Code_Point, r) }

// invisible reports whether a character shows nothing by itself: spaces, format
// characters, fillers, and the empty Braille pattern.
func invisible(r rune) bool {
	return r == '\u2800' || unicode.IsSpace(r) || unicode.IsControl(r) ||
		unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func blank(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !invisible(r) })
}

// oneLine replaces runs of white space and control characters by one space and
// leaves out what deceives; the result is trimmed and valid UTF-8.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case redirecting(r), nonCharacter(r):
			return -1
		case lineBreaking(r):
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.Join(strings.Fields(s), " ")
}

// cut returns the first limit code points of s.
func cut(s string, limit int) string {
	for i := range s {
		if limit == 0 {
			return s[:i]
		}
		limit--
	}
	return s
}

// Slug returns the address label that a name suggests: lower-case ASCII
// letters, digits and single hyphens, of 1 to MaxSlugLength characters, with no
// hyphen at either end, and so never one that looks like an A-label. Latin
// letters lose their marks; every run of anything else becomes a hyphen; when
// nothing is left, the label is "portal". It is not necessarily free
// (ReservedLabel, and the registry, say that).
func Slug(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFKD.String(strings.ToLower(name)) {
		text := latinLetters(unicode.ToLower(r))
		if text == "" {
			gap = gap || !unicode.IsMark(r)
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte('-')
		}
		gap = false
		b.WriteString(text)
		if b.Len() >= MaxSlugLength {
			break
		}
	}
	slug := strings.TrimRight(cut(b.String(), MaxSlugLength), "-")
	if slug == "" {
		return "portal"
	}
	return slug
}

// latinLetters returns the ASCII letters or digit that a lower-case character
// is written with where marks are not available; empty for all others.
func latinLetters(r rune) string {
	if '0' <= r && r <= '9' || 'a' <= r && r <= 'z' {
		return string(r)
	}
	switch r {
	case 'ß':
		return "ss"
	case 'æ', 'ǽ':
		return "ae"
	case 'œ':
		return "oe"
	case 'ø':
		return "o"
	case 'ł':
		return "l"
	case 'đ', 'ð':
		return "d"
	case 'þ':
		return "th"
	case 'ħ':
		return "h"
	case 'ı':
		return "i"
	case 'ŋ':
		return "n"
	case 'ŧ':
		return "t"
	case 'ə':
		return "e"
	}
	return ""
}

// ReservedLabel reports whether an address label is kept from portals, because
// visitors, mail systems, browsers or certificate authorities would take the
// host for the installation's own, or because the installation may need it.
func ReservedLabel(label string) bool {
	switch label {
	case "www", "web", "home", "app", "apps", "portico", "portals":
		return true // where visitors expect the installation's own pages
	case "api", "console", "admin", "administrator", "dashboard", "root", "system", "internal", "gateway", "proxy", "edge":
		return true // the installation's own fronts, and what passes for them
	case "login", "signin", "signup", "logout", "auth", "oauth", "oauth2", "sso", "id", "idp", "account", "accounts", "secure", "security", "verify", "password", "reset", "invite", "invitation":
		return true // pages where people type passwords: a guest's page must not pass for one
	case "static", "assets", "cdn", "media", "files", "download", "downloads", "img", "images":
		return true // shared files; scripts from here would run with a trusted name
	case "docs", "help", "support", "status", "blog", "news", "about", "legal", "privacy", "terms", "abuse", "contact", "info", "sales", "billing", "pay", "payment", "payments":
		return true // the operator speaks to customers there
	case "mail", "email", "smtp", "imap", "pop", "pop3", "mx", "webmail", "autodiscover", "autoconfig", "mta-sts", "postmaster", "hostmaster", "webmaster", "bounce", "bounces":
		return true // mail programs look these names up, and act on what they find
	case "ns", "dns", "wpad", "isatap", "ftp", "ssh", "vpn", "git", "ldap", "db", "database", "localhost", "broadcasthost":
		return true // resolvers and operating systems give these a meaning
	case "test", "staging", "stage", "dev", "demo", "beta", "preview", "sandbox", "metrics", "health", "healthz", "monitor", "monitoring", "null", "undefined", "none":
		return true // operators' own copies, probes, and values that lost their meaning
	}
	return numberedServer(label)
}

// numberedServer: ns1, mx2, www3 and their like.
func numberedServer(label string) bool {
	name := strings.TrimRight(label, "0123456789")
	if name == label {
		return false
	}
	switch name {
	case "ns", "dns", "mx", "mail", "smtp", "www", "api", "web":
		return true
	}
	return false
}

// SafeMailText returns a text that someone else chose so that no mail program
// makes a link of it: a space follows each dot, colon or @-sign inside a word,
// except in a time of day or a decimal number. Control characters but line feed
// and tab are left out, and so is what CleanName refuses. It does not escape
// HTML; templates do. Applying it again changes nothing.
func SafeMailText(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case lineBreaking(r), redirecting(r), nonCharacter(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		b.WriteRune(r)
		if linkRune(r) && i+1 < len(runes) && !wordEnds(runes[i+1]) && !insideNumber(runes, i) {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// linkRune reports whether a character holds a link together: what separates
// labels, schemes and users, in ASCII and in the forms that browsers and UTS 46
// take for it.
func linkRune(r rune) bool {
	switch r {
	case '.', '\u3002', '\uFF0E', '\uFF61', '\u2024', '\uFE52',
		':', '\uFF1A', '\uFE55',
		'@', '\uFF20', '\uFE6B':
		return true
	}
	return false
}

// wordEnds reports whether no link goes on with a character after a separator.
// Of separators in a row, only the last one needs its space.
func wordEnds(r rune) bool {
	return unicode.IsSpace(r) || linkRune(r) || strings.ContainsRune(",;!?()[]{}\"'’”»", r)
}

// insideNumber reports whether runes[i] is the one dot or colon of a number:
// 2.5, 10:30. Two or more in a row may be an IP address.
func insideNumber(runes []rune, i int) bool {
	if runes[i] != '.' && runes[i] != ':' {
		return false
	}
	left, right := i, i+1
	for left > 0 && digit(runes[left-1]) {
		left--
	}
	for right < len(runes) && digit(runes[right]) {
		right++
	}
	if left == i || right == i+1 {
		return false
	}
	return (left == 0 || numberEnds(runes[left-1])) && (right == len(runes) || numberEnds(runes[right]))
}

func digit(r rune) bool { return '0' <= r && r <= '9' }

func numberEnds(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;!?()\"'", r) }

// SubjectText returns a text for the subject of a mail: one line of at most
// MaxSubjectLength code points without control characters, links, or anything
// that a mail program would decode (RFC 2047). Whoever writes the header field
// encodes what is not ASCII.
func SubjectText(s string) string {
	s = strings.ReplaceAll(SafeMailText(oneLine(s)), "=?", "= ?")
	if utf8.RuneCountInString(s) > MaxSubjectLength {
		s = strings.TrimSpace(cut(s, MaxSubjectLength-len("..."))) + "..."
	}
	return s
}

// SignInLabel is the label, below the portal domain, of the host where guests
// of all portals sign in. It is reserved.
const SignInLabel = "signin"
