package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"portico"
	"portico/client"
)

// The exit codes that no kind of error has.
const (
	exitOther   = 1
	exitUsage   = 2
	exitPartial = 6
)

// exitCodes is the one table from kinds of error to exit codes.
func exitCodes() map[portico.Kind]int {
	return map[portico.Kind]int{
		portico.KindInternal:     exitOther,
		portico.KindNotFound:     3,
		portico.KindUnauthorized: 4,
		portico.KindForbidden:    4,
		portico.KindConflict:     5,
		portico.KindInvalid:      7,
		portico.KindRateLimited:  9,
		portico.KindUnavailable:  10,
		portico.KindStorageFull:  10,
	}
}

// outcome is an error with an exit code of its own. One without text was told
// already.
type outcome struct {
	code int
	text string
}

func (o *outcome) Error() string { return o.text }

func usagef(format string, args ...any) error {
	return &outcome{exitUsage, fmt.Sprintf(format, args...)}
}

func partlyf(format string, args ...any) error {
	return &outcome{exitPartial, fmt.Sprintf(format, args...)}
}

// exitCode returns the exit code of a command that ended with err.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if o, ok := errors.AsType[*outcome](err); ok {
		return o.code
	}
	if status := client.StatusOf(err); status != 0 {
		return statusCode(status)
	}
	return exitCodes()[portico.KindOf(err)]
}

// statusCode returns the exit code of an answer of the API.
func statusCode(status int) int {
	kinds := map[int]portico.Kind{
		http.StatusUnauthorized: portico.KindUnauthorized, http.StatusForbidden: portico.KindForbidden,
		http.StatusNotFound: portico.KindNotFound, http.StatusConflict: portico.KindConflict,
		http.StatusTooManyRequests: portico.KindRateLimited,
	}
	kind, ok := kinds[status]
	switch {
	case ok:
	case status >= http.StatusInternalServerError:
		kind = portico.KindUnavailable
	default:
		kind = portico.KindInvalid
	}
	return exitCodes()[kind]
}

// explain returns an error as one line for a person at this machine. What the
// kinds of a remote caller are told is not enough where the cause is at hand.
func explain(err error) string {
	text := err.Error()
	switch portico.KindOf(err) {
	case portico.KindInternal, portico.KindUnavailable, portico.KindStorageFull:
	default:
		text = portico.MessageOf(err)
		if e, ok := errors.AsType[*portico.Error](err); ok && e.Field != "" {
			text = e.Field + ": " + text
		}
	}
	return explainText(text)
}

// explainText returns a text on one line that cannot act on a terminal.
func explainText(text string) string {
	return strings.Join(strings.Fields(strings.Map(printable, text)), " ")
}

// printable keeps what cannot move a terminal's cursor or change its state.
func printable(r rune) rune {
	if r < ' ' || (r >= 0x7f && r < 0xa0) {
		return ' '
	}
	return r
}
