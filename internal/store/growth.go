package store

import (
	"time"
)

// dayMicros is a day of UTC in microseconds.
const dayMicros = 24 * 60 * 60 * 1_000_000

// DayCount is a number of things of one day of UTC.
type DayCount struct {
	Day   time.Time // its first moment
	Count int
}

// GuestsByDay returns on which days the guests that a portal has now became
// its members, oldest first.
func (tx *Tx) GuestsByDay(portalID string) ([]DayCount, error) {
	var days []DayCount
	err := scanAll(tx.q, `SELECT created_at / 86400000000 AS day, COUNT(*) FROM memberships
		WHERE organization_id = $1 GROUP BY created_at / 86400000000 ORDER BY day`, []any{portalID}, func(row scanner) error {
		var day int64
		var d DayCount
		err := row.Scan(&day, &d.Count)
		d.Day = fromMicros(day * dayMicros)
		days = append(days, d)
		return err
	})
	return days, err
}
