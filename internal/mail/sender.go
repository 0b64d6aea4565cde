package mail

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"portico"
	"portico/internal/store"
)

// Outcome is what happened to a mail at one of its turns.
type Outcome string

// The outcomes.
const (
	OutcomeSent    Outcome = "sent"
	OutcomeBounced Outcome = "bounced"
	OutcomeRetried Outcome = "retried" // put off by the relay, or the connection broke
	OutcomeDelayed Outcome = "delayed" // rests for a rule of ours
	OutcomeDropped Outcome = "dropped"
)

// Outcomes returns all outcomes.
func Outcomes() []Outcome {
	return []Outcome{OutcomeSent, OutcomeBounced, OutcomeRetried, OutcomeDelayed, OutcomeDropped}
}

// Config is what a Sender needs.
type Config struct {
	Store *store.Store
	Relay *Relay // nil: mail waits
	Log   *slog.Logger

	// Target makes what a mail leads to, while it is sent.
	Target func(store.MailPage) Target
	// Bounced is called in the transaction that settles a mail whose address
	// takes none.
	Bounced func(*store.Tx, store.MailPage) error
	// SoleProcess says that no other process sends mail of this registry, so
	// that leases left over from an earlier one are void.
	SoleProcess bool
}

// The bounds on what is under way at once in a process. No organization and no
// mail domain has more than its part, so that a slow one keeps none waiting, and
// what people asked for has turns that nothing else takes. A turn is short while
// others wait for one.
const (
	maxTurns         = 16
	maxTurnsOfOne    = 4
	maxSolicited     = 8
	maxSolicitedOf   = 2
	mailsInShortTurn = 20
	mailsInOneTurn   = 100             // about what servers take over one connection
	leaseLife        = 5 * time.Minute // far above what one mail may take
	idlePoll         = time.Second
	stopPatience     = 5 * time.Second
	relayRestAtFirst = 5 * time.Second
	relayRestAtMost  = 5 * time.Minute
)

// Sender sends the outbox. Mail leaves by queues, each in order, one mail after
// the other; queues take turns, of the organization first that has waited
// longest. A mail is leased while it is sent, so that of several processes one
// sends it.
type Sender struct {
	config Config
	wake   chan struct{}
	stop   context.CancelFunc // no more turns
	cut    context.CancelFunc // and those under way end
	loops  sync.WaitGroup
	turns  sync.WaitGroup

	mu     sync.Mutex
	counts map[Outcome]uint64
	queues map[store.Queue]bool // with a turn under way
	served map[string]int64     // organization: the number of its last turn
	turn   int64
	others bool     // wait for a turn
	rest   struct { // of the relay, when it could not be used
		times int
		until time.Time
	}
}

// NewSender returns a sender that does nothing until Start.
func NewSender(config Config) *Sender {
	return &Sender{
		config: config, wake: make(chan struct{}, 1),
		counts: make(map[Outcome]uint64), queues: map[store.Queue]bool{}, served: map[string]int64{},
	}
}

// Start begins to send. Without a relay it does nothing.
func (s *Sender) Start() error {
	if s.config.Relay == nil {
		return nil
	}
	if s.config.SoleProcess {
		err := s.config.Store.Update(context.Background(), func(tx *store.Tx) error { return tx.VoidMailLeases() })
		if err != nil {
			return err
		}
	}
	sending, cut := context.WithCancel(context.Background())
	starting, stop := context.WithCancel(sending)
	s.cut, s.stop = cut, stop
	s.loops.Go(func() {
		for {
			if _, err := s.startTurns(starting, sending); err != nil && starting.Err() == nil {
				s.config.Log.Error("the outbox cannot be read now", "error", err)
			}
			timer := time.NewTimer(idlePoll)
			select {
			case <-starting.Done():
				timer.Stop()
				return
			case <-s.wake:
				timer.Stop()
			case <-timer.C:
			}
		}
	})
	return nil
}

// Stop ends the sender. Mails under way have a moment to be taken.
func (s *Sender) Stop() {
	if s.stop == nil {
		return
	}
	s.stop()
	s.loops.Wait()
	timer := time.AfterFunc(stopPatience, s.cut)
	s.turns.Wait()
	timer.Stop()
	s.cut()
}

// Wake makes the sender look for mail now.
func (s *Sender) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// SendDue sends every mail that may leave and returns when none is left, or the
// relay cannot be used. It is for a sender that was not started.
func (s *Sender) SendDue(ctx context.Context) error {
	for {
		started, err := s.startTurns(ctx, ctx)
		s.turns.Wait()
		if err != nil || started == 0 {
			return err
		}
	}
}

