package httpapi

import (
	"net/http"
	"time"

	"portico/internal/schema"
	"portico/internal/store"
)

// page is what lists take.
type page struct {
	search *string
	limit  *int
	cursor *string
	after  position // what the cursor says
	status *string  // of users only
	record recordFilter
}

// recordFilter is what a list of audit records takes beside a page.
type recordFilter struct {
	action, actor, subject, portal *string
	from, until                    *time.Time
}

// maxPage is the most that a page may hold.
const maxPage = 1000

var portalQuery = schema.Object("PortalQuery", pageFields()...)

var userQuery = schema.Object("UserQuery", append(pageFields(),
	schema.Optional("status", func(p *page) **string { return &p.status },
		schema.Null(schema.String().Enum("invited", "active", "expired", "bounced")), nil).
		Doc("Only users of this status."))...)

// pageFields are those of a list in which a text can be looked for.
func pageFields() []schema.Field[page] {
	return append(placeFields(),
		schema.Optional("q", func(p *page) **string { return &p.search }, schema.Null(schema.String().Len(-1, maxSearch)), nil).
			Doc("Only what contains this text."))
}

// placeFields are those of every list.
func placeFields() []schema.Field[page] {
	return []schema.Field[page]{
		schema.Optional("limit", func(p *page) **int { return &p.limit }, schema.Null(schema.Int().Min(1).Max(maxPage)), nil).
			Doc("At most so many; the next page is in the Link header. Without it: all."),
		schema.Optional("cursor", func(p *page) **string { return &p.cursor }, schema.Null(schema.String()), nil).
			Doc("Where the page begins, from a Link header."),
	}
}

// paged returns a handler of a list that reads the query before it calls
// handle: all that is wrong with it at once, what only the cursor's maker can
// tell included.
func (a *API) paged(model *schema.Model[page], handle func(*request, page) error) func(*request) error {
	return func(q *request) error {
		in, wrong := model.Decode(schema.ReadQuery(q.r.URL.RawQuery))
		if in.cursor != nil {
			var forged schema.Errors
			in.after, forged = a.cursors.open(q, *in.cursor)
			wrong = model.InOrder(append(wrong, forged...))
		}
		if len(wrong) > 0 {
			return wrong
		}
		return handle(q, in)
	}
}

// first returns the page of the store that a request asks for. Limit is one
// more than asked, to see whether there is a next page; 0 without a limit.
func (p page) first() store.Page {
	first := store.Page{AfterTime: p.after.time, AfterID: p.after.id}
	if p.search != nil {
		first.Query = *p.search
	}
	if p.limit != nil {
		first.Limit = *p.limit + 1
	}
	return first
}

func (q *request) link(target string) {
	q.w.Header().Set("Link", "<"+target+`>; rel="next"`)
}

// listPage is how many rows a list without a limit reads at once.
const listPage = 500

// listing is a list of rows of the registry.
type listing[T any] struct {
	read   func(store.Page) ([]T, error)
	place  func(T) position // where a page after it begins
	append func(dst []byte, row T) []byte
}

// list answers with a page of a listing, or with all of it.
func list[T any](a *API, q *request, in page, l listing[T]) error {
	at := in.first()
	limited := at.Limit > 0
	if !limited {
		at.Limit = listPage
	}
	out := newArray(q)
	for {
		rows, err := l.read(at)
		if err != nil {
			return out.fail(err)
		}
		more := len(rows) == at.Limit
		if limited && more {
			rows = rows[:len(rows)-1]
			last := l.place(rows[len(rows)-1])
			q.link(a.cursors.next(q, last.time, last.id))
		}
		for _, row := range rows {
			out.buf = l.append(out.item(), row)
		}
		if limited || !more {
			return out.end()
		}
		if err := out.flush(); err != nil {
			return out.fail(err)
		}
		last := l.place(rows[len(rows)-1])
		at.AfterTime, at.AfterID = last.time, last.id
	}
}

// array writes a JSON array: in one piece when it is short, in bounded memory
// when it is long. A long one is no work while the client reads.
type array struct {
	q       *request
	buf     []byte
	started bool // something was sent
}

func newArray(q *request) *array { return &array{q: q, buf: append(make([]byte, 0, 4<<10), '[')} }

// item returns the buffer to which the next item is appended.
func (o *array) item() []byte {
	if o.buf[len(o.buf)-1] == '}' {
		return append(o.buf, ',')
	}
	return o.buf
}

// flush sends what there is and keeps a trailing separator's place. It returns
// when the client took it and there is a place at work again.
func (o *array) flush() error {
	if !o.started {
		if err := o.q.admit(); err != nil {
			return err
		}
		o.started = true
	}
	last := o.buf[len(o.buf)-1]
	o.q.part(o.buf[:len(o.buf)-1])
	o.buf = append(o.buf[:0], last)
	return o.q.place.regain(o.q.ctx())
}

func (o *array) end() error {
	o.buf = append(o.buf, ']')
	if !o.started {
		return o.q.send(o.buf)
	}
	o.q.part(o.buf)
	return nil
}

// fail answers with an error while nothing was sent. After that the connection
// is cut, so that a part is never taken for the whole.
func (o *array) fail(err error) error {
	if o.started {
		panic(http.ErrAbortHandler)
	}
	return err
}
