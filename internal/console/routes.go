package console

// Route is one route of the console.
type Route struct {
	Method, Path string

	open   bool // nobody needs to be signed in
	upload bool // takes a file beside its form
	handle func(*request) error
}

// Routes returns the table of routes, for the tests that hold them against the
// authorization matrix.
func (c *Console) Routes() []Route { return c.routes() }

func (c *Console) routes() []Route {
	return []Route{
		{Method: "GET", Path: "/{$}", handle: c.home},
		{Method: "GET", Path: "/sign-in", open: true, handle: c.showSignIn},
		{Method: "POST", Path: "/sign-in", open: true, handle: c.signIn},
		{Method: "GET", Path: "/setup/{token}", open: true, handle: c.showSetup},
		{Method: "POST", Path: "/setup/{token}", open: true, handle: c.setUp},
		{Method: "POST", Path: "/sign-out", open: true, handle: c.signOut},
		{Method: "POST", Path: "/session/token", handle: c.lendToken},
		{Method: "GET", Path: "/organizations", handle: c.showOrganizations},
		{Method: "POST", Path: "/organizations", handle: c.switchOrganization},

		{Method: "GET", Path: "/portals", handle: c.listPortals},
		{Method: "POST", Path: "/portals", handle: c.createPortal},
		{Method: "GET", Path: "/portals/new", handle: c.newPortal},
		{Method: "GET", Path: "/portals/{portal}", handle: c.showPortal},
		{Method: "GET", Path: "/portals/{portal}/creation", handle: c.showCreation},
		{Method: "GET", Path: "/portals/{portal}/guests", handle: c.listGuests},
		{Method: "GET", Path: "/portals/{portal}/guests.csv", handle: c.exportGuests},
		{Method: "POST", Path: "/portals/{portal}/guests/{user}/remove", handle: c.removeGuest},
		{Method: "POST", Path: "/portals/{portal}/invitations/{invitation}/resend", handle: c.resendInvitation},
		{Method: "POST", Path: "/portals/{portal}/invitations/{invitation}/revoke", handle: c.revokeInvitation},
		{Method: "GET", Path: "/portals/{portal}/activity", handle: c.portalActivity},
		{Method: "GET", Path: "/portals/{portal}/api", handle: c.portalAPI},
		{Method: "GET", Path: "/portals/{portal}/settings", handle: c.portalSettings},
		{Method: "POST", Path: "/portals/{portal}/settings", handle: c.updatePortal},
		{Method: "POST", Path: "/portals/{portal}/delete", handle: c.deletePortal},

		{Method: "GET", Path: "/portals/{portal}/invite", handle: c.newImport},
		{Method: "POST", Path: "/portals/{portal}/invite", upload: true, handle: c.draftImport},
		{Method: "GET", Path: "/portals/{portal}/imports/{import}", handle: c.showImport},
		{Method: "GET", Path: "/portals/{portal}/imports/{import}/result.csv", handle: c.exportImport},
		{Method: "POST", Path: "/portals/{portal}/imports/{import}/send", handle: c.sendImport},
		{Method: "POST", Path: "/portals/{portal}/imports/{import}/again", handle: c.redraftImport},
		{Method: "POST", Path: "/portals/{portal}/imports/{import}/discard", handle: c.discardImport},

		{Method: "GET", Path: "/tokens", handle: c.listTokens},
		{Method: "POST", Path: "/tokens", handle: c.createToken},
		{Method: "POST", Path: "/tokens/{token}/revoke", handle: c.revokeToken},
		{Method: "GET", Path: "/members", handle: c.listMembers},
		{Method: "POST", Path: "/members", handle: c.inviteMember},
		{Method: "POST", Path: "/members/invitations/{invitation}/resend", handle: c.resendMember},
		{Method: "POST", Path: "/members/invitations/{invitation}/revoke", handle: c.revokeMember},
		{Method: "POST", Path: "/members/{user}", handle: c.changeMember},
		{Method: "POST", Path: "/members/{user}/remove", handle: c.removeMember},
		{Method: "GET", Path: "/audit", handle: c.showAudit},
		{Method: "GET", Path: "/audit.csv", handle: c.exportAudit},
	}
}
