package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"portico/internal/store"
)

// stepLimit is how long a step of the app's schema may take, and lockWait how
// long it waits for what the app holds: while it waits, it stands in the way of
// everyone who comes after it.
const (
	stepLimit = time.Hour
	lockWait  = "10s"
)

// app implements store.App: schema app of a portal's database, and the role
// that it belongs to.
type app struct {
	engine *Engine
	server *server
	name   string // of the database
}

// App implements store.Handle.
func (h *handle) App() store.App {
	return &app{engine: h.engine, server: h.server, name: h.name}
}

// Admit implements store.App. The database's lock keeps it apart from a drop,
// which would be undone by a role that may sign in again.
func (a *app) Admit(ctx context.Context, password func() (string, error), alone bool) (store.AppAddress, error) {
	role := appRole(a.name)
	var secret string
	err := a.server.persist(ctx, statementLimit, func(s *session) (err error) {
		if err := s.lock(ctx, a.name); err != nil {
			return err
		}
		if secret, err = password(); err != nil {
			return err
		}
		verifier, err := scramVerifier(secret)
		if err != nil {
			return err
		}
		err = s.exec(statementLimit, "ALTER ROLE "+quote(role)+" LOGIN PASSWORD "+literal(verifier))
		if err == nil && alone { // not before: who signed in between would stay
			err = s.cutOff(role)
		}
		return err
	})
	if err != nil {
		return store.AppAddress{}, translate(err)
	}
	return store.AppAddress{Engine: "postgres", URL: a.server.address().forApp(a.name, role, secret)}, nil
}

// Bar implements store.App. The database's lock keeps it apart from Admit.
func (a *app) Bar(ctx context.Context) error {
	role := appRole(a.name)
	return translate(a.server.persist(ctx, statementLimit, func(s *session) error {
		if err := s.lock(ctx, a.name); err != nil {
			return err
		}
		if err := s.exec(statementLimit, "ALTER ROLE "+quote(role)+" NOLOGIN"); err != nil {
			return err
		}
		for attempt := 0; ; attempt++ { // a connection ends after it was told to
			if err := s.cutOff(role); err != nil {
				return err
			}
			var left int
			err := s.query(`SELECT COUNT(*) FROM pg_stat_activity WHERE usename = $1`, []any{role}, &left)
			if err != nil || left == 0 {
				return err
			}
			if err := pause(ctx, min(attempt, 3)); err != nil {
				return err
			}
		}
	}))
}

// cutOff ends the connections of a role.
func (a *session) cutOff(role string) error {
	return a.exec(statementLimit, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "+literal(role))
}

// scramVerifier returns what the server keeps of a password. It is made here,
// so that the password is in no statement, and in no log of the server.
func scramVerifier(password string) (string, error) {
	const iterations = 4096
	salt := make([]byte, 16)
	rand.Read(salt)
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	sum := func(text string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(sum("Client Key"))
	text := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, text(salt), text(stored[:]), text(sum("Server Key"))), nil
}

// forAppSettings are the parts of our URL that are right for an app too. What
// proves who we are is not among them.
var forAppSettings = []string{"host", "port", "sslmode", "sslrootcert", "target_session_attrs", "connect_timeout"}

// forApp returns the address of a database for its app.
func (a *address) forApp(database, role, password string) string {
	u := url.URL{Scheme: "postgres", Host: a.url.Host, Path: "/" + database, User: url.UserPassword(role, password)}
	query := a.url.Query()
	for name := range query {
		if !slices.Contains(forAppSettings, name) {
			query.Del(name)
		}
	}
	if u.Host == "" && !query.Has("host") { // ours came from the environment
		query.Set("host", a.base.Host)
		query.Set("port", strconv.Itoa(int(a.base.Port)))
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// Migrate implements store.App. It signs in as the app: a role that was only
// taken on could be laid down again by what the app left in its database, a
// trigger above all, and our rights would be there for it.
func (a *app) Migrate(ctx context.Context, password string, steps []store.AppStep) (version int, err error) {
	inside := a.server.as(a.name, appRole(a.name), password)
	err = inside.session(ctx, func(s *session) error {
		// The app may have set something else for its role.
		if err := s.exec(statementLimit, "SET search_path = "+appSchema, "SET statement_timeout = 0"); err != nil {
			return err
		}
		version, err = store.MigrateApp(store.AppRun{
			Run: func(fn func(store.SQL) error) error {
				return s.within("BEGIN", func() error { return s.transact(context.Background(), fn) })
			},
			Step: func(claim func(store.SQL) error, script string) error { return a.step(ctx, s, claim, script) },
		}, steps)
		return err
	})
	return version, errors.Join(translate(err), inside.close())
}

// step takes a step in a transaction, and sees that it stays one.
func (a *app) step(ctx context.Context, s *session, claim func(store.SQL) error, script string) error {
	begin := "BEGIN; SET LOCAL search_path = " + appSchema + "; SET LOCAL lock_timeout = " + literal(lockWait)
	return s.within(begin, func() error {
		if err := s.transact(context.Background(), claim); err != nil {
			return err
		}
		if err := a.engine.points.Hit(ctx, FailMigrateStep); err != nil {
			return unavailable(err)
		}
		if err := s.exec(stepLimit, script); err != nil {
			return err
		}
		if s.link.inner.Conn().PgConn().TxStatus() != 'T' {
			return errors.New("it ended its own transaction")
		}
		return nil
	})
}

// within runs fn in a transaction of the connection.
func (c *conn) within(begin string, fn func() error) error {
	if _, err := c.link.run(begin); err != nil {
		return err
	}
	err := fn()
	if err == nil {
		_, err = c.link.run("COMMIT")
	}
	if err != nil {
		_, rollback := c.link.run("ROLLBACK")
		return errors.Join(err, rollback)
	}
	return nil
}
