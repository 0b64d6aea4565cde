package handles

// retired are the names of databases that this process drops or has dropped,
// for an engine to refuse. One that is being dropped stays for as long as that
// takes. Of those that are gone the last are kept, far more than there are
// calls under way, and every one that a call still waits for: a call that comes
// later has read the registry later, where the tombstone is. The zero value is
// empty. Its owner guards it.
type retired struct {
	gone  map[string]bool // false: being dropped
	order []string        // the gone ones in a ring
	next  int             // the oldest in order, once it is full
}

// retiredKept is how many names are kept of databases that are gone.
const retiredKept = 1 << 12

// has reports whether a name is one.
func (r *retired) has(name string) bool {
	_, ok := r.gone[name]
	return ok
}

// begin adds a name whose database is about to be dropped.
func (r *retired) begin(name string) {
	if r.gone == nil {
		r.gone = map[string]bool{}
	}
	if !r.gone[name] {
		r.gone[name] = false
	}
}

// end notes that the database of a name that begin added is gone, durably, and
// forgets the oldest name that none is waited for under.
func (r *retired) end(name string, waited func(name string) bool) {
	if r.gone[name] {
		return
	}
	r.gone[name] = true
	if len(r.order) < retiredKept {
		r.order = append(r.order, name)
		return
	}
	for range r.order {
		oldest := r.order[r.next]
		at := r.next
		r.next = (r.next + 1) % len(r.order)
		if !waited(oldest) {
			delete(r.gone, oldest)
			r.order[at] = name
			return
		}
	}
	r.order = append(r.order, name)
}
