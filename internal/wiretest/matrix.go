package wiretest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The operations of the authorization matrix. R stands for R1 to R4, which
// differ in the user: a member here, of another own portal, at another
// organization, and one that is unknown or malformed. So do S (resend an
// invitation) and X (revoke one), by whose it is. V lists invitations, B resends
// several. A reads the address of the app's database, W rotates its password. C
// and P have no target.
var matrixOperations = strings.Fields("C P G U D I L A W R1 R2 R3 R4 V B S1 S2 S3 S4 X1 X2 X3 X4")

// matrixTargets are the targets in the order of the columns: t1 own, active;
// t2a own, deleting; t2b own, creating or aborting; t2c own, unavailable; then
// those that are no portal of the caller's: t3 deleted, t4 another
// organization's, t6 unknown, t7 malformed.
var matrixTargets = strings.Fields("t1 t2a t2b t2b' t2c t3 t4 t6 t7")

// MatrixRow is a row of the authorization matrix: what the API answers to some
// principals, by target. A cell is a list of "operations status", of which the
// first that names an operation counts, and at last "else status".
type MatrixRow struct {
	Principals string
	T1         string // own, active; C and P
	T2a        string // own, deleting
	T2b        string // own, creating or aborting
	T2c        string // own, unavailable
	Gone       string // deleted, another organization's, unknown, malformed
}

func everywhere(principals, cell string) MatrixRow {
	return MatrixRow{principals, cell, cell, cell, cell, cell}
}

// Matrix returns the authorization matrix of the operations on portals.
func Matrix() []MatrixRow {
	return []MatrixRow{
		everywhere("none malformed", "else 401"),
		everywhere("forged expired-access expired-token revoked-access revoked-token wrong-audience", "else 401"),
		{
			Principals: "owner-access admin-access switched-access owner-token admin-token all-scopes-token",
			T1:         "C I 201, P G U D L A W R1 V B S1 X1 200, else 404", T2a: "D 200, else 404", T2b: "else 404",
			T2c: "D G 200, else 503", Gone: "else 404",
		},
		{
			Principals: "reader-token",
			T1:         "P G L V 200, else 403", T2a: "G L V 404, else 403", T2b: "G L V 404, else 403",
			T2c: "G 200, L V 503, else 403", Gone: "G L V 404, else 403",
		},
		{
			Principals: "inviter-token",
			T1:         "I 201, R1 B S1 X1 200, R S X 404, else 403", T2a: "I R B S X 404, else 403", T2b: "I R B S X 404, else 403",
			T2c: "I R B S X 503, else 403", Gone: "I R B S X 404, else 403",
		},
		{
			Principals: "portal-reader-token",
			T1:         "P G 200, else 403", T2a: "G 404, else 403", T2b: "G 404, else 403",
			T2c: "G 200, else 403", Gone: "G 404, else 403",
		},
		{
			Principals: "portal-writer-token",
			T1:         "C 201, U D 200, else 403", T2a: "D 200, U 404, else 403", T2b: "U D 404, else 403",
			T2c: "D 200, U 503, else 403", Gone: "U D 404, else 403",
		},
		{
			Principals: "user-reader-token",
			T1:         "L V 200, else 403", T2a: "L V 404, else 403", T2b: "L V 404, else 403",
			T2c: "L V 503, else 403", Gone: "L V 404, else 403",
		},
		{
			Principals: "database-token",
			T1:         "A W 200, else 403", T2a: "A W 404, else 403", T2b: "A W 404, else 403",
			T2c: "A W 503, else 403", Gone: "A W 404, else 403",
		},
		everywhere("no-scope-token", "else 403"),
		everywhere("member-access member-token demoted-access demoted-token", "else 403"),
		everywhere("sandbox-access sandbox-token switched-to-sandbox sandbox-token-of-admin", "else 403"),
		everywhere("guest-access guest-switched guest-token", "else 403"),
		everywhere("suspended-access suspended-token", "else 403"),
	}
}

// Want returns the status of an operation on a target.
func (r MatrixRow) Want(operation, target string) (int, error) {
	cell := map[string]string{"t1": r.T1, "t2a": r.T2a, "t2b": r.T2b, "t2b'": r.T2b, "t2c": r.T2c}[target]
	if cell == "" {
		cell = r.Gone
	}
	for clause := range strings.SplitSeq(cell, ", ") {
		words := strings.Fields(clause)
		names, status := words[:len(words)-1], words[len(words)-1]
		if slices.Contains(names, operation) || slices.Contains(names, operation[:1]) || slices.Contains(names, "else") {
			return strconv.Atoi(status)
		}
	}
	return 0, fmt.Errorf("no clause of %q is about %s", cell, operation)
}

// RouteRow is a row for a route that is not about a portal: what it answers by
// the kind of credential.
type RouteRow struct {
	Method, Path string
	Body         string // JSON, or a form when it begins with grant_type
	None         int    // no good credential
	Token        int    // a personal access token
	Access       int    // an access token
	Manager      int    // an unrestricted credential of an organization's owner or admin; 0: as the others
}

