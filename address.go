package portico

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"
)

// The limits of an e-mail address (RFC 5321 4.5.3.1 with erratum 1690): the
// whole in octets, in each of its forms, and the part before the @-sign.
const (
	MaxAddressLength   = 254
	MaxLocalPartLength = 64
)

// maxAddressInput is the number of code points accepted with a display name
// around the address.
const maxAddressInput = 2048

// Address is a valid e-mail address. Stored is what mail is sent to and people
// are shown: the local part as sent, the domain lower-case in Unicode form. Key
// is what uniqueness rests on: two addresses are the same account's exactly
// when their keys are equal. It is ASCII: the domain in lower-case A-labels,
// the local part in lower case.
type Address struct {
	Stored string
	Key    string
}

// Envelope returns the form for SMTP commands and header fields: the local part
// as stored, the domain in A-labels. It is ASCII.
func (a Address) Envelope() string {
	local, _, _ := strings.Cut(a.Stored, "@")
	_, domain, _ := strings.Cut(a.Key, "@")
	return local + "@" + domain
}

// ParseAddress returns the address in s, of at most MaxAddressLength octets.
// Outer white space, angle brackets and a display name are dropped: "Name
// <a@b.co>" is a@b.co.
//
// The rules are those of Python's email-validator without delivery checks, as
// clients of the API know them, except that the local part is ASCII and of at
// most MaxLocalPartLength octets: a dot-atom (RFC 5322 3.2.3), no quoting, no
// bracketed IP address; a domain of two labels or more by UTS 46 and IDNA 2008,
// whose last ends in a letter, and no special-use name. Mailbox names that
// RFC 2142 makes case-insensitive (postmaster, abuse …) are stored in lower
// case. An A-label that is not how its letters are encoded is refused, since it
// would be a second key for one domain. Providers' own rules, as Gmail's dots, are not applied: they are not
// ours to know. The error is KindInvalid.
func ParseAddress(s string) (Address, error) {
	if utf8.RuneCountInString(s) > maxAddressInput {
		return Address{}, Errorf(KindInvalid, "The address is too long: at most %d characters.", MaxAddressLength)
	}
	if !utf8.ValidString(s) {
		return Address{}, Errorf(KindInvalid, "The address is not valid Unicode text.")
	}
	bare := bareAddress(s)
	if len(bare) > MaxAddressLength {
		return Address{}, Errorf(KindInvalid, "The address is too long: at most %d characters.", MaxAddressLength)
	}
	local, domain, found := strings.Cut(bare, "@")
	if !found {
		return Address{}, Errorf(KindInvalid, "An e-mail address must have an @-sign.")
	}
	if err := checkLocalPart(local); err != nil {
		return Address{}, err
	}
	if mailboxIgnoresCase(strings.ToLower(local)) {
		local = strings.ToLower(local)
	}
	ascii, shown, err := mailDomain(domain)
	if err != nil {
		return Address{}, err
	}
	a := Address{Stored: local + "@" + shown, Key: strings.ToLower(local) + "@" + ascii}
	if len(a.Stored) > MaxAddressLength || len(a.Key) > MaxAddressLength {
		return Address{}, Errorf(KindInvalid, "The address is too long: at most %d characters.", MaxAddressLength)
	}
	return a, nil
}

// bareAddress drops what pydantic drops around an address. A text that is no
// "Name <address>" is returned trimmed; its brackets are refused later.
func bareAddress(s string) string {
	s = strings.TrimFunc(s, outerSpace)
	if !strings.HasSuffix(s, ">") {
		return s
	}
	open := addressBracket(s)
	if open < 0 {
		return s
	}
	inner := s[open+1 : len(s)-1]
	if strings.Contains(inner, "\n") {
		return s
	}
	return strings.TrimFunc(inner, outerSpace)
}

