package store

import (
	"errors"

	"portico"
)

// The ways in which a portal's database can fail to be there. Engines return
// these, wrapped; they are never shown to a caller.
var (
	ErrAbsent   = errors.New("store: the database does not exist")
	ErrIdentity = errors.New("store: the database is not the one the registry names")
	ErrDamaged  = errors.New("store: the database is damaged")
	ErrRetired  = errors.New("store: the database is being dropped")
)

// ErrUnique says that a unique constraint refused a statement. It is the one
// error of a statement that a caller can act on: Store.Update runs again what
// another was quicker than.
var ErrUnique = errors.New("store: a unique constraint refused the statement")

// ErrValue says that a statement was refused for a value in it: one that it was
// given, or came upon. The mistake is ours and says nothing about the database.
var ErrValue = errors.New("store: a value in the statement was refused")

// NotNow is all that a caller learns of an error of Unavailable.
const NotNow = "The database cannot be used right now. Please try again."

// Unavailable is what an engine says where the same call may well succeed later
// and the cause is not for the caller.
func Unavailable(cause error) error {
	return portico.WrapError(portico.KindUnavailable, cause, NotNow)
}

// StorageFull is what an engine says that has no room.
func StorageFull(cause error) error {
	return portico.WrapError(portico.KindStorageFull, cause, "The storage is full. Reading works; deleting makes room.")
}

// TooNew is what an engine says of a schema version that this program does not
// know.
func TooNew(what string, have, know int) error {
	return portico.Errorf(portico.KindUnavailable,
		"%s has schema version %d, this program knows %d: it was used by a newer version. Install that version again.", what, have, know)
}

// RestoreUnfinished is what is said of a registry that was being restored.
func RestoreUnfinished() error {
	return portico.Errorf(portico.KindConflict,
		"A restore into this registry did not come to its end. Drop it, and the portals' databases on its server, and run 'portico restore' again.")
}

// Translated reports whether an error of an engine is one that its callers know
// already.
func Translated(err error) bool {
	_, ok := errors.AsType[*portico.Error](err)
	return ok || errors.Is(err, ErrUnique) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrValue)
}
