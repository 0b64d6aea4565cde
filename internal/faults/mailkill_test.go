package faults

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"portico/internal/wiretest"
)

// senderKilled kills a node as SIGKILL does while the mail server has its mail
// and has not said so: after the restart each such mail comes once more, with
// the same Message-ID and link, and all others once.
func senderKilled(t *testing.T) {
	const kills = 3
	taken, killed := make(chan struct{}), make(chan struct{})
	var count atomic.Int32
	relay := wiretest.StartMail(t)
	relay.Taken = func(wiretest.Received) bool {
		if count.Add(1) > kills {
			return false
		}
		taken <- struct{}{}
		<-killed
		return true
	}
	p := &post{world: newWorld(t), server: relay}
	config := p.config()
	config.SMTPURL = fmt.Sprintf("smtp://localhost:%d?tls=none", relay.Relay().Port)
	s := start(t, config)
	a, err := s.send("POST", "/v1/portal", p.Token, map[string]string{"name": "Killed"})
	if err != nil || a.Status != http.StatusCreated {
		t.Fatalf("create: %d %s %v", a.Status, a.Body, err)
	}
	emails := addresses(10, "kill-%d@example.com")
	a, err = s.send("POST", "/v1/portal/"+a.ID(t)+"/users", p.Token, map[string]any{"users": emails})
	if err != nil || a.Status != http.StatusCreated {
		t.Fatalf("invite: %d %s %v", a.Status, a.Body, err)
	}
	for range kills {
		<-taken
		s.kill()
		killed <- struct{}{}
		s = s.restart()
	}
	eventually(t, "the mail", func() (wrong []string) {
		if n := len(relay.Received()); n < len(emails)+kills {
			wrong = append(wrong, fmt.Sprintf("%d mails", n))
		}
		return wrong
	})
	s.stop()
	if n := len(relay.Received()); n != len(emails)+kills || len(p.got()) != len(emails) {
		t.Errorf("%d mails to %d addresses for %d kills", n, len(p.got()), kills)
	}
	eventually(t, "the folder", func() []string { return (&oracle{dir: p.dir}).look() })
}
