package auth

// recent is a map that keeps about its limit of entries and forgets those that
// were used least recently. It has two generations: when the young one is full
// it becomes the old one, and the old one is dropped; use moves an entry to the
// young one. An entry in use thus survives limit/2 others, and no entry costs
// more than its place in a map. Its owner guards it.
type recent[K comparable, V any] struct {
	limit      int
	young, old map[K]V
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	return &recent[K, V]{limit: max(limit, 2), young: map[K]V{}}
}

func (r *recent[K, V]) get(key K) (V, bool) {
	if v, ok := r.young[key]; ok {
		return v, true
	}
	v, ok := r.old[key]
	if ok {
		r.put(key, v)
	}
	return v, ok
}

func (r *recent[K, V]) put(key K, v V) {
	if _, ok := r.young[key]; !ok && len(r.young) >= r.limit/2 {
		r.old, r.young = r.young, make(map[K]V)
	}
	r.young[key] = v
}

// size returns the number of entries, counting one that is in both generations
// twice.
func (r *recent[K, V]) size() int { return len(r.young) + len(r.old) }
