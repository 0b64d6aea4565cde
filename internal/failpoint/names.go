package failpoint

import (
	"fmt"
	"slices"
)

// Names is the list of all points of the product, sorted. The product keeps
// none: each package that has points exports its own list, and a test that goes
// through every point joins them with Join.
type Names []string

// Join returns the names of several lists. A malformed name, or one that two
// lists or one list twice have, is an error.
func Join(lists ...[]string) (Names, error) {
	names := Names(slices.Concat(lists...))
	slices.Sort(names)
	for i, name := range names {
		if !validName(name) {
			return nil, fmt.Errorf("failpoint name %q is malformed", name)
		}
		if i > 0 && name == names[i-1] {
			return nil, fmt.Errorf("failpoint name %q is declared twice", name)
		}
	}
	return names, nil
}

// Missing returns the names that were not hit: points that a suite which means
// to be exhaustive never reached.
func (n Names) Missing(s *Set) []string {
	seen := s.Seen()
	return slices.DeleteFunc(slices.Clone(n), func(name string) bool {
		return slices.ContainsFunc(seen, func(p Point) bool { return p.Name == name })
	})
}

// Unknown returns the names that the set has hits or rules for and that are not
// in the list: a point without a declaration, or a spec with a slip, which
// would otherwise never fire.
func (n Names) Unknown(s *Set) []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.Clone(s.order)
	for _, r := range s.rules {
		if r.name != "" {
			names = append(names, r.name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(n, name) })
}
