package console

import (
	"fmt"
	"strings"
	"time"

	"portico/internal/control"
	"portico/internal/store"
)

// The frame of a picture, in its own units; a page scales it to its width.
const (
	pictureWidth  = 640
	pictureHeight = 200
)

// bar is one bar of a picture: a number beside others of the same whole.
type bar struct {
	Label        string
	Kind         string // as of a chip
	Count        int
	Share        int // of the whole, in percent
	Y, Width     int
	LabelY, EndX int
}

// funnel is what became of a portal's invitations.
type funnel struct {
	Width, Height int
	Bars          []bar
	Text          string // the same in a sentence
}

const (
	barHeight = 24
	barStep   = 36
	barLeft   = 110
	barRight  = 90
)

// newFunnel draws how many guests were invited, and what became of that.
func newFunnel(c store.GuestCounts) funnel {
	all := c.All()
	f := funnel{Width: pictureWidth}
	for i, b := range []bar{
		{Label: "Invited", Count: all}, {Label: "Accepted", Kind: "good", Count: c.Active}, {Label: "Waiting", Kind: "busy", Count: c.Invited},
		{Label: "Expired", Kind: "warn", Count: c.Expired}, {Label: "Bounced", Kind: "bad", Count: c.Bounced},
	} {
		b.Y = i * barStep
		b.LabelY = b.Y + barHeight - 7
		if all > 0 {
			b.Share = (b.Count*100 + all/2) / all
			b.Width = b.Count * (pictureWidth - barLeft - barRight) / all
		}
		if b.Count > 0 {
			b.Width = max(b.Width, 2) // what there is can be seen
		}
		b.EndX = barLeft + b.Width + 8
		f.Bars = append(f.Bars, b)
	}
	f.Height = len(f.Bars)*barStep - (barStep - barHeight)
	f.Text = fmt.Sprintf("Of %s invited guests %s accepted, %s can still accept, %s let it expire, and mail to %s came back.",
		count(all), count(c.Active), count(c.Invited), count(c.Expired), count(c.Bounced))
	return f
}

// BarLeft is where the bars begin.
func (funnel) BarLeft() int { return barLeft }

// BarHeight is how high each is.
func (funnel) BarHeight() int { return barHeight }

// growth is how many guests a portal had, day by day.
type growth struct {
	Width, Height int
	Line, Area    string // paths
	Marks         []mark
	Days          []store.DayCount
	Text          string
	First, Last   time.Time
}

// mark is a line across the picture with its number.
type mark struct{ Y, Value int }

// newGrowth draws the sums of days as a line over the days.
func newGrowth(g control.Growth) growth {
	out := growth{Width: pictureWidth, Height: pictureHeight, Days: g.Days}
	if len(g.Days) < 2 {
		return out
	}
	const left, top, bottom = 40, 10, 24
	top10 := roundUp(g.Days[len(g.Days)-1].Count)
	y := func(n int) int { return pictureHeight - bottom - n*(pictureHeight-top-bottom)/top10 }
	var line strings.Builder
	for i, d := range g.Days {
		x := left + i*(pictureWidth-left-4)/(len(g.Days)-1)
		word := 'L'
		if i == 0 {
			word = 'M'
		}
		fmt.Fprintf(&line, "%c%d %d", word, x, y(d.Count))
	}
	out.Line = line.String()
	out.Area = fmt.Sprintf("%sL%d %dL%d %dZ", out.Line, pictureWidth-4, y(0), left, y(0))
	for _, n := range []int{0, top10 / 2, top10} {
		out.Marks = append(out.Marks, mark{y(n), n})
	}
	out.First, out.Last = g.Days[0].Day, g.Days[len(g.Days)-1].Day
	out.Text = fmt.Sprintf("Of the guests that the portal has now, %s were here on %s and %s are today.",
		count(g.Days[0].Count), g.Days[0].Day.Format("2 Jan 2006"), count(g.Days[len(g.Days)-1].Count))
	return out
}

// roundUp returns the next even number that is easy to read: 2, 4, 6, 8, 10 or
// 20 times a power of ten.
func roundUp(n int) int {
	for step := 1; ; step *= 10 {
		for _, f := range []int{2, 4, 6, 8, 10} {
			if f*step >= n {
				return f * step
			}
		}
	}
}

// Weeks are the days of the text twin: the last of each week, which is enough
// to read.
func (g growth) Weeks() []store.DayCount {
	var weeks []store.DayCount
	for i := len(g.Days) - 1; i >= 0; i -= 7 {
		weeks = append(weeks, g.Days[i])
	}
	return weeks
}
