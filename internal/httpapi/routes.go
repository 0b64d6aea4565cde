package httpapi

import (
	"net/http"
	"slices"

	"portico"
	"portico/internal/schema"
)

// access says who may use a route at all.
type access uint8

const (
	administrator access = iota // a production organization's, with the route's scope
	anyone                      // any good credential
	manager                     // an owner or admin of the caller's organization, a sandbox's too
	person                      // one that signed in, not a personal access token
	public                      // nobody needs to say who they are
)

// route is one operation: all that routing, authorization and documents need.
type route struct {
	method string
	path   string
	id     string // operationId
	title  string
	doc    string
	tag    string
	access access
	scope  portico.Scope
	once   bool // takes an Idempotency-Key
	form   bool // the body is a form

	unlimited bool // never shed: it answers when nothing else does

	body    schema.Component
	query   interface{ Parameters(in string) []any }
	success int
	handle  func(*request) error

	response  schema.Component // of success; nil: nothing is promised of it
	listTitle string           // set when the response is an array of them

	cli, sdk string // the same on the command line and in Go; see samples.go
}

const (
	tagPortal = "portal"
	tagAuth   = "auth"
	tagStatus = "status"
)

// only is added to the description of each operation on portals.
const only = " Only accessible by production organization administrators."

// table returns the routes in the order of the documents.
func (a *API) table() []*route {
	return slices.Concat(a.portalRoutes(), a.invitationRoutes(), a.databaseRoutes(), a.identityRoutes(), a.memberRoutes(), a.serviceRoutes())
}

func (a *API) portalRoutes() []*route {
	return []*route{
		{
			method: "POST", path: "/v1/portal", id: "create_portal_v1_portal_post", title: "Create Portal",
			doc: "Creates a new portal experience under the parent production tenant." + only,
			tag: tagPortal, scope: portico.ScopePortalWrite, once: true, body: a.models.portalCreate,
			success: http.StatusCreated, response: portalResponse, handle: body(a.models.portalCreate, a.createPortal),
			cli: "portico portal create {name}[[ --description {description}]][[ --domain {custom_domain}]]",
			sdk: "portal, err := c.CreatePortal(ctx, client.PortalCreate{Name: {name}[[, Description: new({description})]][[, CustomDomain: new({custom_domain})]]})",
		}, {
			method: "GET", path: "/v1/portal", id: "list_portals_v1_portal_get", title: "List Portals",
			doc: "Lists the portals of the production tenant, oldest first." + only,
			tag: tagPortal, scope: portico.ScopePortalRead, query: portalQuery,
			success: http.StatusOK, response: portalResponse, listTitle: "Response List Portals V1 Portal Get",
			handle: a.paged(portalQuery, a.listPortals),
			cli:    "portico portal list[[ --search {q}]]",
			sdk:    "portals, err := client.Collect(c.Portals(ctx, {q}))",
		}, {
			method: "GET", path: "/v1/portal/{portal_id}", id: "get_portal_v1_portal__portal_id__get", title: "Get Portal",
			doc: "Returns one portal of the production tenant." + only,
			tag: tagPortal, scope: portico.ScopePortalRead,
			success: http.StatusOK, response: portalResponse, handle: bare(a.getPortal),
			cli: "portico portal get {portal_id}",
			sdk: "portal, err := c.Portal(ctx, {portal_id})",
		}, {
			method: "PATCH", path: "/v1/portal/{portal_id}", id: "update_portal_v1_portal__portal_id__patch", title: "Update Portal",
			doc: "Updates an existing portal's name or custom domain." + only,
			tag: tagPortal, scope: portico.ScopePortalWrite, once: true, body: a.models.portalUpdate,
			success: http.StatusOK, response: portalResponse, handle: body(a.models.portalUpdate, a.updatePortal),
			cli: "portico portal update {portal_id}[[ --name {name}]][[ --description {description}]][[ --domain {custom_domain}]]",
			sdk: "var change client.PortalUpdate[[\nchange.Name = {name}]][[\nchange.Description = client.Set({description})]]" +
				"[[\nchange.CustomDomain = client.Set({custom_domain})]]\nportal, err := c.UpdatePortal(ctx, {portal_id}, change)",
		}, {
			method: "DELETE", path: "/v1/portal/{portal_id}", id: "delete_portal_v1_portal__portal_id__delete", title: "Delete Portal",
			doc: "Deletes a portal and drops its associated database entirely." + only,
			tag: tagPortal, scope: portico.ScopePortalWrite, once: true,
			success: http.StatusOK, handle: bare(a.deletePortal),
			cli: "portico portal delete {portal_id}",
			sdk: "err := c.DeletePortal(ctx, {portal_id})",
		}, {
			method: "POST", path: "/v1/portal/{portal_id}/users", id: "invite_portal_user_bulk_v1_portal__portal_id__users_post",
			title: "Invite Portal User Bulk",
			doc:   "Invites a guest user to a portal, auto-linking existing global accounts if they exist." + only,
			tag:   tagPortal, scope: portico.ScopePortalUserWrite, once: true, body: inviteRequest,
			success: http.StatusCreated, response: inviteResponse, handle: body(inviteRequest, a.inviteUsers),
			cli: "portico guest invite {portal_id} {users}[[ --message {message}]]",
			sdk: "answer, err := c.InviteGuests(ctx, {portal_id}, client.Invite{Users: []client.Recipient{{users}}" +
				"[[, Message: new({message})]][[, SendEmail: new({send_email})]][[, DryRun: {dry_run}]]})",
		}, {
			method: "GET", path: "/v1/portal/{portal_id}/users", id: "list_portal_users_v1_portal__portal_id__users_get",
			title: "List Portal Users",
			doc:   "Lists all authorized users registered inside a portal's local database." + only,
			tag:   tagPortal, scope: portico.ScopePortalUserRead, query: userQuery,
			success: http.StatusOK, response: userResponse, listTitle: "Response List Portal Users V1 Portal  Portal Id  Users Get",
			handle: a.paged(userQuery, a.listUsers),
			cli:    "portico guest list {portal_id}[[ --status {status}]][[ --search {q}]]",
			sdk:    "guests, err := client.Collect(c.Guests(ctx, {portal_id}, client.Filter{Status: {status}, Query: {q}}))",
		}, {
			method: "DELETE", path: "/v1/portal/{portal_id}/users/{user_id}",
			id:    "remove_portal_user_v1_portal__portal_id__users__user_id__delete",
			title: "Remove Portal User",
			doc:   "Removes a guest user's access from a portal and drops their membership documents." + only,
			tag:   tagPortal, scope: portico.ScopePortalUserWrite, once: true,
			success: http.StatusOK, handle: bare(a.removeUser),
			cli: "portico guest remove {portal_id} {user_id}",
			sdk: "err := c.RemoveGuest(ctx, {portal_id}, {user_id})",
		},
	}
}

