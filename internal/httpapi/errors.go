package httpapi

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"portico"
	"portico/internal/schema"
)

// statuses is the one table from kind to status.
var statuses = map[portico.Kind]int{
	portico.KindInternal:     http.StatusInternalServerError,
	portico.KindInvalid:      http.StatusUnprocessableEntity,
	portico.KindUnauthorized: http.StatusUnauthorized,
	portico.KindForbidden:    http.StatusForbidden,
	portico.KindNotFound:     http.StatusNotFound,
	portico.KindConflict:     http.StatusConflict,
	portico.KindRateLimited:  http.StatusTooManyRequests,
	portico.KindUnavailable:  http.StatusServiceUnavailable,
	portico.KindStorageFull:  http.StatusInsufficientStorage,
}

// plain is an answer about the request itself, before any operation.
type plain struct {
	status int
	text   string
}

func (p plain) Error() string { return p.text }

// The answers about requests themselves.
const (
	textInternal = "Something went wrong on our side. The request id helps us find it."
)

var (
	errNoRoute        = plain{http.StatusNotFound, "Not Found"}
	errMethod         = plain{http.StatusMethodNotAllowed, "Method Not Allowed"}
	errUnreadable     = plain{http.StatusBadRequest, "There was an error parsing the body"}
	errTooLarge       = plain{http.StatusRequestEntityTooLarge, "The body is larger than 1 MiB. Send fewer users in one call."}
	errEncoding       = plain{http.StatusUnsupportedMediaType, "Send the body without a Content-Encoding."}
	errTargetTooLong  = plain{http.StatusRequestURITooLong, "The address of the request is too long."}
	errTooManyQueries = plain{http.StatusBadRequest, "The request has too many query parameters."}
	errOverloaded     = plain{http.StatusServiceUnavailable, "The service is busy. Try again in a moment."}
	errInternal       = plain{http.StatusInternalServerError, textInternal}
	errTooSlow        = plain{http.StatusRequestTimeout, "The body did not arrive in time."}
)

// writeError answers with an error of any type. Text that was not written for
// the caller never leaves.
func writeError(w http.ResponseWriter, err error) {
	if fields, ok := errors.AsType[schema.Errors](err); ok {
		writeJSON(w, http.StatusUnprocessableEntity, fields.AppendJSON(nil))
		return
	}
	if p, ok := errors.AsType[plain](err); ok {
		if p.status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
		writeDetail(w, p.status, p.text)
		return
	}
	kind := portico.KindOf(err)
	switch kind {
	case portico.KindInvalid:
		writeJSON(w, http.StatusUnprocessableEntity, fieldError(err).AppendJSON(nil))
		return
	case portico.KindUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case portico.KindRateLimited, portico.KindUnavailable:
		w.Header().Set("Retry-After", retryAfter(portico.RetryAfterOf(err)))
	}
	writeDetail(w, statuses[kind], portico.MessageOf(err))
}

// fieldError is a rule that only the operation could check, in the form of
// those that the declaration checks.
func fieldError(err error) schema.Errors {
	loc := []any{"body"}
	if e, ok := errors.AsType[*portico.Error](err); ok && e.Field != "" {
		loc = append(loc, e.Field)
	}
	return schema.ValueError(portico.MessageOf(err), "", loc...)
}

// retryAfter is whole seconds, rounded up, at least one.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}

func writeDetail(w http.ResponseWriter, status int, text string) {
	body := append([]byte(`{"detail":`), schema.AppendString(nil, text)...)
	writeJSON(w, status, append(body, '}'))
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away is nobody's error
}
