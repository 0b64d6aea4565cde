package httpapi

import (
	"portico/internal/schema"
	"portico/internal/store"
)

// databaseAnswer is a PortalDatabaseResponse as it is written.
type databaseAnswer struct {
	engine    string
	url, path *string
}

var databaseResponse = schema.Object("PortalDatabaseResponse",
	schema.Required("engine", func(d *databaseAnswer) *string { return &d.engine }, schema.String().Enum("postgres", "sqlite")).
		Doc("What the portal's database is kept in.").Example("postgres"),
	schema.Required("url", func(d *databaseAnswer) **string { return &d.url }, schema.Null(schema.String())).
		Doc("PostgreSQL: the address for the app's own role, with its password. The app finds its tables in the schema app.").
		Example(new("postgres://p_06h0k1tcp00006tbt6foqnel1s_g1_app:K5QXW7MZ…@db1.example.com/p_06h0k1tcp00006tbt6foqnel1s_g1")),
	schema.Required("path", func(d *databaseAnswer) **string { return &d.path }, schema.Null(schema.String())).
		Doc("SQLite: the app's own file, on the machine of the service."),
)

func answerDatabase(q *request, at store.AppAddress) error {
	d := databaseAnswer{engine: at.Engine}
	if at.URL != "" {
		d.url = &at.URL
	}
	if at.Path != "" {
		d.path = &at.Path
	}
	return answer(q, databaseResponse, d)
}

func (a *API) portalDatabase(q *request) error {
	at, err := a.control.PortalDatabase(q.ctx(), q.by, q.param("portal_id"))
	if err != nil {
		return err
	}
	return answerDatabase(q, at)
}

func (a *API) rotateDatabase(q *request) error {
	at, err := a.control.RotateDatabase(q.ctx(), q.by, q.param("portal_id"))
	if err != nil {
		return err
	}
	return answerDatabase(q, at)
}
