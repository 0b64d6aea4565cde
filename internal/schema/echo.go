package schema

import "strconv"

// mask stands where a secret would be echoed.
const mask = `"**********"`

// echo appends what was sent as node i. A shape says which parts are secret;
// without one, or with one that has no secrets, all of it is shown.
func (d *Document) echo(dst []byte, i int32, s *shape) []byte {
	n := &d.nodes[i]
	if s == nil || !s.secretive {
		return d.plain(dst, i, false)
	}
	switch {
	case s.secret:
		if n.kind == kindNull || n.kind == kindString && n.start == n.end {
			return d.plain(dst, i, false)
		}
		return append(dst, mask...)
	case n.kind == kindObject && s.members != nil:
		return d.members(dst, i, func(dst []byte, key string, value int32) []byte {
			if m := s.member(key); m != nil {
				return d.echo(dst, value, m)
			}
			return d.plain(dst, value, true)
		})
	case n.kind == kindArray && s.item != nil:
		return d.items(dst, i, func(dst []byte, item int32) []byte { return d.echo(dst, item, s.item) })
	}
	return d.plain(dst, i, true)
}

// plain appends node i with every string as it is, or with every string masked:
// a member that the declaration does not know may be a secret under a name that
// was misspelt, and a body of another shape may be the secret itself.
func (d *Document) plain(dst []byte, i int32, masked bool) []byte {
	n := &d.nodes[i]
	raw := d.text[n.start:n.end]
	switch n.kind {
	case kindInt:
		if raw == "-0" {
			raw = "0"
		}
		return append(dst, raw...)
	case kindFloat:
		f, _ := strconv.ParseFloat(raw, 64)
		return appendFloat(dst, f)
	case kindString:
		if masked && raw != "" {
			return append(dst, mask...)
		}
		return d.quote(dst, n)
	case kindArray:
		return d.items(dst, i, func(dst []byte, item int32) []byte { return d.plain(dst, item, masked) })
	case kindObject:
		return d.members(dst, i, func(dst []byte, _ string, value int32) []byte { return d.plain(dst, value, masked) })
	}
	return append(dst, raw...)
}

// quote copies a string without escapes: it has nothing to escape.
func (d *Document) quote(dst []byte, n *node) []byte {
	if n.escaped {
		return AppendString(dst, d.str(n))
	}
	dst = append(dst, '"')
	dst = append(dst, d.text[n.start:n.end]...)
	return append(dst, '"')
}

func (d *Document) items(dst []byte, i int32, each func([]byte, int32) []byte) []byte {
	n := &d.nodes[i]
	dst = append(dst, '[')
	for item := i + 1; item < n.next; item = d.nodes[item].next {
		if item > i+1 {
			dst = append(dst, ',')
		}
		dst = each(dst, item)
	}
	return append(dst, ']')
}

// members appends an object as a Python dict keeps it: a key stands where it
// came first, with the value that came last.
func (d *Document) members(dst []byte, i int32, each func([]byte, string, int32) []byte) []byte {
	n := &d.nodes[i]
	last := make(map[string]int32, n.count)
	order := make([]int32, 0, n.count)
	for key := i + 1; key < n.next; key = d.nodes[key+1].next {
		name := d.str(&d.nodes[key])
		if _, again := last[name]; !again {
			order = append(order, key)
		}
		last[name] = key + 1
	}
	dst = append(dst, '{')
	for k, key := range order {
		if k > 0 {
			dst = append(dst, ',')
		}
		name := d.str(&d.nodes[key])
		dst = d.quote(dst, &d.nodes[key])
		dst = append(dst, ':')
		dst = each(dst, name, last[name])
	}
	return append(dst, '}')
}
