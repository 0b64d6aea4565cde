package schema

import (
	"unicode/utf16"
	"unicode/utf8"
)

const (
	highSurrogate = 0xD800
	lowSurrogate  = 0xDC00
	endSurrogate  = 0xE000
)

// str reads a string and adds its node. Escapes are checked here, and undone
// only when somebody asks for the value.
func (p *parser) str() bool {
	open := p.pos
	text := p.text
	i := open + 1
	escaped := false
	high := -1 // where an escaped high surrogate waits for its other half
	for {
		if i >= len(text) {
			return p.fail("Unterminated string starting at", open)
		}
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' {
			if c == 0xED && i+1 < len(text) && text[i+1] >= 0xA0 {
				p.defect("Unpaired surrogate", i)
			}
			if high >= 0 {
				p.defect("Unpaired surrogate", high)
				high = -1
			}
			i++
			continue
		}
		if c < ' ' {
			return p.fail("Invalid control character at", i)
		}
		if c == '"' {
			break
		}
		escaped = true
		unit, size := p.escape(open, i)
		if size == 0 {
			return false
		}
		switch {
		case unit >= lowSurrogate && unit < endSurrogate:
			if high < 0 {
				p.defect("Unpaired surrogate", i)
			}
			high = -1
		default:
			if high >= 0 {
				p.defect("Unpaired surrogate", high)
				high = -1
			}
			if unit >= highSurrogate && unit < lowSurrogate {
				high = i
			}
		}
		i += size
	}
	if high >= 0 {
		p.defect("Unpaired surrogate", high)
	}
	p.pos = i
	p.leaf(kindString, open+1)
	p.nodes[len(p.nodes)-1].escaped = escaped
	p.pos++
	return true
}

// escape checks the escape at i in the string that opens at open. It returns
// the UTF-16 unit of a \u escape, and how many bytes the escape takes: none
// when it is no escape. A \u escape has to be followed by one more character,
// as in Python.
func (p *parser) escape(open, i int) (unit rune, size int) {
	if i+1 >= len(p.text) {
		p.fail("Unterminated string starting at", open)
		return 0, 0
	}
	switch p.text[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 0, 2
	case 'u':
		unit, ok := hex4(p.text[i+2:])
		if !ok || i+6 >= len(p.text) {
			p.fail("Invalid \\uXXXX escape", i+1)
			return 0, 0
		}
		return unit, 6
	}
	p.fail("Invalid \\escape", i)
	return 0, 0
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var u rune
	for _, c := range []byte(s[:4]) {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		u = u<<4 | rune(c)
	}
	return u, true
}

// str returns the value of a string node.
func (d *Document) str(n *node) string {
	raw := d.text[n.start:n.end]
	if !n.escaped {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			i++
			continue
		}
		c := raw[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			unit, _ := hex4(raw[i:])
			i += 4
			if unit >= highSurrogate && unit < lowSurrogate && i+6 <= len(raw) {
				low, _ := hex4(raw[i+2:])
				unit = utf16.DecodeRune(unit, low)
				i += 6
			}
			out = utf8.AppendRune(out, unit)
			continue
		}
		out = append(out, c)
	}
	return string(out)
}
