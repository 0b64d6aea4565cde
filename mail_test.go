package portico_test

import (
	"testing"
	"time"

	"portico"
)

func TestDecideMail(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 29, 14, 0, 0, 0, time.UTC)
	ago := func(hours ...int) (at []time.Time) {
		for _, h := range hours {
			at = append(at, now.Add(-time.Duration(h)*time.Hour))
		}
		return at
	}
	soon := now.Add(10 * time.Minute)
	for name, c := range map[string]struct {
		mail   portico.Outgoing
		state  portico.MailState
		wait   time.Duration
		detail string
	}{
		"nothing against it":         {portico.Outgoing{Lately: ago(5, 1)}, portico.MailSent, 0, ""},
		"third today, so not a 4th":  {portico.Outgoing{Lately: ago(20, 5, 1)}, portico.MailWaiting, 4 * time.Hour, portico.MailLimited},
		"many today":                 {portico.Outgoing{Lately: ago(22, 20, 5, 1)}, portico.MailWaiting, 4 * time.Hour, portico.MailLimited},
		"limited past its use":       {portico.Outgoing{Lately: ago(20, 5, 1), ExpiresAt: soon}, portico.MailDropped, 0, portico.MailLimited},
		"limited, in time":           {portico.Outgoing{Lately: ago(23, 5, 1), ExpiresAt: now.Add(2 * time.Hour)}, portico.MailWaiting, time.Hour, portico.MailLimited},
		"asked for":                  {portico.Outgoing{Lately: ago(20, 5, 1), Solicited: true}, portico.MailSent, 0, ""},
		"asked for too often":        {portico.Outgoing{Lately: ago(9, 8, 8, 7, 6, 5, 4, 3, 2, 1), Solicited: true, ExpiresAt: soon}, portico.MailDropped, 0, portico.MailLimited},
		"void before all else":       {portico.Outgoing{Void: true, Blocked: true, Suspended: true}, portico.MailDropped, 0, portico.MailVoid},
		"blocked":                    {portico.Outgoing{Blocked: true, Suspended: true}, portico.MailDropped, 0, portico.MailBlocked},
		"blocked, but asked for":     {portico.Outgoing{Blocked: true, Solicited: true}, portico.MailSent, 0, ""},
		"expired at that moment":     {portico.Outgoing{ExpiresAt: now}, portico.MailDropped, 0, portico.MailExpired},
		"in time by a moment":        {portico.Outgoing{ExpiresAt: now.Add(1)}, portico.MailSent, 0, ""},
		"suspended":                  {portico.Outgoing{Suspended: true, Lately: ago(1, 1, 1)}, portico.MailWaiting, time.Hour, portico.MailSuspended},
		"suspended for all its time": {portico.Outgoing{Suspended: true, ExpiresAt: soon}, portico.MailDropped, 0, portico.MailSuspended},
	} {
		state, until, detail := portico.DecideMail(c.mail, now)
		if state != c.state || until != now.Add(c.wait) || detail != c.detail {
			t.Errorf("%s: %s until %s (%s), want %s after %s (%s)", name, state, until, detail, c.state, c.wait, c.detail)
		}
	}
}

// TestMailIsTriedForMoreThanADay adds the waits up: a mail server that puts a
// mail off is asked soon, then ever more seldom, and for two days.
func TestMailIsTriedForMoreThanADay(t *testing.T) {
	t.Parallel()
	var whole, last time.Duration
	for n := 1; ; n++ {
		wait, again := portico.NextMailAttempt(n)
		if wait < last {
			t.Errorf("attempt %d waits %s after %s", n, wait, last)
		}
		if !again {
			break
		}
		whole, last = whole+wait, wait
	}
	if whole < 48*time.Hour || whole > 72*time.Hour {
		t.Errorf("tried for %s", whole)
	}
}
