package node

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// verdict is what the newest head means for its request: good, good and the
// last, or the status with which it is refused.
type verdict uint32

const (
	verdictGood        verdict = 0
	verdictLast        verdict = 1 // good, but its end is not followed: close after the answer
	verdictMalformed   verdict = http.StatusBadRequest
	verdictTarget      verdict = http.StatusRequestURITooLong
	verdictExpectation verdict = http.StatusExpectationFailed
	verdictTooLarge    verdict = http.StatusRequestHeaderFieldsTooLarge
	verdictCoding      verdict = http.StatusNotImplemented
	verdictVersion     verdict = http.StatusHTTPVersionNotSupported
)

func (v verdict) refuses() bool { return v > verdictLast }

// text says why a head is refused.
func (v verdict) text() string {
	switch v {
	case verdictTarget:
		return "The address of the request is too long."
	case verdictExpectation:
		return "The only expectation that can be met is 100-continue."
	case verdictTooLarge:
		return "The head of the request is too large: at most " + strconv.Itoa(maxHeader>>10) + " KiB."
	case verdictCoding:
		return "The only transfer coding is chunked."
	case verdictVersion:
		return "The version of HTTP is not supported: send HTTP/1.1."
	}
	return "The head of the request is not well-formed HTTP/1.1."
}

// head is what is known of a head that is passing. Every line of it is good.
type head struct {
	part   []byte // of a line whose end has not come yet
	handed int    // bytes of part that the server has read: of the method only
	size   int    // of all that came
	lines  int

	oldHTTP   bool   // HTTP/1.0
	authority string // in the target, when it has one
	hosts     int
	lengths   int
	length    int64
	codings   int
}

// begun reports whether a head is under way.
func (h *head) begun() bool { return h.lines > 0 || len(h.part) > 0 }

// keep holds part of a line.
func (h *head) keep(p []byte) verdict {
	if v := h.count(len(p)); v != verdictGood {
		return v
	}
	h.part = append(h.part, p...)
	return verdictGood
}

// count counts bytes of the head.
func (h *head) count(n int) verdict {
	h.size += n
	switch {
	case h.size <= maxHeader:
		return verdictGood
	case h.lines == 0:
		return verdictTarget
	}
	return verdictTooLarge
}

// begin returns what has come of the method and was not handed on: the server
// counts the time for a head from its first bytes.
func (h *head) begin() []byte {
	if h.lines > 0 {
		return nil
	}
	from := h.handed
	for h.handed < len(h.part) && tokenByte(h.part[h.handed]) {
		h.handed++
	}
	return h.part[from:h.handed]
}

// rest returns what makes a whole head of what the server has read of this one.
func (h *head) rest() string {
	end := "\r\n"
	if h.hosts == 0 {
		end = "Host: refused\r\n\r\n"
	}
	if h.lines == 0 {
		end = " / HTTP/1.1\r\n" + end
		if h.handed == 0 {
			end = "GET" + end
		}
	}
	return end
}

// line judges one line with its end, and reports whether the head ends with it.
// The server never reads one that is refused.
func (h *head) line(line []byte) (ended bool, v verdict) {
	text, whole := bytes.CutSuffix(line, []byte("\r\n"))
	switch {
	case !whole: // a bare line feed
		return false, verdictMalformed
	case len(text) == 0:
		v = h.whole()
		ended = true
	case h.lines == 0:
		v = h.requestLine(text)
	default:
		v = h.field(text)
	}
	if v == verdictGood {
		h.lines++
	}
	return ended, v
}

// whole judges the lines together.
func (h *head) whole() verdict {
	switch {
	case h.lines == 0, h.hosts == 0 && !h.oldHTTP, h.codings > 0 && (h.lengths > 0 || h.oldHTTP):
		return verdictMalformed
	}
	return verdictGood
}

