package node

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"portico"
	"portico/internal/mail"
)

// Config is how a node runs. Every field has a setting (Settings), by which
// flag, environment and docs/config.md name it.
type Config struct {
	// Listen is the public listener's host and port: API, reference, portals.
	Listen string
	// OpsListen is the operations listener's; it belongs on a private address.
	OpsListen string
	// Data is the data folder.
	Data string
	// DatabaseURL is the registry's PostgreSQL database, on whose server the
	// portals' databases are made; empty: SQLite in the data folder.
	DatabaseURL string
	// AppMigrations is a folder with the steps of the schema of the platform's
	// own app, which every portal's database gets; empty: none.
	AppMigrations string
	// Drain is how long a node that ends goes on serving while /readyz says that
	// it is not ready, so that a balancer has time to send requests elsewhere.
	Drain time.Duration
	// Node is this node's name in logs; the host's name when empty.
	Node string
	// PublicURL is where the service is reached from outside; empty: where it
	// listens, as localhost.
	PublicURL string
	// TrustedProxies are the proxies that may name the address of a client.
	TrustedProxies Proxies
	// PortalDomain is the domain below which portals have their addresses.
	PortalDomain string
	// AdminEmail, AdminPassword and Organization make a first administrator of
	// a first organization when there is none yet.
	AdminEmail    string
	AdminPassword string
	Organization  string
	// SecretKey is the one secret, 32 bytes as hex or base64; empty: the data
	// folder's file.
	SecretKey string
	// InvitationDays is how many days an invitation can be accepted, 1 to 30.
	InvitationDays int
	// MaxGuests is an organization's limit of guests; 0: none.
	MaxGuests int
	// OpenPortals is how many portal databases are kept open.
	OpenPortals int
	// SMTPURL is the mail server that takes all mail; empty: mail waits.
	SMTPURL string
	// MailFrom is whom mail is from: an address, with or without a name.
	MailFrom string
	// DevMail shows the outbox, with its links, at /dev/mail. Loopback only.
	DevMail bool
}

// Setting is one field of Config from outside: by flag, environment variable,
// or a file that the variable's name with _FILE names.
type Setting struct {
	Name    string // the flag; PORTICO_ and the name in capitals is the variable
	Doc     string
	Default string
	Secret  bool // never printed, never a flag; takes a _FILE variable
	// Hide takes out of a value what may not be printed; nil: nothing.
	Hide func(string) string
	set  func(*Config, string) error
}

// RedactURL takes the password out of a URL.
func RedactURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "(set)"
	}
	return u.Redacted()
}