// startTurns gives turns to queues with mail that may leave, as many as there is
// room for, and returns how many.
func (s *Sender) startTurns(ctx, sending context.Context) (started int, err error) {
	if s.resting() {
		return 0, nil
	}
	var due []store.Queue
	err = s.config.Store.View(ctx, func(tx *store.Tx) (err error) {
		due, err = tx.DueQueues()
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, q := range s.claim(due) {
		started++
		s.turns.Go(func() {
			defer s.release(q)
			s.take(ctx, sending, q)
		})
	}
	return started, nil
}

// claim picks the queues that have a turn now.
func (s *Sender) claim(due []store.Queue) (picked []store.Queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	waits := map[string]bool{}
	for _, q := range due {
		waits[q.OrganizationID] = true
	}
	for q := range s.queues {
		waits[q.OrganizationID] = true
	}
	maps.DeleteFunc(s.served, func(id string, _ int64) bool { return !waits[id] })
	picked = append(s.claimOf(true, due, maxSolicited, maxSolicitedOf), s.claimOf(false, due, maxTurns, maxTurnsOfOne)...)
	s.others = slices.ContainsFunc(due, func(q store.Queue) bool { return !s.queues[q] })
	return picked
}

// claimOf picks queues of one sort, so that at most so many are under way, and
// so many of one organization or mail domain.
func (s *Sender) claimOf(solicited bool, due []store.Queue, most, mostOfOne int) (picked []store.Queue) {
	under := 0
	organizations, hosts := map[string]int{}, map[string]int{}
	add := func(q store.Queue) {
		under++
		organizations[q.OrganizationID]++
		hosts[q.Host]++
	}
	for q := range s.queues {
		if q.Solicited == solicited {
			add(q)
		}
	}
	open := slices.Clone(due)
	for under < most {
		open = slices.DeleteFunc(open, func(q store.Queue) bool {
			return q.Solicited != solicited || s.queues[q] || organizations[q.OrganizationID] >= mostOfOne || hosts[q.Host] >= mostOfOne
		})
		if len(open) == 0 {
			break
		}
		q := slices.MinFunc(open, func(a, b store.Queue) int {
			return cmp.Compare(s.served[a.OrganizationID], s.served[b.OrganizationID])
		})
		s.turn++
		s.served[q.OrganizationID], s.queues[q] = s.turn, true
		add(q)
		picked = append(picked, q)
	}
	return picked
}

// over reports whether a turn in which so many mails were sent ends.
func (s *Sender) over(mails int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return mails >= mailsInOneTurn || (s.others && mails >= mailsInShortTurn)
}

func (s *Sender) release(q store.Queue) {
	s.mu.Lock()
	delete(s.queues, q)
	s.mu.Unlock()
	s.Wake()
}

// resting reports whether the relay could not be used a moment ago.
func (s *Sender) resting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.Store.Now().Before(s.rest.until)
}

// unusable notes that the relay could not be used. No mail is to blame.
func (s *Sender) unusable(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Store.Now()
	if now.Before(s.rest.until) {
		return // several turns met the same trouble
	}
	wait := min(relayRestAtFirst<<min(s.rest.times, 10), relayRestAtMost)
	s.rest.times++
	s.rest.until = now.Add(wait)
	s.config.Log.Warn("the mail server cannot be used; mail waits", "server", s.config.Relay.String(), "in", wait.String(), "error", cause)
}

func (s *Sender) usable() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rest.times > 0 {
		s.config.Log.Info("the mail server can be used again", "server", s.config.Relay.String())
	}
	s.rest.times, s.rest.until = 0, time.Time{}
}

// take is one queue's turn: its first mails, over one connection.
func (s *Sender) take(ctx, sending context.Context, q store.Queue) {
	l, err := s.config.Relay.dial(sending)
	if err != nil {
		if sending.Err() == nil {
			s.unusable(err)
		}
		return
	}
	defer l.close()
	for mails := 0; !s.over(mails) && !l.broken && ctx.Err() == nil; mails++ {
		page, found, err := s.next(ctx, q)
		if err != nil {
			if ctx.Err() == nil {
				s.config.Log.Error("the outbox cannot be read now", "error", err)
			}
			return
		}
		switch found {
		case none:
			return
		case settled:
			continue
		case leaves:
		}
		err = s.send(l, page)
		if refusal, ok := errors.AsType[*RefusedError](err); err == nil || (ok && !refusal.Sender) {
			s.usable()
		}
		if err := s.settle(ctx, page, err); err != nil {
			s.config.Log.Error("what became of a mail could not be recorded; it may be sent once more", "mail", page.ID, "error", err)
			return
		}
	}
}

