package schema

import "slices"

// Member is what documents tell of a member of an object.
type Member struct {
	Name     string
	Type     string // in words
	Limits   string // in words; code stands in backquotes
	Required bool
	Doc      string
	Default  string // JSON; empty: none
	Example  string // JSON; empty: none
	Input    Input
}

// Input says how a form asks for a value.
type Input struct {
	Kind    InputKind
	Choices []string
	Lift    string // of lines: the member of an object that a line is
}

// InputKind is a kind of control.
type InputKind string

// The kinds of controls. Lines is an array of texts, one a line; Object is
// entered as JSON.
const (
	InputText    InputKind = "text"
	InputLong    InputKind = "long"
	InputSecret  InputKind = "secret"
	InputInteger InputKind = "integer"
	InputBoolean InputKind = "boolean"
	InputChoice  InputKind = "choice"
	InputLines   InputKind = "lines"
	InputObject  InputKind = "object"
)

// longText is the length from which on a text gets more than a line.
const longText = 500

// Members returns what documents tell of the members, in their order.
func (m *Model[T]) Members() []Member {
	all := make([]Member, len(m.self.members))
	for i, part := range m.self.members {
		all[i] = Member{
			Name: part.name, Type: part.shape.words, Limits: part.shape.limits, Required: part.required, Doc: part.doc,
			Default: string(part.standard), Example: string(part.shown()), Input: part.shape.input,
		}
	}
	return all
}

// shown is the member's example, or that of its type.
func (m *member) shown() []byte {
	if m.example == nil && m.required && m.shape.example != nil {
		return m.shape.example()
	}
	return m.example
}

// Example returns an object of the members' examples, as JSON. A member without
// one is left out when it may be; otherwise there is no example.
func (m *Model[T]) Example() []byte {
	out := []byte{'{'}
	for _, part := range m.self.members {
		example := part.shown()
		if example == nil {
			if part.required {
				return nil
			}
			continue
		}
		if len(out) > 1 {
			out = append(out, ", "...)
		}
		out = append(AppendString(out, part.name), ": "...)
		out = append(out, example...)
	}
	return append(out, '}')
}

// Objects returns an object and every object in it, the outermost first.
func Objects(c Component) []Component {
	var all []Component
	for _, part := range slices.Backward(c.nested()) {
		if !slices.Contains(all, part) {
			all = append(all, part)
		}
	}
	return all
}
