package schema

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decodeText returns the text of bytes that are UTF-8, or UTF-16 or UTF-32 as
// the position of zero bytes or a byte order mark tells. Surrogates that stand
// alone are kept, in three bytes each: what is JSON up to them is reported
// first.
func decodeText(body []byte) (string, error) {
	if len(body) >= math.MaxInt32 {
		return "", ErrUnreadable
	}
	unit, order := 1, binary.ByteOrder(binary.LittleEndian)
	switch s := string(body[:min(len(body), 4)]); {
	case s == "\x00\x00\xfe\xff":
		unit, order, body = 4, binary.BigEndian, body[4:]
	case s == "\xff\xfe\x00\x00":
		unit, body = 4, body[4:]
	case strings.HasPrefix(s, "\xfe\xff"):
		unit, order, body = 2, binary.BigEndian, body[2:]
	case strings.HasPrefix(s, "\xff\xfe"):
		unit, body = 2, body[2:]
	case strings.HasPrefix(s, "\xef\xbb\xbf"):
		body = body[3:]
	case len(s) == 4 && s[0] == 0:
		unit, order = 4, binary.BigEndian
		if s[1] != 0 {
			unit = 2
		}
	case len(s) == 4 && s[1] == 0:
		unit = 2
		if s[2] == 0 && s[3] == 0 {
			unit = 4
		}
	case len(s) == 2 && s[0] == 0:
		unit, order = 2, binary.BigEndian
	case len(s) == 2 && s[1] == 0:
		unit = 2
	}
	if unit > 1 {
		return decodeWide(body, unit, order)
	}
	if !utf8.Valid(body) && !onlySurrogates(body) {
		return "", ErrUnreadable
	}
	return string(body), nil
}

// onlySurrogates reports whether nothing but encoded surrogates keeps b from
// being UTF-8.
func onlySurrogates(b []byte) bool {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			if len(b) < 3 || b[0] != 0xED || b[1] < 0xA0 || b[1] > 0xBF || b[2]&0xC0 != 0x80 {
				return false
			}
			size = 3
		}
		b = b[size:]
	}
	return true
}

func decodeWide(body []byte, unit int, order binary.ByteOrder) (string, error) {
	if len(body)%unit != 0 {
		return "", ErrUnreadable
	}
	out := make([]byte, 0, len(body)/unit)
	for i := 0; i < len(body); i += unit {
		if unit == 4 {
			u := order.Uint32(body[i:])
			if u > utf8.MaxRune {
				return "", ErrUnreadable
			}
			out = appendCodePoint(out, rune(u))
			continue
		}
		r := rune(order.Uint16(body[i:]))
		if r >= highSurrogate && r < lowSurrogate && i+4 <= len(body) {
			if pair := utf16.DecodeRune(r, rune(order.Uint16(body[i+2:]))); pair != utf8.RuneError {
				r = pair
				i += 2
			}
		}
		out = appendCodePoint(out, r)
	}
	return string(out), nil
}

func appendCodePoint(dst []byte, r rune) []byte {
	if r >= highSurrogate && r < endSurrogate {
		return append(dst, 0xED, byte(0x80|r>>6&0x3F), byte(0x80|r&0x3F))
	}
	return utf8.AppendRune(dst, r)
}
