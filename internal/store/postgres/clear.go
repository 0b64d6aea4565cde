package postgres

import (
	"context"
	"fmt"

	"portico"
)

// leftOn are the databases and roles on a server that a registry of ours may
// have made: templates, which hold nothing, and what has a name as portals' have,
// in use or set aside.
const leftOn = `SELECT datname::text FROM pg_database WHERE %s`

const (
	areTemplates = `datname ~ '^portico_template_v[0-9]+_[0-9a-f]{8}$' AND pg_has_role(datdba, 'USAGE')`
	areData      = `datname ~ '^[pq]_[0-9a-z]{26}_g[0-9]+(_[0-9]+)?$'`
)

// Clear drops the templates on a server that holds no portals of ours any more;
// one that another registry needs is made again by that. It returns what else
// has a name of ours, and stays: databases hold data, and are a person's to drop.
func (e *Engine) Clear(ctx context.Context, url string) (left []string, err error) {
	s, err := e.newServer(Cluster{URL: url})
	if err != nil {
		return nil, err
	}
	defer s.close() //nolint:errcheck // nothing is left to lose
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	err = s.session(ctx, func(a *session) error {
		templates, err := a.column(fmt.Sprintf(leftOn, areTemplates))
		if err != nil {
			return err
		}
		for _, name := range templates {
			if err := a.lock(ctx, name); err != nil {
				return err
			}
			if err := a.exec(dropLimit, "DROP DATABASE IF EXISTS "+quote(name)); err != nil {
				return err
			}
		}
		databases, err := a.column(fmt.Sprintf(leftOn, areData))
		for _, name := range databases {
			what := "set aside"
			if _, _, ok := portico.ParseDatabaseName(name); ok {
				what = "not this registry's"
			}
			left = append(left, fmt.Sprintf("database %s, %s, with role %s if that is there", name, what, appRole(name)))
		}
		return err
	})
	return left, translate(err)
}
