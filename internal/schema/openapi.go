package schema

import (
	"slices"
	"strconv"
	"strings"
)

// Map is a JSON object whose members keep their order: what documents are
// assembled from. The values are nil, string, bool, int, Map, []any and Raw.
type Map []Pair

// Pair is a member of a Map.
type Pair struct {
	Key   string
	Value any
}

// Raw is JSON that is used as it is.
type Raw []byte

// AppendJSON appends the object as compact JSON. It panics on a value that is
// not one of Map's types.
func (m Map) AppendJSON(dst []byte) []byte { return appendAny(dst, m) }

func appendAny(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case string:
		return AppendString(dst, v)
	case bool:
		return strconv.AppendBool(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case Raw:
		return append(dst, v...)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendAny(dst, item)
		}
		return append(dst, ']')
	case Map:
		dst = append(dst, '{')
		for i, pair := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendString(dst, pair.Key), ':')
			dst = appendAny(dst, pair.Value)
		}
		return append(dst, '}')
	}
	panic("schema: a Map holds a value of a type that it cannot write")
}

// shape is what a type tells about itself, free of the Go type behind it.
type shape struct {
	schema    Map // of OpenAPI, without what a member adds to it
	ref       bool
	words     string // for people: what it is
	limits    string // and within which bounds
	input     Input
	example   func() []byte // of the type itself; nil: none
	secret    bool
	secretive bool // it or something in it is secret
	item      *shape
	members   []*member
	models    []Component // objects in it, the innermost first
}

// member is what a field tells about itself. standard and example are JSON.
type member struct {
	name     string
	shape    *shape
	required bool
	doc      string
	standard []byte
	example  []byte
}

func (s *shape) member(name string) *shape {
	for _, m := range s.members {
		if m.name == name {
			return m.shape
		}
	}
	return nil
}

// schema is the member's property: members are titled by their names, but a
// reference has the title of what it refers to.
func (m *member) schema() Map {
	s := slices.Clone(m.shape.schema)
	if !m.shape.ref {
		s = append(s, Pair{"title", titleOf(m.name)})
	}
	if m.doc != "" {
		s = append(s, Pair{"description", m.doc})
	}
	if m.standard != nil {
		s = append(s, Pair{"default", Raw(m.standard)})
	}
	if m.example != nil {
		s = append(s, Pair{"examples", []any{Raw(m.example)}})
	}
	return s
}

// titleOf makes "Custom Domain" of custom_domain.
func titleOf(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words {
		if w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}

// Component is an object as documents see it; every Model is one.
type Component interface {
	// Name is the component's name.
	Name() string
	// Schema is the component's schema.
	Schema() Map
	// Markdown is the component as a table for people.
	Markdown() string
	// Members are the members in their order.
	Members() []Member
	// Example is an object of the members' examples, as JSON; nil when a member
	// that has to be there has none.
	Example() []byte
	nested() []Component
}

// Schema returns the OpenAPI 3.1 schema of the object, as FastAPI writes it.
func (m *Model[T]) Schema() Map {
	properties := make(Map, len(m.self.members))
	var required []any
	for i, part := range m.self.members {
		properties[i] = Pair{part.name, part.schema()}
		if part.required {
			required = append(required, part.name)
		}
	}
	s := Map{{"properties", properties}, {"type", "object"}}
	if required != nil {
		s = append(s, Pair{"required", required})
	}
	s = append(s, Pair{"title", m.name})
	if m.doc != "" {
		s = append(s, Pair{"description", m.doc})
	}
	return s
}

// Ref returns the reference to the component, for a request or an answer.
func (m *Model[T]) Ref() Map { return slices.Clone(m.self.schema) }

// Parameters returns the members as OpenAPI parameters in "query" or "path".
func (m *Model[T]) Parameters(in string) []any {
	list := make([]any, len(m.self.members))
	for i, part := range m.self.members {
		p := Map{{"name", part.name}, {"in", in}, {"required", part.required}, {"schema", part.schema()}}
		if part.doc != "" {
			p = append(p, Pair{"description", part.doc})
		}
		list[i] = p
	}
	return list
}

func (m *Model[T]) nested() []Component { return m.self.models }

// Components returns components/schemas of a document: the given objects, all
// that they hold, and the two of field errors, sorted by name. It panics when
// two different objects have one name.
func Components(objects ...Component) Map {
	named := map[string]Component{}
	all := Map{
		{"HTTPValidationError", Map{
			{"properties", Map{{"detail", Map{
				{"items", Map{{"$ref", "#/components/schemas/ValidationError"}}},
				{"type", "array"},
				{"title", "Detail"},
			}}}},
			{"type", "object"},
			{"title", "HTTPValidationError"},
		}},
		{"ValidationError", Map{
			{"properties", Map{
				{"loc", Map{
					{"items", Map{{"anyOf", []any{Map{{"type", "string"}}, Map{{"type", "integer"}}}}}},
					{"type", "array"},
					{"title", "Location"},
				}},
				{"msg", Map{{"type", "string"}, {"title", "Message"}}},
				{"type", Map{{"type", "string"}, {"title", "Error Type"}}},
				{"input", Map{{"title", "Input"}}},
				{"ctx", Map{{"type", "object"}, {"title", "Context"}}},
			}},
			{"type", "object"},
			{"required", []any{"loc", "msg", "type"}},
			{"title", "ValidationError"},
		}},
	}
	for _, object := range objects {
		for _, c := range object.nested() {
			if other, known := named[c.Name()]; known {
				if other != c {
					panic("schema: two objects are called " + c.Name())
				}
				continue
			}
			named[c.Name()] = c
			all = append(all, Pair{c.Name(), c.Schema()})
		}
	}
	slices.SortFunc(all, func(a, b Pair) int { return strings.Compare(a.Key, b.Key) })
	return all
}
