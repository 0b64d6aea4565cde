package schema

import "strconv"

// Patch is the value of a member that may be absent, null, or a value: what a
// change asks for.
type Patch[V any] struct {
	Set   bool // the member was sent
	Null  bool // as null
	Value V
}

type nullType[V any] struct{ of Type[V] }

// Null is a value of another type, or null, which is nil.
func Null[V any](of Type[V]) Type[*V] { return &nullType[V]{of} }

func (t *nullType[V]) decode(d *decoder, i int32, v **V) bool {
	*v = nil
	if d.doc.nodes[i].kind == kindNull {
		return true
	}
	value := new(V)
	if !t.of.decode(d, i, value) {
		return false
	}
	*v = value
	return true
}

func (t *nullType[V]) appendJSON(dst []byte, v **V) []byte {
	if *v == nil {
		return append(dst, "null"...)
	}
	return t.of.appendJSON(dst, *v)
}

func (t *nullType[V]) describe() *shape { return nullable(t.of.describe()) }

func nullable(of *shape) *shape {
	s := *of
	s.schema = Map{{"anyOf", []any{of.schema, Map{{"type", "null"}}}}}
	s.words += " or null"
	s.example = func() []byte { return []byte("null") }
	return &s
}

type patchType[V any] struct{ of Type[V] }

// Change is a member of a partial update: a value of another type, null, or
// absent when declared with Optional and a zero Patch.
func Change[V any](of Type[V]) Type[Patch[V]] { return &patchType[V]{of} }

func (t *patchType[V]) decode(d *decoder, i int32, v *Patch[V]) bool {
	*v = Patch[V]{Set: true, Null: d.doc.nodes[i].kind == kindNull}
	return v.Null || t.of.decode(d, i, &v.Value)
}

func (t *patchType[V]) appendJSON(dst []byte, v *Patch[V]) []byte {
	if !v.Set || v.Null {
		return append(dst, "null"...)
	}
	return t.of.appendJSON(dst, &v.Value)
}

func (t *patchType[V]) describe() *shape { return nullable(t.of.describe()) }

// ArrayType is an array of values of one type. Its methods narrow it, and
// return it for chaining. In a request, give it a largest length: each of its
// items may be an error, and an error is larger than an item.
type ArrayType[V any] struct {
	of       Type[V]
	min, max int
	lifted   lifter[V]
	lift     int
	self     *shape
}

// lifter is a type that can be read from the value of one of its members.
type lifter[V any] interface {
	decodeLifted(d *decoder, i int32, member int, v *V) bool
	position(member string) int
}

// Array is an array of any length.
func Array[V any](of Type[V]) *ArrayType[V] { return &ArrayType[V]{of: of, max: -1} }

// Len bounds the number of items; zero and -1 are no bound.
func (t *ArrayType[V]) Len(fewest, most int) *ArrayType[V] {
	t.min, t.max = fewest, most
	return t
}

// Lift reads an item that is a bare string as an object with that one member,
// before anything is checked. It panics when the items are no objects or have
// no such member.
func (t *ArrayType[V]) Lift(member string) *ArrayType[V] {
	t.lifted = t.of.(lifter[V]) //nolint:errcheck,forcetypeassert // the panic is promised above
	t.lift = t.lifted.position(member)
	return t
}

func (t *ArrayType[V]) decode(d *decoder, i int32, v *[]V) bool {
	n := &d.doc.nodes[i]
	if n.kind != kindArray {
		return d.fail(i, t.self, "list_type", "Input should be a valid list", "")
	}
	count := int(n.count)
	if t.max >= 0 && count > t.max {
		return t.wrongCount(d, i, "too_long", "at most ", "max_length", t.max)
	}
	items := make([]V, count)
	good := true
	item := i + 1
	for k := range items {
		d.loc = append(d.loc, step{index: k})
		if t.lifted != nil && d.doc.nodes[item].kind == kindString {
			good = t.lifted.decodeLifted(d, item, t.lift, &items[k]) && good
		} else {
			good = t.of.decode(d, item, &items[k]) && good
		}
		d.loc = d.loc[:len(d.loc)-1]
		item = d.doc.nodes[item].next
	}
	if !good {
		return false
	}
	if count < t.min {
		return t.wrongCount(d, i, "too_short", "at least ", "min_length", t.min)
	}
	*v = items
	return true
}

func (t *ArrayType[V]) wrongCount(d *decoder, i int32, typ, bound, name string, limit int) bool {
	count := strconv.Itoa(int(d.doc.nodes[i].count))
	return d.fail(i, t.self, typ,
		"List should have "+bound+plural(limit, "item")+" after validation, not "+count,
		`{"field_type":"List","`+name+`":`+strconv.Itoa(limit)+`,"actual_length":`+count+`}`)
}

func (t *ArrayType[V]) appendJSON(dst []byte, v *[]V) []byte {
	dst = append(dst, '[')
	for k := range *v {
		if k > 0 {
			dst = append(dst, ',')
		}
		dst = t.of.appendJSON(dst, &(*v)[k])
	}
	return append(dst, ']')
}

func (t *ArrayType[V]) describe() *shape {
	of := t.of.describe()
	s := &shape{item: of, secretive: of.secretive, words: "array of " + of.words, models: of.models}
	s.input = Input{Kind: InputObject}
	if t.lifted != nil || of.input.Kind == InputText {
		s.input.Kind = InputLines
	}
	if t.lifted != nil {
		s.input.Lift = of.members[t.lift].name
	}
	items := of.schema
	if t.lifted != nil {
		s.words += " or string"
	}
	s.schema = Map{{"items", items}, {"type", "array"}}
	if t.max >= 0 {
		s.schema = append(s.schema, Pair{"maxItems", t.max})
	}
	if t.min > 0 {
		s.schema = append(s.schema, Pair{"minItems", t.min})
	}
	if t.min > 0 || t.max >= 0 {
		s.limits = span(t.min, t.max, "item")
	}
	t.self = s
	return s
}
