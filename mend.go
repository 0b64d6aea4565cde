package portico

import (
	"regexp"
	"strings"
)

// MendAddress returns the address that text which is none was likely meant to
// be: what a hurried hand or a careless export adds, leaves out or confuses is
// put right. It is empty when no such slip explains it, or the text is an
// address. Like SuggestAddress it is for asking a person, never for changing
// what was sent.
func MendAddress(text string) string {
	if _, err := ParseAddress(text); err == nil || len(text) > MaxAddressLength {
		return ""
	}
	for _, mend := range slips() {
		mended := mend(text)
		if mended == text {
			continue
		}
		if a, err := ParseAddress(mended); err == nil {
			if better := SuggestAddress(a.Stored); better != "" {
				return better
			}
			return a.Stored
		}
		text = mended // another slip may stand beside this one
	}
	return ""
}

var (
	mailPrefix    = regexp.MustCompile(`(?i)^\s*(mailto:|e-?mail:)\s*`)
	spelledAt     = regexp.MustCompile(`(?i)\s*[\[({<]\s*at\s*[\])}>]\s*|\s+at\s+`)
	spelledDot    = regexp.MustCompile(`(?i)\s*[\[({<]\s*dot\s*[\])}>]\s*|\s+dot\s+`)
	manyAts       = regexp.MustCompile(`@[@.]*@`)
	manyDots      = regexp.MustCompile(`\.{2,}`)
	dotsAroundAt  = regexp.MustCompile(`\.?@\.?`)
	providerAlone = regexp.MustCompile(`(?i)[@#](gmail|googlemail|hotmail|outlook|yahoo|icloud|protonmail)\.?(com)?$`)
)

// slips returns what mends each kind of slip, in the order in which they are
// tried; each returns the text as it is where there is no such slip.
func slips() []func(string) string {
	replace := func(pattern *regexp.Regexp, by string) func(string) string {
		return func(s string) string { return pattern.ReplaceAllString(s, by) }
	}
	return []func(string) string{
		replace(mailPrefix, ""),
		func(s string) string { return strings.Trim(s, " \t<>()[]{}\"'`,;:.!?") },
		replace(spelledAt, "@"),
		replace(spelledDot, "."),
		func(s string) string { return strings.Join(strings.Fields(s), "") },
		replace(manyAts, "@"),
		replace(manyDots, "."),
		replace(dotsAroundAt, "@"),
		strings.NewReplacer(",", ".", ";", ".", "\u3002", ".").Replace,
		plainLocal,
		replace(providerAlone, "@$1.com"),
	}
}

// plainLocal writes what is before the @-sign with the letters that mail takes.
func plainLocal(s string) string {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || isASCII(local) {
		return s
	}
	var b strings.Builder
	for _, r := range local {
		switch slug := Slug(string(r)); {
		case r < 0x80:
			b.WriteRune(r)
		case slug == "portal": // nothing is left of it
			return s
		default:
			b.WriteString(slug)
		}
	}
	return b.String() + "@" + domain
}
