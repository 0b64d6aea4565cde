package postgres

import (
	"context"
	"strings"
)

// Condition is how a server is set up, for those who operate it.
type Condition struct {
	Version        string // as the server says it
	Durable        bool   // a power loss takes nothing that was committed
	SyncMethod     string // of the start after a crash; empty before version 14
	MaxConnections int
	Databases      int  // all that there are
	SeesFolders    bool // our role may look for folders that a crash left
	PublicOpen     bool // apps may make tables in schema public of their databases
}

// Examine looks at how the server of a cluster is set up. The error says what
// keeps it from being used.
func (e *Engine) Examine(ctx context.Context, cluster string) (Condition, error) {
	s, err := e.clusters.at(ctx, cluster)
	if err != nil {
		return Condition{}, err
	}
	facts := s.facts.Load()
	c := Condition{SeesFolders: facts.looksInto}
	err = s.session(ctx, func(a *session) error {
		var durable string
		var superuser bool
		err := a.query(`SELECT current_setting('server_version'), current_setting('max_connections')::bigint,
			COALESCE(current_setting('recovery_init_sync_method', true), ''),
			current_setting('fsync') || current_setting('synchronous_commit') || current_setting('full_page_writes'),
			(SELECT COUNT(*) FROM pg_database), current_setting('is_superuser') = 'on'`,
			nil, &c.Version, &c.MaxConnections, &c.SyncMethod, &durable, &c.Databases, &superuser)
		c.PublicOpen = facts.version < publicClosed && !superuser
		c.Durable = !strings.Contains(durable, "off")
		return err
	})
	return c, translate(err)
}
