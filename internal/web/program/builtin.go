package program

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
)

// builtin returns the function of text/template that has the name, of those
// that pages use.
func builtin(name string) func([]reflect.Value) (reflect.Value, error) {
	switch name {
	case "eq":
		return func(args []reflect.Value) (reflect.Value, error) { return said(equal(args)) }
	case "ne":
		return func(args []reflect.Value) (reflect.Value, error) {
			same, err := equal(args)
			return said(!same, err)
		}
	case "lt":
		return exactly(2, func(args []reflect.Value) (reflect.Value, error) { return said(less(args)) })
	case "not":
		return exactly(1, func(args []reflect.Value) (reflect.Value, error) { return said(!truth(args[0]), nil) })
	case "index":
		return exactly(2, index)
	case "len":
		return exactly(1, length)
	case "print":
		return func(args []reflect.Value) (reflect.Value, error) {
			all := make([]any, len(args))
			for i, arg := range args {
				if arg.IsValid() {
					all[i] = arg.Interface()
				}
			}
			return reflect.ValueOf(fmt.Sprint(all...)), nil
		}
	}
	return nil
}

func exactly(n int, fn func([]reflect.Value) (reflect.Value, error)) func([]reflect.Value) (reflect.Value, error) {
	return func(args []reflect.Value) (reflect.Value, error) {
		if len(args) != n {
			return reflect.Value{}, fmt.Errorf("%d arguments, not %d", len(args), n)
		}
		return fn(args)
	}
}

func said(truth bool, err error) (reflect.Value, error) { return reflect.ValueOf(truth), err }

var errCompare = errors.New("values that cannot be compared")

// equal reports whether the first is equal to any of the others.
func equal(args []reflect.Value) (bool, error) {
	if len(args) < 2 {
		return false, errCompare
	}
	first := concrete(args[0])
	for _, other := range args[1:] {
		other = concrete(other)
		same, err := equals(first, other)
		if same || err != nil {
			return same, err
		}
	}
	return false, nil
}

func equals(a, b reflect.Value) (bool, error) {
	switch {
	case !a.IsValid() || !b.IsValid():
		return isNil(a) && isNil(b), nil
	case a.CanInt() && b.CanInt():
		return a.Int() == b.Int(), nil
	case a.Kind() != b.Kind():
		return false, errCompare
	case a.Kind() == reflect.String:
		return a.String() == b.String(), nil
	case a.Kind() == reflect.Bool:
		return a.Bool() == b.Bool(), nil
	}
	return false, errCompare
}

func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		return v.IsNil()
	default:
		return false
	}
}

// less reports whether the first of two is less.
func less(args []reflect.Value) (bool, error) {
	a, b := concrete(args[0]), concrete(args[1])
	switch {
	case !a.IsValid() || !b.IsValid():
	case a.CanInt() && b.CanInt():
		return cmp.Less(a.Int(), b.Int()), nil
	}
	return false, errCompare
}

// index returns what a map has at a key, its zero value where there is none, or
// a list at a position.
func index(args []reflect.Value) (reflect.Value, error) {
	of, _ := indirect(args[0])
	at := concrete(args[1])
	switch of.Kind() {
	case reflect.Slice, reflect.Array:
		if at.IsValid() && at.CanInt() && at.Int() >= 0 && at.Int() < int64(of.Len()) {
			return of.Index(int(at.Int())), nil
		}
	case reflect.Map:
		key, err := fit(at, of.Type().Key())
		if err != nil {
			return reflect.Value{}, err
		}
		if v := of.MapIndex(key); v.IsValid() {
			return v, nil
		}
		return reflect.Zero(of.Type().Elem()), nil
	default:
	}
	return reflect.Value{}, fmt.Errorf("no index %v in %v", at, of)
}

func length(args []reflect.Value) (reflect.Value, error) {
	v, _ := indirect(args[0])
	switch v.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map, reflect.String:
		return reflect.ValueOf(v.Len()), nil
	default:
		return reflect.Value{}, errors.New("len of what has none")
	}
}
