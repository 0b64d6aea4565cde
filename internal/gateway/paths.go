package gateway

import (
	"net/url"
	"path"
	"strings"
)

// maxReturn bounds the address that somebody is sent back to.
const maxReturn = 1024

// safeReturn returns the path and query on this origin that a text from outside
// names, and "/" for every text that is or could be read as anything else:
// another origin, a scheme, a path that browsers repair, a control character.
func safeReturn(text string) string {
	if len(text) > maxReturn || !strings.HasPrefix(text, "/") || strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r == '\\' || r >= 0x7f
	}) {
		return "/"
	}
	u, err := url.ParseRequestURI(text)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, "\\") {
		return "/"
	}
	if own, _ := strings.CutSuffix(u.Path, "/"); u.Path != "/" && path.Clean(u.Path) != own {
		return "/"
	}
	if strings.ContainsFunc(u.Path, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.HasPrefix(u.Path, ownPrefix) {
		return "/"
	}
	out := url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}
	return out.RequestURI()
}
