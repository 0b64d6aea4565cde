package keyring

// Label names the purpose of a derived key. Every purpose has one of its own:
// what is authentic for one is worthless for another. A label is never renamed
// and never used for a second purpose, because what was made with it would
// lose, or gain, its force.
type Label string

// The labels: this is the whole table.
const (
	LabelAccessTokens  Label = "access tokens"  // Ed25519: signs the JWTs of the API
	LabelInvitations   Label = "invitations"    // MAC: the token of an invitation's link
	LabelMailedCodes   Label = "mailed codes"   // MAC: the short code of a challenge, made while its mail is sent and stored nowhere
	LabelResets        Label = "resets"         // MAC: the link that sets another password
	LabelBrowsers      Label = "browsers"       // MAC: the cookies of guests' sessions, bound to session and audience
	LabelIdentity      Label = "identity"       // Ed25519: signs who a guest is, for the app behind a portal
	LabelUnsubscribe   Label = "unsubscribe"    // Seal: the address in the link that stops mail to it
	LabelRefreshTokens Label = "refresh tokens" // MAC: refresh tokens, bound to session and rotation
	LabelConsole       Label = "console"        // MAC: the cookies of the console, bound to session
	LabelPlaces        Label = "places"         // MAC: where an account comes in from, as the registry keeps it
	LabelCursors       Label = "cursors"        // MAC: page cursors, bound to path and query
	LabelForms         Label = "forms"          // MAC: form protection of the console and of the guest pages
	LabelStored        Label = "stored"         // Seal: secrets in the registry: certificate keys, SMTP and cluster passwords
	LabelAppAccess     Label = "app access"     // Seal: the passwords with which the portals' own apps reach their databases

	labelFingerprint Label = "fingerprint" // the ring's public id
)

// Labels returns the labels in the order of the table, for tests that go
// through all of them.
func Labels() []Label {
	return []Label{
		LabelAccessTokens, LabelRefreshTokens, LabelInvitations, LabelMailedCodes, LabelUnsubscribe,
		LabelResets, LabelBrowsers, LabelIdentity, LabelConsole, LabelPlaces,
		LabelCursors, LabelForms, LabelStored, LabelAppAccess, labelFingerprint,
	}
}
