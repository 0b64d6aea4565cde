package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"portico"
	"portico/internal/control"
	"portico/internal/schema"
)

// request is one request on its way through a route.
type request struct {
	w     http.ResponseWriter
	r     *http.Request
	route *route
	id    string
	by    portico.Principal
	raw   []byte           // the body
	doc   *schema.Document // the body, read
	once  control.Once
	place place

	readers *readers
	reader  *reader // once a long answer has begun
}

func (q *request) ctx() context.Context { return q.r.Context() }

// param returns a path parameter: an opaque string.
func (q *request) param(name string) string { return q.r.PathValue(name) }

// serve judges a request in the order of the contract: body readable → who →
// may → fields → Idempotency-Key → object and state. The last two are the
// operation's, which the route's handler calls.
func (a *API) serve(w http.ResponseWriter, r *http.Request, route *route) {
	q := &request{w: w, r: r, route: route, readers: a.readers}
	if !route.unlimited {
		q.place.of = a.places
	}
	q.id, _ = r.Context().Value(requestKey{}).(string)
	body := held{all: &a.held}
	defer body.release()
	err := q.receive(&body)
	if err == nil {
		err = a.work(q)
	}
	if err != nil {
		a.refuse(q, err)
	}
}

// work does what the request asks for, if there is a place for it.
func (a *API) work(q *request) error {
	if !q.place.take() {
		return errOverloaded
	}
	defer q.place.leave()
	defer func() { q.reader.leave() }()
	if err := a.judge(q); err != nil {
		return err
	}
	return q.route.handle(q)
}

func (a *API) judge(q *request) error {
	if q.route.body != nil {
		if err := q.readBody(); err != nil {
			return err
		}
	}
	if q.route.access == public {
		return nil
	}
	by, err := a.config.Auth.Authenticate(q.ctx(), q.r.Header.Get("Authorization"), remote(q.r))
	if err != nil {
		return err
	}
	by.RequestID = q.id
	q.by = by
	switch q.route.access {
	case administrator:
		return by.MayAdministerPortals(q.route.scope)
	case manager:
		return by.MayManageOrganization()
	case person:
		return by.MayManageTokens()
	default:
		return nil
	}
}

// receive takes the body from the client, as much as a body may be.
func (q *request) receive(body *held) error {
	if q.r.ContentLength > maxBody { // also of one that nobody would read
		return errTooLarge
	}
	if coded(q.r.Header) {
		return errEncoding
	}
	if q.route.body == nil {
		return nil
	}
	body.from = http.MaxBytesReader(q.w, q.r.Body, maxBody)
	var err error
	q.raw, err = io.ReadAll(body)
	switch {
	case err == nil, errors.Is(err, errOverloaded):
		return err
	case isTooLarge(err):
		return errTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errTooSlow
	}
	return errUnreadable
}

// coded reports whether a body is not sent as it is. A second line of the header
// says as much as a comma.
func coded(h http.Header) bool {
	for _, line := range h.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(line, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				return true
			}
		}
	}
	return false
}

// held is a body on its way in. What all bodies hold together is bounded, by
// what was received of them, so that who only announces much holds nothing.
type held struct {
	from io.Reader
	all  *atomic.Int64
	own  int64
}

// Read implements io.Reader.
func (h *held) Read(p []byte) (int, error) {
	n, err := h.from.Read(p)
	h.own += int64(n)
	if h.all.Add(int64(n)) > maxHeld {
		return n, errOverloaded
	}
	return n, err
}

func (h *held) release() { h.all.Add(-h.own) }

// readBody reads the body as JSON or a form.
func (q *request) readBody() (err error) {
	read := schema.ReadBody
	if q.route.form {
		read = schema.ReadForm
	}
	q.doc, err = read(q.r.Header.Get("Content-Type"), q.raw)
	if errors.Is(err, schema.ErrUnreadable) {
		return errUnreadable
	}
	return err
}