// Env returns the name of the setting's environment variable.
func (s Setting) Env() string {
	return "PORTICO_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// Settings returns all settings, in the order of docs/config.md.
func Settings() []Setting {
	str := func(at func(*Config) *string) func(*Config, string) error {
		return func(c *Config, v string) error { *at(c) = v; return nil }
	}
	num := func(at func(*Config) *int, low, high int) func(*Config, string) error {
		return func(c *Config, v string) error {
			n, err := strconv.Atoi(v)
			if err != nil || n < low || n > high {
				return fmt.Errorf("%q is not a number from %d to %d", v, low, high)
			}
			*at(c) = n
			return nil
		}
	}
	return []Setting{
		{Name: "listen", Default: "127.0.0.1:8010", Doc: "host and port of API, reference and portals", set: str(func(c *Config) *string { return &c.Listen })},
		{Name: "ops-listen", Default: "127.0.0.1:9010", Doc: "host and port of health, metrics and profiles; keep it private", set: str(func(c *Config) *string { return &c.OpsListen })},
		{Name: "data", Default: "portico-data", Doc: "the data folder", set: str(func(c *Config) *string { return &c.Data })},
		{Name: "database-url", Hide: RedactURL, Doc: "the registry's PostgreSQL database, postgres://role:password@host/portico; empty: SQLite in the data folder", set: str(func(c *Config) *string { return &c.DatabaseURL })},
		{Name: "app-migrations", Doc: "folder with the steps of the schema of the platform's own app, 0001_name.sql and on, which every portal gets", set: str(func(c *Config) *string { return &c.AppMigrations })},
		{Name: "node", Doc: "this node's name in logs; the host's name when empty", set: str(func(c *Config) *string { return &c.Node })},
		{Name: "drain", Default: "0s", Doc: "how long a node that is asked to end goes on serving while /readyz answers 503, so that a balancer sends to others; such as 5s, up to 60s", set: func(c *Config, v string) (err error) {
			c.Drain, err = time.ParseDuration(v)
			if err != nil || c.Drain < 0 || c.Drain > time.Minute {
				return fmt.Errorf("%q is no time from 0s to 60s", v)
			}
			return nil
		}},
		{Name: "public-url", Doc: "where the service is reached from outside; empty: where it listens, as localhost", set: str(func(c *Config) *string { return &c.PublicURL })},
		{Name: "trusted-proxies", Doc: "addresses and CIDR blocks, with commas, of the proxies in front: only they may name a client's address (X-Forwarded-For or Forwarded)", set: func(c *Config, v string) (err error) {
			c.TrustedProxies, err = ParseProxies(v)
			return err
		}},
		{Name: "portal-domain", Default: "localhost", Doc: "the domain below which portals have their addresses", set: str(func(c *Config) *string { return &c.PortalDomain })},
		{Name: "admin-email", Doc: "address of the first administrator, made when there is no organization", set: str(func(c *Config) *string { return &c.AdminEmail })},
		{Name: "admin-password", Secret: true, Doc: "the first administrator's password", set: str(func(c *Config) *string { return &c.AdminPassword })},
		{Name: "organization", Doc: "name of the first organization", set: str(func(c *Config) *string { return &c.Organization })},
		{Name: "secret-key", Secret: true, Doc: "the one secret, 32 bytes as hex or base64 (openssl rand -hex 32); empty: secret.key in the data folder, made on first start", set: str(func(c *Config) *string { return &c.SecretKey })},
		{Name: "invitation-days", Default: "7", Doc: "days that an invitation can be accepted, 1 to 30", set: num(func(c *Config) *int { return &c.InvitationDays }, 1, int(portico.MaxInvitationLife/(24*time.Hour)))},
		{Name: "max-guests", Default: "0", Doc: "an organization's limit of guests over all its portals; 0: none", set: num(func(c *Config) *int { return &c.MaxGuests }, 0, 1<<30)},
		{Name: "open-portals", Default: "512", Doc: "portal databases kept open; the limit of open files may lower it", set: num(func(c *Config) *int { return &c.OpenPortals }, 8, 1<<16)},
		{Name: "smtp-url", Secret: true, Doc: "the mail server that takes all mail, such as smtp://user:password@mail.example.com:587; empty: mail waits in the outbox", set: str(func(c *Config) *string { return &c.SMTPURL })},
		{Name: "mail-from", Doc: "whom mail is from, such as Portico <portals@example.com>; smtp-url needs it", set: str(func(c *Config) *string { return &c.MailFrom })},
		{Name: "dev-mail", Default: "false", Doc: "show the outbox with its links at /dev/mail; refused unless listening on loopback", set: func(c *Config, v string) (err error) {
			c.DevMail, err = strconv.ParseBool(v)
			return err
		}},
	}
}

// Value is a setting with the value in force and where it came from.
type Value struct {
	Setting

	Value  string
	Origin string // "default", "flag", or the name of a variable
}

// Shown returns the value as it may be printed.
func (v Value) Shown() string {
	if v.Secret && v.Value != "" {
		return "(set)"
	}
	if v.Hide != nil && v.Value != "" {
		return v.Hide(v.Value)
	}
	return v.Value
}

// Load returns the configuration from flags that were given, the environment,
// and defaults, in this order, with every value's origin.
func Load(flags map[string]string, getenv func(string) string) (Config, []Value, error) {
	var c Config
	var values []Value
	for _, s := range Settings() {
		v, err := s.value(flags, getenv)
		if err != nil {
			return Config{}, nil, err
		}
		values = append(values, v)
		if v.Value == "" {
			continue
		}
		if err := s.set(&c, v.Value); err != nil {
			return Config{}, nil, fmt.Errorf("%s (from %s): %w", s.Name, v.Origin, err)
		}
	}
	return c, values, c.check()
}

func (s Setting) value(flags map[string]string, getenv func(string) string) (Value, error) {
	if v, ok := flags[s.Name]; ok {
		return Value{s, v, "flag"}, nil
	}
	if v := getenv(s.Env()); v != "" {
		return Value{s, v, s.Env()}, nil
	}
	if file := getenv(s.Env() + "_FILE"); s.Secret && file != "" {
		raw, err := os.ReadFile(file) //nolint:gosec // the operator names the file
		if err != nil {
			return Value{}, fmt.Errorf("%s_FILE: %w", s.Env(), err)
		}
		return Value{s, strings.TrimRight(string(raw), "\r\n"), s.Env() + "_FILE"}, nil
	}
	return Value{s, s.Default, "default"}, nil
}

// NodeName returns the node's name in logs.
func (c Config) NodeName() string {
	if c.Node != "" {
		return c.Node
	}
	name, err := os.Hostname()
	if err != nil {
		return "portico"
	}
	return name
}

// Relay returns the mail server that takes all mail; nil when there is none.
func (c Config) Relay() (*mail.Relay, error) {
	if c.SMTPURL == "" {
		return nil, nil //nolint:nilnil // without the setting there is no relay, which is no error
	}
	r, err := mail.ParseRelay(c.SMTPURL, c.MailFrom)
	if err != nil {
		return nil, fmt.Errorf("smtp-url: %w", err)
	}
	return r, nil
}

// check refuses values that cannot work together.
func (c Config) check() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("listen: %q is no host:port, such as 127.0.0.1:8010", c.Listen)
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" {
			return fmt.Errorf("public-url: %q is no address such as https://portals.example.com", c.PublicURL)
		}
	}
	if c.DevMail && !loopback(c.Listen) {
		return fmt.Errorf("dev-mail shows links that sign people in; it needs listen to be a loopback address, not %s", c.Listen)
	}
	if _, err := c.Relay(); err != nil {
		return err
	}
	if (c.AdminEmail == "") != (c.AdminPassword == "") {
		return errors.New("admin-email and admin-password go together: set both, or neither")
	}
	return nil
}

func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
