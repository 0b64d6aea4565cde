package wiretest

import (
	"net/http"
	"net/url"
)

// Session is what a client holds after it signed in.
type Session struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Type    string `json:"token_type"`
}

// Login sends the sign-in form.
func (w *World) Login(email, password string) Answer {
	w.T.Helper()
	form := url.Values{"grant_type": {"password"}, "username": {email}, "password": {password}}
	return w.Do("POST", "/v1/oauth2/login", "", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// SignIn signs a person in to the organization last used.
func (w *World) SignIn(email string) Session {
	w.T.Helper()
	return w.session(w.Login(email, Password))
}

// Switch begins a session of the same person in another organization.
func (w *World) Switch(token, organizationID string) Session {
	w.T.Helper()
	return w.session(w.Do("POST", "/v1/auth/switch", token, map[string]string{"id": organizationID}))
}

func (w *World) session(a Answer) Session {
	w.T.Helper()
	var s Session
	a.JSON(w.T, &s)
	if a.Status != http.StatusOK || s.Access == "" {
		w.T.Fatalf("no session: %d %s", a.Status, a.Body)
	}
	return s
}

// Invite invites addresses to a portal, by its administrator's token, and
// returns their user ids in the order sent.
func (w *World) Invite(token, portalID string, emails ...string) []string {
	w.T.Helper()
	a := w.Do("POST", "/v1/portal/"+portalID+"/users", token, map[string]any{"users": emails})
	var answer struct {
		Users []struct {
			UserID string `json:"user_id"`
		} `json:"users"`
	}
	a.JSON(w.T, &answer)
	if a.Status != http.StatusCreated {
		w.T.Fatalf("invite: %d %s", a.Status, a.Body)
	}
	ids := make([]string, len(answer.Users))
	for i, u := range answer.Users {
		ids[i] = u.UserID
	}
	return ids
}
