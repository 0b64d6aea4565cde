package httpapi

import (
	"time"

	"portico"
	"portico/internal/control"
	"portico/internal/schema"
	"portico/internal/store"
)

// portalModels are the requests whose rules depend on the installation.
type portalModels struct {
	portalCreate *schema.Model[portico.PortalCreate]
	portalUpdate *schema.Model[portalPatch]
}

// portalPatch is a PortalUpdateRequest as it is read.
type portalPatch struct {
	name, description, domain schema.Patch[string]
}

const (
	maxName        = 80
	maxDescription = 2000
	maxDomain      = 253
	maxMessage     = 1000
	maxAddress     = 320
	maxSearch      = 200
)

func newPortalModels(c *control.Control) portalModels {
	name := schema.String().Len(1, maxName).Rule(portico.CleanName)
	description := schema.String().Len(-1, maxDescription).Rule(control.CleanDescription)
	domain := schema.String().Len(-1, maxDomain).Rule(c.CleanDomain)
	return portalModels{
		portalCreate: schema.Object("PortalCreateRequest",
			schema.Required("name", func(p *portico.PortalCreate) *string { return &p.Name }, name).
				Doc("The portal's name. The address label is made from it.").Example("Acme Customers"),
			schema.Optional("description", func(p *portico.PortalCreate) **string { return &p.Description }, schema.Null(description), nil).
				Doc("What the portal is for.").Example(new("Orders and invoices of our customers")),
			schema.Optional("custom_domain", func(p *portico.PortalCreate) **string { return &p.CustomDomain }, schema.Null(domain), nil).
				Doc("A host name of your own. It serves once it is proven to be yours.").Example(new("portal.acme.example.com")),
		),
		portalUpdate: schema.Object("PortalUpdateRequest",
			schema.Optional("name", func(p *portalPatch) *schema.Patch[string] { return &p.name }, schema.Change(name), schema.Patch[string]{}).
				Doc("A new name; null leaves it. The address label stays.").Example(value("Acme Partners")),
			schema.Optional("description", func(p *portalPatch) *schema.Patch[string] { return &p.description }, schema.Change(description), schema.Patch[string]{}).
				Doc("A new description; null clears it.").Example(value("For partners")),
			schema.Optional("custom_domain", func(p *portalPatch) *schema.Patch[string] { return &p.domain }, schema.Change(domain), schema.Patch[string]{}).
				Doc("Another host name; null detaches the present one.").Example(value("partners.acme.example.com")),
		),
	}
}

func value(s string) schema.Patch[string] { return schema.Patch[string]{Set: true, Value: s} }
func exampleTime() time.Time              { return time.Date(2026, 6, 29, 14, 41, 35, 355000000, time.UTC) }
func change(p schema.Patch[string]) portico.Change {
	c := portico.Change{Set: p.Set}
	if p.Set && !p.Null {
		c.Value = &p.Value
	}
	return c
}

// portalAnswer is a PortalResponse as it is written.
type portalAnswer struct {
	portico.Portal

	url          string
	domainStatus *string
	active       bool
}

const (
	examplePortal = "port_06h0k1tcp00006tbt6foqnel1s"
	exampleUser   = "user_06h0k1tddk000p2hkafgp9v938"
	exampleOrg    = "org_06gmmd88000025r899a99gf2e4"
)

var portalResponse = schema.Object("PortalResponse",
	schema.Required("id", func(p *portalAnswer) *string { return &p.ID }, schema.String()).Example(examplePortal),
	schema.Required("name", func(p *portalAnswer) *string { return &p.Name }, schema.String()).Example("Acme Customers"),
	schema.Required("api_name", func(p *portalAnswer) *string { return &p.APIName }, schema.String()).
		Doc("The portal's address label: fixed, and never used again by another portal.").Example("acme-customers"),
	schema.Required("description", func(p *portalAnswer) **string { return &p.Description }, schema.Null(schema.String())),
	schema.Required("organization_id", func(p *portalAnswer) *string { return &p.OrganizationID }, schema.String()).
		Doc("The production organization.").Example(exampleOrg),
	schema.Required("url", func(p *portalAnswer) *string { return &p.url }, schema.String()).
		Doc("Where guests enter: the custom domain once it is active.").Example("http://acme-customers.localhost:8010"),
	schema.Required("custom_domain", func(p *portalAnswer) **string { return &p.CustomDomain }, schema.Null(schema.String())),
	schema.Required("custom_domain_status", func(p *portalAnswer) **string { return &p.domainStatus },
		schema.Null(schema.String().Enum("pending_dns", "issuing_certificate", "active", "error"))),
	schema.Required("is_active", func(p *portalAnswer) *bool { return &p.active }, schema.Bool()).
		Doc("Serving now.").Example(true),
	schema.Required("created_date", func(p *portalAnswer) *time.Time { return &p.CreatedAt }, schema.Time()).Example(exampleTime()),
	schema.Required("modified_date", func(p *portalAnswer) *time.Time { return &p.ModifiedAt }, schema.Time()).Example(exampleTime()),
	schema.Required("created_by", func(p *portalAnswer) *string { return &p.CreatedBy }, schema.String()).Example(exampleUser),
	schema.Required("modified_by", func(p *portalAnswer) *string { return &p.ModifiedBy }, schema.String()).Example(exampleUser),
)

func (a *API) portalAnswer(p portico.Portal) portalAnswer {
	out := portalAnswer{Portal: p, url: a.control.PortalURL(p), active: p.Serving()}
	if p.DomainStatus != "" {
		out.domainStatus = new(string(p.DomainStatus))
	}
	return out
}

func (a *API) createPortal(q *request, in portico.PortalCreate) error {
	p, err := a.control.CreatePortal(q.ctx(), q.by, q.once, in)
	if err != nil {
		return err
	}
	return answer(q, portalResponse, a.portalAnswer(p))
}

func (a *API) getPortal(q *request) error {
	p, err := a.control.Portal(q.ctx(), q.by, q.param("portal_id"))
	if err != nil {
		return err
	}
	return answer(q, portalResponse, a.portalAnswer(p))
}

func (a *API) updatePortal(q *request, in portalPatch) error {
	update := portico.PortalUpdate{Name: change(in.name).Value, Description: change(in.description), CustomDomain: change(in.domain)}
	p, err := a.control.UpdatePortal(q.ctx(), q.by, q.once, q.param("portal_id"), update)
	if err != nil {
		return err
	}
	return answer(q, portalResponse, a.portalAnswer(p))
}

func (a *API) deletePortal(q *request) error {
	if err := a.control.DeletePortal(q.ctx(), q.by, q.once, q.param("portal_id")); err != nil {
		return err
	}
	return q.done()
}

func (a *API) listPortals(q *request, in page) error {
	return list(a, q, in, listing[portico.Portal]{
		read:  func(at store.Page) ([]portico.Portal, error) { return a.control.Portals(q.ctx(), q.by, at) },
		place: func(p portico.Portal) position { return position{p.CreatedAt, p.ID} },
		append: func(dst []byte, p portico.Portal) []byte {
			v := a.portalAnswer(p)
			return portalResponse.AppendJSON(dst, &v)
		},
	})
}
