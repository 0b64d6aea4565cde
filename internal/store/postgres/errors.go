package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"portico"
	"portico/internal/store"
)

// The codes that decide something. PostgreSQL's manual lists them all.
const (
	codeUniqueViolation    = "23505"
	codeDuplicateStatement = "42P05" // a prepared one: another client's, in a pool
	codeUnknownStatement   = "26000"
	codeDependentObjects   = "2BP01"
	codeUndefinedDatabase  = "3D000"
	codeUndefinedObject    = "42704"
	codeUndefinedTable     = "42P01"
	codeDuplicateDatabase  = "42P04"
	codeSerialization      = "40001"
	codeDeadlock           = "40P01"
	codeTooManyClients     = "53300"
	codeDiskFull           = "53100"
	codeNotInState         = "55000"
	codeObjectInUse        = "55006"
	codeLockNotAvailable   = "55P03"
	codeDataCorrupted      = "XX001"
	codeIndexCorrupted     = "XX002"
	codeInternal           = "XX000" // "tuple concurrently updated" among them
)

// translate turns what the driver reports into the kinds and sentinels that
// callers know. It decides by SQLSTATE, never by text, and keeps the driver's
// error as the cause. What carries no code, and does not come from the network
// or a deadline, is a mistake of ours and stays as it is.
func translate(err error) error {
	if err == nil || store.Translated(err) {
		return err
	}
	switch codeOf(err) {
	case "":
		if outage(err) {
			return unavailable(err)
		}
		return err
	case codeUniqueViolation:
		return fmt.Errorf("%w: %w", store.ErrUnique, err)
	case codeDataCorrupted, codeIndexCorrupted:
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	case codeDiskFull:
		return store.StorageFull(err)
	case codeUndefinedDatabase:
		return unavailable(fmt.Errorf("%w: %w", store.ErrAbsent, err))
	case codeSerialization, codeDeadlock, codeNotInState, codeObjectInUse, codeLockNotAvailable:
		return unavailable(err)
	}
	switch class := codeOf(err)[:2]; class {
	case "08", "53", "57", "58", "28": // connection, resources, operator, system, authorization
		return unavailable(err)
	case "22": // data
		return fmt.Errorf("%w: %w", store.ErrValue, err)
	}
	return err
}

// outage reports whether an error without a code comes from the connection
// rather than from what was asked.
func outage(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	return pgconn.Timeout(err) || pgconn.SafeToRetry(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func unavailable(cause error) error { return store.Unavailable(cause) }

func errClosed() error { return unavailable(errors.New("postgres: the engine is closed")) }

// codeOf returns the SQLSTATE in err's chain, "" when there is none.
func codeOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && len(e.Code) == 5 {
		return e.Code
	}
	return ""
}

// collided reports whether a transaction came to nothing because of another,
// so that it may be run again.
func collided(code string) bool { return code == codeSerialization || code == codeDeadlock }

// passing reports whether what failed may well succeed in a moment: a server
// that restarts, has too many clients, or whose object another just uses.
func passing(err error) bool {
	if portico.KindOf(translate(err)) == portico.KindUnavailable && !errors.Is(err, store.ErrAbsent) {
		return true
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == codeInternal && strings.HasSuffix(e.Routine, "simple_heap_update")
}
