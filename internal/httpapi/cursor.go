package httpapi

import (
	"encoding/base64"
	"encoding/binary"
	"net/url"
	"time"

	"portico/internal/keyring"
	"portico/internal/schema"
)

// cursors makes and checks page cursors. A cursor is opaque to clients: the
// position, and a MAC over it, the caller's organization, the path and the
// query it was made for.
type cursors struct{ mac *keyring.MAC }

func newCursors(ring *keyring.Ring) cursors { return cursors{ring.MAC(keyring.LabelCursors)} }

// next returns the path and query of the page after a position.
func (c cursors) next(q *request, at time.Time, id string) string {
	position := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMicro()))
	position = append(position, id...)
	values := q.r.URL.Query()
	values.Del("cursor")
	sum := c.mac.Sum(q.bound(values, position)...)
	values.Set("cursor", base64.RawURLEncoding.EncodeToString(append(position, sum[:]...)))
	return (&url.URL{Path: q.r.URL.Path, RawQuery: values.Encode()}).String()
}

// open returns the position in the cursor that a request sent, or what is
// wrong with that.
func (c cursors) open(q *request, cursor string) (at position, wrong schema.Errors) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	// The decoder skips line breaks, which would give a cursor a second spelling.
	if err == nil && len(raw) > 8+keyring.MACSize && base64.RawURLEncoding.EncodedLen(len(raw)) == len(cursor) {
		place, sum := raw[:len(raw)-keyring.MACSize], raw[len(raw)-keyring.MACSize:]
		values := q.r.URL.Query()
		values.Del("cursor")
		if c.mac.Equal(sum, q.bound(values, place)...) {
			return position{time.UnixMicro(int64(binary.BigEndian.Uint64(place))).UTC(), string(place[8:])}, nil
		}
	}
	return at, schema.ValueError("this cursor was not made for this request; start again without one", cursor, "query", "cursor")
}

// position is where a page begins: after an item. The zero position is the
// beginning.
type position struct {
	time time.Time
	id   string
}

// bound is what a cursor is good for, and nothing else.
func (q *request) bound(values url.Values, position []byte) []string {
	return []string{q.by.OrganizationID, q.r.URL.Path, values.Encode(), string(position)}
}
