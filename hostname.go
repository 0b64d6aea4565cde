package portico

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/cases"
	"golang.org/x/text/secure/bidirule"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
)

// The limits of a host name in octets, in A-label form without the root's dot
// (RFC 1035 2.3.4).
const (
	MaxHostnameLength = 253
	maxLabelLength    = 63
)

// maxHostnameInput bounds the work spent on a name before it is understood; no
// name whose A-labels fit into MaxHostnameLength is longer in UTF-8.
const maxHostnameInput = 4 * MaxHostnameLength

// ParseHostname returns the canonical form of a public host name that a portal
// may be reached under: lower-case A-labels without a trailing dot, at most
// MaxHostnameLength octets, two labels or more. Surrounding white space is
// removed.
//
// Refused, as KindInvalid with a text that says what to send instead: what is
// no host name (a URL, a port, a wildcard, an address of a host in any
// spelling), labels that IDNA 2008 does not allow or that mix look-alike
// scripts, names under special-use domains (RFC 6761), and public suffixes,
// which belong to nobody. The reserved example names are accepted.
func ParseHostname(s string) (string, error) {
	s = strings.TrimFunc(s, unicode.IsSpace)
	if err := refuseNonHostname(s); err != nil {
		return "", err
	}
	ascii, labels, err := canonicalDomain(strings.TrimSuffix(s, "."))
	if err != nil {
		return "", err
	}
	parts := strings.Split(ascii, ".")
	if numericLabel(parts[len(parts)-1]) {
		return "", Errorf(KindInvalid, "Give a host name, not an IP address.")
	}
	if len(parts) < 2 {
		return "", Errorf(KindInvalid, "Give a full host name with a dot in it, such as portal.example.com.")
	}
	for _, label := range labels {
		if mixesLookalikes(label) {
			return "", Errorf(KindInvalid, "The part %q mixes alphabets that look alike; write each part in one alphabet.", label)
		}
	}
	if privateDomain(ascii) {
		return "", Errorf(KindInvalid, "%q cannot be reached from the Internet; give a host name under a domain that you own.", ascii)
	}
	if suffix, _ := publicsuffix.PublicSuffix(ascii); suffix == ascii {
		return "", Errorf(KindInvalid, "%q is shared by everyone who registers names below it; give a host name under a domain that you own.", ascii)
	}
	return ascii, nil
}

// BelowDomain reports whether host is own or a name below it. Case and a
// trailing dot do not matter, and own may carry a port; an empty own has
// nothing below it.
func BelowDomain(host, own string) bool {
	own, _, _ = strings.Cut(own, ":")
	own = strings.ToLower(strings.Trim(own, "."))
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return own != "" && (host == own || strings.HasSuffix(host, "."+own))
}

// HostnameSkeleton returns a text that is the same for host names that a
// reader cannot tell apart: letters of other alphabets that look like Latin
// ones are replaced by those. For a name without A-labels it is the name. It is
// for comparing a new name with verified ones, never for storing or serving.
func HostnameSkeleton(host string) string {
	if !strings.Contains(host, acePrefix) {
		return host
	}
	shown, err := idna.Punycode.ToUnicode(host)
	if err != nil {
		return host
	}
	return strings.Map(latinLookalike, shown)
}

// refuseNonHostname finds what people send in place of a host name, to answer
// with what to leave out.
func refuseNonHostname(s string) error {
	switch {
	case s == "":
		return Errorf(KindInvalid, "Give a host name such as portal.example.com.")
	case !utf8.ValidString(s):
		return Errorf(KindInvalid, "The host name is not valid Unicode text.")
	case len(s) > maxHostnameInput:
		return Errorf(KindInvalid, "The host name is too long: at most %d characters in its ASCII form.", MaxHostnameLength)
	case strings.Contains(s, "://"):
		return Errorf(KindInvalid, "Give the host name alone, without %q in front.", s[:strings.Index(s, "://")+3])
	case strings.ContainsAny(s, "[]") || strings.Count(s, ":") > 1:
		return Errorf(KindInvalid, "Give a host name, not an IP address.")
	case strings.ContainsAny(s, `/\?#`):
		return Errorf(KindInvalid, "Give the host name alone, without a path.")
	case strings.Contains(s, "@"):
		return Errorf(KindInvalid, "Give the host name alone, without a user or an e-mail address.")
	case strings.Contains(s, ":"):
		return Errorf(KindInvalid, "Give the host name alone, without a port.")
	case strings.Contains(s, "*"):
		return Errorf(KindInvalid, "Wildcards are not possible; give one host name.")
	case strings.Contains(s, "_"):
		return Errorf(KindInvalid, "Host names cannot contain underscores.")
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return Errorf(KindInvalid, "Host names cannot contain spaces or control characters.")
	}
	return nil
}

