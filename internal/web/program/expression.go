package program

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template/parse"
)

// value is what an expression says.
type value struct {
	of func(f *frame, dot reflect.Value) (reflect.Value, error)

	fixed bool          // it depends on no data,
	known reflect.Value // and is this
}

func constant(v reflect.Value) value {
	return value{
		of:    func(*frame, reflect.Value) (reflect.Value, error) { return v, nil },
		fixed: true, known: v,
	}
}

// declare returns the slot of a new variable.
func (c *compiler) declare(name string) int {
	c.variables = append(c.variables, variable{name, c.slots})
	c.slots++
	return c.slots - 1
}

// pipe returns the value of a pipeline, which variables that it declares have
// too, and the place that its end names: nil where nothing is written.
func (c *compiler) pipe(n *parse.PipeNode) (value, *place, error) {
	v, p, err := c.commands(n)
	if err != nil || len(n.Decl) == 0 {
		return v, p, err
	}
	if n.IsAssign {
		return value{}, nil, unknown(n)
	}
	slot, inner := c.declare(n.Decl[0].Ident[0]), v
	v = value{of: func(f *frame, dot reflect.Value) (reflect.Value, error) {
		value, err := inner.of(f, dot)
		f.vars[slot] = value
		return value, err
	}}
	return v, p, nil
}

// escaperPrefix is what the functions that html/template adds begin with.
const escaperPrefix = "_html_template_"

// commands returns the value of a pipeline's commands, and the place that the
// escapers at its end are for.
func (c *compiler) commands(n *parse.PipeNode) (v value, p *place, err error) {
	cmds, chain := split(n)
	if chain != "" {
		if p = c.places[chain]; p == nil {
			return value{}, nil, fmt.Errorf("%s stands where values are escaped by %s, which a program does not know", n, chain)
		}
	}
	for i, cmd := range cmds {
		args := cmd.Args[1:]
		var last []value
		if i > 0 {
			last = []value{v}
		}
		if v, err = c.command(cmd.Args[0], args, last); err != nil {
			return value{}, nil, err
		}
	}
	return v, p, nil
}

// split parts a pipeline's commands from the names of the escapers at its end.
func split(n *parse.PipeNode) (cmds []*parse.CommandNode, chain string) {
	at := len(n.Cmds)
	for at > 0 && strings.HasPrefix(n.Cmds[at-1].String(), escaperPrefix) {
		at--
		chain = strings.TrimPrefix(n.Cmds[at].String(), escaperPrefix) + " " + chain
	}
	return n.Cmds[:at], strings.TrimSpace(chain)
}

// command returns the value of one command; last is the value of the one before it.
func (c *compiler) command(first parse.Node, nodes []parse.Node, last []value) (value, error) {
	var args []value
	for _, node := range nodes {
		v, err := c.operand(node)
		if err != nil {
			return value{}, err
		}
		args = append(args, v)
	}
	args = append(args, last...)
	switch n := first.(type) {
	case *parse.FieldNode:
		return members(value{of: dotOf}, n.Ident, args), nil
	case *parse.VariableNode:
		if len(n.Ident) == 1 && len(args) > 0 {
			return value{}, unknown(n)
		}
		v, err := c.variable(n.Ident[0])
		return members(v, n.Ident[1:], args), err
	case *parse.ChainNode:
		v, err := c.operand(n.Node)
		return members(v, n.Field, args), err
	case *parse.IdentifierNode:
		return c.function(n.Ident, args)
	}
	if len(args) > 0 {
		return value{}, unknown(first)
	}
	return c.operand(first)
}

func dotOf(_ *frame, dot reflect.Value) (reflect.Value, error) { return dot, nil }

// operand returns the value of what is no command with arguments.
func (c *compiler) operand(node parse.Node) (value, error) {
	switch n := node.(type) {
	case *parse.DotNode:
		return value{of: dotOf}, nil
	case *parse.NilNode:
		return constant(reflect.Value{}), nil
	case *parse.BoolNode:
		return constant(reflect.ValueOf(n.True)), nil
	case *parse.StringNode:
		return constant(reflect.ValueOf(n.Text)), nil
	case *parse.NumberNode:
		if n.IsInt {
			return constant(reflect.ValueOf(int(n.Int64))), nil
		}
	case *parse.PipeNode:
		v, _, err := c.pipe(n)
		return v, err
	case *parse.FieldNode, *parse.VariableNode, *parse.ChainNode, *parse.IdentifierNode:
		return c.command(node, nil, nil)
	}
	return value{}, unknown(node)
}

func (c *compiler) variable(name string) (value, error) {
	if name == "$" {
		return value{of: func(f *frame, _ reflect.Value) (reflect.Value, error) { return f.root, nil }}, nil
	}
	for _, v := range slices.Backward(c.variables) {
		if v.name == name {
			return value{of: func(f *frame, _ reflect.Value) (reflect.Value, error) { return f.vars[v.slot], nil }}, nil
		}
	}
	return value{}, fmt.Errorf("no variable %s", name)
}

// function returns the value of a call, which is made now if that is possible.
func (c *compiler) function(name string, args []value) (value, error) {
	call, err := c.callee(name)
	if err != nil {
		return value{}, err
	}
	v := value{fixed: true, of: func(f *frame, dot reflect.Value) (reflect.Value, error) { return call(f, dot, args) }}
	for _, arg := range args {
		v.fixed = v.fixed && arg.fixed
	}
	if v.fixed {
		known, err := v.of(nil, reflect.Value{})
		return constant(known), err
	}
	return v, nil
}

// callee is a function with what it is called with, not evaluated yet.
type callee func(f *frame, dot reflect.Value, args []value) (reflect.Value, error)

func (c *compiler) callee(name string) (callee, error) {
	if fn, ok := c.funcs[name]; ok {
		return func(f *frame, dot reflect.Value, args []value) (reflect.Value, error) {
			in, err := evaluate(f, dot, args)
			if err != nil {
				return reflect.Value{}, err
			}
			return invoke(name, fn, in)
		}, nil
	}
	switch name {
	case "and":
		return junction(false), nil
	case "or":
		return junction(true), nil
	}
	fn := builtin(name)
	if fn == nil {
		return nil, fmt.Errorf("a program has no function %s", name)
	}
	return func(f *frame, dot reflect.Value, args []value) (reflect.Value, error) {
		in, err := evaluate(f, dot, args)
		if err != nil {
			return reflect.Value{}, err
		}
		return fn(in)
	}, nil
}

// junction is "or" or "and": the first argument with the truth, or the last.
func junction(stop bool) callee {
	return func(f *frame, dot reflect.Value, args []value) (v reflect.Value, err error) {
		for _, arg := range args {
			if v, err = arg.of(f, dot); err != nil || truth(v) == stop {
				break
			}
		}
		return v, err
	}
}

func evaluate(f *frame, dot reflect.Value, args []value) ([]reflect.Value, error) {
	if len(args) == 0 {
		return nil, nil
	}
	in := make([]reflect.Value, len(args))
	for i, arg := range args {
		var err error
		if in[i], err = arg.of(f, dot); err != nil {
			return nil, err
		}
	}
	return in, nil
}