func (a *API) invitationRoutes() []*route {
	return []*route{
		{
			method: "GET", path: "/v1/portal/{portal_id}/invitations", id: "list_portal_invitations_v1_portal__portal_id__invitations_get",
			title: "List Portal Invitations",
			doc:   "Lists a portal's invitations, oldest first: what became of each, and of its mail." + only,
			tag:   tagPortal, scope: portico.ScopePortalUserRead, query: invitationQuery,
			success: http.StatusOK, response: invitationResponse, listTitle: "Response List Portal Invitations V1 Portal  Portal Id  Invitations Get",
			handle: a.paged(invitationQuery, a.listInvitations),
			sdk:    "invitations, err := client.Collect(c.Invitations(ctx, {portal_id}, client.Filter{Status: {status}, Query: {q}}))",
		}, {
			method: "POST", path: "/v1/portal/{portal_id}/invitations/resend",
			id:    "resend_portal_invitation_bulk_v1_portal__portal_id__invitations_resend_post",
			title: "Resend Portal Invitation Bulk",
			doc:   "Sends invitations again, with new links; those sent before are void. One that cannot be sent never fails the others." + only,
			tag:   tagPortal, scope: portico.ScopePortalUserWrite, once: true, body: resendRequest,
			success: http.StatusOK, response: resendResponse, handle: body(resendRequest, a.resendInvitations),
		}, {
			method: "POST", path: "/v1/portal/{portal_id}/invitations/{invitation_id}/resend",
			id:    "resend_portal_invitation_v1_portal__portal_id__invitations__invitation_id__resend_post",
			title: "Resend Portal Invitation",
			doc:   "Sends an invitation again, with a new link; the one sent before is void. One that ran out or bounced waits again." + only,
			tag:   tagPortal, scope: portico.ScopePortalUserWrite, once: true,
			success: http.StatusOK, response: invitationResponse, handle: bare(a.resendInvitation),
			sdk: "invitation, err := c.ResendInvitation(ctx, {portal_id}, {invitation_id})",
		}, {
			method: "DELETE", path: "/v1/portal/{portal_id}/invitations/{invitation_id}",
			id:    "revoke_portal_invitation_v1_portal__portal_id__invitations__invitation_id__delete",
			title: "Revoke Portal Invitation",
			doc: "Revokes an invitation that was not accepted: its link is void, its mail is not sent, and the guest is no longer " +
				"registered in the portal's database. The invitation stays in the list as revoked." + only,
			tag: tagPortal, scope: portico.ScopePortalUserWrite, once: true,
			success: http.StatusOK, handle: bare(a.revokeInvitation),
			sdk: "err := c.RevokeInvitation(ctx, {portal_id}, {invitation_id})",
		},
	}
}

