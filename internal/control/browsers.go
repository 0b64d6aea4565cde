package control

import (
	"context"
	"slices"
	"time"

	"portico"
	"portico/internal/auth"
	"portico/internal/store"
)

// SignInBrowser begins a session at the sign-in host for who has an address and
// its password. A token on the way that is the account's is used up.
func (c *Control) SignInBrowser(ctx context.Context, cookie string, way Way, email, password string, from Origin) (Arrival, error) {
	proof, err := c.auth.SignIn(ctx, email, password, from.Remote)
	if err != nil {
		return Arrival{}, err
	}
	return c.arriving(ctx, func(tx *store.Tx) (Arrival, error) {
		account, err := proof.Redeem(tx)
		if err != nil {
			return Arrival{}, err
		}
		before, err := c.doorway(tx, c.auth.ReadBrowserCookie(cookie), Way{})
		if err != nil {
			return Arrival{}, err
		}
		return c.arrive(tx, account.ID, before, way, from)
	})
}

// AskCode has a six-digit code mailed: to an address with a proven account, to
// sign in, or to the address that an invitation's token is for, to accept it.
// browser is the secret of the browser that asks, and the only one that can
// enter the code. The answer, and the work, are the same for an address that
// nobody has; nothing is mailed then.
func (c *Control) AskCode(ctx context.Context, way Way, email, browser string, from Origin) (challengeID string, err error) {
	challenge := store.Challenge{
		Kind: store.ChallengeSignIn, Browser: auth.HashSecret(browser), PortalID: way.PortalID,
	}
	if way.Token == "" {
		return c.challenge(ctx, challenge, email, auth.CodeLife, from)
	}
	d, err := c.Doorway(ctx, "", way)
	if err != nil {
		return "", err
	}
	switch d.Step {
	case portico.StepProve, portico.StepSignIn:
		challenge.Kind = store.ChallengeAccept
		challenge.InvitationID, challenge.Generation = d.Inviting.ID, d.Inviting.Generation
		return c.challenge(ctx, challenge, d.Inviting.Account.Email, auth.CodeLife, from)
	}
	return "", errNotNow
}

// AskReset has a link mailed that sets another password, as AskCode does for a
// code.
func (c *Control) AskReset(ctx context.Context, way Way, email string, from Origin) error {
	_, err := c.challenge(ctx, store.Challenge{Kind: store.ChallengeReset, PortalID: way.PortalID}, email, auth.ResetLife, from)
	return err
}

// challenge writes a challenge for an address and puts its mail into the
// outbox. An account that is not proven has none but for its invitation.
func (c *Control) challenge(ctx context.Context, ch store.Challenge, email string, life time.Duration, from Origin) (string, error) {
	address, err := portico.ParseAddress(email)
	if err != nil {
		return "", err
	}
	if err := c.auth.MayAskForMail(ctx, address.Key, from.Remote); err != nil {
		return "", err
	}
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		ch.ID, ch.AccountID, ch.ExpiresAt = tx.NewID(portico.PrefixChallenge), "", tx.Now.Add(life)
		account, err := tx.AccountByKey(address.Key)
		if err != nil && portico.KindOf(err) != portico.KindNotFound {
			return err
		}
		v, err := tx.VisitPortal(ch.PortalID)
		if err != nil {
			return err
		}
		if ch.Kind != store.ChallengeAccept {
			ch.PortalID = v.Portal.ID // what is no portal is not kept
		}
		if account.Proven || ch.Kind == store.ChallengeAccept {
			ch.AccountID = account.ID
		}
		named, err := namedInMail(tx, ch, v.Portal)
		if err != nil {
			return err
		}
		if err := tx.InsertChallenge(ch); err != nil || ch.AccountID == "" {
			return err
		}
		return tx.InsertMails([]store.Mail{challengeMail(ch, named, address)})
	})
	return ch.ID, err
}

// namedInMail returns the portal that a challenge's mail is in the name of: the
// one it was asked for at, if its account is a guest there or invited by it.
// Else whoever names a portal could have its name mailed to anybody, also to
// who wants no more mail.
func namedInMail(tx *store.Tx, ch store.Challenge, p portico.Portal) (portico.Portal, error) {
	m, err := tx.Membership(p.ID, ch.AccountID)
	if err != nil && portico.KindOf(err) != portico.KindNotFound {
		return p, err
	}
	if m.Role != portico.Guest && ch.Kind != store.ChallengeAccept {
		return portico.Portal{}, nil
	}
	return p, nil
}

