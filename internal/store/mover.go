package store

import "context"

// Mover is an engine with several clusters: it takes a portal's database from
// one to another.
type Mover interface {
	// Copy makes the database of id with the content of another, what the app
	// keeps there included, and holds the two against each other. Nobody else
	// may write the app's part meanwhile; see App.Bar. done and total are bytes,
	// total an estimate. Errors as Create.
	Copy(ctx context.Context, from Place, id Identity, progress func(done, total int64)) error
}
