package postgres

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
)

// timeline is the newest history of a server that connections were made to.
// A standby that becomes the primary begins a new one. A primary that it took
// the place of and that comes back is on the old one: it is never asked again,
// whatever it says of itself and wherever an address leads.
type timeline struct{ newest atomic.Uint64 }

// askTimeline returns nothing on a standby, which has no timeline of its own.
const askTimeline = `SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END`

// guard adds to the conditions on a new connection.
func (t *timeline) guard(before pgconn.ValidateConnectFunc) pgconn.ValidateConnectFunc {
	return func(ctx context.Context, c *pgconn.PgConn) error {
		if before != nil {
			if err := before(ctx, c); err != nil {
				return err
			}
		}
		results, err := c.Exec(ctx, askTimeline).ReadAll()
		if err != nil {
			return err
		}
		value := string(results[0].Rows[0][0])
		if value == "" {
			return nil
		}
		number, err := strconv.ParseUint(value, 16, 32)
		if err != nil {
			return err
		}
		return t.admit(number)
	}
}

func (t *timeline) admit(number uint64) error {
	for {
		newest := t.newest.Load()
		if number < newest {
			return fmt.Errorf("postgres: the server is on timeline %d, and another took its place on timeline %d", number, newest)
		}
		if t.newest.CompareAndSwap(newest, number) {
			return nil
		}
	}
}
