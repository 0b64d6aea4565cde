package portico

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind classifies an error by what the caller can do about it. Each front
// (HTTP, command line) maps kinds to its own codes in one table.
type Kind uint8

// The kinds. KindInternal is the zero value, so that an error nobody
// classified never tells the outside more than that something failed.
const (
	KindInternal     Kind = iota
	KindInvalid           // a field breaks a rule
	KindUnauthorized      // no credential, or a bad one
	KindForbidden         // a known caller that may not
	KindNotFound          // no such object for this caller
	KindConflict          // the object's state, or another object, forbids it now
	KindRateLimited       // too many; try again later
	KindUnavailable       // cannot be done now; the same call may be repeated
	KindStorageFull       // no room on the storage
)

var kindNames = [...]string{
	KindInternal:     "internal",
	KindInvalid:      "invalid",
	KindUnauthorized: "unauthorized",
	KindForbidden:    "forbidden",
	KindNotFound:     "not found",
	KindConflict:     "conflict",
	KindRateLimited:  "rate limited",
	KindUnavailable:  "unavailable",
	KindStorageFull:  "storage full",
}

// String returns the kind in words.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "internal"
}

// Error is the one error type of the product. Msg is written for the person
// who made the request and may be sent to them; the cause is for the log and
// never leaves the process. Field names the request field at fault, if one is.
type Error struct {
	Kind       Kind
	Field      string
	Msg        string
	RetryAfter time.Duration // after which the call may succeed; zero: not known
	cause      error
}

// Errorf returns an error of a kind with a message for the caller.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...)}
}

// FieldErrorf returns a KindInvalid error about one request field.
func FieldErrorf(field, format string, args ...any) *Error {
	return &Error{Kind: KindInvalid, Field: field, Msg: fmt.Sprintf(format, args...)}
}

// WrapError returns an error of a kind with a message for the caller and the
// cause for the log.
func WrapError(kind Kind, cause error, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...), cause: cause}
}

// Error returns the message and the cause: text for the log, not for the wire.
func (e *Error) Error() string {
	s := e.Msg
	if s == "" {
		s = e.Kind.String()
	}
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.cause != nil {
		s = strings.TrimSuffix(s, ".") + ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// KindOf returns the kind of the outermost *Error in err's chain, and
// KindInternal for an error that has none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindInternal
}

// RetryAfterOf returns the time after which a call that failed with err may
// succeed, and zero when err does not say.
func RetryAfterOf(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// MessageOf returns the text that may be shown to the caller: the message of
// the outermost *Error in err's chain, or a neutral sentence when there is
// none or when it is internal.
func MessageOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Kind != KindInternal && e.Msg != "" {
		return e.Msg
	}
	return "Something went wrong on our side. The request id helps us find it."
}
