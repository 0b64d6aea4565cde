// Package node is one running process: it opens the parts in order, serves,
// and closes them in reverse. It is the only place that knows which engine
// runs and where configuration comes from.
//
// It holds no rule of the product: parts get what they need as values.
//
// Start with Open, then Config.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"portico"
	"portico/internal/auth"
	"portico/internal/console"
	"portico/internal/control"
	"portico/internal/failpoint"
	"portico/internal/gateway"
	"portico/internal/httpapi"
	"portico/internal/jobs"
	"portico/internal/keyring"
	"portico/internal/lifecycle"
	"portico/internal/mail"
	"portico/internal/store"
)

// Options are what tests and commands give a node beyond its configuration.
type Options struct {
	Log        *slog.Logger
	Now        func() time.Time // time.Now, and the database server's where there is one, when nil
	Failpoints *failpoint.Set   // tests only
	Version    string
	// Synchronous is the engine's; the power-loss test only.
	Synchronous string
	// Existing refuses a registry in PostgreSQL that does not exist.
	Existing bool

	// MorePortalSteps is the engine's; the test of upgrades only.
	MorePortalSteps []store.Migration
	// Rates lift the limits on guessing; tests only. Zero: the defaults.
	SignIns, Failures, Mails auth.Rate
	// Timeouts of the public listener; tests only. Zero: DefaultTimeouts.
	Timeouts Timeouts
	// AtWork and Readers bound what the API does at once; tests only. Zero: the
	// defaults.
	AtWork, Readers int
	// Hasher counts the hashes of a test; nil: production's.
	Hasher *auth.Hasher
	// Relay changes how the mail server is used; tests only.
	Relay func(*mail.Relay)
	// Watch wraps the engine, to count what a test's requests ask of it.
	Watch func(store.Engine) store.Engine
}

// clock returns the node's clock.
func (o Options) clock() func() time.Time {
	if o.Now == nil {
		return time.Now
	}
	return o.Now
}

// Core is everything of a node but its listeners: what commands work with.
type Core struct {
	Config    Config
	Store     *store.Store
	Auth      *auth.Auth
	Control   *control.Control
	Lifecycle *lifecycle.Lifecycle
	Jobs      *jobs.Runner
	Mail      *mail.Sender
	Ring      *keyring.Ring
	Log       *slog.Logger

	engine  store.Engine
	servers control.Servers // nil on SQLite
	mover   store.Mover     // nil on SQLite
	closes  []func()
}

// OpenCore opens the parts in order. exclusive is for the server: no second
// one may run on the data. A command beside a server is not exclusive.
func OpenCore(config Config, exclusive bool, o Options) (core *Core, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Core{Config: config, Log: o.Log}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if err := checkRestored(config.Data); err != nil {
		return nil, err
	}
	ids := portico.NewIDSource(o.clock())
	if err := c.openStorage(exclusive, o, ids); err != nil {
		return nil, err
	}
	if err := c.checkImported(); err != nil {
		return nil, err
	}
	if err := c.openRing(); err != nil {
		return nil, err
	}
	sole := exclusive && config.DatabaseURL == "" // PostgreSQL may have other nodes
	c.Jobs = jobs.New(jobs.Config{Store: c.Store, Log: o.Log, SoleProcess: sole})
	c.Auth = auth.New(auth.Config{
		Store: c.Store, Ring: c.Ring, IDs: ids, Log: o.Log, Hasher: o.Hasher, SignIns: o.SignIns, Failures: o.Failures, Mails: o.Mails,
	})
	if err := c.openLifecycle(sole, o); err != nil {
		return nil, err
	}
	public, err := publicURL(config)
	if err != nil {
		return nil, err
	}
	c.Control = control.New(control.Config{
		Store: c.Store, Auth: c.Auth, Lifecycle: c.Lifecycle, Servers: c.servers, Jobs: c.Jobs, Log: o.Log, Failpoints: o.Failpoints,
		Ring: c.Ring, PublicURL: public, PortalDomain: config.PortalDomain, MaxGuests: config.MaxGuests,
		InvitationLife: time.Duration(config.InvitationDays) * 24 * time.Hour,
	})
	return c, c.openMail(sole, o)
}

// openMail readies the sender of mail.
func (c *Core) openMail(sole bool, o Options) error {
	relay, err := c.Config.Relay()
	if relay != nil && o.Relay != nil {
		o.Relay(relay)
	}
	c.Mail = mail.NewSender(mail.Config{
		Store: c.Store, Relay: relay, Log: o.Log, Target: c.Control.MailTarget, Bounced: c.Control.MailBounced, SoleProcess: sole,
	})
	return err
}

func (c *Core) onClose(f func()) { c.closes = append(c.closes, f) }

// Close closes the parts in reverse order of opening.
func (c *Core) Close() {
	for _, f := range slices.Backward(c.closes) {
		f()
	}
	c.closes = nil
}

func publicURL(config Config) (*url.URL, error) {
	if config.PublicURL != "" {
		return url.Parse(config.PublicURL)
	}
	_, port, err := net.SplitHostPort(config.Listen)
	if err != nil {
		return nil, err
	}
	return &url.URL{Scheme: "http", Host: net.JoinHostPort("localhost", port)}, nil
}

// Node is a serving process.
type Node struct {
	*Core

	api     *httpapi.API
	console *console.Console
	guests  *gateway.Gateway
	hosts   *gateway.Hosts
	public  *server
	ops     *server
	metrics *metrics
	fleet   *fleet

	leaving atomic.Bool // asked to end, and still serving
}

