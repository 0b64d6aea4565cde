package schema

import "slices"

// Model is the declaration of a JSON object that is kept as a T. It is built
// once, does not change, and is safe for concurrent use.
type Model[T any] struct {
	name   string
	doc    string
	fields []Field[T]
	names  []string
	self   *shape
}

// Field is one member of an object; Required and Optional make them.
type Field[T any] interface {
	decodeField(d *decoder, i int32, v *T) bool
	// absent stores the default, and returns false when there is none.
	absent(v *T) bool
	// appendField appends a comma, the name and the value.
	appendField(dst []byte, v *T) []byte
	describeField() *member
}

// Prop is a member of T that is kept as a V. Its methods describe it, and
// return it for chaining.
type Prop[T, V any] struct {
	label    string
	quoted   []byte // as it stands in JSON, from comma to colon
	at       func(*T) *V
	typ      Type[V]
	optional bool
	standard V
	doc      string
	example  []byte
}

// Required is a member that has to be sent. at says where in a T it is kept.
func Required[T, V any](name string, at func(*T) *V, typ Type[V]) *Prop[T, V] {
	return &Prop[T, V]{label: name, quoted: append(AppendString([]byte{','}, name), ':'), at: at, typ: typ}
}

// Optional is a member that is standard when it was not sent.
func Optional[T, V any](name string, at func(*T) *V, typ Type[V], standard V) *Prop[T, V] {
	p := Required(name, at, typ)
	p.optional, p.standard = true, standard
	return p
}

// Doc describes the member in a sentence.
func (p *Prop[T, V]) Doc(text string) *Prop[T, V] {
	p.doc = text
	return p
}

// Example shows a value in the documents.
func (p *Prop[T, V]) Example(v V) *Prop[T, V] {
	p.example = p.typ.appendJSON(nil, &v)
	return p
}

func (p *Prop[T, V]) decodeField(d *decoder, i int32, v *T) bool {
	return p.typ.decode(d, i, p.at(v))
}

func (p *Prop[T, V]) absent(v *T) bool {
	if p.optional {
		*p.at(v) = p.standard
	}
	return p.optional
}

func (p *Prop[T, V]) appendField(dst []byte, v *T) []byte {
	return p.typ.appendJSON(append(dst, p.quoted...), p.at(v))
}

func (p *Prop[T, V]) describeField() *member {
	m := &member{name: p.label, shape: p.typ.describe(), required: !p.optional, doc: p.doc, example: p.example}
	if p.optional {
		if standard := p.typ.appendJSON(nil, &p.standard); string(standard) != "null" {
			m.standard = standard
		}
	}
	return m
}

// Object declares an object by the name of its OpenAPI component and its
// members. Their order is that of errors and of answers.
func Object[T any](name string, fields ...Field[T]) *Model[T] {
	m := &Model[T]{name: name, fields: fields}
	m.self = &shape{words: name, ref: true, input: Input{Kind: InputObject}, example: m.Example}
	m.self.schema = Map{{"$ref", "#/components/schemas/" + name}}
	for _, f := range fields {
		part := f.describeField()
		m.names = append(m.names, part.name)
		m.self.members = append(m.self.members, part)
		m.self.secretive = m.self.secretive || part.shape.secretive
		m.self.models = append(m.self.models, part.shape.models...)
	}
	m.self.models = append(m.self.models, m)
	return m
}

// Doc describes the object in a sentence.
func (m *Model[T]) Doc(text string) *Model[T] {
	m.doc = text
	return m
}

// Name returns the name of the OpenAPI component.
func (m *Model[T]) Name() string { return m.name }

// Decode checks a document against the declaration and returns what it says,
// or every error in it: then the value is of no use. Strings of the value share
// the memory of the body.
func (m *Model[T]) Decode(doc *Document) (T, Errors) {
	var v T
	d := decoder{doc: doc, loc: make([]step, 1, 8), slots: make([]int32, 0, 32)}
	d.loc[0] = step{name: doc.in}
	if doc.empty {
		d.errs = append(d.errs, FieldError{Type: "missing", Loc: []any{doc.in}, Msg: "Field required", Input: []byte("null")})
	} else {
		m.decode(&d, 0, &v)
	}
	return v, d.errs
}

