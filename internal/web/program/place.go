package program

import (
	"bytes"
	"fmt"
	"html/template"
	"reflect"
	"strings"
	"text/template/parse"
)

// place is a context in which html/template escapes values alike. What is not
// plainly the same before and after, html/template itself escapes, in a
// template that has such a place and nothing else: nothing is escaped here.
type place struct {
	sample        *template.Template
	before, after string
	plain         func(string) bool // strings that stay as they are
}

// newPlaces returns the places that a program knows, by the names of the
// escapers that html/template puts there.
func newPlaces() (map[string]*place, error) {
	places := map[string]*place{}
	for _, p := range []place{
		{plain: plainText},
		{before: `<title>`, after: `</title>`, plain: plainText},
		{before: `<b title="`, after: `">`, plain: plainText},
		{before: `<a href="`, after: `">`, plain: plainLink},
		{before: `<a href="/`, after: `">`, plain: plainPath},
		{before: `<a href="/?`, after: `">`, plain: plainWord},
	} {
		var err error
		if p.sample, err = template.New("sample").Parse(p.before + `{{.}}` + p.after); err != nil {
			return nil, err
		}
		if err := escape(p.sample, "sample"); err != nil {
			return nil, err
		}
		chain := chainOf(p.sample)
		if chain == "" || places[chain] != nil {
			return nil, fmt.Errorf("program: %s{{.}}%s is no place of its own: %s", p.before, p.after, chain)
		}
		places[chain] = &p
	}
	return places, nil
}

// chainOf returns the escapers of a template's one value.
func chainOf(t *template.Template) (chain string) {
	for _, node := range t.Tree.Root.Nodes {
		if n, ok := node.(*parse.ActionNode); ok {
			_, chain = split(n.Pipe)
		}
	}
	return chain
}

// append appends a value, escaped.
func (p *place) append(out []byte, v reflect.Value) ([]byte, error) {
	v = concrete(v)
	var data any
	if v.IsValid() {
		if v.Type() == reflect.TypeFor[string]() && p.plain(v.String()) {
			return append(out, v.String()...), nil
		}
		data = v.Interface()
	}
	var b bytes.Buffer
	if err := p.sample.Execute(&b, data); err != nil {
		return out, err
	}
	return append(out, b.Bytes()[len(p.before):b.Len()-len(p.after)]...), nil
}

func plainText(s string) bool { return !strings.ContainsAny(s, "\x00\"&'+<>") }

// plainLink is stricter with what has a colon, for that may end a scheme.
func plainLink(s string) bool {
	known := strings.HasPrefix(s, "/") || strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
	return plainPath(s) && (known || !strings.Contains(s, ":"))
}

func plainPath(s string) bool { return plainBut(s, "/?=#:") }

func plainWord(s string) bool { return plainBut(s, "") }

// plainBut reports whether a string has only the characters that an address
// never quotes, and the ones given.
func plainBut(s, more string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
		case strings.IndexByte(more, c) < 0:
			return false
		}
	}
	return true
}
