package handles

import "container/list"

// room counts the databases that are kept open, against the most that may be,
// and lets openers for whom there is no room wait in a line. Who owns it guards
// it.
type room struct {
	limit   int
	open    int
	idle    list.List // of entries without users; the front goes first
	waiting list.List // of chan struct{}: openers for whom there is no room
	turns   int       // given to those who waited and not used yet
}

// free is the number of databases that could be opened now, evictions counted.
func (r *room) free() int { return r.limit - r.open + r.idle.Len() }

// mayTake reports whether the next room is the caller's: what a turn was given
// for is not a newcomer's, even before it is used.
func (r *room) mayTake(turn bool) bool {
	return turn || r.waiting.Len() == 0 && r.turns < r.free()
}

// queue returns a channel that is closed when there is room. Who has the turn
// and found the room taken again stays the first.
func (r *room) queue(turn bool) chan struct{} {
	room := make(chan struct{})
	if turn {
		r.turns--
		r.waiting.PushFront(room)
	} else {
		r.waiting.PushBack(room)
	}
	return room
}

// rouse gives those who wait their turns, first come first.
func (r *room) rouse() {
	for r.waiting.Len() > 0 && r.turns < r.free() {
		if room, ok := r.waiting.Remove(r.waiting.Front()).(chan struct{}); ok {
			r.turns++
			close(room)
		}
	}
}

// endTurn notes that a turn was used, or will not be.
func (r *room) endTurn(turn bool) {
	if turn {
		r.turns--
	}
	r.rouse()
}

// leave takes a waiter out of the line, or passes on the turn that it got while
// it gave up.
func (r *room) leave(room chan struct{}) {
	for at := r.waiting.Front(); at != nil; at = at.Next() {
		if at.Value == any(room) {
			r.waiting.Remove(at)
			return
		}
	}
	r.endTurn(true)
}
