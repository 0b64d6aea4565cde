package attacks

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"portico"
	"portico/internal/auth"
	"portico/internal/control"
	"portico/internal/keyring"
	"portico/internal/node"
	"portico/internal/store"
	"portico/internal/wiretest"
)

// TestAcceptance runs the life of one invitation in every order that rapid
// finds, over a real registry, against a model of a few fields.
func TestAcceptance(t *testing.T) { //nolint:paralleltest // one server, whose clock moves
	t.Run("A47 every order of accept, resend, revoke, expire, remove, delete and sign-in as another", everyOrder)
}

func everyOrder(t *testing.T) {
	clock := &wiretest.Clock{}
	w := wiretest.Start(t, clock.Setup, func(_ *node.Config, o *node.Options) {
		o.Hasher = auth.NewHasher(auth.HasherConfig{Cost: cheap()})
	})
	for name, value := range map[string]string{"checks": strconv.Itoa(size(40, 1000)), "steps": "25", "nofailfile": "true"} {
		if err := flag.Set("rapid."+name, value); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		life := &oneLife{
			World: w, clock: clock, email: fmt.Sprintf("life%d@example.com", n),
			by: portico.Principal{AccountID: w.Admin.ID, OrganizationID: w.Acme.ID, Kind: portico.Production, Role: portico.Admin},
		}
		portal, err := w.Node.Control.CreatePortal(context.Background(), life.by, control.Once{}, portico.PortalCreate{Name: "Life"})
		if err != nil {
			r.Fatal(err)
		}
		life.portal, life.alive = portal.ID, true
		r.Repeat(map[string]func(*rapid.T){
			"invite": life.invite, "resend": life.resend, "revoke": life.revoke, "expire": life.expire, "remove": life.remove, "delete": life.deletePortal,
			"accept by password": life.claim, "accept by password, at once": life.claimAtOnce, "accept by a mailed code": life.code,
			"accept by signing in": life.signIn, "accept signed in": life.join, "accept as another": life.asAnother,
			"": life.check,
		})
	})
}

// oneLife is one address and one portal: what is true of them, as the model has
// it, and the tokens that were ever mailed.
type oneLife struct {
	*wiretest.World

	clock  *wiretest.Clock
	by     portico.Principal
	portal string
	email  string

	alive, proven, member, pending, revoked bool
	password                                string // of the account; empty: none, or not proven
	cookie                                  string // of the guest's own session
	invitation                              string
	generation                              int
	expires                                 time.Time
	tokens                                  []string
}

func (l *oneLife) live() bool { return l.alive && l.pending && l.clock.Now().Before(l.expires) }

// pick returns a token, and whether it is the one that holds: one that nobody
// made before anything was mailed.
func (l *oneLife) pick(r *rapid.T) (way control.Way, newest bool) {
	if len(l.tokens) == 0 {
		return control.Way{PortalID: l.portal, Token: "none"}, false
	}
	i := rapid.IntRange(0, len(l.tokens)-1).Draw(r, "token")
	return control.Way{PortalID: l.portal, Token: l.tokens[i]}, i == len(l.tokens)-1
}

// expect fails unless an attempt ended as the model says.
func expect(r *rapid.T, what string, err error, may bool) {
	r.Helper()
	if (err == nil) != may {
		r.Fatalf("%s: %v, allowed: %t", what, err, may)
	}
	if err != nil && portico.KindOf(err) == portico.KindInternal {
		r.Fatalf("%s: %v", what, err)
	}
}

func (l *oneLife) invite(r *rapid.T) {
	results, err := l.Node.Control.InviteGuests(context.Background(), l.by, control.Once{}, l.portal,
		portico.Invite{Recipients: []portico.Recipient{{Email: l.email}}, SendEmail: true})
	expect(r, "invite", err, l.alive)
	if err != nil {
		return
	}
	want := portico.VerdictInvited
	switch {
	case l.member:
		want = portico.VerdictAlreadyMember
	case l.live():
		want = portico.VerdictAlreadyInvited
	case l.proven:
		want = portico.VerdictLinked
	}
	if results[0].Verdict != want {
		r.Fatalf("invited: %s, want %s", results[0].Verdict, want)
	}
	switch want {
	case portico.VerdictInvited:
		l.pending, l.revoked = true, false
		l.read(r)
	case portico.VerdictLinked:
		l.member, l.pending, l.revoked = true, false, false
	}
}

