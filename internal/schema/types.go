package schema

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"portico"
)

// Type reads, checks, writes and describes values of V. The types of this
// package are the only ones.
type Type[V any] interface {
	// decode stores node i in v, or reports what is wrong with it and returns
	// false; v is then of no use.
	decode(d *decoder, i int32, v *V) bool
	appendJSON(dst []byte, v *V) []byte
	describe() *shape
}

// StringType is a string. Its methods narrow it, and return it for chaining.
type StringType struct {
	min, max int
	values   []string
	pattern  *regexp.Regexp
	format   string
	secret   bool
	rules    []func(string) (string, error)
	self     *shape
}

// String is any string.
func String() *StringType { return &StringType{max: -1} }

// Len bounds the length in code points; zero and -1 are no bound.
func (t *StringType) Len(shortest, longest int) *StringType {
	t.min, t.max = shortest, longest
	return t
}

// Enum allows these values only.
func (t *StringType) Enum(values ...string) *StringType {
	t.values = values
	return t
}

// Pattern asks for a match of an expression, which errors quote. It panics on
// one that is malformed.
func (t *StringType) Pattern(expr string) *StringType {
	t.pattern = regexp.MustCompile(expr)
	return t
}

// Format names the string's format in the OpenAPI document; it checks nothing.
func (t *StringType) Format(name string) *StringType {
	t.format = name
	return t
}

// Secret keeps the value out of every echo, also out of that of an object that
// holds it, whatever was sent in its place.
func (t *StringType) Secret() *StringType {
	t.secret = true
	return t
}

// Rule adds a check of our own, which sees the value only after everything
// above has passed and returns what to store in its place. Its error's text is
// for the caller: of a *portico.Error, the message.
func (t *StringType) Rule(check func(string) (string, error)) *StringType {
	t.rules = append(t.rules, check)
	return t
}

func (t *StringType) decode(d *decoder, i int32, v *string) bool {
	n := &d.doc.nodes[i]
	if t.values != nil {
		return t.decodeEnum(d, i, v)
	}
	if n.kind != kindString {
		return d.fail(i, t.self, "string_type", "Input should be a valid string", "")
	}
	s := d.doc.str(n)
	if t.min > 0 && (len(s) < t.min || utf8.RuneCountInString(s) < t.min) {
		return d.fail(i, t.self, "string_too_short",
			"String should have at least "+plural(t.min, "character"), `{"min_length":`+strconv.Itoa(t.min)+`}`)
	}
	if t.max >= 0 && len(s) > t.max && utf8.RuneCountInString(s) > t.max {
		return d.fail(i, t.self, "string_too_long",
			"String should have at most "+plural(t.max, "character"), `{"max_length":`+strconv.Itoa(t.max)+`}`)
	}
	if t.pattern != nil && !t.pattern.MatchString(s) {
		return d.fail(i, t.self, "string_pattern_mismatch",
			"String should match pattern '"+t.pattern.String()+"'", string(AppendString([]byte(`{"pattern":`), t.pattern.String()))+"}")
	}
	for _, rule := range t.rules {
		stored, err := rule(s)
		if err != nil {
			return d.fail(i, t.self, "value_error", "Value error, "+ruleText(err), `{"error":{}}`)
		}
		s = stored
	}
	*v = s
	return true
}

func (t *StringType) decodeEnum(d *decoder, i int32, v *string) bool {
	if n := &d.doc.nodes[i]; n.kind == kindString {
		s := d.doc.str(n)
		for _, value := range t.values {
			if s == value {
				*v = value
				return true
			}
		}
	}
	expected := "'" + strings.Join(t.values, "', '") + "'"
	if last := len(t.values) - 1; last > 0 {
		expected = "'" + strings.Join(t.values[:last], "', '") + "' or '" + t.values[last] + "'"
	}
	return d.fail(i, t.self, "enum", "Input should be "+expected,
		string(AppendString([]byte(`{"expected":`), expected))+"}")
}