// databaseRoutes are those of the platform's own app.
func (a *API) databaseRoutes() []*route {
	return []*route{
		{
			method: "GET", path: "/v1/portal/{portal_id}/database", id: "get_portal_database_v1_portal__portal_id__database_get",
			title: "Get Portal Database",
			doc: "Returns how the platform's own app reaches its database in a portal. Ask when the app starts, and again when the" +
				" address does not work any more: a portal that is moved or restored has another." + only,
			tag: tagPortal, scope: portico.ScopePortalDatabase,
			success: http.StatusOK, response: databaseResponse, handle: bare(a.portalDatabase),
			cli: "portico portal database {portal_id}",
			sdk: "database, err := c.PortalDatabase(ctx, {portal_id})",
		}, {
			method: "POST", path: "/v1/portal/{portal_id}/database/rotate",
			id:    "rotate_portal_database_v1_portal__portal_id__database_rotate_post",
			title: "Rotate Portal Database",
			doc: "Gives the platform's own app another password for its database in a portal. The earlier one is void when the answer" +
				" comes, and the connections made with it are cut. Takes no `Idempotency-Key`: the answer is a secret." + only,
			tag: tagPortal, scope: portico.ScopePortalDatabase,
			success: http.StatusOK, response: databaseResponse, handle: bare(a.rotateDatabase),
			cli: "portico portal database {portal_id} --rotate",
			sdk: "database, err := c.RotatePortalDatabase(ctx, {portal_id})",
		},
	}
}

func (a *API) identityRoutes() []*route {
	return []*route{
		{
			method: "POST", path: "/v1/oauth2/login", id: "login_v1_oauth2_login_post", title: "Login",
			doc: "Signs in with e-mail address and password, to the organization last used.",
			tag: tagAuth, access: public, form: true, body: loginForm,
			success: http.StatusOK, response: tokenResponse, handle: body(loginForm, a.login),
		}, {
			method: "POST", path: "/v1/oauth2/refresh", id: "refresh_v1_oauth2_refresh_post", title: "Refresh",
			doc: "Exchanges a refresh token for new tokens. The old one is void; using it again ends the session.",
			tag: tagAuth, access: public, body: refreshRequest,
			success: http.StatusOK, response: tokenResponse, handle: body(refreshRequest, a.refresh),
		}, {
			method: "GET", path: "/v1/auth/load", id: "load_v1_auth_load_get", title: "Load",
			doc: "Returns who the caller is, in which organization, and which others there are.",
			tag: tagAuth, access: anyone,
			success: http.StatusOK, response: loadResponse, handle: bare(a.load),
		}, {
			method: "POST", path: "/v1/auth/switch", id: "switch_v1_auth_switch_post", title: "Switch",
			doc: "Returns tokens for another organization of the caller. A personal access token cannot switch.",
			tag: tagAuth, access: person, body: switchRequest,
			success: http.StatusOK, response: tokenResponse, handle: body(switchRequest, a.switchTo),
		}, {
			method: "POST", path: "/v1/auth/logout", id: "logout_v1_auth_logout_post", title: "Logout",
			doc: "Ends the caller's session: its tokens are void from the next request on.",
			tag: tagAuth, access: anyone, success: http.StatusNoContent, handle: bare(a.logout),
		}, {
			method: "POST", path: "/v1/auth/pats", id: "create_pat_v1_auth_pats_post", title: "Create Personal Access Token",
			doc: "Makes a personal access token for the organization that the caller is in. The token is shown this once.",
			tag: tagAuth, access: person, body: patRequest,
			success: http.StatusOK, response: patResponse, handle: body(patRequest, a.createPAT),
		}, {
			method: "GET", path: "/v1/auth/pats", id: "list_pats_v1_auth_pats_get", title: "List Personal Access Tokens",
			doc: "Lists the caller's personal access tokens for the organization that the caller is in.",
			tag: tagAuth, access: person,
			success: http.StatusOK, response: patResponse, listTitle: "Response List Pats V1 Auth Pats Get", handle: bare(a.listPATs),
		}, {
			method: "DELETE", path: "/v1/auth/pats/{pat_id}", id: "revoke_pat_v1_auth_pats__pat_id__delete",
			title: "Revoke Personal Access Token",
			doc:   "Ends a personal access token from the next request on.",
			tag:   tagAuth, access: person,
			success: http.StatusOK, handle: bare(a.revokePAT),
		},
	}
}