// addressBracket returns the place of the bracket that ends a display name,
// which is empty, words of mail-name characters, or anything in double quotes;
// -1 when what stands in front of the bracket is no display name.
func addressBracket(s string) int {
	if !strings.HasPrefix(s, `"`) {
		open := strings.IndexByte(s, '<')
		if open < 0 || strings.ContainsFunc(s[:open], func(r rune) bool { return !outerSpace(r) && !nameRune(r) }) {
			return -1
		}
		return open
	}
	for end := strings.LastIndexByte(s, '"'); end > 1; end = strings.LastIndexByte(s[:end], '"') {
		rest := strings.TrimLeftFunc(s[end+1:], outerSpace)
		if strings.HasPrefix(rest, "<") {
			return len(s) - len(rest)
		}
	}
	return -1
}

// outerSpace is white space as Python's str.strip has it: Unicode's, and the
// four separators of ASCII.
func outerSpace(r rune) bool { return unicode.IsSpace(r) || 0x1C <= r && r <= 0x1F }

func nameRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || strings.ContainsRune("_!#$%&'*+-/=?^`{|}~", r)
}

func atomByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("_!#$%&'*+-/=?^`{|}~", c) >= 0
}

func checkLocalPart(local string) error {
	switch {
	case local == "":
		return Errorf(KindInvalid, "There must be something before the @-sign.")
	case len(local) > MaxLocalPartLength:
		return Errorf(KindInvalid, "The part before the @-sign is too long: at most %d characters.", MaxLocalPartLength)
	case !isASCII(local):
		return Errorf(KindInvalid, "The part before the @-sign may hold ASCII characters only.")
	case strings.HasPrefix(local, "."), strings.HasSuffix(local, "."), strings.Contains(local, ".."):
		return Errorf(KindInvalid, "The part before the @-sign has a dot that is too many.")
	}
	for i := range len(local) {
		if local[i] != '.' && !atomByte(local[i]) {
			return Errorf(KindInvalid, "The character %q is not allowed before the @-sign.", rune(local[i]))
		}
	}
	return nil
}

// mailboxIgnoresCase reports whether RFC 2142 3 to 5 name a mailbox.
func mailboxIgnoresCase(local string) bool {
	switch local {
	case "info", "marketing", "sales", "support",
		"abuse", "noc", "security",
		"postmaster", "hostmaster", "usenet", "news", "webmaster", "www", "uucp", "ftp":
		return true
	}
	return false
}

// mailDomain returns a domain in A-labels and as people are shown it.
func mailDomain(s string) (ascii, shown string, err error) {
	if s == "" {
		return "", "", Errorf(KindInvalid, "There must be something after the @-sign.")
	}
	for i, r := range s {
		if !domainRune(r) || i == 0 && unicode.IsMark(r) {
			return "", "", Errorf(KindInvalid, "The character %q is not allowed after the @-sign.", r)
		}
	}
	ascii, labels, err := canonicalDomain(s)
	if err != nil {
		return "", "", err
	}
	last := ascii[len(ascii)-1]
	switch {
	case !strings.Contains(ascii, "."):
		return "", "", Errorf(KindInvalid, "There must be a dot after the @-sign.")
	case last < 'a' || last > 'z':
		return "", "", Errorf(KindInvalid, "The part after the @-sign does not end in a top-level domain.")
	case specialUseDomain(ascii):
		return "", "", Errorf(KindInvalid, "The part after the @-sign is a special-use name that cannot receive mail.")
	}
	for i, label := range labels {
		if strings.ContainsFunc(label, joiner) {
			// What is stored holds no invisible character; it could not be
			// typed, nor parsed, again.
			labels[i] = strings.Split(ascii, ".")[i]
		}
	}
	return ascii, strings.Join(labels, "."), nil
}

// domainRune reports whether a character may be sent in a domain: letters,
// digits, hyphens and dots, and beyond ASCII nothing that is invisible, private
// or unassigned.
func domainRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '-' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S)
}