// RouteRows returns the rows of every route beside those of the matrix. The
// last one ends the session of an access token.
func RouteRows() []RouteRow {
	return []RouteRow{
		{Method: "POST", Path: "/v1/oauth2/login", Body: "{LOGIN}", None: 200, Token: 200, Access: 200},
		{Method: "POST", Path: "/v1/oauth2/refresh", Body: `{"refresh_token":"portico_ref_x"}`, None: 401, Token: 401, Access: 401},
		{Method: "GET", Path: "/v1/auth/load", None: 401, Token: 200, Access: 200},
		{Method: "POST", Path: "/v1/auth/switch", Body: `{"id":"org_unknown"}`, None: 401, Token: 403, Access: 404},
		{Method: "POST", Path: "/v1/auth/pats", Body: `{"name":"cell"}`, None: 401, Token: 403, Access: 200},
		{Method: "GET", Path: "/v1/auth/pats", None: 401, Token: 403, Access: 200},
		{Method: "DELETE", Path: "/v1/auth/pats/{pat_id}", None: 401, Token: 403, Access: 404},
		{Method: "GET", Path: "/v1/members", None: 401, Token: 403, Access: 403, Manager: 200},
		{Method: "POST", Path: "/v1/members", Body: `{"email":"nobody"}`, None: 401, Token: 403, Access: 403, Manager: 422},
		{Method: "POST", Path: "/v1/members/invitations/{invitation_id}/resend", None: 401, Token: 403, Access: 403, Manager: 404},
		{Method: "DELETE", Path: "/v1/members/invitations/{invitation_id}", None: 401, Token: 403, Access: 403, Manager: 404},
		{Method: "PATCH", Path: "/v1/members/{user_id}", Body: `{"role":"member"}`, None: 401, Token: 403, Access: 403, Manager: 404},
		{Method: "DELETE", Path: "/v1/members/{user_id}", None: 401, Token: 403, Access: 403, Manager: 404},
		{Method: "GET", Path: "/v1/audit", None: 401, Token: 403, Access: 403, Manager: 200},
		{Method: "GET", Path: "/v1/status", None: 200, Token: 200, Access: 200},
		{Method: "GET", Path: "/v1/routes", None: 401, Token: 200, Access: 200},
		{Method: "GET", Path: "/openapi.json", None: 200, Token: 200, Access: 200},
		{Method: "GET", Path: "/docs", None: 200, Token: 200, Access: 200},
		{Method: "GET", Path: "/docs.md", None: 200, Token: 200, Access: 200},
		{Method: "GET", Path: "/docs/portal", None: 200, Token: 200, Access: 200},
		{Method: "GET", Path: "/docs/portal.md", None: 200, Token: 200, Access: 200},
		{Method: "GET", Path: "/docs/auth", None: 200, Token: 200, Access: 200},
		{Method: "GET", Path: "/docs/auth.md", None: 200, Token: 200, Access: 200},
		{Method: "GET", Path: "/docs/status", None: 200, Token: 200, Access: 200},
		{Method: "GET", Path: "/docs/status.md", None: 200, Token: 200, Access: 200},
		{Method: "GET", Path: "/llms.txt", None: 200, Token: 200, Access: 200},
		{Method: "GET", Path: "/llms-full.txt", None: 200, Token: 200, Access: 200},
		{Method: "POST", Path: "/v1/auth/logout", None: 401, Token: 403, Access: 204},
	}
}

// managers are the principals of the matrix that manage the organization their
// credential is for: production's, and the sandbox's.
const managers = " owner-access admin-access switched-access owner-token admin-token" +
	" sandbox-access sandbox-token switched-to-sandbox sandbox-token-of-admin "

// WantOf returns the status that the route answers to a principal of a row.
func (r RouteRow) WantOf(row MatrixRow, principal string) int {
	switch {
	case row.T1 == "else 401":
		return r.None
	case r.Manager != 0 && strings.Contains(managers, " "+principal+" "):
		return r.Manager
	case strings.Contains(principal, "token"):
		return r.Token
	}
	return r.Access
}

// operationRoute returns the route of an operation of the matrix.
func operationRoute(operation string) (method, path string) {
	switch operation[0] {
	case 'C':
		return "POST", "/v1/portal"
	case 'P':
		return "GET", "/v1/portal"
	case 'G':
		return "GET", "/v1/portal/{portal_id}"
	case 'U':
		return "PATCH", "/v1/portal/{portal_id}"
	case 'D':
		return "DELETE", "/v1/portal/{portal_id}"
	case 'I':
		return "POST", "/v1/portal/{portal_id}/users"
	case 'L':
		return "GET", "/v1/portal/{portal_id}/users"
	case 'V':
		return "GET", "/v1/portal/{portal_id}/invitations"
	case 'B':
		return "POST", "/v1/portal/{portal_id}/invitations/resend"
	case 'S':
		return "POST", "/v1/portal/{portal_id}/invitations/{invitation_id}/resend"
	case 'X':
		return "DELETE", "/v1/portal/{portal_id}/invitations/{invitation_id}"
	case 'A':
		return "GET", "/v1/portal/{portal_id}/database"
	case 'W':
		return "POST", "/v1/portal/{portal_id}/database/rotate"
	default:
		return "DELETE", "/v1/portal/{portal_id}/users/{user_id}"
	}
}
