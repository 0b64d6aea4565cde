package node

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"portico/internal/gateway"
)

// Proxies are the addresses of the proxies in front of the node. What they say
// about whom they serve is believed, and nobody else's word is.
type Proxies []netip.Prefix

// ParseProxies reads addresses and CIDR blocks with commas between them. A
// block of all addresses is refused: then every client could name its own.
func ParseProxies(s string) (Proxies, error) {
	var all Proxies
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		block, err := netip.ParsePrefix(part)
		if address, bad := netip.ParseAddr(part); bad == nil {
			address = address.Unmap().WithZone("")
			block, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q is no address or CIDR block, such as 10.0.0.5 or 10.0.0.0/24", part)
		case block.Bits() == 0:
			return nil, fmt.Errorf("%s is everybody: any client could claim any address; name the proxies", part)
		}
		all = append(all, block.Masked())
	}
	return all, nil
}

func (p Proxies) trust(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(block netip.Prefix) bool { return block.Contains(a) })
}

// front decides, before any page or route sees a request, whose it is: the
// peer's, or whom a trusted proxy names. That is in RemoteAddr then, and
// nothing is left of what else headers claim about where a request came from or
// went to, so that nothing behind can believe it by mistake. Only a trusted
// proxy that asks about a request of its own (forward-auth) says where that one
// went to, and only where it asks at an address of ours: one that asks at the
// portal's own has named it by that, and may have passed on the header as the
// client, a guest of another portal, sent it.
func (p Proxies) front(hosts *gateway.Hosts, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asks := false
		if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
			addr := peer.Addr().Unmap().WithZone("")
			from := p.client(addr, r.Header)
			r.RemoteAddr = netip.AddrPortFrom(from, peer.Port()).String()
			asks = r.URL.Path == gateway.ForwardAuthPath && p.trust(addr)
		}
		if about := r.Header["X-Forwarded-Host"]; asks && len(about) == 1 && !hosts.Guests(r.Host) {
			r.Host = about[0]
		}
		for name := range r.Header {
			if claimsOrigin(name) {
				delete(r.Header, name)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// claimsOrigin reports whether a header is of those in which proxies tell where
// a request came from or went to. The two in which a proxy that asks about a
// request names that one say nothing about its own.
func claimsOrigin(name string) bool {
	switch name {
	case "X-Forwarded-Uri", "X-Forwarded-Method":
		return false
	case "Forwarded", "X-Real-Ip", "X-Original-Url", "X-Original-Host", "X-Rewrite-Url", "X-Host":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-")
}

// client returns the address of who sent a request that came from a peer. A
// proxy that writes one of the two headers passes the other on as the client
// sent it, so where they tell different things neither is believed.
func (p Proxies) client(peer netip.Addr, h http.Header) netip.Addr {
	if !p.trust(peer) {
		return peer
	}
	old, standard := h["X-Forwarded-For"], h["Forwarded"]
	from := peer
	if len(old) > 0 {
		from = p.follow(peer, strings.Split(strings.Join(old, ","), ","))
	}
	if len(standard) == 0 {
		return from
	}
	other := p.follow(peer, forwardedFor(strings.Join(standard, ",")))
	if len(old) > 0 && from != other {
		return peer
	}
	return other
}

// follow goes from hop to hop, the nearest last in the list, as long as each is
// a trusted proxy's word for the one before. What is no address ends it.
func (p Proxies) follow(peer netip.Addr, hops []string) netip.Addr {
	for _, hop := range slices.Backward(hops) {
		next, ok := hopAddress(hop)
		if !ok || !p.trust(peer) {
			break
		}
		peer = next
	}
	return peer
}

// hopAddress reads an address, with or without brackets and port.
func hopAddress(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if both, err := netip.ParseAddrPort(s); err == nil {
		return both.Addr().Unmap().WithZone(""), true
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if s, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.Addr{}, false
		}
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap().WithZone(""), err == nil
}

// forwardedFor returns the value of "for" in each element of a Forwarded header
// (RFC 7239), empty where there is none.
func forwardedFor(header string) (hops []string) {
	for _, element := range splitUnquoted(header, ',') {
		hop := ""
		for _, pair := range splitUnquoted(element, ';') {
			name, value, _ := strings.Cut(pair, "=")
			if strings.EqualFold(strings.TrimSpace(name), "for") {
				hop = strings.Trim(strings.TrimSpace(value), `"`)
			}
		}
		hops = append(hops, hop)
	}
	return hops
}

// splitUnquoted splits at a separator that is not within double quotes.
func splitUnquoted(s string, separator byte) (parts []string) {
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted:
			i++
		case s[i] == separator && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}
