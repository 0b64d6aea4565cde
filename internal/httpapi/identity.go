package httpapi

import (
	"time"

	"portico"
	"portico/internal/auth"
	"portico/internal/control"
	"portico/internal/schema"
	"portico/internal/store"
)

type login struct{ grant, username, password, scope string }

var loginForm = schema.Object("LoginForm",
	schema.Required("grant_type", func(l *login) *string { return &l.grant }, schema.String().Pattern("^password$")).Example("password"),
	schema.Required("username", func(l *login) *string { return &l.username }, schema.String()).
		Doc("The e-mail address.").Example("admin@demo.example.org"),
	schema.Required("password", func(l *login) *string { return &l.password }, schema.String().Format("password").Secret()),
	schema.Optional("scope", func(l *login) *string { return &l.scope }, schema.String(), ""),
)

type tokens struct{ access, refresh, kind string }

var tokenResponse = schema.Object("TokenResponse",
	schema.Required("access_token", func(t *tokens) *string { return &t.access }, schema.String()).
		Doc("A JWT for the Authorization header, good for 15 minutes.").Example("eyJhbGciOiJFZERTQSI…"),
	schema.Required("refresh_token", func(t *tokens) *string { return &t.refresh }, schema.String()).
		Doc("Good once, for the next tokens.").Example("portico_ref_…"),
	schema.Required("token_type", func(t *tokens) *string { return &t.kind }, schema.String()).Example("bearer"),
)

func (a *API) origin(q *request) control.Origin {
	return control.Origin{Remote: remote(q.r), RequestID: q.id}
}

func sendTokens(q *request, t auth.Tokens, err error) error {
	if err != nil {
		return err
	}
	return answer(q, tokenResponse, tokens{t.AccessToken, t.RefreshToken, "bearer"})
}

func (a *API) login(q *request, in login) error {
	t, err := a.control.SignIn(q.ctx(), in.username, in.password, a.origin(q))
	return sendTokens(q, t, err)
}

type refresh struct{ token string }

var refreshRequest = schema.Object("RefreshRequest",
	schema.Required("refresh_token", func(r *refresh) *string { return &r.token }, schema.String().Secret()))

func (a *API) refresh(q *request, in refresh) error {
	t, err := a.control.Refresh(q.ctx(), in.token, a.origin(q))
	return sendTokens(q, t, err)
}

type switchTo struct{ id string }

var switchRequest = schema.Object("SwitchRequest",
	schema.Required("id", func(s *switchTo) *string { return &s.id }, schema.String()).
		Doc("The organization's id.").Example(exampleOrg))

func (a *API) switchTo(q *request, in switchTo) error {
	t, err := a.control.Switch(q.ctx(), q.by, in.id)
	return sendTokens(q, t, err)
}

func (a *API) logout(q *request) error {
	if err := a.control.Logout(q.ctx(), q.by); err != nil {
		return err
	}
	q.w.WriteHeader(q.route.success)
	return nil
}

type affiliation struct{ id, name, kind, role string }

var organizationResponse = schema.Object("OrganizationResponse",
	schema.Required("id", func(o *affiliation) *string { return &o.id }, schema.String()).Example(exampleOrg),
	schema.Required("name", func(o *affiliation) *string { return &o.name }, schema.String()).Example("Acme"),
	schema.Required("kind", func(o *affiliation) *string { return &o.kind }, schema.String().Enum("production", "sandbox", "portal")).Example("production"),
	schema.Required("role", func(o *affiliation) *string { return &o.role }, schema.String().Enum("owner", "admin", "member", "guest")).Example("admin"),
)

// profile is the user of a LoadResponse as it is written.
type profile struct {
	control.Profile

	id, name, email, role string
	portalID              *string
	organizations         []affiliation
}

var profileResponse = schema.Object("ProfileResponse",
	schema.Required("id", func(p *profile) *string { return &p.id }, schema.String()).Example(exampleUser),
	schema.Required("name", func(p *profile) *string { return &p.name }, schema.String()).Example("Grace Hopper"),
	schema.Required("email", func(p *profile) *string { return &p.email }, schema.String()).Example("admin@demo.example.org"),
	schema.Required("organization_id", func(p *profile) *string { return &p.OrganizationID }, schema.String()).Example(exampleOrg),
	schema.Required("organization_name", func(p *profile) *string { return &p.OrganizationName }, schema.String()).Example("Acme"),
	schema.Required("role", func(p *profile) *string { return &p.role }, schema.String()).Example("admin"),
	schema.Required("is_account_owner", func(p *profile) *bool { return &p.IsAccountOwner }, schema.Bool()).Example(false),
	schema.Required("is_account_admin", func(p *profile) *bool { return &p.IsAccountAdmin }, schema.Bool()).Example(true),
	schema.Required("is_portal_user", func(p *profile) *bool { return &p.IsPortalUser }, schema.Bool()).Example(false),
	schema.Required("portal_id", func(p *profile) **string { return &p.portalID }, schema.Null(schema.String())),
	schema.Required("organizations", func(p *profile) *[]affiliation { return &p.organizations }, schema.Array(organizationResponse)).
		Example([]affiliation{{exampleOrg, "Acme", "production", "admin"}}),
)

type loaded struct {
	user profile
	name string
}

var loadResponse = schema.Object("LoadResponse",
	schema.Required("user", func(l *loaded) *profile { return &l.user }, profileResponse),
	schema.Required("organization_name", func(l *loaded) *string { return &l.name }, schema.String()).Example("Acme"),
)

