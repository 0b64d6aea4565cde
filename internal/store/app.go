package store

import (
	"context"
	"errors"
	"fmt"

	"portico"
)

// App is the database of the app that runs in a portal, beside ours and closed
// to us but for what is here. It is used under the portal's Handle.
type App interface {
	// Admit makes sure that the app can reach its database, and returns how.
	// password is called while no other Admit runs, so that of two calls the
	// later one sets what is newer; an engine without passwords does not call
	// it. With alone, connections made with an earlier password end.
	Admit(ctx context.Context, password func() (string, error), alone bool) (AppAddress, error)

	// Bar keeps the app out of its database until the next Admit, and returns
	// when none of its connections is left. An engine whose app uses a file has
	// no means to, and does nothing.
	Bar(ctx context.Context) error

	// Migrate takes the steps that the database has not taken yet, each in a
	// transaction of its own, with the rights of the app and no more. It
	// returns the version that the database has then, also with an error. One
	// that is ahead of the steps is left as it is. A step that fails is a
	// *StepError; whatever may pass is KindUnavailable.
	Migrate(ctx context.Context, password string, steps []AppStep) (version int, err error)
}

// AppAddress is how an app reaches its database.
type AppAddress struct {
	Engine string // "postgres" or "sqlite"
	URL    string // with the password in it; PostgreSQL
	Path   string // of the file; SQLite
}

// String leaves out what may not be in a log.
func (a AppAddress) String() string { return a.Engine + " (address withheld)" }

// GoString is String.
func (a AppAddress) GoString() string { return a.String() }

// StepError says which step of the app's schema failed, and why.
type StepError struct {
	Step  string // its name
	cause error
}

// Error implements error.
func (e *StepError) Error() string {
	return fmt.Sprintf("the app's step %s failed: %s", e.Step, e.cause)
}

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.cause }

// The statements about the steps that an app's database has taken. The table
// stands in the app's own schema, for nothing else is within its rights; in the
// transaction of the step, so that a step is taken once, whatever is killed.
const (
	appStepsTable = `CREATE TABLE IF NOT EXISTS portico_migrations (
		version BIGINT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL)`
	appStepsTaken = `SELECT version, name, hash FROM portico_migrations ORDER BY version`
	appStepsTake  = `INSERT INTO portico_migrations (version, name, hash) VALUES ($1, $2, $3)`
)

// AppRun is what an engine does for MigrateApp on a connection of the app's.
type AppRun struct {
	// Run runs fn, which runs our own statements, in a transaction.
	Run func(fn func(SQL) error) error
	// Step runs claim and then the script in one transaction.
	Step func(claim func(SQL) error, script string) error
}

// MigrateApp is App.Migrate for an engine. Of several that run side by side
// one takes a step, and the others see that it is taken.
func MigrateApp(run AppRun, steps []AppStep) (version int, err error) {
	for {
		var taken []AppStep
		err := run.Run(func(q SQL) error {
			if _, err := q.Exec(appStepsTable); err != nil {
				return err
			}
			taken = nil
			return scanAll(q, appStepsTaken, nil, func(row scanner) error {
				var s AppStep
				err := row.Scan(&s.Version, &s.Name, &s.Hash)
				taken = append(taken, s)
				return err
			})
		})
		if errors.Is(err, ErrUnique) { // another makes the table
			continue
		}
		if err != nil {
			return version, passing(err)
		}
		version = len(taken)
		if err := CheckAppSteps(steps, taken); err != nil || version >= len(steps) {
			return version, err
		}
		next := steps[version]
		claimed := false
		err = run.Step(func(q SQL) error {
			_, err := q.Exec(appStepsTake, next.Version, next.Name, next.Hash)
			claimed = err == nil
			return err
		}, next.SQL)
		switch {
		case err == nil, !claimed && errors.Is(err, ErrUnique):
		case portico.KindOf(err) == portico.KindUnavailable, portico.KindOf(err) == portico.KindStorageFull:
			return version, err
		case !claimed:
			return version, passing(err)
		default:
			return version, &StepError{Step: next.Name, cause: err}
		}
	}
}

// passing is an error of our own statements on an app's database: not the
// step's fault, and nothing says that it stays.
func passing(err error) error {
	if portico.KindOf(err) != portico.KindInternal {
		return err
	}
	return portico.WrapError(portico.KindUnavailable, err, "The app's database cannot be used right now. Please try again.")
}