// privateDomain reports whether a name in A-labels is at or below a domain
// that has no public meaning: the special-use names (RFC 6761, 6762, 7686,
// 8375, 9476), ICANN's private-use "internal", and names that routers and
// companies use inside.
func privateDomain(ascii string) bool {
	if specialUseDomain(ascii) {
		return true
	}
	switch ascii[strings.LastIndexByte(ascii, '.')+1:] {
	case "alt", "internal", "localdomain", "lan", "home", "corp", "intranet", "private":
		return true
	}
	return false
}

// numericLabel reports whether a last label makes URL parsers read the whole
// name as an IPv4 address: digits, or a hexadecimal number (WHATWG URL 3.5).
// No top-level domain looks like that.
func numericLabel(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

const acePrefix = "xn--"

// domainProfile maps as UTS 46 does for lookup, non-transitional, and refuses
// labels that break STD3, length or the rules for joiners. Hyphens are checked
// by checkLabel, which counts characters.
var domainProfile = idna.New(
	idna.MapForLookup(),
	idna.CheckHyphens(false),
	idna.VerifyDNSLength(true),
)

// canonicalDomain returns a domain in lower-case A-labels and its labels in
// Unicode form. It applies UTS 46's mapping and then IDNA 2008 to each label
// (RFC 5891 5.4), which the mapping alone does not: symbols and emoji, for
// example, are refused.
func canonicalDomain(s string) (ascii string, labels []string, err error) {
	if !isASCII(s) {
		s = strings.Map(lowerLateCapital, s)
		if disguisedALabel(s) {
			return "", nil, Errorf(KindInvalid, "No part of a domain may begin with %q and hold other letters than a to z.", acePrefix)
		}
	}
	ascii, idnaErr := domainProfile.ToASCII(s)
	switch {
	case idnaErr == nil:
	case strings.HasPrefix(ascii, ".") || strings.HasSuffix(ascii, ".") || strings.Contains(ascii, ".."):
		return "", nil, Errorf(KindInvalid, "The domain has an empty part: remove the dot that is too many.")
	case len(ascii) > MaxHostnameLength:
		return "", nil, Errorf(KindInvalid, "The domain is too long: at most %d characters in its ASCII form.", MaxHostnameLength)
	default:
		return "", nil, WrapError(KindInvalid, idnaErr, "The domain is not a valid name: use letters, digits and hyphens, at most %d in each part.", maxLabelLength)
	}
	if strings.HasSuffix(ascii, ".") {
		return "", nil, Errorf(KindInvalid, "The domain has an empty part: remove the dot that is too many.")
	}
	labels = strings.Split(ascii, ".")
	for i, label := range labels {
		if strings.HasPrefix(label, acePrefix) {
			shown, err := domainProfile.ToUnicode(label)
			again, errAgain := domainProfile.ToASCII(shown)
			if err != nil || errAgain != nil || again != label {
				return "", nil, Errorf(KindInvalid, "The part %q of the domain is not a valid international name.", label)
			}
			labels[i] = shown
		}
		if err := checkLabel(labels[i]); err != nil {
			return "", nil, err
		}
	}
	return ascii, labels, nil
}

// lowerLateCapital maps the capitals whose mapping UTS 46 settled after
// Unicode 15: they got small forms late. Older tables refuse them, or map the
// capital sharp s to "ss", which is another domain.
func lowerLateCapital(r rune) rune {
	switch {
	case r == 'ẞ', r == 0x04C0, r == 0x2132, r == 0x2183, 0x10A0 <= r && r <= 0x10CD:
		return unicode.ToLower(r)
	}
	return r
}

// disguisedALabel reports whether a label begins as A-labels do, once its
// characters are mapped as UTS 46 does, but is not ASCII then. It is neither an
// A-label nor a U-label, and decoders disagree about it.
func disguisedALabel(s string) bool {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\u3002' || r == '\uFF61':
			return '.'
		case invisible(r) || r == '\u034F':
			return -1
		case r == 'ß': // is kept, where folding makes two letters of it
			return 'ς'
		}
		return r
	}, s)
	mapped := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
	for label := range strings.SplitSeq(mapped, ".") {
		if strings.HasPrefix(label, acePrefix) && !isASCII(label) {
			return true
		}
	}
	return false
}

// checkLabel applies to a label in Unicode form what IDNA 2008 asks beyond
// UTS 46: hyphens, permitted characters, characters permitted in context, and
// the Bidi rule.
func checkLabel(label string) error {
	runes := []rune(label)
	if runes[0] == '-' || runes[len(runes)-1] == '-' {
		return Errorf(KindInvalid, "No part of a domain may begin or end with a hyphen.")
	}
	if len(runes) >= 4 && runes[2] == '-' && runes[3] == '-' {
		return Errorf(KindInvalid, "No part of a domain may have two hyphens in third and fourth place.")
	}
	if isASCII(label) {
		return nil
	}
	for i, r := range runes {
		if !permittedRune(r) && !permittedInContext(runes, i) {
			return Errorf(KindInvalid, "The character %q is not allowed in a domain.", r)
		}
	}
	if bidirule.DirectionString(label) == bidi.RightToLeft && !bidirule.ValidString(label) {
		return Errorf(KindInvalid, "The part %q of the domain mixes writing directions.", label)
	}
	return nil
}

