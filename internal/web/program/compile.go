package program

import (
	"fmt"
	"html/template"
	"reflect"
	"text/template/parse"
)

// compiler makes the blocks of one program.
type compiler struct {
	funcs  map[string]reflect.Value
	places map[string]*place
	set    *template.Template
	blocks map[string]*block

	variables []variable // in scope, of the block that is being made
	slots     int        // of that block
}

// variable is a variable's name and where its value is.
type variable struct {
	name string
	slot int
}

// block returns the block of a template, which may still be in the making: a
// template may call itself.
func (c *compiler) block(name string) (*block, error) {
	if b := c.blocks[name]; b != nil {
		return b, nil
	}
	t := c.set.Lookup(name)
	if t == nil || t.Tree == nil {
		return nil, fmt.Errorf("no template %q, or it is called where its values would be escaped otherwise", name)
	}
	b := &block{}
	c.blocks[name] = b
	inner := compiler{funcs: c.funcs, places: c.places, set: c.set, blocks: c.blocks}
	steps, err := inner.list(t.Tree.Root)
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", name, err)
	}
	b.steps, b.slots, b.made = steps, inner.slots, true
	return b, nil
}

// list makes the steps of a list of nodes. Variables that it declares end with it.
func (c *compiler) list(list *parse.ListNode) ([]step, error) {
	if list == nil {
		return nil, nil
	}
	outer := len(c.variables)
	defer func() { c.variables = c.variables[:outer] }()
	var w writer
	for _, node := range list.Nodes {
		if err := c.node(&w, node); err != nil {
			return nil, err
		}
	}
	return w.end(), nil
}

func (c *compiler) node(w *writer, node parse.Node) error {
	switch n := node.(type) {
	case *parse.TextNode:
		w.text = append(w.text, n.Text...)
		return nil
	case *parse.CommentNode:
		return nil
	case *parse.ActionNode:
		return c.action(w, n)
	case *parse.TemplateNode:
		return c.call(w, n)
	case *parse.IfNode:
		return c.branch(w, &n.BranchNode)
	case *parse.WithNode:
		return c.branch(w, &n.BranchNode)
	case *parse.RangeNode:
		return c.loop(w, n)
	}
	return unknown(node)
}

func unknown(node parse.Node) error { return fmt.Errorf("a program has no %s", node) }

// writer collects the steps of a list; text that follows text is one step.
type writer struct {
	steps []step
	text  []byte
}

func (w *writer) add(s step) {
	w.steps = append(w.end(), s)
}

func (w *writer) end() []step {
	if text := w.text; len(text) > 0 {
		w.text = nil
		w.steps = append(w.steps, func(f *frame, _ reflect.Value) error {
			f.out = append(f.out, text...)
			return nil
		})
	}
	return w.steps
}

// action makes {{value}} and {{$variable := value}}.
func (c *compiler) action(w *writer, n *parse.ActionNode) error {
	v, p, err := c.pipe(n.Pipe)
	switch {
	case err != nil:
		return err
	case len(n.Pipe.Decl) > 0:
		w.add(func(f *frame, dot reflect.Value) error {
			_, err := v.of(f, dot)
			return err
		})
		return nil
	case p == nil:
		return fmt.Errorf("%s is not escaped", n)
	case v.fixed:
		w.text, err = p.append(w.text, v.known)
		return err
	}
	w.add(func(f *frame, dot reflect.Value) error {
		value, err := v.of(f, dot)
		if err == nil {
			f.out, err = p.append(f.out, value)
		}
		return err
	})
	return nil
}

// call makes {{template}}. What is called with a constant is text.
func (c *compiler) call(w *writer, n *parse.TemplateNode) error {
	b, err := c.block(n.Name)
	if err != nil {
		return err
	}
	v := constant(reflect.Value{})
	if n.Pipe != nil {
		if v, _, err = c.pipe(n.Pipe); err != nil {
			return err
		}
	}
	if v.fixed && b.made {
		w.text, err = b.run(w.text, v.known)
		return err
	}
	w.add(func(f *frame, dot reflect.Value) error {
		to, err := v.of(f, dot)
		if err == nil {
			f.out, err = b.run(f.out, to)
		}
		return err
	})
	return nil
}

// branch makes {{if}} and, where the value becomes the dot, {{with}}.
func (c *compiler) branch(w *writer, n *parse.BranchNode) error {
	outer := len(c.variables)
	defer func() { c.variables = c.variables[:outer] }()
	v, _, err := c.pipe(n.Pipe)
	if err != nil {
		return err
	}
	yes, err := c.list(n.List)
	if err != nil {
		return err
	}
	no, err := c.list(n.ElseList)
	if err != nil {
		return err
	}
	with := n.NodeType == parse.NodeWith
	w.add(func(f *frame, dot reflect.Value) error {
		value, err := v.of(f, dot)
		switch {
		case err != nil:
			return err
		case !truth(value):
			return f.each(no, dot)
		case with:
			return f.each(yes, value)
		}
		return f.each(yes, dot)
	})
	return nil
}

// loop makes {{range}} over what has an order.
func (c *compiler) loop(w *writer, n *parse.RangeNode) error {
	outer := len(c.variables)
	defer func() { c.variables = c.variables[:outer] }()
	v, _, err := c.commands(n.Pipe)
	if err != nil {
		return err
	}
	index, element := -1, -1
	for _, d := range n.Pipe.Decl {
		index, element = element, c.declare(d.Ident[0])
	}
	body, err := c.list(n.List)
	if err != nil {
		return err
	}
	c.variables = c.variables[:outer]
	none, err := c.list(n.ElseList)
	if err != nil {
		return err
	}
	w.add(func(f *frame, dot reflect.Value) error {
		all, err := v.of(f, dot)
		if err != nil {
			return err
		}
		all, _ = indirect(all)
		switch all.Kind() {
		case reflect.Slice, reflect.Array:
		case reflect.Invalid, reflect.Interface:
			return f.each(none, dot)
		default:
			return fmt.Errorf("range over a %s", all.Type())
		}
		if all.Len() == 0 {
			return f.each(none, dot)
		}
		for i := range all.Len() {
			one := all.Index(i)
			if index >= 0 {
				f.vars[index] = reflect.ValueOf(i)
			}
			if element >= 0 {
				f.vars[element] = one
			}
			if err := f.each(body, one); err != nil {
				return err
			}
		}
		return nil
	})
	return nil
}
