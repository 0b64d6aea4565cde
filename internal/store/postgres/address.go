package postgres

import (
	"maps"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"portico"
)

// dialTimeout bounds the making of a connection.
const dialTimeout = 5 * time.Second

// The most prepared statements on a connection. The registry's texts are a few
// hundred.
const (
	registryStatements = 512
	portalStatements   = 64
)

// address is where a server is and as whom we connect to it.
type address struct {
	text     string
	url      *url.URL
	serverID string // what the server there must call itself; empty: anything
	database string
	base     *pgx.ConnConfig
}

// parseAddress reads a URL. The error never holds the password.
func parseAddress(text string) (*address, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, portico.Errorf(portico.KindInvalid, "The database's address must read postgres://role:password@host:port/database.")
	}
	name := strings.TrimPrefix(u.Path, "/")
	if name == "" || strings.Contains(name, "/") {
		return nil, portico.Errorf(portico.KindInvalid, "The database's address must end in the name of the registry's database: postgres://…/portico.")
	}
	base, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, portico.Errorf(portico.KindInvalid, "The database's address cannot be used: %s", withoutPassword(err, u))
	}
	if query := u.Query(); query.Has("password") || query.Has("user") { // there they would be shown
		query.Del("user")
		query.Del("password")
		u.RawQuery, u.User = query.Encode(), url.UserPassword(base.User, base.Password)
	}
	base.ConnectTimeout = dialTimeout
	base.RuntimeParams["application_name"] = "portico"
	base.DialFunc = (&net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 2 * time.Second, Interval: time.Second, Count: 3},
		Control:         endSilence,
	}).DialContext
	base.ValidateConnect = new(timeline).guard(base.ValidateConnect)
	return &address{text: text, url: u, database: name, base: base}, nil
}

func withoutPassword(err error, u *url.URL) string {
	text := err.Error()
	inside, _ := u.User.Password()
	for _, password := range []string{inside, u.Query().Get("password")} {
		if password != "" {
			text = strings.ReplaceAll(text, password, "…")
			text = strings.ReplaceAll(text, url.QueryEscape(password), "…")
		}
	}
	return text
}

// config returns how to connect to a database of the server.
func (a *address) config(database string, statements int) *pgx.ConnConfig {
	config := a.base.Copy()
	config.Database = database
	config.StatementCacheCapacity = statements
	config.DescriptionCacheCapacity = statements
	return config
}

// driverSettings are the parts of a URL that only our driver knows.
var driverSettings = []string{"default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity"}

// forPrograms returns the address of a database for PostgreSQL's own programs:
// the password goes apart from the rest, for a command line is not secret.
func (a *address) forPrograms(database string) (dsn string, environment []string) {
	u := *a.url
	u.Path = "/" + database
	if u.User != nil {
		if password, ok := u.User.Password(); ok {
			environment = append(environment, "PGPASSWORD="+password)
		}
		u.User = url.User(u.User.Username())
	}
	query := maps.Clone(u.Query())
	for _, name := range driverSettings {
		query.Del(name)
	}
	u.RawQuery = query.Encode()
	return u.String(), append(environment, "PGCONNECT_TIMEOUT=5", "PGAPPNAME=portico")
}

// quote returns a name as an identifier.
func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// literal returns a text as a string constant. None of ours holds a backslash.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