// read takes the invitation's token, as the mail would have it.
func (l *oneLife) read(r *rapid.T) {
	err := l.Node.Store.View(context.Background(), func(tx *store.Tx) error {
		a, err := tx.AccountByKey(l.email)
		if err != nil {
			return err
		}
		all, err := tx.InvitationsOf(l.portal, []string{a.ID})
		i := all[a.ID]
		l.invitation, l.generation, l.expires = i.ID, i.Generation, i.ExpiresAt
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	l.tokens = append(l.tokens, auth.InvitationToken(l.Node.Ring.MAC(keyring.LabelInvitations), l.portal, l.invitation, l.generation))
}

func (l *oneLife) revoke(r *rapid.T) {
	err := l.Node.Control.RevokeInvitation(context.Background(), l.by, control.Once{}, l.portal, l.invitation)
	expect(r, "revoke", err, l.alive && l.invitation != "" && (l.pending || l.revoked))
	if err == nil {
		l.pending, l.revoked = false, true
	}
}

// resend makes a new generation of what waits, has run out, or came back.
func (l *oneLife) resend(r *rapid.T) {
	_, err := l.Node.Control.ResendInvitation(context.Background(), l.by, control.Once{}, l.portal, l.invitation)
	expect(r, "resend", err, l.alive && l.pending)
	if err == nil {
		l.read(r)
	}
}

func (l *oneLife) expire(*rapid.T) { l.clock.Move(portico.InvitationLife) }

func (l *oneLife) remove(r *rapid.T) {
	var id string
	_ = l.Node.Store.View(context.Background(), func(tx *store.Tx) error {
		a, err := tx.AccountByKey(l.email)
		id = a.ID
		return err
	})
	there := l.alive && (l.member || l.pending || l.revoked)
	expect(r, "remove", l.Node.Control.RemoveGuest(context.Background(), l.by, control.Once{}, l.portal, id), there)
	if there {
		l.member, l.pending, l.revoked = false, false, false
	}
}

// deletePortal deletes the portal, now and then.
func (l *oneLife) deletePortal(r *rapid.T) {
	if rapid.IntRange(0, 5).Draw(r, "sure") > 0 {
		return
	}
	expect(r, "delete", l.Node.Control.DeletePortal(context.Background(), l.by, control.Once{}, l.portal), l.alive)
	l.alive, l.member, l.pending, l.revoked = false, false, false, false
}

func (l *oneLife) accepted(a control.Arrival) {
	l.proven, l.member, l.pending, l.cookie = true, true, false, a.Cookie
}

func (l *oneLife) claim(r *rapid.T) {
	way, newest := l.pick(r)
	a, err := l.Node.Control.Claim(context.Background(), "", way, wiretest.Password, "", control.Origin{})
	expect(r, "accept by password", err, newest && l.live() && !l.proven)
	if err == nil {
		l.password = wiretest.Password
		l.accepted(a)
	}
}

// claimAtOnce accepts by several browsers at once: one wins.
func (l *oneLife) claimAtOnce(r *rapid.T) {
	way, newest := l.pick(r)
	const browsers = 4
	type outcome struct {
		arrival control.Arrival
		err     error
	}
	done := make(chan outcome, browsers)
	for range browsers {
		go func() {
			a, err := l.Node.Control.Claim(context.Background(), "", way, wiretest.Password, "", control.Origin{})
			done <- outcome{a, err}
		}()
	}
	won := 0
	var winner control.Arrival
	for range browsers {
		if o := <-done; o.err == nil {
			won++
			winner = o.arrival
		} else if portico.KindOf(o.err) == portico.KindInternal {
			r.Errorf("accept at once: %v", o.err)
		}
	}
	may := newest && l.live() && !l.proven
	if won > 1 || (won == 1) != may {
		r.Fatalf("%d of %d won, allowed: %t", won, browsers, may)
	}
	if won == 1 {
		l.password = wiretest.Password
		l.accepted(winner)
	}
}

func (l *oneLife) code(r *rapid.T) {
	way, newest := l.pick(r)
	const browser = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	id, err := l.Node.Control.AskCode(context.Background(), way, "", browser, control.Origin{Remote: l.email})
	if portico.KindOf(err) == portico.KindRateLimited {
		return
	}
	may := newest && l.live()
	expect(r, "ask for a code", err, may)
	if err != nil {
		return
	}
	right := auth.MailedCode(l.Node.Ring.MAC(keyring.LabelMailedCodes), id)
	wrong := fmt.Sprintf("%06d", (mustNumber(right)+1)%1_000_000)
	if _, err := l.Node.Control.EnterCode(context.Background(), "", id, browser, wrong, control.Origin{}); err == nil {
		r.Fatal("a wrong code was taken")
	}
	if _, err := l.Node.Control.EnterCode(context.Background(), "", id, "another browser", right, control.Origin{}); err == nil {
		r.Fatal("another browser's code was taken")
	}
	a, err := l.Node.Control.EnterCode(context.Background(), "", id, browser, right, control.Origin{})
	expect(r, "accept by a mailed code", err, may)
	l.accepted(a)
}

func mustNumber(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		panic(err)
	}
	return n
}

func (l *oneLife) signIn(r *rapid.T) {
	way, newest := l.pick(r)
	a, err := l.Node.Control.SignInBrowser(context.Background(), "", way, l.email, wiretest.Password, control.Origin{Remote: l.email})
	expect(r, "sign in", err, l.password != "")
	if err != nil {
		return
	}
	l.cookie = a.Cookie
	if newest && l.live() {
		l.member, l.pending = true, false
	}
	if (a.Portal.ID != "") != (l.member && l.alive) {
		r.Fatalf("signed in to %q, a member: %t", a.Portal.ID, l.member)
	}
}

func (l *oneLife) join(r *rapid.T) {
	way, newest := l.pick(r)
	if l.cookie == "" {
		return
	}
	_, err := l.Node.Control.Join(context.Background(), l.cookie, way, control.Origin{})
	may := newest && l.live() && l.proven && l.signedIn(r)
	expect(r, "join", err, may)
	if err == nil {
		l.member, l.pending = true, false
	}
}

func (l *oneLife) signedIn(r *rapid.T) bool {
	d, _, err := l.Node.Control.AccountPlaces(context.Background(), l.cookie)
	if err != nil {
		r.Fatal(err)
	}
	return d.SignedIn()
}

// asAnother tries every way in with somebody else's session: none leads in.
func (l *oneLife) asAnother(r *rapid.T) {
	way, _ := l.pick(r)
	other, err := l.Node.Control.SignInBrowser(context.Background(), "", control.Way{}, l.Owner.Email, l.Owner.Password, control.Origin{})
	if err != nil {
		r.Fatal(err)
	}
	_, claimed := l.Node.Control.Claim(context.Background(), other.Cookie, way, wiretest.Password, "", control.Origin{})
	_, joined := l.Node.Control.Join(context.Background(), other.Cookie, way, control.Origin{})
	expect(r, "accept as another", errors.Join(claimed, joined), false)
	if claimed == nil || joined == nil {
		r.Fatalf("another came in: %v %v", claimed, joined)
	}
}

// check compares the registry with the model after each step.
func (l *oneLife) check(r *rapid.T) {
	err := l.Node.Store.View(context.Background(), func(tx *store.Tx) error {
		a, err := tx.AccountByKey(l.email)
		if portico.KindOf(err) == portico.KindNotFound {
			if l.proven || l.pending {
				r.Fatal("the account is gone")
			}
			return nil
		}
		if err != nil {
			return err
		}
		if a.Proven != l.proven {
			r.Fatalf("proven: %t, want %t", a.Proven, l.proven)
		}
		_, hash, err := tx.PasswordByAccount(a.ID)
		if err != nil || (hash != "") != (l.password != "") {
			r.Fatalf("a password: %t, want %t; %v", hash != "", l.password != "", err)
		}
		_, err = tx.Membership(l.portal, a.ID)
		if (err == nil) != l.member {
			r.Fatalf("a member: %v, want %t", err, l.member)
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
}