func challengeMail(ch store.Challenge, p portico.Portal, to portico.Address) store.Mail {
	m := store.Mail{
		Template: store.TemplateCode, OrganizationID: p.OrganizationID, PortalID: p.ID, AccountID: ch.AccountID,
		ChallengeID: ch.ID, ExpiresAt: ch.ExpiresAt, Host: store.MailHost(to.Key),
	}
	if ch.Kind == store.ChallengeReset {
		m.Template = store.TemplateReset
	}
	return m
}

// CodeState says whether a code can still be entered, and where to.
type CodeState struct {
	Open     bool
	Accepts  bool // it accepts an invitation
	PortalID string
}

// CodeState returns the state of a challenge for the browser that asked for it.
func (c *Control) CodeState(ctx context.Context, challengeID, browser string) (CodeState, error) {
	var state CodeState
	err := c.store.View(ctx, func(tx *store.Tx) error {
		state = CodeState{}
		ch, err := tx.Challenge(challengeID)
		if portico.KindOf(err) == portico.KindNotFound || (err == nil && ch.Kind == store.ChallengeReset) {
			return nil
		}
		own := auth.SameHash(ch.Browser, auth.HashSecret(browser))
		state = CodeState{
			Open: own && ch.Attempts < auth.CodeAttempts, Accepts: ch.Kind == store.ChallengeAccept, PortalID: ch.PortalID,
		}
		return err
	})
	return state, err
}

// EnterCode begins a session for who enters the code of a challenge in the
// browser that asked for it, and accepts the invitation that it was for. A
// wrong code is KindUnauthorized; auth.CodeAttempts of them, or time, end the
// challenge.
func (c *Control) EnterCode(ctx context.Context, cookie, challengeID, browser, code string, from Origin) (Arrival, error) {
	if err := c.auth.MayTry(from.Remote); err != nil {
		return Arrival{}, err
	}
	var wrong bool
	a, err := c.arriving(ctx, func(tx *store.Tx) (Arrival, error) {
		wrong = false
		ch, ok, err := tx.TryChallenge(challengeID, auth.HashSecret(browser), auth.CodeAttempts)
		if err != nil {
			return Arrival{}, err
		}
		if !ok || ch.AccountID == "" || ch.Kind == store.ChallengeReset || !c.auth.CodeIs(ch.ID, code) {
			wrong = true // and counted
			return Arrival{}, nil
		}
		if _, err := tx.TakeChallenge(ch.ID); err != nil {
			return Arrival{}, err
		}
		before, err := c.doorway(tx, c.auth.ReadBrowserCookie(cookie), Way{PortalID: ch.PortalID})
		if err != nil {
			return Arrival{}, err
		}
		account, err := tx.Account(ch.AccountID)
		if err != nil {
			return Arrival{}, err
		}
		if err := c.auth.Came(tx, account, from.Remote); err != nil {
			return Arrival{}, err
		}
		return c.passCode(tx, ch, account, before, from)
	})
	if err == nil && wrong {
		err = c.auth.Refused(from.Remote, portico.Errorf(portico.KindUnauthorized, "That code is not the right one."))
	}
	return a, err
}

// passCode does what a right code is for.
func (c *Control) passCode(tx *store.Tx, ch store.Challenge, account portico.Account, before Doorway, from Origin) (Arrival, error) {
	way := Way{PortalID: ch.PortalID}
	if ch.Kind == store.ChallengeSignIn {
		if !account.Proven {
			return Arrival{}, errNotNow
		}
		return c.arrive(tx, account.ID, before, way, from)
	}
	holder := before
	holder.Account, holder.Session = portico.Account{}, store.Session{}
	if err := holder.show(tx, ch.PortalID, ticket{invitationID: ch.InvitationID, generation: ch.Generation}); err != nil {
		return Arrival{}, err
	}
	var err error
	switch holder.Step {
	case portico.StepProve:
		err = c.prove(tx, account, "", "", from)
	case portico.StepSignIn:
	default:
		err = errNotNow
	}
	if err != nil {
		return Arrival{}, err
	}
	a, err := c.arrive(tx, account.ID, before, way, from)
	if err != nil {
		return Arrival{}, err
	}
	return a, c.accept(tx, &a, holder, from)
}

// ResetFor returns the address whose password a link sets; KindNotFound when
// the link is not good, or not any more.
func (c *Control) ResetFor(ctx context.Context, token string) (email string, err error) {
	id, err := c.auth.ReadReset(token)
	if err != nil {
		return "", err
	}
	err = c.store.View(ctx, func(tx *store.Tx) error {
		_, account, err := resetting(tx, id)
		email = account.Email
		return err
	})
	return email, err
}

