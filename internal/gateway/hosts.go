package gateway

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"portico"
	"portico/internal/store"
)

// HostKind says who answers a request, by the host that it names.
type HostKind uint8

// The kinds of host.
const (
	HostUnknown     HostKind = iota // perhaps a portal's own domain, perhaps nobody's
	HostPublic                      // the API's and the administrators'
	HostSignIn                      // where guests sign in
	HostPortal                      // a label below the portal domain
	HostMisdirected                 // the address of a machine that we are not known by
	HostMalformed                   // no host name
)

// Hosts tells hosts apart. Ports are not compared: a proxy may change them.
type Hosts struct {
	public string // the public address's host
	below  string // a dot and the domain below which portals have their addresses
}

// NewHosts returns the hosts of an installation.
func NewHosts(public *url.URL, portalDomain string) *Hosts {
	domain, _, _ := strings.Cut(portalDomain, ":")
	return &Hosts{public: strings.ToLower(public.Hostname()), below: "." + strings.ToLower(strings.Trim(domain, "."))}
}

// Find says whose host a Host header names. Only what is exactly one label
// below the portal domain is a portal's label; everything else that could be a
// name is looked for among the domains that portals brought.
func (h *Hosts) Find(header string) (HostKind, store.Host) {
	name, ok := hostName(header)
	switch {
	case !ok:
		return HostMalformed, store.Host{}
	case name == h.public || name == "localhost":
		return HostPublic, store.Host{}
	}
	if ip := net.ParseIP(name); ip != nil {
		if ip.IsLoopback() {
			return HostPublic, store.Host{}
		}
		return HostMisdirected, store.Host{}
	}
	label, below := strings.CutSuffix(name, h.below)
	switch {
	case !below:
		return HostUnknown, store.Host{Domain: name}
	case label == portico.SignInLabel:
		return HostSignIn, store.Host{}
	}
	return HostPortal, store.Host{Label: label}
}

// Guests reports whether a Host header names what could be a guests' host: a
// portal's, by label or by a domain of its own, or the sign-in host.
func (h *Hosts) Guests(header string) bool {
	kind, host := h.Find(header)
	if kind == HostUnknown {
		_, err := portico.ParseHostname(host.Domain)
		return err == nil
	}
	return kind == HostPortal || kind == HostSignIn
}

// hostName returns the name of a Host header in the one spelling that is
// compared: lower case, no port, no trailing dot, no brackets.
func hostName(header string) (string, bool) {
	name := header
	if i := strings.LastIndexByte(header, ':'); i > strings.LastIndexByte(header, ']') {
		port, err := strconv.ParseUint(header[i+1:], 10, 16)
		if err != nil || port == 0 {
			return "", false
		}
		name = header[:i]
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		return inner, ok && net.ParseIP(inner) != nil
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "" || len(name) > portico.MaxHostnameLength || name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, "..") {
		return "", false
	}
	for _, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_'
		if !letter {
			return "", false
		}
	}
	return name, true
}