// permittedRune reports whether a character is PVALID, or one of the joiners
// whose context the profile has checked (RFC 5892 2 and 3). It is derived from
// the Unicode tables rather than listed, as the RFC asks.
func permittedRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z'
	}
	switch r {
	case 'ß', 'ς', '۽', '۾', '་', '〇', zeroWidthNonJoiner, zeroWidthJoiner:
		return true
	case 0x0640, 0x07FA, 0x302E, 0x302F, 0x3031, 0x3032, 0x3033, 0x3034, 0x3035, 0x303B:
		return false
	}
	switch {
	case !unicode.In(r, unicode.Ll, unicode.Lu, unicode.Lo, unicode.Nd, unicode.Lm, unicode.Mn, unicode.Mc),
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector),
		conditionalRune(r),
		ignorableBlock(r),
		oldHangulJamo(r):
		return false
	}
	if 0x13A0 <= r && r <= 0x13F5 { // Cherokee folds to capitals
		return true
	}
	c := string(r)
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(c))) == c
}

// ignorableBlock: combining marks for symbols and musical notation.
func ignorableBlock(r rune) bool {
	return 0x20D0 <= r && r <= 0x20FF || 0x1D100 <= r && r <= 0x1D24F
}

// oldHangulJamo: syllables are written with composed characters instead.
func oldHangulJamo(r rune) bool {
	return 0x1100 <= r && r <= 0x11FF || 0xA960 <= r && r <= 0xA97C || 0xD7B0 <= r && r <= 0xD7FB
}

// conditionalRune reports whether a character is CONTEXTO.
func conditionalRune(r rune) bool {
	switch r {
	case 0x00B7, 0x0375, 0x05F3, 0x05F4, 0x30FB:
		return true
	}
	return arabicIndicDigit(r) || extendedArabicIndicDigit(r)
}

func arabicIndicDigit(r rune) bool         { return 0x0660 <= r && r <= 0x0669 }
func extendedArabicIndicDigit(r rune) bool { return 0x06F0 <= r && r <= 0x06F9 }

// permittedInContext applies the rules of RFC 5892 appendix A.3 to A.9.
func permittedInContext(label []rune, i int) bool {
	contains := func(f func(rune) bool) bool { return strings.ContainsFunc(string(label), f) }
	switch r := label[i]; {
	case r == 0x00B7: // middle dot, in Catalan between two l
		return i > 0 && i < len(label)-1 && label[i-1] == 'l' && label[i+1] == 'l'
	case r == 0x0375: // Greek lower numeral sign
		return i < len(label)-1 && unicode.Is(unicode.Greek, label[i+1])
	case r == 0x05F3, r == 0x05F4: // Hebrew geresh and gershayim
		return i > 0 && unicode.Is(unicode.Hebrew, label[i-1])
	case r == 0x30FB: // Katakana middle dot
		return contains(func(r rune) bool {
			return r != 0x30FB && unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Han)
		})
	case arabicIndicDigit(r):
		return !contains(extendedArabicIndicDigit)
	case extendedArabicIndicDigit(r):
		return !contains(arabicIndicDigit)
	}
	return false
}

// mixesLookalikes reports whether a label is written in more than one of the
// three alphabets whose letters pass for each other's.
func mixesLookalikes(label string) bool {
	var latin, greek, cyrillic int
	for _, r := range label {
		switch {
		case unicode.Is(unicode.Latin, r):
			latin = 1
		case unicode.Is(unicode.Greek, r):
			greek = 1
		case unicode.Is(unicode.Cyrillic, r):
			cyrillic = 1
		}
	}
	return latin+greek+cyrillic > 1
}

// latinLookalike returns the ASCII letter that a letter passes for, or the
// letter itself. It covers what a label of one alphabet can be built from;
// letters with visible marks are not look-alikes.
func latinLookalike(r rune) rune {
	switch r {
	case 'а', 'ɑ', 'α':
		return 'a'
	case 'с', 'ϲ':
		return 'c'
	case 'ԁ':
		return 'd'
	case 'е':
		return 'e'
	case 'ɡ':
		return 'g'
	case 'һ':
		return 'h'
	case 'і', 'ı', 'ι':
		return 'i'
	case 'ј', 'ϳ':
		return 'j'
	case 'ӏ', 'ǀ':
		return 'l'
	case 'о', 'ο', 'օ':
		return 'o'
	case 'р', 'ρ':
		return 'p'
	case 'ԛ':
		return 'q'
	case 'ѕ':
		return 's'
	case 'υ', 'ս':
		return 'u'
	case 'ѵ', 'ν':
		return 'v'
	case 'ԝ', 'ѡ':
		return 'w'
	case 'х', 'χ':
		return 'x'
	case 'у', 'γ':
		return 'y'
	}
	return r
}
