package control_test

import (
	"strings"
	"testing"

	"portico"
	"portico/internal/control"
)

func TestCreateOrganization(t *testing.T) { //nolint:tparallel // the cases share one registry, looked at after them
	t.Parallel()
	w := newIdentity(t)
	parent := w.organization("  Acme  ")
	if parent.Name != "Acme" || !portico.ValidID(parent.ID, portico.PrefixOrganization) {
		t.Errorf("made %+v", parent)
	}
	sandbox, err := w.CreateOrganization(t.Context(), control.OrganizationCreate{Name: "Try", Kind: portico.Sandbox, ParentID: parent.ID})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		in    control.OrganizationCreate
		field string
	}{
		{"blank name", control.OrganizationCreate{Name: " ", Kind: portico.Production}, "name"},
		{"long name", control.OrganizationCreate{Name: strings.Repeat("x", 81), Kind: portico.Production}, "name"},
		{"a portal", control.OrganizationCreate{Name: "x", Kind: portico.PortalKind, ParentID: parent.ID}, "kind"},
		{"no kind", control.OrganizationCreate{Name: "x"}, "kind"},
		{"production with a parent", control.OrganizationCreate{Name: "x", Kind: portico.Production, ParentID: parent.ID}, "parent"},
		{"sandbox without a parent", control.OrganizationCreate{Name: "x", Kind: portico.Sandbox}, "parent"},
		{"sandbox of a sandbox", control.OrganizationCreate{Name: "x", Kind: portico.Sandbox, ParentID: sandbox.ID}, "parent"},
		{"sandbox of nothing", control.OrganizationCreate{Name: "x", Kind: portico.Sandbox, ParentID: "org_\x00"}, "parent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.CreateOrganization(t.Context(), tt.in)
			wantField(t, err, tt.field)
		})
	}
	all, err := w.Organizations(t.Context())
	if err != nil || len(all) != 2 || all[0].ID != parent.ID || all[1].ID != sandbox.ID {
		t.Errorf("listed %+v, %v", all, err)
	}
	w.events(parent, portico.ActionOrganizationCreated)
	w.events(sandbox, portico.ActionOrganizationCreated)
}

// TestSuspend is A24 for a suspended organization.
func TestSuspend(t *testing.T) {
	t.Parallel()
	w := newIdentity(t)
	o := w.organization("Acme")
	w.member(o, "ada@example.com", portico.Owner)
	tokens, p := w.signIn("ada@example.com")
	if err := p.MayAdministerPortals(portico.ScopePortalRead); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.SuspendOrganization(t.Context(), o.ID); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, w.principal(tokens.AccessToken).MayAdministerPortals(portico.ScopePortalRead), portico.KindForbidden)
	_, p = w.signIn("ada@example.com")
	wantKind(t, p.MayAdministerPortals(portico.ScopePortalRead), portico.KindForbidden)
	for range 2 {
		if err := w.ActivateOrganization(t.Context(), o.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.principal(tokens.AccessToken).MayAdministerPortals(portico.ScopePortalRead); err != nil {
		t.Errorf("active again, but %v", err)
	}
	wantKind(t, w.SuspendOrganization(t.Context(), "org_x"), portico.KindNotFound)
	wantKind(t, w.SuspendOrganization(t.Context(), w.portal(o).ID), portico.KindNotFound)
	w.events(o, portico.ActionOrganizationCreated, portico.ActionAccountCreated, portico.ActionSignedIn,
		portico.ActionOrganizationSuspended, portico.ActionSignedIn, portico.ActionOrganizationActivated)
}
