package schema

import (
	"errors"
	"strconv"
)

// ErrUnreadable says that a body is no text at all. It is not a field error:
// the answer to it is a plain 400.
var ErrUnreadable = errors.New("schema: the body is no text that can be read")

// FieldError is one thing wrong with a request. Loc holds strings and ints.
// Input and Ctx are JSON; Ctx is nil when the error has none.
type FieldError struct {
	Type  string
	Loc   []any
	Msg   string
	Input []byte
	Ctx   []byte
}

// Errors are all errors of a request, in the order of the declaration.
type Errors []FieldError

// Error names the first error, for a log.
func (e Errors) Error() string {
	if len(e) == 0 {
		return "no errors"
	}
	s := e[0].Msg
	if more := len(e) - 1; more > 0 {
		s += " (and " + strconv.Itoa(more) + " more)"
	}
	return string(appendLoc(nil, e[0].Loc)) + ": " + s
}

// AppendJSON appends {"detail":[…]}, the body of a 422.
func (e Errors) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"detail":[`...)
	for i := range e {
		f := &e[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"type":`...)
		dst = AppendString(dst, f.Type)
		dst = append(dst, `,"loc":`...)
		dst = appendLoc(dst, f.Loc)
		dst = append(dst, `,"msg":`...)
		dst = AppendString(dst, f.Msg)
		dst = append(dst, `,"input":`...)
		dst = append(dst, f.Input...)
		if f.Ctx != nil {
			dst = append(dst, `,"ctx":`...)
			dst = append(dst, f.Ctx...)
		}
		dst = append(dst, '}')
	}
	return append(dst, "]}"...)
}

// ValueError is an error about one request value that no declaration could
// find: a cursor that was not made here, say. input is what was sent.
func ValueError(text, input string, loc ...any) Errors {
	return Errors{{
		Type:  "value_error",
		Loc:   loc,
		Msg:   "Value error, " + text,
		Input: AppendString(nil, input),
		Ctx:   []byte(`{"error":{}}`),
	}}
}

func appendLoc(dst []byte, loc []any) []byte {
	dst = append(dst, '[')
	for i, step := range loc {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch s := step.(type) {
		case string:
			dst = AppendString(dst, s)
		case int:
			dst = strconv.AppendInt(dst, int64(s), 10)
		}
	}
	return append(dst, ']')
}

func invalidJSON(msg string, pos int) Errors {
	ctx := append([]byte(`{"error":`), AppendString(nil, msg)...)
	return Errors{{
		Type:  "json_invalid",
		Loc:   []any{"body", pos},
		Msg:   "JSON decode error",
		Input: []byte("{}"),
		Ctx:   append(ctx, '}'),
	}}
}
