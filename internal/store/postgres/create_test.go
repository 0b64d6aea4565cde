package postgres

import (
	"testing"

	"portico/internal/store/postgres/pgtest"
)

// TestCreateIsDurable: a server that dies the moment after a creation has all
// of it, the steps whose own commits were not waited for included.
func TestCreateIsDurable(t *testing.T) {
	t.Parallel()
	server := servers.Server(t, t.Name())
	e := openEngine(t, t.Name(), Config{})
	noError(t, e.Create(t.Context(), newID(t))) // and with it the template
	id := newID(t)
	noError(t, e.Create(t.Context(), id))
	noError(t, server.Kill())
	noError(t, e.Close())
	noError(t, server.Launch(t.Context()))
	e = closing(t, openEngine(t, t.Name(), Config{}))
	if found := listed(t, e)[name(id)]; !found.Complete || !found.Identity.Same(id) {
		t.Errorf("found %+v", found)
	}
	h, err := e.Open(t.Context(), id)
	noError(t, err)
	h.Release()
	rights, err := server.AskAs(t.Context(), pgtest.Superuser, name(id),
		`SELECT nspowner::regrole, has_database_privilege(nspowner, current_database(), 'CONNECT'), has_database_privilege('public', current_database(), 'CONNECT')
		FROM pg_namespace WHERE nspname = 'app'`)
	noError(t, err)
	if len(rights) != 1 || rights[0] != appRole(name(id))+"|t|f" {
		t.Errorf("rights are %q", rights)
	}
}