// found is what a turn found next in its queue.
type found uint8

const (
	none    found = iota // no mail that may leave
	settled              // one that a rule delayed or dropped, which is written
	leaves               // one that is leased and counted, and is sent now
)

// next leases the queue's next mail and decides on it.
func (s *Sender) next(ctx context.Context, q store.Queue) (page store.MailPage, what found, err error) {
	err = s.config.Store.Update(ctx, func(tx *store.Tx) error {
		what = none
		var ok bool
		if page, ok, err = tx.LeaseMail(q, leaseLife); err != nil || !ok {
			return err
		}
		lately, err := tx.SentLately(page)
		if err != nil {
			return err
		}
		state, until, detail := portico.DecideMail(portico.Outgoing{
			Solicited: page.Template.Solicited(), Void: page.Void(), Blocked: page.Blocked, Suspended: page.Suspended,
			ExpiresAt: page.Expires(), Lately: lately,
		}, tx.Now)
		if state == portico.MailSent {
			what = leaves
			return tx.CountMail(page)
		}
		what = settled
		page.State, page.RunAt, page.Detail = state, until, detail
		page.Attempts-- // no attempt was made
		_, err = tx.SettleMail(page.Mail)
		return err
	})
	if err == nil && what == settled {
		outcome := OutcomeDelayed
		if page.State == portico.MailDropped {
			outcome = OutcomeDropped
		}
		s.count(outcome)
	}
	return page, what, err
}

func (s *Sender) count(o Outcome) {
	s.mu.Lock()
	s.counts[o]++
	s.mu.Unlock()
}

// Counts returns how many turns of mails had each outcome since the sender was
// made.
func (s *Sender) Counts() map[Outcome]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}

// send makes a mail with its links and gives it to the relay.
func (s *Sender) send(l *link, page store.MailPage) error {
	m, err := Render(page, s.config.Target(page))
	if err != nil {
		return s.unmade(page, err)
	}
	message, to, err := s.config.Relay.compose(page, m, s.config.Store.Now())
	if err != nil {
		return s.unmade(page, err)
	}
	return l.send(s.config.Relay.From.Address, to, message)
}

// unmade logs why a mail cannot be made and returns what is shown of it.
func (s *Sender) unmade(page store.MailPage, cause error) error {
	s.config.Log.Error("a mail cannot be made", "mail", page.ID, "error", cause)
	return &RefusedError{Detail: "it cannot be made; the log of the service says why"}
}

// judge writes into a mail what became of it, and returns that in a word and
// how long it waits before it is tried again.
func (s *Sender) judge(m *store.Mail, failure error) (outcome Outcome, wait time.Duration) {
	refusal, refused := errors.AsType[*RefusedError](failure)
	switch {
	case failure == nil:
		m.State, m.Detail = portico.MailSent, ""
		return OutcomeSent, 0
	case refused && refusal.Sender:
		// Our address, or our credit, is what the relay does not like: no mail is to blame.
		if !refusal.Hangup {
			s.unusable(failure)
		}
		m.Detail = refusal.Detail
		m.Attempts--
		return OutcomeRetried, 0
	case refused && refusal.Permanent:
		m.State, m.Detail = portico.MailBounced, refusal.Detail
		return OutcomeBounced, 0
	}
	cause := slog.Any("error", failure)
	m.Detail = "the connection to the mail server broke"
	if refused { // whose words may name an address, which is not logged
		m.Detail, cause = refusal.Detail, slog.Int("code", refusal.Code)
	}
	wait, again := portico.NextMailAttempt(m.Attempts)
	if !again {
		m.State = portico.MailBounced
		return OutcomeBounced, 0
	}
	s.config.Log.LogAttrs(context.Background(), slog.LevelInfo, "a mail was put off",
		slog.String("mail", m.ID), slog.Int("attempt", m.Attempts), slog.String("in", wait.String()), cause)
	return OutcomeRetried, wait
}

// settle records what became of a mail.
func (s *Sender) settle(ctx context.Context, page store.MailPage, failure error) error {
	outcome, wait := s.judge(&page.Mail, failure)
	ours := false
	err := s.config.Store.Update(store.WithReserve(context.WithoutCancel(ctx)), func(tx *store.Tx) (err error) {
		page.RunAt = tx.Now.Add(wait)
		if ours, err = tx.SettleMail(page.Mail); err != nil || !ours || page.State != portico.MailBounced {
			return err
		}
		return s.config.Bounced(tx, page)
	})
	if err == nil && ours {
		s.count(outcome)
	}
	return err
}
