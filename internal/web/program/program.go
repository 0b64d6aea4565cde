// Package program runs templates of html/template faster than that package
// does. It owns no language and no escaping: html/template parses a page's
// templates and decides by context how each value is escaped; a Maker takes that
// decision over, looks up once what html/template looks up for each page
// (templates, functions, fields, methods), and makes what does not depend on
// the data into text. Its bytes are html/template's. What a template uses and a
// program does not know is an error when it is made or, where it hangs on a
// value's type, when it is run: never another text.
//
// It imports the standard library alone. Start with Maker, then compiler in
// compile.go; place.go is where values are escaped.
package program

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"reflect"
	"sync"
)

// Maker makes programs of templates that were parsed with the same functions.
type Maker struct {
	funcs  map[string]reflect.Value
	places func() (map[string]*place, error) // made for the first program
}

// NewMaker returns the maker of programs. What a function returns must depend
// on its arguments alone: with constants it is called once, by Program.
func NewMaker(funcs ...template.FuncMap) *Maker {
	m := &Maker{funcs: map[string]reflect.Value{}, places: sync.OnceValues(newPlaces)}
	for _, some := range funcs {
		for name, fn := range some {
			m.funcs[name] = reflect.ValueOf(fn)
		}
	}
	return m
}

// Program is one template with all that it calls, ready to run. It is safe for
// concurrent use.
type Program struct{ main *block }

// Program makes a program of a named template of a set, which nobody may
// change or run afterwards.
func (m *Maker) Program(set *template.Template, name string) (*Program, error) {
	if err := escape(set, name); err != nil {
		return nil, err
	}
	places, err := m.places()
	if err != nil {
		return nil, err
	}
	c := &compiler{funcs: m.funcs, places: places, set: set, blocks: map[string]*block{}}
	main, err := c.block(name)
	if err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	return &Program{main}, nil
}

// Append appends what the template says of the data. After an error what was
// appended is no page.
func (p *Program) Append(out []byte, data any) ([]byte, error) {
	return p.main.run(out, reflect.ValueOf(data))
}

// escape has html/template decide on escaping, which it does before it runs a
// template for the first time. That it cannot run this one without data is no
// matter.
func escape(set *template.Template, name string) error {
	var refused *template.Error
	if err := set.ExecuteTemplate(io.Discard, name, nil); errors.As(err, &refused) {
		return refused
	}
	return nil
}

// block is one template: the steps that write it.
type block struct {
	steps []step
	slots int  // of variables
	made  bool // the steps are all there
}

// frame is one run of a block.
type frame struct {
	out  []byte
	root reflect.Value // $
	vars []reflect.Value
}

// step writes a part of a block to the frame.
type step func(f *frame, dot reflect.Value) error

func (b *block) run(out []byte, dot reflect.Value) ([]byte, error) {
	f := frame{out: out, root: dot}
	if b.slots > 0 {
		f.vars = make([]reflect.Value, b.slots)
	}
	err := f.each(b.steps, dot)
	return f.out, err
}

func (f *frame) each(steps []step, dot reflect.Value) error {
	for _, s := range steps {
		if err := s(f, dot); err != nil {
			return err
		}
	}
	return nil
}

// truth is text/template's.
func truth(v reflect.Value) bool {
	v = concrete(v)
	switch v.Kind() {
	case reflect.Invalid:
		return false
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() > 0
	case reflect.Struct:
		return true
	default:
		return !v.IsZero()
	}
}

// concrete returns what is in an interface; invalid for nil.
func concrete(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Interface {
		return v.Elem()
	}
	return v
}
