package console

import (
	"strings"
	"testing"
	"time"

	"portico/internal/control"
	"portico/internal/store"
)

func TestFunnel(t *testing.T) {
	t.Parallel()
	f := newFunnel(store.GuestCounts{Active: 72, Invited: 24, Expired: 18, Bounced: 6})
	if len(f.Bars) != 5 || f.Bars[0].Count != 120 || f.Bars[1].Share != 60 || f.Bars[1].Width >= f.Bars[0].Width || f.Bars[4].Share != 5 {
		t.Errorf("bars: %+v", f.Bars)
	}
	if !strings.Contains(f.Text, "Of 120 invited guests 72 accepted, 24 can still accept, 18 let it expire, and mail to 6 came back.") {
		t.Errorf("text: %s", f.Text)
	}
	for _, b := range newFunnel(store.GuestCounts{}).Bars {
		if b.Width != 0 || b.Share != 0 {
			t.Errorf("nobody: %+v", b)
		}
	}
	if b := newFunnel(store.GuestCounts{Active: 1_000_000, Bounced: 1}).Bars[4]; b.Width != 2 {
		t.Errorf("one of many: %+v", b)
	}
}

func TestGrowth(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	var days []store.DayCount
	for i := range 15 {
		days = append(days, store.DayCount{Day: day.AddDate(0, 0, i), Count: i * 5})
	}
	g := newGrowth(control.Growth{Days: days})
	if !strings.HasPrefix(g.Line, "M40 176L") || !strings.HasSuffix(g.Line, "L636 31") || g.Marks[2].Value != 80 || g.Marks[2].Y != 10 {
		t.Errorf("line %s, marks %v", g.Line, g.Marks)
	}
	if weeks := g.Weeks(); len(weeks) != 3 || weeks[0].Count != 70 || weeks[2].Count != 0 {
		t.Errorf("weeks: %v", weeks)
	}
	if g.Text != "Of the guests that the portal has now, 0 were here on 1 Jun 2026 and 70 are today." {
		t.Errorf("text: %s", g.Text)
	}
	for n, want := range map[int]int{0: 2, 2: 2, 3: 4, 11: 20, 70: 80, 99: 100, 101: 200, 12345: 20000} {
		if got := roundUp(n); got != want {
			t.Errorf("roundUp(%d) = %d, want %d", n, got, want)
		}
	}
}