func isTooLarge(err error) bool {
	_, ok := errors.AsType[*http.MaxBytesError](err)
	return ok
}

// refuse answers with an error. A known caller's 403 goes to the audit log, and
// what went wrong inside to ours.
func (a *API) refuse(q *request, err error) {
	switch portico.KindOf(err) {
	case portico.KindForbidden:
		if q.by.AccountID != "" {
			a.control.Refuse(q.by, q.route.method+" "+q.route.path)
		}
	case portico.KindInternal:
		if _, ok := errors.AsType[plain](err); ok {
			break
		}
		if _, ok := errors.AsType[schema.Errors](err); ok {
			break
		}
		a.config.Log.LogAttrs(q.ctx(), slog.LevelError, "a request failed", slog.String("request", q.id), slog.Any("error", err))
	case portico.KindUnavailable, portico.KindStorageFull:
		a.config.Log.LogAttrs(q.ctx(), slog.LevelWarn, "a request could not be served now", slog.String("request", q.id), slog.Any("error", err))
	}
	writeError(q.w, err)
}

// remote returns the address that a request came from, without the port.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// body returns a handler that decodes the body before it calls handle. Field
// errors come after who and may, before anything else.
func body[T any](model *schema.Model[T], handle func(*request, T) error) func(*request) error {
	return func(q *request) error {
		value, fields := model.Decode(q.doc)
		if len(fields) > 0 {
			return fields
		}
		if err := q.claim(); err != nil {
			return err
		}
		return handle(q, value)
	}
}

// bare returns a handler for a route that takes neither.
func bare(handle func(*request) error) func(*request) error {
	return func(q *request) error {
		if err := q.claim(); err != nil {
			return err
		}
		return handle(q)
	}
}

const maxIdempotencyKey = 255

// claim reads the Idempotency-Key of a write that may carry one.
func (q *request) claim() error {
	keys, sent := q.r.Header["Idempotency-Key"]
	if !sent || !q.route.once {
		return nil
	}
	key := keys[0]
	valid := len(keys) == 1 && key != "" && len(key) <= maxIdempotencyKey
	for _, c := range []byte(key) {
		valid = valid && c > ' ' && c < 0x7f
	}
	if !valid {
		return schema.ValueError("an Idempotency-Key is 1 to 255 visible ASCII characters, sent once",
			strings.ToValidUTF8(key, "\uFFFD"), "header", "idempotency-key")
	}
	sum := sha256.New()
	for _, part := range [][]byte{[]byte(q.r.Method), []byte(q.r.URL.Path), q.raw} {
		_, _ = sum.Write(part) // a hash never fails
		_, _ = sum.Write([]byte{0})
	}
	q.once = control.Once{Key: key, Fingerprint: hex.EncodeToString(sum.Sum(nil))}
	return nil
}

// answer sends a value by its declaration, with the route's success status.
func answer[T any](q *request, model *schema.Model[T], value T) error {
	return q.send(model.AppendJSON(nil, &value))
}

// done sends the empty object that the deletes answer with.
func (q *request) done() error { return q.send([]byte("{}")) }

// send answers with a whole body. The request is no longer at work then: the
// client may take its time.
func (q *request) send(body []byte) error {
	q.place.leave()
	if len(body) <= briefAnswer {
		writeJSON(q.w, q.route.success, body)
		return nil
	}
	if err := q.admit(); err != nil {
		return err
	}
	q.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	q.part(body)
	return nil
}

// admit makes the client a reader before the first byte of a long answer. An
// answer to a write is always given.
func (q *request) admit() (err error) {
	q.reader, err = q.readers.admit(q.w, q.route.method != http.MethodGet)
	return err
}

// part sends a part of a long answer. What cannot be finished is cut, so that a
// part is never taken for the whole.
func (q *request) part(body []byte) {
	q.place.leave()
	h := q.w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
		q.w.WriteHeader(q.route.success)
	}
	if err := q.reader.write(body); err != nil {
		panic(http.ErrAbortHandler)
	}
}
