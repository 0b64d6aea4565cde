package schema

import (
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string the way Python's
// json.dumps(ensure_ascii=False) writes it: nothing is escaped but what must
// be. Bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	i := 0
	for i < len(s) && verbatim(s[i]) {
		i++
	}
	dst = append(dst, '"')
	if i == len(s) {
		dst = append(dst, s...)
		return append(dst, '"')
	}
	start := 0
	for i < len(s) {
		c := s[i]
		if verbatim(c) {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// verbatim reports whether an ASCII byte stands for itself in a JSON string;
// no other byte does, for this question.
func verbatim(c byte) bool { return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' }

// AppendTime appends t as a JSON string in UTC, to the microsecond: six digits
// of fraction, or none when they are zero.
func AppendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(dst, `"2006-01-02T15:04:05.000000Z"`)
	}
	hour, minute, second := t.Clock()
	dst = append(dst, '"',
		byte('0'+year/1000), byte('0'+year/100%10), byte('0'+year/10%10), byte('0'+year%10), '-',
		byte('0'+month/10), byte('0'+month%10), '-',
		byte('0'+day/10), byte('0'+day%10), 'T',
		byte('0'+hour/10), byte('0'+hour%10), ':',
		byte('0'+minute/10), byte('0'+minute%10), ':',
		byte('0'+second/10), byte('0'+second%10))
	if micro := t.Nanosecond() / 1000; micro != 0 {
		digits := [7]byte{0: '.'}
		for i := 6; i > 0; i-- {
			digits[i] = byte('0' + micro%10)
			micro /= 10
		}
		dst = append(dst, digits[:]...)
	}
	return append(dst, 'Z', '"')
}

// appendFloat appends f as Python's repr writes it.
func appendFloat(dst []byte, f float64) []byte {
	short := strconv.AppendFloat(nil, f, 'e', -1, 64)
	exp := 0
	for i, c := range short {
		if c == 'e' {
			exp, _ = strconv.Atoi(string(short[i+1:]))
		}
	}
	if exp < -4 || exp >= 16 {
		return append(dst, short...)
	}
	mark := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if slices.Contains(dst[mark:], '.') {
		return dst
	}
	return append(dst, '.', '0')
}