// InOrder sorts errors by the order of the members that they are about: for
// those that no declaration could find, appended to what Decode found.
func (m *Model[T]) InOrder(errs Errors) Errors {
	at := func(e FieldError) int {
		if len(e.Loc) < 2 {
			return -1
		}
		name, _ := e.Loc[1].(string)
		return slices.Index(m.names, name)
	}
	slices.SortStableFunc(errs, func(a, b FieldError) int { return at(a) - at(b) })
	return errs
}

// AppendJSON appends v as compact JSON. Equal values give equal bytes.
func (m *Model[T]) AppendJSON(dst []byte, v *T) []byte { return m.appendJSON(dst, v) }

func (m *Model[T]) appendJSON(dst []byte, v *T) []byte {
	open := len(dst)
	for _, f := range m.fields {
		dst = f.appendField(dst, v)
	}
	if len(m.fields) == 0 {
		dst = append(dst, ',')
	}
	dst[open] = '{'
	return append(dst, '}')
}

func (m *Model[T]) describe() *shape { return m.self }

func (m *Model[T]) position(member string) int {
	if k := slices.Index(m.names, member); k >= 0 {
		return k
	}
	panic("schema: " + m.name + " has no member " + member)
}

// decode finds the last member of each name. A name that no field has is
// passed over.
func (m *Model[T]) decode(d *decoder, i int32, v *T) bool {
	n := &d.doc.nodes[i]
	if n.kind != kindObject {
		return d.fail(i, m.self, "model_attributes_type",
			"Input should be a valid dictionary or object to extract fields from", "")
	}
	base := d.open(len(m.fields))
	for key := i + 1; key < n.next; key = d.doc.nodes[key+1].next {
		name := d.doc.str(&d.doc.nodes[key])
		for k := range m.names {
			if m.names[k] == name {
				d.slots[base+k] = key + 1
				break
			}
		}
	}
	good := m.decodeFields(d, base, i, "", v)
	d.slots = d.slots[:base]
	return good
}

func (m *Model[T]) decodeLifted(d *decoder, i int32, member int, v *T) bool {
	base := d.open(len(m.fields))
	d.slots[base+member] = i
	good := m.decodeFields(d, base, i, m.names[member], v)
	d.slots = d.slots[:base]
	return good
}

func (m *Model[T]) decodeFields(d *decoder, base int, parent int32, lifted string, v *T) bool {
	good := true
	for k, f := range m.fields {
		d.loc = append(d.loc, step{name: m.names[k]})
		if i := d.slots[base+k]; i != 0 {
			good = f.decodeField(d, i, v) && good
		} else if !f.absent(v) {
			good = d.missing(parent, m.self, lifted)
		}
		d.loc = d.loc[:len(d.loc)-1]
	}
	return good
}

// step is one element of a location: a name, or an index when there is none.
type step struct {
	name  string
	index int
}

// decoder is the state of one Decode. slots holds, for each object under way,
// the node of each field; no field is node 0.
type decoder struct {
	doc   *Document
	loc   []step
	slots []int32
	errs  Errors
}

func (d *decoder) open(fields int) int {
	base := len(d.slots)
	for range fields {
		d.slots = append(d.slots, 0)
	}
	return base
}

func (d *decoder) location() []any {
	loc := make([]any, len(d.loc))
	for k, s := range d.loc {
		if s.name != "" {
			loc[k] = s.name
		} else {
			loc[k] = s.index
		}
	}
	return loc
}

// fail reports an error about node i at the current location.
func (d *decoder) fail(i int32, s *shape, typ, msg, ctx string) bool {
	e := FieldError{Type: typ, Loc: d.location(), Msg: msg, Input: d.doc.echo(nil, i, s)}
	if ctx != "" {
		e.Ctx = []byte(ctx)
	}
	d.errs = append(d.errs, e)
	return false
}

// missing reports the absence of the member at the current location. lifted
// names the member that the string at parent was read as.
func (d *decoder) missing(parent int32, s *shape, lifted string) bool {
	e := FieldError{Type: "missing", Loc: d.location(), Msg: "Field required"}
	switch {
	case d.doc.flat:
		e.Input = []byte("null")
	case lifted != "":
		e.Input = append(AppendString([]byte{'{'}, lifted), ':')
		e.Input = append(d.doc.echo(e.Input, parent, s.member(lifted)), '}')
	default:
		e.Input = d.doc.echo(nil, parent, s)
	}
	d.errs = append(d.errs, e)
	return false
}
