package control

import (
	"context"
	"time"

	"portico"
	"portico/internal/store"
)

// Growth is how many guests a portal had day by day, of those that it has now.
type Growth struct {
	Days []store.DayCount // the newest last; Count is that day's sum, not its gain
}

// PortalGrowth returns how a portal's guests came, over so many days up to
// today.
func (c *Control) PortalGrowth(ctx context.Context, by portico.Principal, portalID string, days int) (Growth, error) {
	if err := by.MayAdministerPortals(portico.ScopePortalUserRead); err != nil {
		return Growth{}, err
	}
	var joined []store.DayCount
	var today time.Time
	err := c.store.View(ctx, func(tx *store.Tx) error {
		today = tx.Now.UTC().Truncate(24 * time.Hour)
		row, err := findPortal(tx, by, portalID)
		if err != nil {
			return err
		}
		joined, err = tx.GuestsByDay(row.ID)
		return err
	})
	if err != nil {
		return Growth{}, err
	}
	g := Growth{Days: make([]store.DayCount, days)}
	sum := 0
	for i := range g.Days {
		day := today.AddDate(0, 0, i-days+1)
		for len(joined) > 0 && !joined[0].Day.After(day) {
			sum += joined[0].Count
			joined = joined[1:]
		}
		g.Days[i] = store.DayCount{Day: day, Count: sum}
	}
	return g, nil
}
