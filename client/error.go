package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error is an answer of the service that is no success.
type Error struct {
	Status     int           // of HTTP
	Detail     string        // what went wrong, for a person
	Fields     []FieldError  // what is wrong with the request, all of it; only with status 422
	RequestID  string        // names the request in the service's logs
	RetryAfter time.Duration // how long to wait before another try; 0: not said
}

// FieldError is one thing that is wrong with a request, as FastAPI writes it.
type FieldError struct {
	Type  string          `json:"type"`
	Loc   []any           `json:"loc"` // where: "body", a field, an index …
	Msg   string          `json:"msg"`
	Input json.RawMessage `json:"input,omitempty"`
}

// Error returns what went wrong in one line.
func (e *Error) Error() string {
	if len(e.Fields) == 0 {
		return e.Detail
	}
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.where() + ": " + f.Msg
	}
	return strings.Join(parts, "; ")
}

func (f FieldError) where() string {
	words := make([]string, 0, len(f.Loc))
	for i, part := range f.Loc {
		if i == 0 && len(f.Loc) > 1 {
			continue // body, query or path
		}
		words = append(words, fmt.Sprint(part))
	}
	return strings.Join(words, ".")
}

// StatusOf returns the HTTP status that an error was answered with; 0 when the
// service did not answer.
func StatusOf(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

func readError(answer *http.Response, raw []byte) error {
	e := &Error{Status: answer.StatusCode, RequestID: answer.Header.Get("X-Request-Id")}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	var body struct {
		Detail json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(raw, &body) != nil ||
		(json.Unmarshal(body.Detail, &e.Fields) != nil && json.Unmarshal(body.Detail, &e.Detail) != nil) {
		e.Detail = fmt.Sprintf("the service answered %s and did not say why", answer.Status)
	}
	return e
}

// inFlight is what the service says of a key whose first request still runs.
const inFlight = "A request with this Idempotency-Key is in flight."

// retryAfter says whether a call that ended with err is worth another try, and
// after how long; pause is how long where the service does not say.
func retryAfter(err error, pause time.Duration) (wait time.Duration, again bool) {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return 0, false
	}
	e, answered := errors.AsType[*Error](err)
	switch {
	case !answered:
		return pause, isNetwork(err)
	case e.Status == http.StatusConflict && e.Detail == inFlight:
		return pause, true
	case e.Status == http.StatusServiceUnavailable, e.Status == http.StatusTooManyRequests:
		return max(pause, e.RetryAfter), true
	}
	return 0, false
}

// isNetwork tells a connection that failed from an answer that made no sense.
func isNetwork(err error) bool {
	_, syntax := errors.AsType[*json.SyntaxError](err)
	_, form := errors.AsType[*json.UnmarshalTypeError](err)
	return !syntax && !form
}
