package wiretest

// GuestRow is a row of the authorization matrix for a route of the gateway:
// what it answers by who asks. Paths have parameters that nobody was given.
type GuestRow struct {
	SignIn       bool // of the sign-in host; else of a portal's host
	Method, Path string

	None  int // nobody known; an administrator's token is nobody here
	Guest int // a guest: of the portal, or signed in at the sign-in host
	Other int // with the session of another portal, or of the other kind of host
}

// GuestRows returns the rows of every route of the gateway. The last one of a
// portal's host ends the guest's membership.
func GuestRows() []GuestRow {
	same := func(signIn bool, method, path string, status int) GuestRow {
		return GuestRow{signIn, method, path, status, status, status}
	}
	return []GuestRow{
		{false, "GET", "/{$}", 303, 200, 303},
		{false, "GET", "/-/{$}", 303, 200, 303},
		{false, "GET", "/forward-auth", 401, 200, 401},
		same(false, "GET", "/-/enter", 303),
		same(false, "GET", "/-/signed-out", 200),
		same(false, "GET", "/-/left", 200),
		same(false, "GET", "/.well-known/jwks.json", 200),
		same(false, "GET", "/invite/{token}", 404),
		same(false, "POST", "/invite/{token}", 404),
		same(false, "POST", "/invite/{token}/ask-again", 404),
		{true, "GET", "/{$}", 303, 200, 303},
		{true, "GET", "/sign-in", 200, 303, 200},
		same(true, "GET", "/enter", 404),
		same(true, "POST", "/sign-in", 422),
		same(true, "POST", "/code", 422),
		same(true, "GET", "/code/{challenge}", 410),
		same(true, "POST", "/code/{challenge}", 410),
		same(true, "GET", "/forgotten", 200),
		same(true, "POST", "/forgotten", 422),
		same(true, "GET", "/reset/{token}", 410),
		same(true, "POST", "/reset/{token}", 410),
		same(true, "GET", "/unsubscribe/{token}", 404),
		same(true, "POST", "/unsubscribe/{token}", 404),
		same(true, "GET", "/join/{organization}/{token}", 404),
		same(true, "POST", "/join/{organization}/{token}", 404),
		same(true, "GET", "/invitation/{portal}/{token}", 404),
		same(true, "POST", "/invitation/{portal}/{token}/password", 404),
		same(true, "POST", "/invitation/{portal}/{token}/sign-in", 404),
		same(true, "POST", "/invitation/{portal}/{token}/code", 404),
		same(true, "POST", "/invitation/{portal}/{token}/join", 404),
		same(true, "POST", "/invitation/{portal}/{token}/switch", 303),
		same(true, "GET", "/.well-known/jwks.json", 200),
		same(false, "POST", "/-/sign-out", 303),
		same(false, "POST", "/-/sign-out-everywhere", 303),
		same(true, "POST", "/sign-out", 303),
		same(false, "POST", "/-/leave", 303),
	}
}
