package schema

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may stand in each other.
const maxDepth = 64

// maxDigits is the longest integer that is read; Python's int() has the same
// limit, and a longer one makes the whole body unreadable there as here.
const maxDigits = 4300

type kind uint8

const (
	kindNull kind = iota
	kindFalse
	kindTrue
	kindInt
	kindFloat
	kindString
	kindArray
	kindObject
)

// node is one value of a text. Nodes stand in the order of the text: the items
// of an array follow it, and so do the keys and values of an object, in turn.
// For a string, start and end exclude the quotes.
type node struct {
	kind       kind
	escaped    bool  // a string with a backslash
	start, end int32 // bytes of the text
	next       int32 // the node after this one and all that is in it
	count      int32 // items, or members with duplicates
}

// Document is a body that has been read but not yet checked against a
// declaration. It never changes, and may be decoded more than once.
type Document struct {
	text  string
	nodes []node
	in    string // first element of every location
	flat  bool   // parameters or a form: what is missing has no parent to echo
	empty bool   // there was no body, or it was null
}

// Parse reads JSON as CPython's json.loads reads bytes: UTF-8 with or without
// a byte order mark, UTF-16 and UTF-32; the last of duplicate keys wins. A text
// that is not JSON is an Errors of one json_invalid, with the position in code
// points and the message that json.loads gives. Beyond what JSON is, so are NaN
// and the infinities, floats out of range, lone surrogates, and more than 64
// levels. Bytes that are no text, and integers of more than 4,300 digits, are
// ErrUnreadable.
func Parse(body []byte) (*Document, error) {
	text, err := decodeText(body)
	if err != nil {
		return nil, err
	}
	p := parser{text: text, nodes: make([]node, 0, len(text)/14+8)}
	p.space()
	if p.value(0) {
		p.space()
		if p.pos < len(text) {
			p.fail("Extra data", p.pos)
		}
	}
	switch {
	case p.tooLong:
		return nil, ErrUnreadable
	case p.msg != "":
		return nil, invalidJSON(p.msg, codePoints(text[:p.at]))
	case p.late != "":
		return nil, invalidJSON(p.late, codePoints(text[:p.lateAt]))
	}
	return &Document{text: text, nodes: p.nodes, in: "body", empty: p.nodes[0].kind == kindNull}, nil
}

// codePoints counts a surrogate that stands alone in three bytes as one.
func codePoints(s string) int {
	n := 0
	for i := range len(s) {
		if utf8.RuneStart(s[i]) {
			n++
		}
	}
	return n
}

// parser reads a text once, from the left. msg and at are the error that ends
// reading. late is the first thing that is JSON for Python but not for us: an
// error of syntax further on goes before it, as it would there.
type parser struct {
	text    string
	pos     int
	nodes   []node
	msg     string
	at      int
	late    string
	lateAt  int
	tooLong bool
}

func (p *parser) fail(msg string, at int) bool {
	p.msg, p.at = msg, at
	return false
}

func (p *parser) defect(msg string, at int) {
	if p.late == "" {
		p.late, p.lateAt = msg, at
	}
}

func (p *parser) space() {
	for p.pos < len(p.text) {
		switch p.text[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// peek returns 0 at the end of the text: no rule of the grammar has a NUL.
func (p *parser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

// leaf adds a node without content that ends at the current position.
func (p *parser) leaf(k kind, start int) bool {
	n := int32(len(p.nodes)) + 1
	p.nodes = append(p.nodes, node{kind: k, start: int32(start), end: int32(p.pos), next: n})
	return true
}

func (p *parser) value(depth int) bool {
	switch c := p.peek(); c {
	case '"':
		return p.str()
	case '{', '[':
		if depth == maxDepth {
			return p.fail("Nested too deeply", p.pos)
		}
		if c == '{' {
			return p.object(depth + 1)
		}
		return p.array(depth + 1)
	case 'n':
		return p.word("null", kindNull)
	case 't':
		return p.word("true", kindTrue)
	case 'f':
		return p.word("false", kindFalse)
	case 'N':
		return p.constant("NaN")
	case 'I':
		return p.constant("Infinity")
	}
	return p.number()
}

func (p *parser) word(w string, k kind) bool {
	start := p.pos
	if !strings.HasPrefix(p.text[start:], w) {
		return p.fail("Expecting value", start)
	}
	p.pos += len(w)
	return p.leaf(k, start)
}

func (p *parser) constant(w string) bool {
	start := p.pos
	if !p.word(w, kindNull) {
		return false
	}
	p.defect("Expecting value", start)
	return true
}

func (p *parser) object(depth int) bool {
	me := len(p.nodes)
	p.leaf(kindObject, p.pos)
	p.pos++
	p.space()
	count := int32(0)
	if p.peek() != '}' {
		for {
			if p.peek() != '"' {
				return p.fail("Expecting property name enclosed in double quotes", p.pos)
			}
			if !p.str() {
				return false
			}
			p.space()
			if p.peek() != ':' {
				return p.fail("Expecting ':' delimiter", p.pos)
			}
			p.pos++
			p.space()
			if !p.value(depth) {
				return false
			}
			count++
			p.space()
			if c := p.peek(); c == '}' {
				break
			} else if c != ',' {
				return p.fail("Expecting ',' delimiter", p.pos)
			}
			p.pos++
			p.space()
		}
	}
	p.pos++
	return p.close(me, count)
}

func (p *parser) array(depth int) bool {
	me := len(p.nodes)
	p.leaf(kindArray, p.pos)
	p.pos++
	p.space()
	count := int32(0)
	if p.peek() != ']' {
		for {
			if !p.value(depth) {
				return false
			}
			count++
			p.space()
			if c := p.peek(); c == ']' {
				break
			} else if c != ',' {
				return p.fail("Expecting ',' delimiter", p.pos)
			}
			p.pos++
			p.space()
		}
	}
	p.pos++
	return p.close(me, count)
}

func (p *parser) close(me int, count int32) bool {
	n := &p.nodes[me]
	n.end, n.count, n.next = int32(p.pos), count, int32(len(p.nodes))
	return true
}

// number reads what the grammar allows and stops there: of 01 it reads 0, and
// what follows is the caller's error.
func (p *parser) number() bool {
	start := p.pos
	if p.peek() == '-' {
		p.pos++
		if p.peek() == 'I' && strings.HasPrefix(p.text[p.pos:], "Infinity") {
			p.pos += len("Infinity")
			p.defect("Expecting value", start)
			return p.leaf(kindNull, start)
		}
	}
	digits := p.pos
	switch c := p.peek(); {
	case c == '0':
		p.pos++
	case c >= '1' && c <= '9':
		p.digits()
	default:
		p.pos = start
		return p.fail("Expecting value", start)
	}
	whole := p.pos
	if p.peek() == '.' {
		p.pos++
		if !p.digits() {
			p.pos = whole
		}
	}
	if mark := p.pos; p.peek()|0x20 == 'e' {
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if !p.digits() {
			p.pos = mark
		}
	}
	if p.pos == whole {
		if whole-digits > maxDigits {
			p.tooLong = true
			return p.fail("Integer too long", start)
		}
		return p.leaf(kindInt, start)
	}
	if f, _ := strconv.ParseFloat(p.text[start:p.pos], 64); math.IsInf(f, 0) {
		p.defect("Number out of range", start)
	}
	return p.leaf(kindFloat, start)
}

func (p *parser) digits() bool {
	start := p.pos
	for p.pos < len(p.text) && p.text[p.pos]-'0' <= 9 {
		p.pos++
	}
	return p.pos > start
}
