package store

import (
	"context"
	"database/sql"
	"time"

	"portico"
)

// SQL runs statements in one transaction. The texts use $1 … $n, the same for
// both engines; an engine may prepare and keep each distinct text, so a text
// never holds a value. After a statement that failed the transaction can only
// be given up: every later statement fails, and so does an Update whose fn
// returns nil. What is to go on after a conflict says ON CONFLICT.
type SQL interface {
	// Exec runs a statement and returns the number of rows it changed.
	Exec(query string, args ...any) (int64, error)
	// Query runs a statement that returns rows. The caller closes them before
	// the next statement.
	Query(query string, args ...any) (*sql.Rows, error)
	// QueryRow runs a statement that returns at most one row.
	QueryRow(query string, args ...any) *sql.Row
}

// Clocked is what a SQL implements whose engine has a clock that all nodes
// share: what one node writes by it, a lease above all, another compares.
type Clocked interface {
	// ServerNow returns the time at which the transaction began; ok is false
	// where it was not asked for.
	ServerNow() (now time.Time, ok bool)
}

// Database runs transactions on one database, registry or portal. It is safe
// for concurrent use.
type Database interface {
	// View runs fn on a consistent, read-only snapshot. ctx ends the wait for
	// a connection, and, between statements, the reading.
	View(ctx context.Context, fn func(SQL) error) error

	// Look is View for an fn that makes one statement, a SELECT: it is a
	// snapshot by itself, so an engine saves what holds several together. The
	// engine's clock is not asked. fn may run more than once.
	Look(ctx context.Context, fn func(SQL) error) error

	// Update runs fn in a transaction and returns nil only after it is
	// durable. Updates behave as if they ran one after the other: what fn read
	// is still so when it commits, rows that it looked for and did not find
	// included; an engine that runs them side by side runs fn again where that
	// would not hold. When fn returns an error, nothing of it happened and that
	// error comes back. fn may run more than once and may share its commit with
	// others, so it must have no effect but through SQL. ctx ends the wait for
	// the writer; once fn has begun, a cancelled ctx stops nothing. A failed
	// commit is KindUnavailable (KindStorageFull without room) and its outcome
	// counts as unknown: the same call must be harmless when repeated.
	Update(ctx context.Context, fn func(SQL) error) error
}

// Identity says which database is meant. All but Cluster stands in the database
// too, and every open compares it.
type Identity struct {
	PortalID   string
	Generation int
	Epoch      string // of the registry that made it
	Cluster    string // that holds it; see Place
}

// Place returns where the database is.
func (id Identity) Place() Place {
	return Place{Cluster: id.Cluster, Name: portico.DatabaseName(id.PortalID, id.Generation)}
}

// Same reports whether both say the same of themselves, wherever they are.
func (id Identity) Same(other Identity) bool {
	id.Cluster = other.Cluster
	return id == other
}

// Place is where a database is. Cluster is the id of one of the clusters that
// the registry lists; empty is the place that every engine has without a list,
// and the only one on SQLite.
type Place struct {
	Cluster string
	Name    string
}

// Handle is an open portal database. It stays usable until Release, evictions
// and drops notwithstanding: both wait for handles.
type Handle interface {
	Database
	// App returns the database of the app that runs in the portal.
	App() App
	// Size returns how many bytes of storage the portal takes: its database,
	// what its app keeps, and what the engine keeps beside both.
	Size(ctx context.Context) (int64, error)
	// Release gives the handle back. It is called exactly once.
	Release()
}

type reserveKey struct{}

// WithReserve marks the transactions of a context as ones that free space:
// they may use what an engine keeps back for the time when the storage is full.
func WithReserve(ctx context.Context) context.Context {
	return context.WithValue(ctx, reserveKey{}, true)
}

// HasReserve reports whether WithReserve marked the context.
func HasReserve(ctx context.Context) bool {
	marked, _ := ctx.Value(reserveKey{}).(bool)
	return marked
}

// Found is a database, or what is left of one, that an engine came across.
type Found struct {
	Place // Name is the database's, or the stray thing's path

	Identity Identity
	Marked   bool      // Identity is known: it was made by some registry of ours
	Complete bool      // usable as it is; false for leavings of a create or drop
	ModTime  time.Time // when it was last touched
	Size     int64     // bytes, where cheap to tell
	Held     string    // what keeps it from being set aside, and what to do; empty: nothing
}

// AppCopy is what the name of an app's copy ends in after that of the portal's.
const AppCopy = ".app"

// Engine keeps the registry and the portal databases. Every method is
// idempotent: repeated after a crash it goes on where it was.
type Engine interface {
	// Registry returns the registry's database, at the newest schema version.
	Registry() Database

	// Create makes a portal's database at the newest schema version, with its
	// identity in it, durable on return. One that is there already and has
	// this identity is success; another identity is ErrIdentity, and nothing
	// is changed. After Drop of the same name it returns ErrRetired, to every
	// call that may be late.
	Create(ctx context.Context, id Identity) error

	// Open returns a handle on an existing database after comparing identity
	// and schema version. It never creates. Errors: ErrAbsent, ErrIdentity,
	// ErrDamaged, ErrRetired; KindUnavailable when it cannot tell now.
	Open(ctx context.Context, id Identity) (Handle, error)

	// Drop removes a database with all that belongs to it, whatever state it is
	// in. From its first moment no Open succeeds. It waits for handles, and
	// returns nil only when nothing is left, durably.
	Drop(ctx context.Context, at Place) error

	// List calls fn for every portal database and stray leaving of a cluster,
	// in no order. An error from fn or from the listing ends it: a partial
	// listing must never be taken for a whole one.
	List(ctx context.Context, cluster string, fn func(Found) error) error

	// Verify reads a database through and compares its identity, without
	// keeping it open. Errors as Open.
	Verify(ctx context.Context, id Identity) error

	// Quarantine renames a database out of the names that Open knows.
	Quarantine(ctx context.Context, at Place) error

	// Backup writes a consistent copy of the registry (an empty place) or of a
	// portal's database to a new file at path, while both are in use. Where the
	// app's database is a file of its own, its copy is a second new file, at
	// path and AppCopy, which Restore looks for.
	Backup(ctx context.Context, at Place, path string) error

	// Restore makes the database of id from a copy that Backup wrote, under
	// id's identity. Errors as Create.
	Restore(ctx context.Context, id Identity, path string) error

	// Close waits for transactions under way and closes everything.
	Close() error
}
