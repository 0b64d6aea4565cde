package postgres

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5"
)

// seek is for an address of several hosts one of which says that it has no such
// database. It may be a standby that lags, or a primary that was replaced: each
// says so before it can be asked what it is. The others are tried, and only
// what the primary does not know is absent.
func (c *connector) seek(ctx context.Context, absent error) (driver.Conn, error) {
	alone := eachHost(c.config())
	if len(alone) < 2 || c.database == c.server.database {
		return nil, absent
	}
	var failed error
	for _, config := range alone {
		conn, err := c.connect(ctx, config)
		if err == nil {
			return conn, nil
		}
		failed = errors.Join(failed, err)
	}
	var p presence
	err := c.server.session(ctx, func(a *session) (err error) {
		p, err = a.look(c.database)
		return err
	})
	if err == nil && p.oid == 0 {
		return nil, absent
	}
	return nil, unavailable(errors.Join(errors.New(failed.Error()), err))
}

// eachHost returns a configuration for each host of one.
func eachHost(config pgx.ConnConfig) []pgx.ConnConfig {
	others := config.Fallbacks
	config.Fallbacks = nil
	all := []pgx.ConnConfig{config}
	for _, other := range others {
		config.Host, config.Port, config.TLSConfig = other.Host, other.Port, other.TLSConfig
		all = append(all, config)
	}
	return all
}
