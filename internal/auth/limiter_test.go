package auth

import (
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(SignInRate(), DefaultLimiterKeys, time.Now)
		for i := range 10 {
			if wait, ok := l.Take("a"); !ok {
				t.Fatalf("event %d: wait %v", i, wait)
			}
		}
		for range 3 { // refusals do not make it longer
			if wait, ok := l.Take("a"); ok || wait != 6*time.Second {
				t.Fatalf("event 11: %v, wait %v", ok, wait)
			}
		}
		if _, ok := l.Take("b"); !ok {
			t.Error("another key is limited")
		}
		time.Sleep(6*time.Second - 1)
		if wait, ok := l.Take("a"); ok || wait != 1 {
			t.Errorf("too early: %v, wait %v", ok, wait)
		}
		time.Sleep(time.Nanosecond)
		for range 3 {
			if _, ok := l.Check("a"); !ok {
				t.Error("a check took the token")
			}
		}
		if _, ok := l.Take("a"); !ok {
			t.Error("no token came back")
		}
		if _, ok := l.Check("a"); ok {
			t.Error("a check finds a token that is not there")
		}
		time.Sleep(time.Hour)
		for i := range 10 {
			if _, ok := l.Take("a"); !ok {
				t.Errorf("after an hour, event %d", i)
			}
		}
		if _, ok := l.Take("a"); ok {
			t.Error("the bucket holds more than its rate")
		}
	})
}

func TestLimiterRates(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	for _, c := range []struct {
		rate Rate
		want int
	}{
		{FailureRate(), 100},
		{Rate{3, time.Second}, 3},
		{Rate{7, time.Minute}, 7},
		{Rate{1, time.Hour}, 1},
		{Rate{0, time.Minute}, 0},
		{Rate{}, 0},
	} {
		l := NewLimiter(c.rate, 10, func() time.Time { return now })
		got := 0
		for range 200 {
			if wait, ok := l.Take("a"); ok {
				got++
			} else if wait <= 0 {
				t.Errorf("%v: refused without a time to wait", c.rate)
			}
		}
		if got != c.want {
			t.Errorf("%v: %d at once", c.rate, got)
		}
	}
}

func TestLimiterAndAClockThatGoesBack(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	l := NewLimiter(SignInRate(), 10, func() time.Time { return now })
	for range 10 {
		l.Take("a")
	}
	now = now.Add(-time.Hour)
	if wait, ok := l.Take("a"); ok || wait > time.Minute {
		t.Errorf("%v, wait %v", ok, wait)
	}
}

func TestLimiterForgetsTheLeastUsed(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	const keys = 100
	l := NewLimiter(Rate{1, time.Minute}, keys, func() time.Time { return now })
	l.Take("victim")
	for i := range 20 * keys {
		l.Take(strconv.Itoa(i))
		if _, ok := l.Check("victim"); ok {
			t.Fatalf("forgot a key in use after %d others", i)
		}
		if n := l.full.size(); n > keys {
			t.Fatalf("%d keys", n)
		}
	}
	for i := range keys {
		l.Take(fmt.Sprint("more", i))
	}
	if _, ok := l.Check("victim"); !ok {
		t.Error("remembers a key that was not used for long")
	}
}