func (t *StringType) appendJSON(dst []byte, v *string) []byte { return AppendString(dst, *v) }

func (t *StringType) describe() *shape {
	s := &shape{secret: t.secret, secretive: t.secret, words: "string", input: t.input()}
	if t.secret {
		s.example = func() []byte { return []byte(`"…"`) }
	}
	s.schema = Map{{"type", "string"}}
	if t.values != nil {
		list := make([]any, len(t.values))
		for i, value := range t.values {
			list[i] = value
		}
		s.schema = append(s.schema, Pair{"enum", list})
		s.limits = "`" + strings.Join(t.values, "`, `") + "`"
	}
	if t.max >= 0 {
		s.schema = append(s.schema, Pair{"maxLength", t.max})
	}
	if t.min > 0 {
		s.schema = append(s.schema, Pair{"minLength", t.min})
	}
	if t.min > 0 || t.max >= 0 {
		s.limits = span(t.min, t.max, "character")
	}
	if t.pattern != nil {
		s.schema = append(s.schema, Pair{"pattern", t.pattern.String()})
		s.limits = "`" + t.pattern.String() + "`"
	}
	format := t.format
	if format == "" && t.secret {
		format = "password"
	}
	if format != "" {
		s.schema = append(s.schema, Pair{"format", format})
	}
	t.self = s
	return s
}

func (t *StringType) input() Input {
	switch {
	case t.values != nil:
		return Input{Kind: InputChoice, Choices: t.values}
	case t.secret:
		return Input{Kind: InputSecret}
	case t.max > longText:
		return Input{Kind: InputLong}
	}
	return Input{Kind: InputText}
}

func ruleText(err error) string {
	if e, ok := errors.AsType[*portico.Error](err); ok {
		return e.Msg
	}
	return err.Error()
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// span says in words that there may be low to high of a noun; a high of -1 is
// no bound.
func span(low, high int, noun string) string {
	switch {
	case high < 0:
		return "at least " + plural(low, noun)
	case low <= 0:
		return "at most " + plural(high, noun)
	}
	return strconv.Itoa(low) + "–" + plural(high, noun)
}

type objectType struct{ self *shape }

// AnyObject is an object with members of any kind, kept as its JSON text. An
// empty text is one without members.
func AnyObject() Type[string] { return &objectType{} }

func (t *objectType) decode(d *decoder, i int32, v *string) bool {
	if d.doc.nodes[i].kind != kindObject {
		return d.fail(i, t.self, "dict_type", "Input should be a valid dictionary", "")
	}
	*v = string(d.doc.plain(nil, i, false))
	return true
}

func (t *objectType) appendJSON(dst []byte, v *string) []byte {
	if *v == "" {
		return append(dst, "{}"...)
	}
	return append(dst, *v...)
}

func (t *objectType) describe() *shape {
	t.self = &shape{words: "object", input: Input{Kind: InputObject}, schema: Map{{"type", "object"}}}
	return t.self
}

type timeType struct{ self *shape }

// Time is a point in time, in RFC 3339; see AppendTime for how it is written.
func Time() Type[time.Time] { return &timeType{} }

func (t *timeType) decode(d *decoder, i int32, v *time.Time) bool {
	n := &d.doc.nodes[i]
	if n.kind != kindString {
		return d.fail(i, t.self, "datetime_type", "Input should be a valid datetime", "")
	}
	at, err := time.Parse(time.RFC3339Nano, d.doc.str(n))
	if err != nil {
		return d.fail(i, t.self, "datetime_parsing", "Input should be a valid datetime, not in RFC 3339",
			`{"error":"not in RFC 3339"}`)
	}
	*v = at.UTC()
	return true
}

func (t *timeType) appendJSON(dst []byte, v *time.Time) []byte { return AppendTime(dst, *v) }

func (t *timeType) describe() *shape {
	t.self = &shape{words: "date-time", input: Input{Kind: InputText}, schema: Map{{"type", "string"}, {"format", "date-time"}}}
	return t.self
}