func (h *head) requestLine(text []byte) verdict {
	method, rest, _ := bytes.Cut(text, []byte(" "))
	target, version, _ := bytes.Cut(rest, []byte(" "))
	if !token(method) || !h.target(method, target) {
		return verdictMalformed
	}
	switch major, minor, known := http.ParseHTTPVersion(string(version)); {
	case !known:
		return verdictMalformed
	case major != 1 || minor > 1:
		return verdictVersion
	default:
		h.oldHTTP = minor == 0
	}
	return verdictGood
}

// target takes a path with or without a query, the same behind http:// or
// https:// and an authority, which the Host must repeat, and * for OPTIONS.
func (h *head) target(method, target []byte) bool {
	if bytes.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return false
	}
	if bytes.HasPrefix(target, []byte("/")) {
		if bytes.IndexByte(target, '%') < 0 {
			return true
		}
	} else if string(target) != "*" || string(method) != http.MethodOptions {
		scheme, rest, _ := strings.Cut(string(target), "://")
		if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
			return false
		}
		h.authority = rest
		if end := strings.IndexAny(rest, "/?#"); end >= 0 {
			h.authority = rest[:end]
		}
		if h.authority == "" || !authority(h.authority) {
			return false
		}
	}
	_, err := url.ParseRequestURI(string(target))
	return err == nil
}

func (h *head) field(text []byte) verdict {
	name, value, found := bytes.Cut(text, []byte(":"))
	if !found || !token(name) { // a folded line begins with white space, which is no token
		return verdictMalformed
	}
	for _, b := range value {
		if b < ' ' && b != '\t' || b == 0x7f {
			return verdictMalformed
		}
	}
	is := func(known string) bool { return len(name) == len(known) && bytes.EqualFold(name, []byte(known)) }
	value = bytes.Trim(value, " \t")
	switch {
	case is("Host"):
		h.hosts++
		same := h.authority == "" || strings.EqualFold(h.authority, string(value))
		if h.hosts > 1 || !same || !authority(string(value)) {
			h.hosts--
			return verdictMalformed
		}
	case is("Expect"):
		if len(value) > 0 && !bytes.EqualFold(value, []byte("100-continue")) {
			return verdictExpectation
		}
	case is("Trailer"):
		if namesFraming(value) {
			return verdictMalformed
		}
	case is("Content-Length"):
		h.lengths++
		h.length, found = parseLength(value)
		if !found || h.lengths > 1 {
			return verdictMalformed
		}
	case is("Transfer-Encoding"):
		h.codings++
		switch {
		case h.codings > 1:
			return verdictMalformed
		case !bytes.EqualFold(value, []byte("chunked")):
			return verdictCoding
		}
	}
	return verdictGood
}

// namesFraming reports whether a Trailer announces what may not come so late.
func namesFraming(trailer []byte) bool {
	for name := range strings.SplitSeq(string(trailer), ",") {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "transfer-encoding", "content-length", "trailer":
			return true
		}
	}
	return false
}

// authority reports whether s may stand in a Host field: empty, or a host name
// or address that has its plain form, and a port.
func authority(s string) bool {
	host, port, found := s, "", false
	if end := strings.LastIndexByte(s, ':'); end > strings.LastIndexByte(s, ']') {
		host, port, found = s[:end], s[end+1:], true
	}
	if found {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
			return false
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		return ok && inner != "" && strings.Trim(inner, "0123456789abcdefABCDEF:.") == ""
	}
	for i := range len(host) {
		letter := 'a' <= host[i]|0x20 && host[i]|0x20 <= 'z'
		if !letter && (host[i] < '0' || host[i] > '9') && strings.IndexByte("-._", host[i]) < 0 {
			return false
		}
	}
	return true
}

// parseLength takes digits alone, and not many.
func parseLength(value []byte) (int64, bool) {
	n, err := strconv.ParseUint(string(value), 10, 63)
	return int64(n), err == nil && len(value) <= 18
}

// token reports whether b is a token of RFC 9110.
func token(b []byte) bool {
	for _, c := range b {
		if !tokenByte(c) {
			return false
		}
	}
	return len(b) > 0
}

func tokenByte(c byte) bool {
	letter := 'a' <= c|0x20 && c|0x20 <= 'z'
	return letter || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
