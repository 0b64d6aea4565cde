package program

import (
	"fmt"
	"reflect"
	"sync/atomic"
)

// members returns the value at a path of names; the last takes the arguments.
func members(v value, path []string, args []value) value {
	for i, name := range path {
		base, m := v, &member{name: name}
		var own []value
		if i == len(path)-1 {
			own = args
		}
		v = value{of: func(f *frame, dot reflect.Value) (reflect.Value, error) {
			on, err := base.of(f, dot)
			if err != nil {
				return reflect.Value{}, err
			}
			in, err := evaluate(f, dot, own)
			if err != nil {
				return reflect.Value{}, err
			}
			return m.of(on, in)
		}}
	}
	return v
}

// member is a name after a dot: a method, a field, or a key of a map.
type member struct {
	name string
	last atomic.Pointer[found] // most often all values at a place have one type
}

// found is what a name means for values of one type.
type found struct {
	on     reflect.Type
	addr   bool // they can be pointed to
	method int  // on a pointer if they can; -1: none
	field  []int
}

func (m *member) of(v reflect.Value, args []reflect.Value) (reflect.Value, error) {
	if !v.IsValid() {
		return v, nil
	}
	v, null := indirect(v)
	if v.Kind() == reflect.Interface {
		return v, fmt.Errorf("nil has no %s", m.name)
	}
	at := m.last.Load()
	if at == nil || at.on != v.Type() || at.addr != pointable(v) {
		at = find(v, m.name)
		m.last.Store(at)
	}
	if at.method >= 0 {
		if at.addr {
			v = v.Addr()
		}
		return invoke(m.name, v.Method(at.method), args)
	}
	switch {
	case null || len(args) > 0:
	case at.field != nil:
		return v.FieldByIndexErr(at.field)
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		return v.MapIndex(reflect.ValueOf(m.name).Convert(v.Type().Key())), nil
	}
	return reflect.Value{}, fmt.Errorf("%s has no %s", v.Type(), m.name)
}

func find(v reflect.Value, name string) *found {
	at := &found{on: v.Type(), addr: pointable(v), method: -1}
	methods := at.on
	if at.addr {
		methods = reflect.PointerTo(methods)
	}
	if method, ok := methods.MethodByName(name); ok {
		at.method = method.Index
		return at
	}
	if v.Kind() == reflect.Struct {
		if field, ok := at.on.FieldByName(name); ok && field.IsExported() {
			at.field = field.Index
		}
	}
	return at
}

// pointable reports whether the methods of pointers to a value are its own too.
func pointable(v reflect.Value) bool { return v.CanAddr() && v.Kind() != reflect.Pointer }

// indirect follows pointers and interfaces to a value, or to a nil.
func indirect(v reflect.Value) (reflect.Value, bool) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return v, true
		}
		v = v.Elem()
	}
	return v, false
}

// invoke calls a function whose last result may be an error. One that panics
// has failed.
func invoke(name string, fn reflect.Value, args []reflect.Value) (result reflect.Value, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s panicked: %v", name, p)
		}
	}()
	t := fn.Type()
	if len(args) != t.NumIn() && (!t.IsVariadic() || len(args) < t.NumIn()-1) {
		return reflect.Value{}, fmt.Errorf("%s takes %d arguments, not %d", name, t.NumIn(), len(args))
	}
	for i := range args {
		var to reflect.Type
		if t.IsVariadic() && i >= t.NumIn()-1 {
			to = t.In(t.NumIn() - 1).Elem()
		} else {
			to = t.In(i)
		}
		if args[i], err = fit(args[i], to); err != nil {
			return reflect.Value{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	out := fn.Call(args)
	if len(out) > 1 {
		if err, failed := reflect.TypeAssert[error](out[1]); failed {
			return reflect.Value{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return concrete(out[0]), nil
}

// fit returns a value as one of a type.
func fit(v reflect.Value, to reflect.Type) (reflect.Value, error) {
	v = concrete(v)
	if !v.IsValid() {
		switch to.Kind() {
		case reflect.Interface, reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
			return reflect.Zero(to), nil
		default:
			return v, fmt.Errorf("nil is no %s", to)
		}
	}
	switch {
	case v.Type().AssignableTo(to):
		return v, nil
	case v.Kind() == reflect.Pointer && !v.IsNil() && v.Type().Elem().AssignableTo(to):
		return v.Elem(), nil
	case v.Kind() == to.Kind() && v.CanConvert(to):
		return v.Convert(to), nil
	}
	return v, fmt.Errorf("a %s is no %s", v.Type(), to)
}
