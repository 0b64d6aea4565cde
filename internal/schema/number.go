package schema

import (
	"math"
	"strconv"
	"strings"
)

type boolType struct{ self *shape }

// Bool is a boolean, read as generously as pydantic does: "yes" and 1 are true.
func Bool() Type[bool] { return &boolType{} }

func (t *boolType) decode(d *decoder, i int32, v *bool) bool {
	n := &d.doc.nodes[i]
	parsable := true
	switch n.kind {
	case kindTrue, kindFalse:
		*v = n.kind == kindTrue
		return true
	case kindString:
		switch strings.ToLower(d.doc.str(n)) {
		case "1", "on", "t", "true", "y", "yes":
			*v = true
			return true
		case "0", "off", "f", "false", "n", "no":
			*v = false
			return true
		}
	case kindInt, kindFloat:
		var whole int64
		if whole, parsable = d.doc.whole(n); parsable && (whole == 0 || whole == 1) {
			*v = whole == 1
			return true
		}
	default:
		parsable = false
	}
	if parsable {
		return d.fail(i, t.self, "bool_parsing", "Input should be a valid boolean, unable to interpret input", "")
	}
	return d.fail(i, t.self, "bool_type", "Input should be a valid boolean", "")
}

func (t *boolType) appendJSON(dst []byte, v *bool) []byte { return strconv.AppendBool(dst, *v) }

func (t *boolType) describe() *shape {
	t.self = &shape{words: "boolean", input: Input{Kind: InputBoolean}, schema: Map{{"type", "boolean"}}}
	return t.self
}

// whole returns the value of a number that has no fraction and fits in 64 bits.
func (d *Document) whole(n *node) (int64, bool) {
	raw := d.text[n.start:n.end]
	if n.kind == kindInt {
		v, err := strconv.ParseInt(raw, 10, 64)
		return v, err == nil
	}
	f, _ := strconv.ParseFloat(raw, 64)
	if f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

// IntType is an integer. Its methods narrow it, and return it for chaining.
type IntType struct {
	low, high *int
	self      *shape
}

// Int is an integer of 64 bits, read as generously as pydantic does: true, 1.0
// and " 1_000 " are integers.
func Int() *IntType { return &IntType{} }

// Min is the smallest value allowed.
func (t *IntType) Min(low int) *IntType {
	t.low = &low
	return t
}

// Max is the largest value allowed.
func (t *IntType) Max(high int) *IntType {
	t.high = &high
	return t
}

func (t *IntType) decode(d *decoder, i int32, v *int) bool {
	n := &d.doc.nodes[i]
	var value int64
	fits := true
	switch n.kind {
	case kindTrue:
		value = 1
	case kindFalse:
	case kindInt:
		value, fits = saturate(d.doc.text[n.start:n.end])
	case kindFloat:
		if value, fits = d.doc.whole(n); !fits {
			if f, _ := strconv.ParseFloat(d.doc.text[n.start:n.end], 64); f == math.Trunc(f) {
				return t.tooLarge(d, i)
			}
			return d.fail(i, t.self, "int_from_float",
				"Input should be a valid integer, got a number with a fractional part", "")
		}
	case kindString:
		digits, ok := cleanInt(d.doc.str(n))
		if !ok {
			return d.fail(i, t.self, "int_parsing",
				"Input should be a valid integer, unable to parse string as an integer", "")
		}
		if len(strings.TrimLeft(digits, "-")) > maxDigits {
			return t.tooLarge(d, i)
		}
		value, fits = saturate(digits)
	default:
		return d.fail(i, t.self, "int_type", "Input should be a valid integer", "")
	}
	switch {
	case t.high != nil && value > int64(*t.high):
		high := strconv.Itoa(*t.high)
		return d.fail(i, t.self, "less_than_equal", "Input should be less than or equal to "+high, `{"le":`+high+`}`)
	case t.low != nil && value < int64(*t.low):
		low := strconv.Itoa(*t.low)
		return d.fail(i, t.self, "greater_than_equal", "Input should be greater than or equal to "+low, `{"ge":`+low+`}`)
	case !fits:
		return t.tooLarge(d, i)
	}
	*v = int(value)
	return true
}

func (t *IntType) tooLarge(d *decoder, i int32) bool {
	return d.fail(i, t.self, "int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size", "")
}

// saturate returns the value of decimal digits, and the nearest one with false
// when it does not fit in 64 bits.
func saturate(digits string) (int64, bool) {
	v, err := strconv.ParseInt(digits, 10, 64)
	return v, err == nil
}

// cleanInt returns the digits of an integer, with a minus if there is one, from
// a text that may have white space around it, a plus, leading zeros, single
// underscores between digits, and a fraction of nothing but zeros.
func cleanInt(s string) (string, bool) {
	s = strings.TrimSpace(s)
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		if s[0] == '-' {
			sign = "-"
		}
		s = s[1:]
	}
	if whole, fraction, ok := strings.Cut(s, "."); ok {
		if fraction == "" || strings.Trim(fraction, "0") != "" {
			return "", false
		}
		s = whole
	}
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			if c != '0' || len(out) > 0 {
				out = append(out, c)
			}
		case c != '_' || i == 0 || i == len(s)-1 || s[i-1] == '_':
			return "", false
		}
	}
	if s == "" {
		return "", false
	}
	if len(out) == 0 {
		return "0", true
	}
	return sign + string(out), true
}

func (t *IntType) appendJSON(dst []byte, v *int) []byte {
	return strconv.AppendInt(dst, int64(*v), 10)
}

func (t *IntType) describe() *shape {
	s := &shape{words: "integer", input: Input{Kind: InputInteger}, schema: Map{{"type", "integer"}}}
	if t.high != nil {
		s.schema = append(s.schema, Pair{"maximum", *t.high})
		s.limits = "at most " + strconv.Itoa(*t.high)
	}
	if t.low != nil {
		s.schema = append(s.schema, Pair{"minimum", *t.low})
		s.limits = "at least " + strconv.Itoa(*t.low)
		if t.high != nil {
			s.limits = strconv.Itoa(*t.low) + "–" + strconv.Itoa(*t.high)
		}
	}
	t.self = s
	return s
}