func (a *API) memberRoutes() []*route {
	const only = " Only accessible by the organization's owners and admins; never leaves it without one."
	return []*route{
		{
			method: "GET", path: "/v1/members", id: "list_members_v1_members_get", title: "List Members",
			doc: "Lists the members of the caller's organization, then who is invited to be one, each oldest first." + only,
			tag: tagAuth, access: manager,
			success: http.StatusOK, response: memberResponse, listTitle: "Response List Members V1 Members Get", handle: bare(a.listMembers),
		}, {
			method: "POST", path: "/v1/members", id: "invite_member_v1_members_post", title: "Invite Member",
			doc: "Invites somebody by mail to be a member of the caller's organization. Whoever has the address accepts, by setting a" +
				" password, a mailed code, or signing in; the answer does not tell whether they have an account." + only,
			tag: tagAuth, access: manager, body: memberRequest,
			success: http.StatusCreated, response: memberResponse, handle: body(memberRequest, a.inviteMember),
		}, {
			method: "PATCH", path: "/v1/members/{user_id}", id: "update_member_v1_members__user_id__patch", title: "Update Member",
			doc: "Gives a member another role." + only,
			tag: tagAuth, access: manager, body: memberPatch,
			success: http.StatusOK, response: memberResponse, handle: body(memberPatch, a.changeMember),
		}, {
			method: "DELETE", path: "/v1/members/{user_id}", id: "remove_member_v1_members__user_id__delete", title: "Remove Member",
			doc: "Ends a membership, with the sessions and tokens that rest on it." + only,
			tag: tagAuth, access: manager,
			success: http.StatusOK, handle: bare(a.dropMember),
		}, {
			method: "POST", path: "/v1/members/invitations/{invitation_id}/resend",
			id:    "resend_member_invitation_v1_members_invitations__invitation_id__resend_post",
			title: "Resend Member Invitation",
			doc:   "Sends an invitation again, with a new link; the one sent before is void. One that ran out or bounced waits again." + only,
			tag:   tagAuth, access: manager,
			success: http.StatusOK, response: memberResponse, handle: bare(a.resendMember),
		}, {
			method: "DELETE", path: "/v1/members/invitations/{invitation_id}",
			id:    "revoke_member_invitation_v1_members_invitations__invitation_id__delete",
			title: "Revoke Member Invitation",
			doc:   "Ends an invitation that was not accepted: its link is void and its mail is not sent." + only,
			tag:   tagAuth, access: manager,
			success: http.StatusOK, handle: bare(a.revokeMember),
		}, {
			method: "GET", path: "/v1/audit", id: "list_audit_v1_audit_get", title: "List Audit Records",
			doc: "Lists what was done in the caller's organization, the newest first. Only accessible by the organization's owners and admins.",
			tag: tagAuth, access: manager, query: auditQuery,
			success: http.StatusOK, response: recordResponse, listTitle: "Response List Audit V1 Audit Get", handle: a.paged(auditQuery, a.listAudit),
			cli: "portico audit[[ --action {action}]][[ --actor {actor}]][[ --subject {subject}]][[ --portal {portal_id}]][[ --from {from}]][[ --until {until}]]",
			sdk: "records, err := client.Collect(c.Audit(ctx, client.AuditFilter{Action: {action}, Actor: {actor}, Subject: {subject}, PortalID: {portal_id}}))",
		},
	}
}

func (a *API) serviceRoutes() []*route {
	return []*route{
		{
			method: "GET", path: "/v1/status", id: "status_v1_status_get", title: "Status",
			doc: "Says that the service answers.", tag: tagStatus, access: public, unlimited: true,
			success: http.StatusOK, response: statusResponse, handle: bare(a.status),
		}, {
			method: "GET", path: "/v1/routes", id: "routes_v1_routes_get", title: "Routes",
			doc: "Lists every route with the scope that it needs.", tag: tagStatus, access: anyone,
			success: http.StatusOK, response: routeResponse, listTitle: "Response Routes V1 Routes Get", handle: bare(a.listRoutes),
		},
	}
}