// Open opens everything and begins to serve. The listeners are open and
// answering when it returns.
func Open(config Config, o Options) (node *Node, err error) {
	public, err := listen(config.Listen)
	if err != nil {
		return nil, err
	}
	// Port 0 asks for any free one; what was got is what links name.
	config.Listen = public.Addr().String()
	core, err := OpenCore(config, true, o)
	if err != nil {
		_ = public.Close()
		return nil, err
	}
	n := &Node{Core: core, metrics: newMetrics(core)}
	defer func() {
		if err != nil {
			_ = public.Close()
			n.Close()
		}
	}()
	if err := n.bootstrap(context.Background()); err != nil {
		return nil, err
	}
	if err := n.start(); err != nil {
		return nil, err
	}
	n.api, err = httpapi.New(httpapi.Config{
		Control: n.Control, Auth: n.Auth, Ring: n.Ring, Log: n.Log, Version: o.Version, Observe: n.metrics.observe,
		AtWork: o.AtWork, Readers: o.Readers,
	})
	if err != nil {
		return nil, err
	}
	if n.console, err = n.openConsole(); err != nil {
		return nil, err
	}
	if err := n.openGateway(); err != nil {
		return nil, err
	}
	if config.OpsListen != "" {
		ops, err := listen(config.OpsListen)
		if err != nil {
			return nil, err
		}
		if n.fleet, err = newFleet(n); err != nil {
			return nil, errors.Join(err, ops.Close())
		}
		n.ops = serve(ops, n.operations(), n.Log)
		n.onClose(func() { n.ops.stop(opsPatience) })
	}
	n.public = servePublic(public, config.TrustedProxies.front(n.hosts, n.parting(n.handler())), n.Log, o.Timeouts)
	n.onClose(func() { n.public.stop(shutdownPatience) })
	n.onClose(n.drain)
	return n, nil
}

// start begins the background work of the parts, in order.
func (n *Node) start() error {
	n.Auth.Start()
	n.onClose(func() {
		if err := n.Auth.Stop(context.Background()); err != nil {
			n.Log.Warn("the use of tokens could not be noted", "error", err)
		}
	})
	n.Control.Start()
	n.onClose(n.Control.Stop)
	if err := n.Lifecycle.Start(); err != nil {
		return err
	}
	if err := n.Jobs.Start(); err != nil {
		return err
	}
	n.onClose(n.Jobs.Stop)
	if err := n.Mail.Start(); err != nil {
		return err
	}
	n.onClose(n.Mail.Stop)
	return nil
}

func (n *Node) openConsole() (*console.Console, error) {
	public, err := publicURL(n.Config)
	if err != nil {
		return nil, err
	}
	return console.New(console.Config{
		Control: n.Control, Auth: n.Auth, Log: n.Log, PublicURL: public, Observe: n.metrics.observe,
	})
}

// publicPages serves the public host: the console's pages, and the API with
// its reference, which answers too for what is nobody's.
func (n *Node) publicPages() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.console.Owns(r) {
			n.console.ServeHTTP(w, r)
			return
		}
		n.api.ServeHTTP(w, r)
	})
}

// openGateway readies what guests meet.
func (n *Node) openGateway() (err error) {
	public, err := publicURL(n.Config)
	if err != nil {
		return err
	}
	n.hosts = gateway.NewHosts(public, n.Config.PortalDomain)
	n.guests, err = gateway.New(gateway.Config{
		Control: n.Control, Hosts: n.hosts, Identity: auth.NewIdentities(n.Ring, n.Store.Now), Log: n.Log, Observe: n.metrics.observe,
	})
	return err
}

// GuestRoutes returns the routes of guests' hosts, for the tests that go through
// all of them.
func (n *Node) GuestRoutes() []gateway.Route { return n.guests.Routes() }

// handler routes the public listener by host: guests' hosts have nothing in
// common with the one of the API and the administrators.
func (n *Node) handler() http.Handler {
	public := n.publicPages()
	if n.Config.DevMail {
		public = newDevMail(n.Core, public)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind, _ := n.hosts.Find(r.Host); kind == gateway.HostPublic {
			public.ServeHTTP(w, r)
			return
		}
		n.guests.ServeHTTP(w, r)
	})
}

// Console returns the administrators' pages, for the tests that hold their
// routes against the authorization matrix.
func (n *Node) Console() *console.Console { return n.console }

// URL returns where the node is reached from outside.
func (n *Node) URL() string {
	u, err := publicURL(n.Config)
	if err != nil {
		return ""
	}
	return u.String()
}

// Addr returns the address that the public listener is bound to.
func (n *Node) Addr() string { return n.public.listener.Addr().String() }

// OpsAddr returns the address that the operations listener is bound to.
func (n *Node) OpsAddr() string { return n.ops.listener.Addr().String() }

// bootstrap makes the configured first administrator when there is no
// organization yet.
func (n *Node) bootstrap(ctx context.Context) error {
	if n.Config.AdminEmail == "" {
		return nil
	}
	name := n.Config.Organization
	if name == "" {
		name = "My organization"
	}
	made, err := n.Control.Found(ctx, control.Founding{Organization: name, Email: n.Config.AdminEmail, Password: n.Config.AdminPassword})
	if refused, ok := errors.AsType[*portico.Error](err); ok && refused.Kind == portico.KindInvalid {
		return portico.FieldErrorf(foundingSetting(refused.Field), "%s", refused.Msg)
	}
	if err != nil {
		return fmt.Errorf("make the first administrator: %w", err)
	}
	if made != "" {
		n.Log.Info("made the first administrator", "organization", made)
	}
	return nil
}

// foundingSetting returns the setting that a field of control.Founding is from.
func foundingSetting(field string) string {
	switch field {
	case "password":
		return "admin-password"
	case "name":
		return "organization"
	}
	return "admin-email"
}