func (a *API) load(q *request) error {
	p, err := a.control.Load(q.ctx(), q.by)
	if err != nil {
		return err
	}
	user := profile{
		Profile: p, id: p.Account.ID, name: p.Account.Name, email: p.Account.Email, role: string(p.Role),
		portalID: orNull(p.PortalID), organizations: make([]affiliation, len(p.Organizations)),
	}
	for i, o := range p.Organizations {
		user.organizations[i] = affiliationOf(o)
	}
	return answer(q, loadResponse, loaded{user, p.OrganizationName})
}

func affiliationOf(o store.Affiliation) affiliation {
	return affiliation{o.ID, o.Name, string(o.Kind), string(o.Role)}
}

// patCreate is a PersonalAccessTokenRequest as it is read.
type patCreate struct {
	name   string
	days   *int
	scopes *[]string
}

var patRequest = schema.Object("PersonalAccessTokenRequest",
	schema.Required("name", func(t *patCreate) *string { return &t.name }, schema.String().Len(1, maxName).Rule(portico.CleanName)).
		Doc("What the token is for.").Example("deploy script"),
	schema.Optional("expires_in_days", func(t *patCreate) **int { return &t.days },
		schema.Null(schema.Int().Min(1).Max(control.MaxTokenDays)), nil).Doc("null: never.").Example(new(90)),
	schema.Optional("scopes", func(t *patCreate) **[]string { return &t.scopes },
		schema.Null(schema.Array(schema.String().Rule(knownScope)).Len(-1, maxScopes)), nil).
		Doc("What the token may do; null: everything that its owner may.").Example(&[]string{"portal:read"}),
)

const maxScopes = 16

func knownScope(s string) (string, error) {
	scope, err := portico.ParseScope(s)
	return string(scope), err
}

type pat struct {
	id, name            string
	scopes              *[]string
	token               *string
	created             time.Time
	expiresAt, lastUsed *time.Time
}

var patResponse = schema.Object("PersonalAccessTokenResponse",
	schema.Required("id", func(t *pat) *string { return &t.id }, schema.String()).Example("pat_06h0k1tddk004u7h0ab9tvf9s8"),
	schema.Required("name", func(t *pat) *string { return &t.name }, schema.String()).Example("deploy script"),
	schema.Required("scopes", func(t *pat) **[]string { return &t.scopes }, schema.Null(schema.Array(schema.String()))),
	schema.Required("token", func(t *pat) **string { return &t.token }, schema.Null(schema.String())).
		Doc("The token itself: only in the answer that made it."),
	schema.Required("created_at", func(t *pat) *time.Time { return &t.created }, schema.Time()).Example(exampleTime()),
	schema.Required("expires_at", func(t *pat) **time.Time { return &t.expiresAt }, schema.Null(schema.Time())),
	schema.Required("last_used_at", func(t *pat) **time.Time { return &t.lastUsed }, schema.Null(schema.Time())),
)

func patAnswer(t control.Token) pat {
	out := pat{id: t.ID, name: t.Name, token: orNull(t.Secret), created: t.CreatedAt, expiresAt: t.ExpiresAt, lastUsed: t.LastUsedAt}
	if t.Scopes != nil {
		scopes := make([]string, len(t.Scopes))
		for i, s := range t.Scopes {
			scopes[i] = string(s)
		}
		out.scopes = &scopes
	}
	return out
}

func (a *API) createPAT(q *request, in patCreate) error {
	create := control.TokenCreate{Name: in.name, ExpiresInDays: in.days}
	if in.scopes != nil {
		create.Scopes = append([]string{}, *in.scopes...) // empty: none; nil: all
	}
	t, err := a.control.CreateToken(q.ctx(), q.by, create)
	if err != nil {
		return err
	}
	return answer(q, patResponse, patAnswer(t))
}

func (a *API) listPATs(q *request) error {
	all, err := a.control.ListTokens(q.ctx(), q.by)
	if err != nil {
		return err
	}
	out := newArray(q)
	for _, t := range all {
		v := patAnswer(t)
		out.buf = patResponse.AppendJSON(out.item(), &v)
	}
	return out.end()
}

func (a *API) revokePAT(q *request) error {
	if err := a.control.RevokeToken(q.ctx(), q.by, q.param("pat_id")); err != nil {
		return err
	}
	return q.done()
}

type status struct{ status string }

var statusResponse = schema.Object("StatusResponse",
	schema.Required("status", func(s *status) *string { return &s.status }, schema.String()).Example("ok"))

func (a *API) status(q *request) error { return answer(q, statusResponse, status{"ok"}) }

type routeAnswer struct {
	method, path string
	scope        *string
}

var routeResponse = schema.Object("RouteResponse",
	schema.Required("method", func(r *routeAnswer) *string { return &r.method }, schema.String()).Example("GET"),
	schema.Required("path", func(r *routeAnswer) *string { return &r.path }, schema.String()).Example("/v1/portal"),
	schema.Required("scope", func(r *routeAnswer) **string { return &r.scope }, schema.Null(schema.String())).
		Doc("The scope that a personal access token needs; null: none.").Example(new("portal:read")),
)

func (a *API) listRoutes(q *request) error {
	out := newArray(q)
	for _, r := range a.routes {
		v := routeAnswer{r.method, r.path, orNull(string(r.scope))}
		out.buf = routeResponse.AppendJSON(out.item(), &v)
	}
	return out.end()
}
