// Package control is what each operation does: permission, load, decide,
// write, and the audit record and job in the same transaction. Every front
// (HTTP, console, command line) calls it, so that there is one code path and
// one decision for each operation.
//
// The rules themselves are pure functions of package portico; control never
// holds SQL and knows nothing of HTTP.
//
// Start with portals.go, then guests.go.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"time"

	"portico"
	"portico/internal/auth"
	"portico/internal/failpoint"
	"portico/internal/jobs"
	"portico/internal/keyring"
	"portico/internal/lifecycle"
	"portico/internal/store"
)

// The failpoints of this package: around the transactions of the operations.
const (
	PointIntent    = "control.intent"    // before the transaction of a write
	PointRecorded  = "control.recorded"  // after it, before what follows
	PointAnswering = "control.answering" // all done, before the answer
)

// Config is what a Control needs.
type Config struct {
	Store      *store.Store
	Auth       *auth.Auth
	Lifecycle  *lifecycle.Lifecycle
	Jobs       *jobs.Runner
	Log        *slog.Logger
	Failpoints *failpoint.Set
	Ring       *keyring.Ring

	// Servers looks at PostgreSQL servers; nil on SQLite, which has none.
	Servers Servers

	// PublicURL is where the service is reached from outside: its scheme and
	// port are those of the portals' addresses too.
	PublicURL *url.URL
	// PortalDomain is the domain below which portals have their addresses.
	PortalDomain string
	// InvitationLife is how long an invitation can be accepted.
	InvitationLife time.Duration
	// MaxGuests is an organization's limit of guests; 0 is none.
	MaxGuests int
}

// Control is the operations. It is safe for concurrent use.
type Control struct {
	config    Config
	store     *store.Store
	auth      *auth.Auth
	lifecycle *lifecycle.Lifecycle
	refusals  *refusals
	mails     mailKeys
}

// New returns the operations over their parts. Start begins the work that they
// do in the background.
func New(config Config) *Control {
	if config.InvitationLife == 0 {
		config.InvitationLife = portico.InvitationLife
	}
	c := &Control{config: config, store: config.Store, auth: config.Auth, lifecycle: config.Lifecycle}
	c.refusals = newRefusals(config.Store, config.Log)
	c.mails = newMailKeys(config.Ring)
	if config.Jobs != nil {
		config.Jobs.Handle(jobImport, c.workOffPart)
		config.Jobs.Every("forget what has run out", time.Hour, func(ctx context.Context) error {
			return c.store.Update(ctx, forgetOld)
		})
	}
	return c
}

// forgetOld deletes what nothing can use any more.
func forgetOld(tx *store.Tx) error {
	for _, forget := range []func() error{
		tx.ExpireAnswers, tx.ForgetRemovals, tx.DeleteExpiredChallenges, tx.ForgetMails, tx.ForgetPlaces,
	} {
		if err := forget(); err != nil {
			return err
		}
	}
	if err := tx.ForgetImports(tx.Now.Add(-portico.ImportLife)); err != nil {
		return err
	}
	_, err := tx.DeleteExpiredSessions()
	return err
}

// Start begins to write refusals to the audit log.
func (c *Control) Start() { c.refusals.start() }

// Stop writes what waits and ends.
func (c *Control) Stop() { c.refusals.stop() }

// PublicURL returns where the service is reached from outside, without a slash
// at its end.
func (c *Control) PublicURL() string {
	return c.config.PublicURL.Scheme + "://" + c.config.PublicURL.Host
}

// PortalURL returns where a portal's guests enter: its custom domain once that
// is active, its own address below the portal domain until then.
func (c *Control) PortalURL(p portico.Portal) string {
	if p.CustomDomain != nil && p.DomainStatus == portico.DomainActive {
		return "https://" + *p.CustomDomain
	}
	return c.addressOf(p.APIName)
}

// SignInURL returns where guests of all portals sign in.
func (c *Control) SignInURL() string { return c.addressOf(portico.SignInLabel) }

// addressOf returns the address of a label below the portal domain.
func (c *Control) addressOf(label string) string {
	host := label + "." + c.config.PortalDomain
	if port := c.config.PublicURL.Port(); port != "" {
		host = net.JoinHostPort(host, port)
	}
	return c.config.PublicURL.Scheme + "://" + host
}

// patience is how long a request waits for a portal to be created or deleted.
// The operation itself has no limit.
const patience = 30 * time.Second

// detached returns a context for an operation that must not stop half-way
// because its client went away.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), patience)
}

// Once is a write's claim to happen only once: its Idempotency-Key and the
// fingerprint of the request. The zero value claims nothing.
type Once struct {
	Key         string
	Fingerprint string
}

var (
	errOtherRequest = portico.Errorf(portico.KindConflict, "This Idempotency-Key was used for another request.")
	errInFlight     = portico.Errorf(portico.KindConflict, "A request with this Idempotency-Key is in flight.")
)

// replay looks a key up: done says that the write happened, and into then holds
// its result; inFlight is the portal whose operation has not ended.
func (o Once) replay(tx *store.Tx, by portico.Principal, into any) (done bool, inFlight string, err error) {
	if o.Key == "" {
		return false, "", nil
	}
	answer, ok, err := tx.Answer(by.OrganizationID, by.AccountID, o.Key)
	switch {
	case err != nil || !ok:
		return false, "", err
	case answer.Fingerprint != o.Fingerprint:
		return false, "", errOtherRequest
	case answer.Snapshot == nil:
		return false, answer.PortalID, nil
	}
	return true, "", json.Unmarshal([]byte(*answer.Snapshot), into)
}

// keep records the result of a write, in its transaction; result nil means that
// the life cycle will.
func (o Once) keep(tx *store.Tx, by portico.Principal, portalID string, result any) error {
	if o.Key == "" {
		return nil
	}
	answer := store.Answer{
		OrganizationID: by.OrganizationID, AccountID: by.AccountID,
		Key: o.Key, Fingerprint: o.Fingerprint, PortalID: portalID,
	}
	if result != nil {
		raw, err := json.Marshal(result)
		if err != nil {
			return err
		}
		snapshot := string(raw)
		answer.Snapshot = &snapshot
	}
	err := tx.PutAnswer(answer)
	if errors.Is(err, store.ErrAnswerTaken) {
		return errInFlight
	}
	return err
}

// event returns an audit record of something that a principal did.
func event(by portico.Principal, action portico.Action, portalID, subjectID string) portico.Event {
	return portico.Event{
		OrganizationID: by.OrganizationID, PortalID: portalID, ActorID: by.AccountID,
		Action: action, SubjectID: subjectID, RequestID: by.RequestID,
	}
}
