package auth

import (
	"log/slog"
	"net/netip"
	"time"

	"portico"
	"portico/internal/keyring"
	"portico/internal/store"
)

// Config is what an Auth is made of.
type Config struct {
	Store *store.Store
	Ring  *keyring.Ring
	IDs   *portico.IDSource
	Log   *slog.Logger

	Hasher   *Hasher        // nil: NewHasher's for production
	Rules    *PasswordRules // nil: NewPasswordRules without words of its own
	SignIns  Rate           // for an account; zero: SignInRate
	Failures Rate           // for an address; zero: FailureRate
	Mails    Rate           // for an address; zero: MailRequestRate
}

// Auth says who is calling, by the registry and the installation's keys. It is
// safe for concurrent use.
type Auth struct {
	store    *store.Store
	log      *slog.Logger
	access   *AccessTokens
	refresh  *keyring.MAC
	console  *keyring.MAC
	hasher   *Hasher
	rules    *PasswordRules
	signIns  *Limiter
	places   *keyring.MAC
	failures *Limiter
	used     *usage

	invitations, codes, resets, browsers *keyring.MAC
	mailTo, mailFrom, mailStrangers      *Limiter
}

// New returns an Auth. Start begins the work that it does in the background.
func New(config Config) *Auth {
	now := config.Store.Now
	if config.SignIns == (Rate{}) {
		config.SignIns = SignInRate()
	}
	if config.Failures == (Rate{}) {
		config.Failures = FailureRate()
	}
	if config.Mails == (Rate{}) {
		config.Mails = MailRequestRate()
	}
	if config.Hasher == nil {
		config.Hasher = NewHasher(HasherConfig{})
	}
	if config.Rules == nil {
		config.Rules = NewPasswordRules()
	}
	return &Auth{
		store:    config.Store,
		log:      config.Log,
		access:   NewAccessTokens(config.Ring.Ed25519(keyring.LabelAccessTokens), now, config.IDs),
		refresh:  config.Ring.MAC(keyring.LabelRefreshTokens),
		console:  config.Ring.MAC(keyring.LabelConsole),
		hasher:   config.Hasher,
		rules:    config.Rules,
		signIns:  NewLimiter(config.SignIns, DefaultLimiterKeys, now),
		places:   config.Ring.MAC(keyring.LabelPlaces),
		failures: NewLimiter(config.Failures, DefaultLimiterKeys, now),
		used:     newUsage(),

		invitations: config.Ring.MAC(keyring.LabelInvitations),
		codes:       config.Ring.MAC(keyring.LabelMailedCodes),
		resets:      config.Ring.MAC(keyring.LabelResets),
		browsers:    config.Ring.MAC(keyring.LabelBrowsers),
		mailTo:      NewLimiter(config.Mails, DefaultLimiterKeys, now),

		mailStrangers: NewLimiter(Rate{config.Mails.Events, strangersDay * config.Mails.Per}, DefaultLimiterKeys, now),
		mailFrom:      NewLimiter(Rate{2 * config.Mails.Events, config.Mails.Per}, DefaultLimiterKeys, now),
	}
}

// Refused counts a refusal of a credential from a remote address. It returns
// err, or KindRateLimited once there were too many.
func (a *Auth) Refused(remote string, err error) error {
	if wait, ok := a.failures.Take(network(remote)); !ok {
		return tooManyFailures(wait)
	}
	return err
}

// MayTry is KindRateLimited where too much failed from a remote address lately.
// It is asked before an attempt, so that a guess does not learn that it was
// right.
func (a *Auth) MayTry(remote string) error {
	if wait, ok := a.failures.Check(network(remote)); !ok {
		return tooManyFailures(wait)
	}
	return nil
}

// network returns what limits count a remote address by: itself, or of IPv6 the
// 64 bits before the part that every host chooses for itself, as often as it
// likes.
func network(remote string) string {
	addr, err := netip.ParseAddr(remote)
	if err != nil || addr.Unmap().Is4() {
		return remote
	}
	block, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return remote
	}
	return block.String()
}

func tooManyFailures(wait time.Duration) error {
	return rateLimited(wait, "Too many failed attempts. Try again later.")
}

func rateLimited(wait time.Duration, text string) error {
	e := portico.Errorf(portico.KindRateLimited, "%s", text)
	e.RetryAfter = wait
	return e
}