func resetting(tx *store.Tx, challengeID string) (store.Challenge, portico.Account, error) {
	ch, err := tx.Challenge(challengeID)
	if err != nil {
		return ch, portico.Account{}, err
	}
	account, err := tx.Account(ch.AccountID)
	if err == nil && (!account.Proven || ch.Kind != store.ChallengeReset) {
		err = errNotFound
	}
	return ch, account, err
}

// ResetPassword sets an account's password by the token of a mailed link, once:
// every session, code and link of the account ends. It returns the portal that
// its holder was going to, if any.
func (c *Control) ResetPassword(ctx context.Context, token, password string, from Origin) (p portico.Portal, err error) {
	email, err := c.ResetFor(ctx, token)
	if err != nil {
		return p, err
	}
	id, err := c.auth.ReadReset(token)
	if err != nil {
		return p, err
	}
	hash, err := c.auth.HashPassword(ctx, password, auth.PasswordOwner{Email: email})
	if err != nil {
		return p, err
	}
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		ch, account, err := resetting(tx, id)
		if err != nil {
			return err
		}
		taken, err := tx.TakeChallenge(id)
		if err != nil {
			return err
		}
		if !taken {
			return errNotFound
		}
		if err := auth.ChangePassword(tx, account.ID, hash, ""); err != nil {
			return err
		}
		if err := c.auth.Came(tx, account, from.Remote); err != nil {
			return err
		}
		v, err := tx.VisitPortal(ch.PortalID)
		if err != nil {
			return err
		}
		if p = (portico.Portal{}); v.Admit(tx.Now) == portico.AdmitStranger {
			p = v.Portal
		}
		return tx.InsertEvents(portico.Event{
			ActorID: account.ID, Action: portico.ActionPasswordChanged, SubjectID: account.ID, RequestID: from.RequestID,
			Detail: detail{"by": "mailed link"}.json(),
		})
	})
	return p, err
}

// SignOutBrowser ends a browser's session at the sign-in host, and with it
// those of all portals that it entered.
func (c *Control) SignOutBrowser(ctx context.Context, cookie string, from Origin) error {
	id := c.auth.ReadBrowserCookie(cookie)
	if id == "" {
		return nil
	}
	return c.store.Update(ctx, func(tx *store.Tx) error {
		s, account, err := tx.BrowserSession(id, auth.SignInAudience)
		if portico.KindOf(err) == portico.KindNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		if err := tx.EndBrowser(s.ID); err != nil {
			return err
		}
		return tx.InsertEvents(portico.Event{
			ActorID: account.ID, Action: portico.ActionSessionEnded, SubjectID: s.ID, RequestID: from.RequestID,
			Detail: detail{"everywhere": false}.json(),
		})
	})
}

// SignOutVisit ends a guest's session in a portal with all others of the same
// browser, or of the account wherever it is signed in.
func (c *Control) SignOutVisit(ctx context.Context, v portico.Visit, everywhere bool, from Origin) error {
	return c.store.Update(ctx, func(tx *store.Tx) error {
		parent, err := tx.ParentSession(v.SessionID)
		if portico.KindOf(err) == portico.KindNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case everywhere:
			err = tx.DeleteSessions(v.Account.ID, "")
		case parent == "":
			err = tx.EndBrowser(v.SessionID)
		default:
			err = tx.EndBrowser(parent)
		}
		if err != nil {
			return err
		}
		e := guestEvent(v.Portal, portico.ActionSessionEnded, v.Account.ID, from)
		e.SubjectID, e.Detail = v.SessionID, detail{"everywhere": everywhere}.json()
		return tx.InsertEvents(e)
	})
}

// Places is where an account can go.
type Places struct {
	Portals       []portico.Portal
	Organizations []store.Affiliation // that it is a member of, in the console
}

// AccountPlaces returns who is signed in at the sign-in host, and where they
// can go; a zero Doorway for nobody.
func (c *Control) AccountPlaces(ctx context.Context, cookie string) (d Doorway, places Places, err error) {
	err = c.store.View(ctx, func(tx *store.Tx) (err error) {
		places = Places{}
		if d, err = c.doorway(tx, c.auth.ReadBrowserCookie(cookie), Way{}); err != nil || !d.SignedIn() {
			return err
		}
		if places.Portals, err = tx.PortalsOf(d.Account.ID); err != nil {
			return err
		}
		all, err := tx.Affiliations(d.Account.ID)
		places.Organizations = slices.DeleteFunc(all, func(a store.Affiliation) bool { return a.Kind == portico.PortalKind })
		return err
	})
	return d, places, err
}