// specialUseDomain reports whether a name in A-labels is at or below one of
// the special-use names that mail never reaches (RFC 6761, 6762, 7686). The
// example domains are no such names: applications should accept them.
func specialUseDomain(ascii string) bool {
	switch ascii[strings.LastIndexByte(ascii, '.')+1:] {
	case "arpa", "invalid", "local", "localhost", "onion", "test":
		return true
	}
	return false
}

// SuggestAddress returns the address that was probably meant when the domain in
// s is a likely slip for a provider's or a top-level domain: gmial.com, yaho.com,
// hotmail.con. It is empty when there is none, or s is no address. A suggestion
// is for asking a person, never for changing what was sent.
func SuggestAddress(s string) string {
	a, err := ParseAddress(s)
	if err != nil {
		return ""
	}
	local, _, _ := strings.Cut(a.Stored, "@")
	_, domain, _ := strings.Cut(a.Key, "@")
	meant := domain
	if i := strings.LastIndexByte(domain, '.'); i >= 0 {
		meant = domain[:i+1] + topLevelMeant(domain[i+1:])
	}
	meant = providerMeant(meant)
	if meant == domain {
		return ""
	}
	return local + "@" + meant
}

// topLevelMeant corrects slips in top-level domains; none of them exists.
func topLevelMeant(tld string) string {
	switch tld {
	case "con", "cmo", "ocm", "vom", "xom", "cpm", "comm", "coom", "ccom", "comn", "copm":
		return "com"
	case "ner", "nte", "ent", "nett":
		return "net"
	case "ogr", "rog", "orgg", "orq":
		return "org"
	}
	return tld
}

// providerMeant returns the provider's domain that a domain is one slip away
// from, or the domain itself.
func providerMeant(domain string) string {
	switch domain {
	case "mail.com", "email.com", "ymail.com", "gmx.com", "hotmail.co": // others' own
		return domain
	}
	providers := strings.Fields("gmail.com googlemail.com hotmail.com hotmail.co.uk hotmail.de hotmail.fr hotmail.it hotmail.es " +
		"yahoo.com yahoo.co.uk yahoo.de yahoo.fr yahoo.it yahoo.es yahoo.co.in yahoo.co.jp yahoo.com.br " +
		"outlook.com outlook.de outlook.fr outlook.es outlook.it icloud.com protonmail.com t-online.de")
	if slices.Contains(providers, domain) {
		return domain
	}
	for _, p := range providers {
		if oneSlip(domain, p) {
			return p
		}
	}
	return domain
}

// oneSlip reports whether one character left out, added or changed, or two
// neighbours exchanged, turn a into b.
func oneSlip(a, b string) bool {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	a, b = a[start:], b[start:]
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	switch {
	case len(a) == 2 && len(b) == 2:
		return a[0] == b[1] && a[1] == b[0]
	case len(a) > 1 || len(b) > 1:
		return false
	}
	return a != b
}

// MaskAddress returns an address that its holder recognises and others cannot
// use, for pages that are shown before someone has signed in: a…e@ex…le.com.
// What is no address becomes an ellipsis.
func MaskAddress(s string) string {
	local, domain, found := strings.Cut(s, "@")
	if !found || local == "" || domain == "" {
		return "…"
	}
	name, suffix := domain, ""
	if i := strings.LastIndexByte(strings.TrimSuffix(domain, publicSuffixOf(domain)), '.'); i > 0 {
		name, suffix = domain[:i], domain[i:]
	}
	return maskText(local, 1) + "@" + maskText(name, 2) + suffix
}

func publicSuffixOf(domain string) string {
	suffix, _ := publicsuffix.PublicSuffix(domain)
	return suffix
}

// maskText keeps the first and last keep characters of a text when at least as
// many are left out, and the first character alone otherwise.
func maskText(s string, keep int) string {
	runes := []rune(s)
	if len(runes) < 3*keep {
		return string(runes[:1]) + "…"
	}
	return string(runes[:keep]) + "…" + string(runes[len(runes)-keep:])
}
